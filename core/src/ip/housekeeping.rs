//! Packets that a host sends to a link unasked: which multicast groups it is in, that it looks for a router, and that it is about
//! to take an address. Linux sends some of them when a link comes up.

use smoltcp::wire::IpProtocol;
#[cfg(feature = "ipv6")]
use smoltcp::wire::Ipv6Address;

#[cfg(feature = "ipv6")]
use crate::ip::own::OwnAddresses;

/// Membership of IPv4 multicast groups (RFC 3376).
pub(crate) fn is_igmp(protocol: IpProtocol) -> bool {
    protocol == IpProtocol::Igmp
}

/// Multicast Listener Discovery (RFC 2710 and 3810), router solicitations and router advertisements (RFC 4861).
#[cfg(feature = "ipv6")]
pub(crate) fn is_icmpv6(protocol: IpProtocol, payload: &[u8]) -> bool {
    const ICMPV6: u8 = 58;
    let message_type = match protocol {
        IpProtocol::Icmpv6 => payload.first(),
        // MLD has a router alert in front of it. The header's length is in units of 8 bytes beyond the first 8 (RFC 8200,
        // section 4.3).
        IpProtocol::HopByHop if payload.first() == Some(&ICMPV6) => {
            payload.get(1).and_then(|&length| payload.get(8 * (1 + usize::from(length))))
        }
        _ => None,
    };
    matches!(message_type, Some(130..=134 | 143))
}

/// Duplicate address detection of another host (RFC 4862, section 5.4.2): this solicitation, from the unspecified address, is not
/// for an address of ours.
#[cfg(feature = "ipv6")]
pub(super) fn is_detection(message: &[u8], own: &OwnAddresses) -> bool {
    const SOLICITATION: u8 = 135;
    let target = message.get(8..).and_then(<[u8]>::first_chunk::<16>);
    message.first() == Some(&SOLICITATION)
        && target.is_some_and(|&target| !own.has_ipv6(Ipv6Address::from(target)))
}
