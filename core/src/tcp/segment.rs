//! TCP segments: those that come, those that smoltcp sends, and those that the server builds for smoltcp to receive.

use heapless::Vec;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ETHERNET_HEADER_LEN, IpAddress, IpEndpoint, IpProtocol, IpRepr, TcpControl, TcpPacket, TcpRepr,
};

use crate::cx::Cx;
use crate::ip::device::Room;
use crate::ip::interface::Interface;
use crate::tcp::demux::Tuple;
use crate::tcp::malformed;
use crate::tcp::seq::{Seq, wrapped};

/// A TCP segment with a right checksum, between addresses that may talk to each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawSegment<'p> {
    /// The whole segment, header included. It is at least as long as its Data Offset says.
    pub(crate) bytes: &'p [u8],
    /// The first 20 bytes of the header, which every segment has.
    pub(crate) header: &'p [u8; 20],
    /// What follows these 20 bytes: the payload, if there are no options.
    pub(crate) rest: &'p [u8],
    /// Nothing, or the Ethernet header.
    pub(crate) link_header: &'p [u8],
    pub(crate) source: IpAddress,
    pub(crate) destination: IpAddress,
}

/// A TCP segment, parsed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment<'p> {
    /// The packet that it came in, with its link header. Empty if smoltcp must not be shown that packet: then one is built
    /// from `tcp`.
    pub(crate) packet: &'p [u8],
    /// Nothing, or the Ethernet header.
    pub(crate) link_header: &'p [u8],
    pub(crate) tuple: Tuple,
    pub(crate) tcp: TcpRepr<'p>,
}

/// The control flags of nearly all segments: ACK, with PSH or without.
const ACK: u8 = 0x10;
const PSH_ACK: u8 = 0x18;

impl<'p> Segment<'p> {
    /// The segment that came in this packet, read as if its flags were ACK or PSH and ACK, and as if it had no options.
    /// [`parse`](Self::parse) must be called next, which reads any other segment again.
    ///
    /// Do not be tempted to make one function of the two: the segment is large, and would be moved into its `Option`.
    #[cfg_attr(feature = "fast", inline(always))]
    pub(crate) fn new(packet: &'p [u8], raw: &RawSegment<'p>) -> Segment<'p> {
        // An array, so that each field is known to be there.
        let header = TcpPacket::new_unchecked(raw.header);
        Segment {
            packet,
            link_header: raw.link_header,
            tuple: Tuple { remote: IpEndpoint::new(raw.source, header.src_port()), local: raw.destination },
            tcp: TcpRepr {
                src_port: header.src_port(),
                dst_port: header.dst_port(),
                control: if header.psh() { TcpControl::Psh } else { TcpControl::None },
                seq_number: header.seq_number(),
                ack_number: Some(header.ack_number()),
                window_len: header.window_len(),
                window_scale: None,
                max_seg_size: None,
                sack_permitted: false,
                sack_ranges: [None; 3],
                timestamp: None,
                payload: raw.rest,
            },
        }
    }

    /// Reads the options and flags that [`new`](Self::new) did not. False if the segment cannot be understood.
    #[inline]
    pub(crate) fn parse(&mut self, raw: &RawSegment<'p>) -> bool {
        let plain = raw.header[12] >> 4 == 5 && matches!(raw.header[13], ACK | PSH_ACK);
        plain && self.tcp.src_port != 0 || self.parse_all(raw)
    }

    #[cold]
    #[inline(never)]
    fn parse_all(&mut self, raw: &RawSegment<'p>) -> bool {
        let bytes = TcpPacket::new_unchecked(raw.bytes);
        if let Ok(tcp) =
            TcpRepr::parse(&bytes, &raw.source, &raw.destination, &ChecksumCapabilities::ignored())
        {
            self.tcp = tcp;
        } else if let Some(tcp) = malformed::parse(&bytes) {
            // Empty, as smoltcp would not understand it.
            (self.tcp, self.packet) = (tcp, &[]);
        } else {
            return false;
        }
        true
    }
}

