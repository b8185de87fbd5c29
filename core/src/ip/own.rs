//! The server's own addresses: which destinations are one of them, and which sources can be a host's that is not the server.

use heapless::Vec;
#[cfg(feature = "ipv6")]
use smoltcp::wire::Ipv6Address;
use smoltcp::wire::{IpCidr, Ipv4Address};

use crate::config::MAX_ADDRESSES;
use crate::ip::address;
use crate::stats::DropReason;

#[derive(Debug)]
pub(super) struct OwnAddresses {
    ipv4: Vec<Ipv4Own, MAX_ADDRESSES>,
    #[cfg(feature = "ipv6")]
    ipv6: Vec<Ipv6Address, MAX_ADDRESSES>,
}

/// An address of the server's, and what else is in its subnet that is no host's.
#[derive(Debug)]
struct Ipv4Own {
    address: Ipv4Address,
    /// None in a subnet of one or two addresses (RFC 3021).
    broadcast: Option<Ipv4Address>,
}

impl OwnAddresses {
    pub(super) fn new(addresses: &[IpCidr]) -> OwnAddresses {
        let mut all = OwnAddresses {
            ipv4: Vec::new(),
            #[cfg(feature = "ipv6")]
            ipv6: Vec::new(),
        };
        for own in addresses {
            // Cannot fail: there is room for as many of either family as there are in all.
            match own {
                IpCidr::Ipv4(own) => {
                    let _ = all.ipv4.push(Ipv4Own { address: own.address(), broadcast: own.broadcast() });
                }
                #[cfg(feature = "ipv6")]
                IpCidr::Ipv6(own) => {
                    let _ = all.ipv6.push(own.address());
                }
            }
        }
        all
    }

    #[cfg_attr(feature = "fast", inline(always))]
    pub(super) fn has_ipv4(&self, destination: Ipv4Address) -> bool {
        self.ipv4.iter().any(|own| own.address == destination)
    }

    #[cfg(feature = "ipv6")]
    pub(super) fn has_ipv6(&self, destination: Ipv6Address) -> bool {
        self.ipv6.contains(&destination)
    }

    /// True of the broadcast address of any network, and of that of a subnet of ours.
    pub(super) fn is_broadcast(&self, address: Ipv4Address) -> bool {
        address.is_broadcast() || self.ipv4.iter().any(|own| own.broadcast == Some(address))
    }

    #[cfg_attr(feature = "fast", inline(always))]
    pub(super) fn sane_ipv4_source(&self, source: Ipv4Address) -> Result<(), DropReason> {
        if !address::is_ipv4_host(source) {
            return Err(DropReason::Source);
        }
        for own in &self.ipv4 {
            if own.address == source {
                return Err(DropReason::OwnSource);
            }
            if own.broadcast == Some(source) {
                return Err(DropReason::Source);
            }
        }
        Ok(())
    }

    #[cfg(feature = "ipv6")]
    pub(super) fn sane_ipv6_source(&self, source: Ipv6Address) -> Result<(), DropReason> {
        if self.has_ipv6(source) {
            return Err(DropReason::OwnSource);
        }
        if address::is_ipv6_host(source) { Ok(()) } else { Err(DropReason::Source) }
    }
}
