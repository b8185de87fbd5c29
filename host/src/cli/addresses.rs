//! The addresses of both ends of the link: the defaults where nothing was given, and whether they fit each other.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use shout_core::MAX_ADDRESSES;
use thiserror::Error;

/// The smallest MTU of a link that carries IPv6 (RFC 8200, section 5).
const LEAST_IPV6_MTU: u16 = 1280;

/// The largest MTU of a TAP device, whose frames have a header of 14 bytes in the kernel's 65535.
const LARGEST_TAP_MTU: u16 = 65521;

/// Options that do not fit each other.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum UsageError {
    /// An address that no single host can have.
    #[error("{option} {address} is {fault}: give the address of a single host")]
    NotAHost {
        /// The option that it was given with.
        option: &'static str,
        /// The address with its prefix.
        address: IpNet,
        /// What it is instead.
        fault: &'static str,
    },
    /// The same address twice.
    #[error("{option} {address} is given twice: once is enough")]
    Twice {
        /// The option that it was given with.
        option: &'static str,
        /// The address.
        address: IpAddr,
    },
    /// One address for both ends.
    #[error("{0} is both an --address and a --host-address: each end of the link needs its own")]
    BothEnds(IpAddr),
    /// An address that this machine would not reach.
    #[error("--address {address} needs a --host-address in its subnet {}", .address.trunc())]
    NoHostAddress {
        /// The address.
        address: IpNet,
    },
    /// A host address of a family that the server has no address of.
    #[error("no --address is in the subnet of --host-address {0}: add one that is")]
    NoAddress(IpNet),
    /// A ninth address.
    #[error("{0} addresses are too many: the server can have {MAX_ADDRESSES}")]
    TooMany(usize),
    /// IPv6 where it is to be left out.
    #[error("-4 leaves IPv6 out, and {0} is an IPv6 address: leave out one of the two")]
    Ipv4Only(IpNet),
    /// IPv6 on a link that is too narrow for it.
    #[error("IPv6 needs --mtu {LEAST_IPV6_MTU} or more: raise it, or leave {0} out")]
    TooNarrow(IpNet),
    /// Packets that do not fit into the longest frame.
    #[error("a TAP device takes an --mtu of {LARGEST_TAP_MTU} at most: lower it, or leave --tap out")]
    TooWide,
}

/// Both ends of the link, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ends {
    /// The server's own addresses, 1 to 8, no two alike.
    pub(super) addresses: Vec<IpNet>,
    /// This machine's; if the server is to give them to a TUN device, one in the subnet of each of the server's.
    pub(super) host_addresses: Vec<IpNet>,
}

/// What else decides which addresses are possible.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    /// Bytes in the longest packet.
    pub(super) mtu: u16,
    /// Whether IPv6 is to be left out.
    pub(super) ipv4_only: bool,
    /// Whether the server gives the device its addresses.
    pub(super) configure: bool,
    /// Whether there may be other machines on the link, by way of a bridge.
    pub(super) tap: bool,
}

impl Ends {
    /// Adds the defaults of each family that has no address yet, and checks that all fit each other.
    pub(super) fn complete(mut self, link: Link) -> Result<Self, UsageError> {
        if self.addresses.len() > MAX_ADDRESSES {
            return Err(UsageError::TooMany(self.addresses.len()));
        }
        if link.tap && link.mtu > LARGEST_TAP_MTU {
            return Err(UsageError::TooWide);
        }
        self.add_defaults(link);
        check_each("--address", &self.addresses, link)?;
        check_each("--host-address", &self.host_addresses, link)?;
        self.check_together(link.configure && !link.tap)?;
        Ok(self)
    }

    /// The pair of defaults of each family that neither option names, as far as the link and the eight places take them.
    fn add_defaults(&mut self, link: Link) {
        let Self { addresses, host_addresses } = self;
        let v4 = |host| IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 69, host), 24));
        let v6 = |host| IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xfd69, 0, 0, 0, 0, 0, 0, host), 64));
        let is_v4 = |net: &IpNet| net.addr().is_ipv4();
        let is_v6 = |net: &IpNet| net.addr().is_ipv6();
        let given_v4 = addresses.iter().chain(host_addresses.iter()).any(is_v4);
        let given_v6 = addresses.iter().chain(host_addresses.iter()).any(is_v6);
        if !given_v4 && addresses.len() < MAX_ADDRESSES {
            addresses.insert(0, v4(1));
            host_addresses.insert(0, v4(100));
        }
        let takes_v6 = !link.ipv4_only && link.mtu >= LEAST_IPV6_MTU;
        if !given_v6 && addresses.len() < MAX_ADDRESSES && takes_v6 {
            addresses.push(v6(1));
            host_addresses.push(v6(0x100));
        }
    }

    fn check_together(&self, reached: bool) -> Result<(), UsageError> {
        let Self { addresses, host_addresses } = self;
        for &address in addresses {
            if host_addresses.iter().any(|host| host.addr() == address.addr()) {
                return Err(UsageError::BothEnds(address.addr()));
            }
            // Both ways: this machine finds the server by the prefix of the host address.
            let reaches = |host: &IpNet| address.contains(&host.addr()) && host.contains(&address.addr());
            // Whoever set the device up has seen to the route; on a bridge it is others who have one.
            if reached && !host_addresses.iter().any(reaches) {
                return Err(UsageError::NoHostAddress { address });
            }
        }
        let served = |host: &IpNet| addresses.iter().any(|a| a.addr().is_ipv4() == host.addr().is_ipv4());
        match host_addresses.iter().find(|host| !served(host)) {
            Some(&host) => Err(UsageError::NoAddress(host)),
            None => Ok(()),
        }
    }
}