impl Segment<'_> {
    /// SEG.SEQ.
    pub(crate) fn seq(&self) -> Seq {
        self.tcp.seq_number.into()
    }

    /// SEG.ACK.
    pub(crate) fn ack(&self) -> Option<Seq> {
        self.tcp.ack_number.map(Seq::from)
    }

    /// True of an acknowledgement alone, pushed or not: it may be a duplicate (RFC 5681, section 2).
    pub(crate) fn is_bare(&self) -> bool {
        self.tcp.payload.is_empty() && matches!(self.tcp.control, TcpControl::None | TcpControl::Psh)
    }

    /// Lets smoltcp answer a segment to no connection: with a RST, if one is due.
    pub(crate) fn refuse<H>(&self, cx: &mut Cx<'_, H>, tx: &mut dyn Room) {
        if !self.packet.is_empty() {
            return cx.interface.answer(cx.now, self.packet, tx);
        }
        let headers: Built = build(self, &TcpRepr { timestamp: None, payload: &[], ..self.tcp });
        cx.interface.answer(cx.now, &headers, tx);
    }

    /// Where the payload ends: SEG.SEQ + SEG.LEN, without the SYN or FIN.
    pub(crate) fn end(&self) -> Seq {
        self.seq() + wrapped(self.tcp.payload.len())
    }
}

/// A packet of the server's own for smoltcp: the longest headers without a payload, or a payload of a few bytes behind a TCP
/// header without options.
pub(crate) type Built = Vec<u8, { ETHERNET_HEADER_LEN + 40 + 60 }>;

/// The segment size that the peer asks for with its SYN, at most `largest`.
pub(crate) fn segment_size(syn: &TcpRepr<'_>, largest: u16) -> u16 {
    syn.max_seg_size.filter(|&size| size > 0).map_or(default_size(largest), |size| size.min(largest))
}

/// RFC 9293, section 3.7.1: without the option, the peer takes 536 bytes (1220 with IPv6, but ours are fewer).
pub(crate) fn default_size(largest: u16) -> u16 {
    largest.min(536)
}

/// SMSS of a connection with this SYN on a device with this MTU. smoltcp takes no smaller one than 48 from its peer.
pub(crate) fn smss(syn: &Segment<'_>, mtu: usize) -> u16 {
    let longest = mtu.saturating_sub(headers_len(syn.tuple.local).into());
    syn.tcp.max_seg_size.unwrap_or(536).max(48).min(u16::try_from(longest).unwrap_or(u16::MAX))
}

/// The length of the headers of IP and TCP, without options, in a packet with this address.
pub(crate) fn headers_len(address: IpAddress) -> u16 {
    match address {
        IpAddress::Ipv4(_) => 40,
        #[cfg(feature = "ipv6")]
        IpAddress::Ipv6(_) => 60,
    }
}

/// The SYN as smoltcp is shown it: with this segment size and without data.
///
/// The SACK option stays, and the window scale if `scales`: in a buffer below 64 KiB it has no use, and without it nothing
/// is lost with the SYN ([`syn_cookie`](crate::tcp::syn_cookie)). Data on a SYN is not taken (RFC 9293, section 3.10.7.2
/// lets it wait): the peer sends it again.
pub(crate) fn syn<'p>(syn: &TcpRepr<'p>, segment_size: u16, scales: bool) -> TcpRepr<'p> {
    TcpRepr {
        max_seg_size: Some(segment_size),
        window_scale: syn.window_scale.filter(|_| scales),
        timestamp: None,
        payload: &[],
        ..*syn
    }
}

/// An empty segment from the peer to these ports: an acknowledgement that says nothing else.
pub(crate) fn bare_ack(ports: (u16, u16), seq: Seq, ack: Seq, window: u16) -> TcpRepr<'static> {
    TcpRepr {
        src_port: ports.0,
        dst_port: ports.1,
        control: TcpControl::None,
        seq_number: seq.into(),
        ack_number: Some(ack.into()),
        window_len: window,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    }
}

/// A byte to the left of the receiver's window, where `next` is expected: it is answered with an acknowledgement, and not taken
/// (RFC 9293, section 3.10.7.4).
pub(crate) fn old_byte(ports: (u16, u16), next: Seq, ack: Seq, window: u16) -> TcpRepr<'static> {
    TcpRepr { payload: &[0], ..bare_ack(ports, next - 1, ack, window) }
}

