//! IPv6 extension headers (RFC 8200, section 4): what stands behind them, and what is wrong with them.
//!
//! smoltcp knows the hop-by-hop options only. So a packet with extension headers is shown to it without them: they ask
//! nothing of this server but to be skipped.

use smoltcp::wire::{IPV6_HEADER_LEN, Icmpv6Message, IpProtocol, Ipv6Packet, TCP_HEADER_LEN, UDP_HEADER_LEN};

use crate::ip::answer::Problem;
use crate::ip::{LONGEST_REBUILT, Rebuilt};
use crate::stats::DropReason;

/// The most extension headers that a packet may have. RFC 8504, section 5.3 allows a limit.
const MOST_HEADERS: usize = 8;

/// The length of a fragment header.
pub(crate) const FRAGMENT_HEADER_LEN: usize = 8;

/// Where a Next Header field stands in an IPv6 header.
const NEXT_HEADER: usize = 6;

/// What stands behind the extension headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Upper {
    /// TCP, UDP or ICMPv6.
    pub(crate) protocol: IpProtocol,
    /// Where in the IP packet it begins.
    pub(crate) offset: usize,
}

/// Why a packet goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Drop(DropReason),
    /// The sender is to be told, and which byte of the packet is at fault.
    Problem(Problem, u16),
    /// It is a fragment, whose header stands at this offset.
    Fragment(usize),
}

/// Goes through the extension headers of an IPv6 packet, which must be as long as its header says.
pub(crate) fn walk(packet: &[u8]) -> Result<Upper, Fault> {
    follow(packet, NEXT_HEADER, IPV6_HEADER_LEN, fragment)
}

/// Goes through the extension headers from this offset on; the first is named at that one. `fragment` looks at a fragment
/// header.
fn follow(
    packet: &[u8],
    mut named_at: usize,
    mut offset: usize,
    fragment: fn(&[u8], usize) -> Result<usize, Fault>,
) -> Result<Upper, Fault> {
    for _ in 0..=MOST_HEADERS {
        let protocol = IpProtocol::from(packet[named_at]);
        let header = match protocol {
            IpProtocol::Tcp | IpProtocol::Udp | IpProtocol::Icmpv6 => return Ok(Upper { protocol, offset }),
            // Section 4.7.
            IpProtocol::Ipv6NoNxt => return Err(Fault::Drop(DropReason::ExtensionHeader)),
            // Section 4.3: it stands first, or counts as unknown.
            IpProtocol::HopByHop if offset == IPV6_HEADER_LEN => options(packet, offset)?,
            IpProtocol::Ipv6Opts => options(packet, offset)?,
            IpProtocol::Ipv6Route => routing(packet, offset)?,
            IpProtocol::Ipv6Frag => fragment(packet, offset)?,
            _ => return Err(problem(packet, Problem::NextHeader, named_at)),
        };
        (named_at, offset) = (offset, offset + header);
    }
    Err(Fault::Drop(DropReason::ExtensionHeader))
}

/// An IPv6 packet with extension headers.
#[derive(Debug)]
pub(crate) struct Extended<'p> {
    /// Nothing, or the Ethernet header.
    pub(crate) link_header: &'p [u8],
    /// As long as its header says.
    pub(crate) packet: &'p [u8],
    pub(crate) upper: Upper,
}

impl Extended<'_> {
    /// The packet with nothing between its IPv6 header and what stands behind the extension headers. None if that is
    /// longer than 2048 bytes.
    pub(crate) fn plain(&self) -> Option<Rebuilt> {
        let payload = self
            .packet
            .get(self.upper.offset..)
            .filter(|it| IPV6_HEADER_LEN + it.len() <= LONGEST_REBUILT)?;
        let mut plain = Rebuilt::from_slice(self.link_header).ok()?;
        plain.extend_from_slice(self.packet.get(..IPV6_HEADER_LEN)?).ok()?;
        plain.extend_from_slice(payload).ok()?;
        let mut header = Ipv6Packet::new_unchecked(&mut plain[self.link_header.len()..]);
        header.set_next_header(self.upper.protocol);
        header.set_payload_len(u16::try_from(payload.len()).ok()?);
        Some(plain)
    }
}

/// The length of the extension header at this offset, which must be there as a whole.
fn length(packet: &[u8], offset: usize) -> Option<usize> {
    let length = (usize::from(*packet.get(offset + 1)?) + 1) * 8;
    (offset + length <= packet.len()).then_some(length)
}

/// Hop-by-hop and destination options (section 4.2). None is known but padding, and the two highest bits of an unknown
/// one's type say what to do.
fn options(packet: &[u8], offset: usize) -> Result<usize, Fault> {
    const PAD_1: u8 = 0;
    let length = length(packet, offset).ok_or(Fault::Drop(DropReason::Malformed))?;
    let end = offset + length;
    let mut at = offset + 2;
    while at < end {
        let kind = packet[at];
        if kind == PAD_1 {
            at += 1;
            continue;
        }
        let next = match packet[..end].get(at + 1) {
            Some(&length) if at + 2 + usize::from(length) <= end => at + 2 + usize::from(length),
            _ => return Err(Fault::Drop(DropReason::Malformed)),
        };
        match kind >> 6 {
            0b00 => {}
            0b01 => return Err(Fault::Drop(DropReason::ExtensionHeader)),
            // 11 excepts packets to more than one host, which do not come here.
            _ => return Err(problem(packet, Problem::Option, at)),
        }
        at = next;
    }
    Ok(length)
}