fn check_each(option: &'static str, nets: &[IpNet], link: Link) -> Result<(), UsageError> {
    for (position, &net) in nets.iter().enumerate() {
        if let Some(fault) = fault(&net) {
            return Err(UsageError::NotAHost { option, address: net, fault });
        }
        if nets.iter().take(position).any(|other| other.addr() == net.addr()) {
            return Err(UsageError::Twice { option, address: net.addr() });
        }
        if net.addr().is_ipv6() && link.ipv4_only {
            return Err(UsageError::Ipv4Only(net));
        }
        if net.addr().is_ipv6() && link.mtu < LEAST_IPV6_MTU {
            return Err(UsageError::TooNarrow(net));
        }
    }
    Ok(())
}

/// What an address is if it is not one that a host can have on a link.
fn fault(net: &IpNet) -> Option<&'static str> {
    match net {
        IpNet::V4(net) => {
            let address = net.addr();
            // A subnet of 31 or 32 bits has neither (RFC 3021).
            let wide = net.prefix_len() < 31;
            match address.octets()[0] {
                _ if address.is_loopback() => Some("a loopback address"),
                _ if address.is_multicast() => Some("a multicast address"),
                _ if address.is_broadcast() => Some("the broadcast address"),
                0 | 240.. => Some("a reserved address"),
                _ if wide && address == net.network() => Some("the network address of its subnet"),
                _ if wide && address == net.broadcast() => Some("the broadcast address of its subnet"),
                _ => None,
            }
        }
        IpNet::V6(net) => match net.addr() {
            address if address.is_unspecified() => Some("the unspecified address"),
            address if address.is_loopback() => Some("the loopback address"),
            address if address.is_multicast() => Some("a multicast address"),
            address if address.to_ipv4_mapped().is_some() => Some("an IPv4-mapped address"),
            // RFC 4291, section 2.6.1; a subnet of 127 bits has none (RFC 6164).
            address if net.prefix_len() < 127 && address == net.network() => {
                Some("the subnet-router anycast address")
            }
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(list: &str) -> Vec<IpNet> {
        list.split_whitespace().map(|net| net.parse().unwrap()).collect()
    }

    const LINK: Link = Link { mtu: 1500, ipv4_only: false, configure: true, tap: false };

    fn complete(addresses: &str, host_addresses: &str, link: Link) -> Result<Ends, UsageError> {
        Ends { addresses: nets(addresses), host_addresses: nets(host_addresses) }.complete(link)
    }

    #[track_caller]
    fn accepted(addresses: &str, host_addresses: &str) -> Ends {
        complete(addresses, host_addresses, LINK).unwrap()
    }

    #[track_caller]
    fn refused(addresses: &str, host_addresses: &str) -> UsageError {
        complete(addresses, host_addresses, LINK).unwrap_err()
    }

    #[test]
    fn the_defaults_apply_per_family() {
        let both = accepted("", "");
        assert_eq!(both.addresses, nets("192.168.69.1/24 fd69::1/64"));
        assert_eq!(both.host_addresses, nets("192.168.69.100/24 fd69::100/64"));

        let own_v4 = accepted("10.0.0.1/8", "10.9.9.9/8");
        assert_eq!(own_v4.addresses, nets("10.0.0.1/8 fd69::1/64"));
        assert_eq!(own_v4.host_addresses, nets("10.9.9.9/8 fd69::100/64"));

        let own_v6 = accepted("fd00::1/64", "fd00::2/64");
        assert_eq!(own_v6.addresses, nets("192.168.69.1/24 fd00::1/64"));
    }

    #[test]
    fn one_option_of_a_family_takes_its_defaults_away() {
        assert!(matches!(refused("10.0.0.1/8", ""), UsageError::NoHostAddress { .. }));
        assert_eq!(refused("", "10.0.0.1/8"), UsageError::NoAddress(nets("10.0.0.1/8")[0]));
    }

    #[test]
    fn a_narrow_link_carries_ipv4_only() {
        let narrow =
            |addresses, host_addresses| complete(addresses, host_addresses, Link { mtu: 1279, ..LINK });
        assert_eq!(narrow("", "").unwrap().addresses, nets("192.168.69.1/24"));
        assert_eq!(narrow("", "").unwrap().host_addresses, nets("192.168.69.100/24"));
        assert!(matches!(narrow("fd00::1/64", "fd00::2/64"), Err(UsageError::TooNarrow(_))));
        assert!(matches!(narrow("", "fd00::2/64"), Err(UsageError::TooNarrow(_))));
        assert_eq!(complete("", "", Link { mtu: 1280, ..LINK }).unwrap().addresses.len(), 2);
    }

    #[test]
    fn ipv6_can_be_left_out() {
        let v4 = Link { ipv4_only: true, ..LINK };
        let ends = complete("", "", v4).unwrap();
        assert_eq!(
            (ends.addresses, ends.host_addresses),
            (nets("192.168.69.1/24"), nets("192.168.69.100/24"))
        );
        assert!(matches!(complete("fd00::1/64", "fd00::2/64", v4), Err(UsageError::Ipv4Only(_))));
        assert!(matches!(complete("", "fd00::2/64", v4), Err(UsageError::Ipv4Only(_))));
    }

    #[test]
    fn an_address_needs_a_host_address_that_reaches_it() {
        accepted("10.0.0.1/31", "10.0.0.0/31");
        accepted("10.0.0.1/24 10.0.0.2/24", "10.0.0.9/24");
        for (address, host) in [
            ("10.0.0.1/24", "10.0.1.2/24"),
            ("10.0.0.1/24", "fd00::2/64"),
            // The server would find the machine, but not the other way round.
            ("10.0.0.1/8", "10.9.9.9/24"),
            ("10.0.0.1/32", "10.0.0.2/24"),
        ] {
            assert!(matches!(refused(address, host), UsageError::NoHostAddress { .. }), "{address} {host}");
        }
    }

    #[test]
    fn a_device_that_is_set_up_already_needs_no_host_address() {
        let ends = complete("10.0.0.1/8", "", Link { configure: false, ..LINK }).unwrap();
        assert_eq!(ends.addresses, nets("10.0.0.1/8 fd69::1/64"));
    }

    #[test]
    fn a_tap_device_needs_no_host_address() {
        let tap = |addresses, host_addresses| {
            complete(addresses, host_addresses, Link { tap: true, ..LINK }).unwrap().host_addresses
        };
        assert_eq!(tap("10.0.0.1/8", ""), nets("fd69::100/64"));
        assert_eq!(tap("10.0.0.1/8 fd00::1/64", ""), nets(""));
        assert_eq!(tap("", ""), nets("192.168.69.100/24 fd69::100/64"));
        assert_eq!(complete("", "", Link { tap: true, mtu: 65522, ..LINK }), Err(UsageError::TooWide));
    }

    #[test]
    fn an_address_stands_once() {
        assert!(matches!(
            refused("10.0.0.1/8 10.0.0.1/9", "10.0.0.2/8"),
            UsageError::Twice { option: "--address", .. }
        ));
        assert!(matches!(
            refused("10.0.0.1/8", "10.0.0.2/8 10.0.0.2/8"),
            UsageError::Twice { option: "--host-address", .. }
        ));
        assert!(matches!(refused("10.0.0.1/8", "10.0.0.1/8"), UsageError::BothEnds(_)));
    }

    #[test]
    fn eight_addresses_and_no_more() {
        let eight = "10.0.0.1/8 10.0.0.2/8 10.0.0.3/8 10.0.0.4/8 10.0.0.5/8 10.0.0.6/8 10.0.0.7/8 10.0.0.8/8";
        // No place is left for the default of the other family.
        assert_eq!(accepted(eight, "10.0.0.9/8").addresses, nets(eight));
        assert_eq!(accepted(eight, "10.0.0.9/8").host_addresses, nets("10.0.0.9/8"));
        assert_eq!(refused(&format!("{eight} 10.0.0.9/8"), "10.0.0.10/8"), UsageError::TooMany(9));
    }

    #[test]
    fn only_addresses_that_a_host_can_have() {
        for (address, what) in [
            ("127.0.0.1/8", "loopback"),
            ("224.0.0.1/24", "multicast"),
            ("255.255.255.255/8", "broadcast"),
            ("0.0.0.0/8", "reserved"),
            ("0.1.2.3/8", "reserved"),
            ("240.0.0.1/8", "reserved"),
            ("10.0.0.0/24", "network"),
            ("10.0.0.255/24", "broadcast"),
            ("::/64", "unspecified"),
            ("::1/64", "loopback"),
            ("ff02::1/64", "multicast"),
            ("fd00::/64", "anycast"),
            ("::ffff:10.0.0.1/64", "IPv4-mapped"),
        ] {
            let message = refused(address, "").to_string();
            assert!(message.contains("--address") && message.contains(what), "{address}: {message}");
            let message = refused("10.3.0.1/16 fd33::1/64", address).to_string();
            assert!(message.contains("--host-address") && message.contains(what), "{address}: {message}");
        }
        accepted("fe80::1/64", "fe80::2/64");
    }
}