/// The packet with the segment `tcp`, its addresses and link header those of `way`. `N`: the room for headers and payload, as
/// in [`Built`].
pub(crate) fn build<const N: usize>(way: &Segment<'_>, tcp: &TcpRepr<'_>) -> Vec<u8, N> {
    let ignored = ChecksumCapabilities::ignored();
    let ip = IpRepr::new(way.tuple.remote.addr, way.tuple.local, IpProtocol::Tcp, tcp.buffer_len(), 64);
    let link = way.link_header.len();
    let headers = link + ip.header_len();
    let mut packet = Vec::new();
    // Cannot fail where `N` is enough for the headers and the payload. Were it to fail, smoltcp would be given an empty
    // packet, which it ignores.
    if packet.resize(headers + tcp.buffer_len(), 0).is_ok() {
        packet[..link].copy_from_slice(way.link_header);
        ip.emit(&mut packet[link..], &ignored);
        let segment = &mut TcpPacket::new_unchecked(&mut packet[headers..]);
        tcp.emit(segment, &ip.src_addr(), &ip.dst_addr(), &ignored);
    }
    packet
}

/// Sends a segment of the server's own to where `to` came from.
pub(crate) fn send_back(interface: &mut Interface, to: &Segment<'_>, tcp: &TcpRepr<'_>, tx: &mut dyn Room) {
    let ip = IpRepr::new(to.tuple.local, to.tuple.remote.addr, IpProtocol::Tcp, tcp.buffer_len(), 64);
    interface.send_back(to.link_header, &ip, tx, |packet, header| {
        let segment = &mut TcpPacket::new_unchecked(&mut packet[header..]);
        // Where the device writes the checksum, this one does no harm.
        tcp.emit(segment, &ip.src_addr(), &ip.dst_addr(), &ChecksumCapabilities::default());
    });
}

/// The fields of a segment that smoltcp sends, read from its packet: smoltcp shows them nowhere else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SentSegment {
    pub(crate) seq: Seq,
    /// One past its last byte, SYN or FIN.
    pub(crate) end: Seq,
    pub(crate) ack: Seq,
    /// As it stands in the header: not scaled.
    pub(crate) window: u16,
    pub(crate) syn: bool,
    pub(crate) fin: bool,
    pub(crate) rst: bool,
    /// Where the TCP header begins in the packet.
    header: usize,
}

impl SentSegment {
    /// Reads an IP packet. None if it is not TCP, or shorter than its headers. smoltcp writes no extension headers, and
    /// no checksum is looked at.
    #[inline]
    pub(crate) fn read(packet: &[u8]) -> Option<SentSegment> {
        const TCP: u8 = 6;
        let (protocol, header) = match packet.first()? {
            first @ 0x40..0x50 => (packet.get(9)?, usize::from(first & 0xf) * 4),
            _ => (packet.get(6)?, 40),
        };
        if *protocol != TCP {
            return None;
        }
        let segment = packet.get(header..)?;
        let fields = segment.first_chunk::<20>()?;
        let number =
            |at: usize| Seq(u32::from_be_bytes([fields[at], fields[at + 1], fields[at + 2], fields[at + 3]]));
        let (seq, flags) = (number(4), fields[13]);
        let controls = u32::from(flags & 1) + u32::from(flags >> 1 & 1);
        let payload = segment.len().checked_sub(usize::from(fields[12] >> 4) * 4)?;
        Some(SentSegment {
            seq,
            end: seq + wrapped(payload) + controls,
            ack: number(8),
            window: u16::from_be_bytes([fields[14], fields[15]]),
            syn: flags & 2 != 0,
            fin: flags & 1 != 0,
            rst: flags & 4 != 0,
            header,
        })
    }

    /// Changes the number of an empty segment in the header of this segment's packet, which has no checksum yet.
    pub(crate) fn rewrite_seq(&mut self, packet: &mut [u8], seq: Seq) {
        if let Some(field) = packet.get_mut(self.header + 4..self.header + 8) {
            field.copy_from_slice(&seq.0.to_be_bytes());
            (self.seq, self.end) = (seq, seq);
        }
    }

    /// Changes the window in the header of this segment's packet, which has no checksum yet.
    pub(crate) fn rewrite_window(&mut self, packet: &mut [u8], window: u16) {
        if let Some(field) = packet.get_mut(self.header + 14..self.header + 16) {
            field.copy_from_slice(&window.to_be_bytes());
            self.window = window;
        }
    }
}
