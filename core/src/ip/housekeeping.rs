//! What a host says to the routers of a link whether or not there are any: which groups it is in, and that it looks for a
//! router. The kernel sends some of it when a link comes up.

use smoltcp::wire::IpProtocol;

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
