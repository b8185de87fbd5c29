//! Which addresses can be those of a host.

#[cfg(feature = "ipv6")]
use smoltcp::wire::Ipv6Address;
use smoltcp::wire::{EthernetAddress, IpAddress, Ipv4Address};

/// True if it can be the address of a host.
pub(crate) fn is_host(address: IpAddress) -> bool {
    match address {
        IpAddress::Ipv4(address) => is_ipv4_host(address),
        #[cfg(feature = "ipv6")]
        IpAddress::Ipv6(address) => is_ipv6_host(address),
    }
}

/// Not "this network", loopback, multicast, nor reserved, which the broadcast address is part of (RFC 1122, section
/// 3.2.1.3; RFC 6890).
pub(crate) fn is_ipv4_host(address: Ipv4Address) -> bool {
    let first = address.octets()[0];
    first != 0 && first != 127 && first < 224
}

/// Not unspecified, loopback, multicast, nor an IPv4 address mapped into IPv6.
#[cfg(feature = "ipv6")]
pub(crate) fn is_ipv6_host(address: Ipv6Address) -> bool {
    !address.is_unspecified()
        && !address.is_loopback()
        && !address.is_multicast()
        && address.to_ipv4_mapped().is_none()
}

/// True if it can be the hardware address of a host: unicast, and not all zeroes.
pub(crate) fn is_station(address: EthernetAddress) -> bool {
    address.is_unicast() && address.0 != [0; 6]
}
