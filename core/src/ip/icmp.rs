//! ICMP errors, which quote the packet as it came (RFC 1122, section 3.2.2).
//!
//! smoltcp's errors quote a header that it has rebuilt, without identification, type of service, options and flow label.

#[cfg(feature = "ipv6")]
use smoltcp::wire::Icmpv6Packet;
use smoltcp::wire::{IPV4_HEADER_LEN, IPV4_MIN_MTU, Icmpv4Packet, IpAddress, IpProtocol, Ipv4Packet};
#[cfg(feature = "ipv6")]
use smoltcp::wire::{IPV6_HEADER_LEN, IPV6_MIN_MTU, Ipv6Packet};

use crate::ip::answer::{Answer, Unwanted};
use crate::ip::device::Room;
use crate::ip::interface::Interface;

/// Type, code, checksum, and a pointer or 4 unused bytes, in ICMP and ICMPv6 alike.
const ERROR_HEADER_LEN: usize = 8;

/// Precedence 6, internetwork control (RFC 1812, section 4.3.2.5), as routers and Linux set it.
const PRECEDENCE: u8 = 0xc0;

/// Sends the error that the packet's [`Answer`] names. `packet` is the unwanted one; padding of its frame may follow it.
///
/// No error may be sent about an ICMP error, about a fragment other than the first, nor about a packet from or to more than one
/// host (RFC 1122, section 3.2.2; RFC 4443, section 2.4(e)). The filter lets none of these come here.
pub(crate) fn error(packet: &[u8], unwanted: &Unwanted<'_>, tx: &mut dyn Room, interface: &mut Interface) {
    let (protocol, least_mtu, header_len, length) = match unwanted.source {
        IpAddress::Ipv4(_) => {
            let length = usize::from(Ipv4Packet::new_unchecked(packet).total_len());
            (IpProtocol::Icmp, IPV4_MIN_MTU, IPV4_HEADER_LEN, length)
        }
        #[cfg(feature = "ipv6")]
        IpAddress::Ipv6(_) => {
            let length = Ipv6Packet::new_unchecked(packet).total_len();
            (IpProtocol::Icmpv6, IPV6_MIN_MTU, IPV6_HEADER_LEN, length)
        }
    };
    // As much as fits without being fragmented on the way (RFC 1812, section 4.3.2.3; RFC 4443, section 2.4(c)).
    let quoted = &packet[..length.min(least_mtu - header_len - ERROR_HEADER_LEN)];
    unwanted.reply((protocol, ERROR_HEADER_LEN + quoted.len()), tx, interface, |error, header| {
        let message = &mut error[header..];
        let (kind, code, pointer) = kind(unwanted);
        message[..ERROR_HEADER_LEN].copy_from_slice(&[kind, code, 0, 0, 0, 0, pointer[0], pointer[1]]);
        message[ERROR_HEADER_LEN..].copy_from_slice(quoted);
        match (unwanted.source, unwanted.destination) {
            #[cfg(feature = "ipv6")]
            (IpAddress::Ipv6(source), IpAddress::Ipv6(destination)) => {
                Icmpv6Packet::new_unchecked(message).fill_checksum(&destination, &source);
            }
            _ => {
                Icmpv4Packet::new_unchecked(message).fill_checksum();
                error[1] = PRECEDENCE;
                Ipv4Packet::new_unchecked(error).fill_checksum();
            }
        }
    });
}

/// Type, code and pointer of the error.
fn kind(unwanted: &Unwanted<'_>) -> (u8, u8, [u8; 2]) {
    match (unwanted.answer, unwanted.source) {
        // A RST is no error of ICMP's, and does not come here.
        (Answer::PortUnreachable | Answer::Reset, IpAddress::Ipv4(_)) => (3, 3, [0; 2]),
        (Answer::ProtocolUnreachable, _) => (3, 2, [0; 2]),
        #[cfg(feature = "ipv6")]
        (Answer::PortUnreachable | Answer::Reset, IpAddress::Ipv6(_)) => (1, 4, [0; 2]),
        #[cfg(feature = "ipv6")]
        (Answer::ParameterProblem(problem, pointer), _) => (4, problem as u8, pointer.to_be_bytes()),
    }
}