/// A routing header (section 4.4): no type is known (type 0 is obsolete, RFC 5095), and one that has reached its last
/// segment is skipped whatever its type.
fn routing(packet: &[u8], offset: usize) -> Result<usize, Fault> {
    let length = length(packet, offset).ok_or(Fault::Drop(DropReason::Malformed))?;
    match packet[offset + 3] {
        0 => Ok(length),
        _ => Err(problem(packet, Problem::HeaderField, offset + 2)),
    }
}

/// A fragment header (section 4.5). A fragment that is all of its packet stands for itself, whatever other fragments
/// there may be (RFC 6946).
fn fragment(packet: &[u8], at: usize) -> Result<usize, Fault> {
    const PAYLOAD_LENGTH: usize = 4;
    let (begin, more) = place(packet, at).ok_or(Fault::Drop(DropReason::Malformed))?;
    let length = packet.len() - at - FRAGMENT_HEADER_LEN;
    if begin == 0 && !more {
        return Ok(FRAGMENT_HEADER_LEN);
    }
    if more && !length.is_multiple_of(8) {
        return Err(problem(packet, Problem::HeaderField, PAYLOAD_LENGTH));
    }
    if begin + length > usize::from(u16::MAX) {
        return Err(problem(packet, Problem::HeaderField, at + 2));
    }
    if begin == 0 {
        first_fragment(packet, at)?;
    }
    Err(Fault::Fragment(at))
}

/// A fragment header in a fragment. Do not be tempted to look further if it is one of a fragment, too: a packet has room for
/// thousands of them.
fn nested_fragment(packet: &[u8], at: usize) -> Result<usize, Fault> {
    match place(packet, at) {
        None => Err(Fault::Drop(DropReason::Malformed)),
        Some((0, false)) => Ok(FRAGMENT_HEADER_LEN),
        Some(_) => Err(Fault::Drop(DropReason::Fragment)),
    }
}

/// Where the data of a fragment begins in that of its packet, and whether there is more. None if its header is cut off.
fn place(packet: &[u8], at: usize) -> Option<(usize, bool)> {
    let header = packet.get(at..at + FRAGMENT_HEADER_LEN)?;
    let place = u16::from_be_bytes([header[2], header[3]]);
    Some((usize::from(place & 0xfff8), place & 1 != 0))
}

/// The first fragment has all headers up to that of TCP, UDP or ICMPv6 (RFC 7112): nobody else could look at them. Neighbour
/// discovery does not come in fragments (RFC 6980).
fn first_fragment(packet: &[u8], at: usize) -> Result<(), Fault> {
    let incomplete = || problem(packet, Problem::IncompleteChain, 0);
    let upper = match follow(packet, at, at + FRAGMENT_HEADER_LEN, nested_fragment) {
        Ok(upper) => upper,
        Err(Fault::Drop(DropReason::Malformed)) => return Err(incomplete()),
        Err(fault) => return Err(fault),
    };
    let header = match upper.protocol {
        IpProtocol::Tcp => TCP_HEADER_LEN,
        _ => UDP_HEADER_LEN,
    };
    if packet.len() < upper.offset + header {
        return Err(incomplete());
    }
    match upper.protocol {
        IpProtocol::Icmpv6 if packet[upper.offset] != Icmpv6Message::EchoRequest.into() => {
            Err(Fault::Drop(DropReason::ExtensionHeader))
        }
        _ => Ok(()),
    }
}

/// The fault to tell the sender of, unless the packet carries an ICMPv6 error or a redirect: there are no errors about
/// these (RFC 4443, section 2.4(e)).
fn problem(packet: &[u8], problem: Problem, at: usize) -> Fault {
    const REDIRECT: u8 = 137;
    match (message_type(packet), u16::try_from(at)) {
        (Some(0..128 | REDIRECT), _) | (_, Err(_)) => Fault::Drop(DropReason::ExtensionHeader),
        (_, Ok(at)) => Fault::Problem(problem, at),
    }
}

/// The type of the ICMPv6 message in a packet, whatever stands before it.
fn message_type(packet: &[u8]) -> Option<u8> {
    let mut protocol = IpProtocol::from(packet[NEXT_HEADER]);
    let mut offset = IPV6_HEADER_LEN;
    for _ in 0..=MOST_HEADERS {
        let header = match protocol {
            IpProtocol::Icmpv6 => return packet.get(offset).copied(),
            IpProtocol::HopByHop | IpProtocol::Ipv6Opts | IpProtocol::Ipv6Route => length(packet, offset)?,
            IpProtocol::Ipv6Frag => match place(packet, offset)? {
                (0, _) => FRAGMENT_HEADER_LEN,
                // It is not this header that the data begins with.
                _ => return None,
            },
            _ => return None,
        };
        protocol = IpProtocol::from(packet[offset]);
        offset += header;
    }
    None
}
