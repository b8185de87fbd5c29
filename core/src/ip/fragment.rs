//! Fragments of IPv4 (RFC 791, section 3.2) and IPv6 (RFC 8200, section 4.5), in terms that both have.

#[cfg(feature = "ipv6")]
use smoltcp::wire::{IPV6_HEADER_LEN, Ipv6Packet};
use smoltcp::wire::{IpAddress, Ipv4Packet};

#[cfg(feature = "ipv6")]
use crate::ip::extension_headers::FRAGMENT_HEADER_LEN;

/// What the fragments of a datagram have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) source: IpAddress,
    pub(crate) destination: IpAddress,
    /// Of IPv4 only. Of IPv6, the first fragment's counts for all (RFC 8200, section 4.5).
    pub(crate) protocol: Option<u8>,
    pub(crate) identification: u32,
}

/// One fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fragment<'p> {
    /// Nothing, or the Ethernet header.
    pub(crate) link_header: &'p [u8],
    pub(crate) key: Key,
    /// The IP header. Of IPv6 only the fixed part: what else stands before the fragment header asks nothing of this server but
    /// to be skipped ([`extension_headers`](super::extension_headers)).
    pub(crate) header: &'p [u8],
    /// What the datagram's data begins with: TCP, UDP, or an extension header. Only the first fragment's counts.
    pub(crate) protocol: u8,
    /// Where the fragment's data begins in that of the datagram, in bytes.
    pub(crate) offset: usize,
    /// More Fragments: this one is not the last.
    pub(crate) more: bool,
    pub(crate) data: &'p [u8],
}

impl<'p> Fragment<'p> {
    /// Reads a packet that is a fragment.
    pub(crate) fn of_ipv4(link_header: &'p [u8], packet: &Ipv4Packet<&'p [u8]>) -> Fragment<'p> {
        let protocol = packet.next_header().into();
        let bytes = packet.clone().into_inner();
        Fragment {
            link_header,
            key: Key {
                source: packet.src_addr().into(),
                destination: packet.dst_addr().into(),
                protocol: Some(protocol),
                identification: packet.ident().into(),
            },
            // Cannot panic: the packet has been checked to be as long as its header.
            header: &bytes[..usize::from(packet.header_len())],
            protocol,
            offset: packet.frag_offset().into(),
            more: packet.more_frags(),
            data: packet.payload(),
        }
    }

    /// Reads a packet that is as long as its header says, and has a whole fragment header at this offset.
    #[cfg(feature = "ipv6")]
    pub(crate) fn of_ipv6(link_header: &'p [u8], packet: &'p [u8], at: usize) -> Fragment<'p> {
        let ip = Ipv6Packet::new_unchecked(packet);
        let field = |offset: usize| u16::from_be_bytes([packet[at + offset], packet[at + offset + 1]]);
        let place = field(2);
        Fragment {
            link_header,
            key: Key {
                source: ip.src_addr().into(),
                destination: ip.dst_addr().into(),
                protocol: None,
                identification: u32::from(field(4)) << 16 | u32::from(field(6)),
            },
            header: &packet[..IPV6_HEADER_LEN],
            protocol: packet[at],
            offset: usize::from(place & 0xfff8),
            more: place & 1 != 0,
            data: &packet[at + FRAGMENT_HEADER_LEN..],
        }
    }
}
