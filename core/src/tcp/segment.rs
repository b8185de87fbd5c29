//! TCP segments made by the server itself, for smoltcp to receive.

use heapless::Vec;
use smoltcp::wire::{ETHERNET_HEADER_LEN, IpProtocol, IpRepr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber};

use crate::ip::device::no_checksums;
use crate::ip::filter::Segment;

/// A frame with the longest headers that there are and no payload.
pub(crate) type Crafted = Vec<u8, { ETHERNET_HEADER_LEN + 40 + 60 }>;

/// The size of segments that the peer asks for with its SYN, at most `largest`.
pub(crate) fn segment_size(syn: &TcpRepr<'_>, largest: u16) -> u16 {
    syn.max_seg_size.filter(|&size| size > 0).map_or(ordinary_size(largest), |size| size.min(largest))
}

/// RFC 9293, section 3.7.1: without the option, the peer takes 536 octets (1220 for IPv6, but ours are fewer).
pub(crate) fn ordinary_size(largest: u16) -> u16 {
    largest.min(536)
}

/// The SYN again, with this segment size and without data.
///
/// The SACK option stays, and the window scale if `scales`: in a buffer below 64 KiB it has no use, and without it nothing
/// is lost with the SYN ([`revival`](crate::tcp::syn_cookie)). Data on a SYN is not taken (RFC 9293, section 3.10.7.2 lets it
/// wait): the peer sends it again.
pub(crate) fn syn<'p>(syn: &TcpRepr<'p>, segment_size: u16, scales: bool) -> TcpRepr<'p> {
    TcpRepr {
        max_seg_size: Some(segment_size),
        window_scale: syn.window_scale.filter(|_| scales),
        timestamp: None,
        payload: &[],
        ..*syn
    }
}

/// An empty segment just left of the window: smoltcp answers it with an acknowledgement, one a second at most,
/// and changes nothing. So this draws a challenge ACK (RFC 5961).
pub(crate) fn probe(
    segment: &Segment<'_>,
    receive_next: TcpSeqNumber,
    send_unacknowledged: TcpSeqNumber,
) -> Crafted {
    let left = TcpSeqNumber(receive_next.0.wrapping_sub(1));
    empty(segment, left, send_unacknowledged, segment.tcp.window_len)
}

/// An empty segment that changes nothing but the peer's window.
pub(crate) fn window_update(
    segment: &Segment<'_>,
    receive_next: TcpSeqNumber,
    send_unacknowledged: TcpSeqNumber,
    window: u16,
) -> Crafted {
    empty(segment, receive_next, send_unacknowledged, window)
}

fn empty(
    segment: &Segment<'_>,
    sequence: TcpSeqNumber,
    acknowledgement: TcpSeqNumber,
    window: u16,
) -> Crafted {
    craft(
        segment,
        &TcpRepr {
            control: TcpControl::None,
            seq_number: sequence,
            ack_number: Some(acknowledgement),
            window_len: window,
            max_seg_size: None,
            window_scale: None,
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &[],
            ..segment.tcp
        },
    )
}

/// The segment as it stands in `segment`.
pub(crate) fn segment(segment: &Segment<'_>) -> Crafted {
    craft(segment, &segment.tcp)
}

/// From and to where `segment` goes.
fn craft(segment: &Segment<'_>, tcp: &TcpRepr<'_>) -> Crafted {
    let ip = IpRepr::new(segment.flow.remote.addr, segment.flow.local, IpProtocol::Tcp, tcp.buffer_len(), 64);
    let link = segment.link_header.len();
    let headers = link + ip.header_len();
    let mut frame = Crafted::new();
    // Cannot fail: the capacity is the sum of the longest headers. Were it to fail, smoltcp would be given an empty
    // packet, which it ignores.
    if frame.resize(headers + tcp.buffer_len(), 0).is_ok() {
        frame[..link].copy_from_slice(segment.link_header);
        ip.emit(&mut frame[link..], &no_checksums());
        tcp.emit(
            &mut TcpPacket::new_unchecked(&mut frame[headers..]),
            &ip.src_addr(),
            &ip.dst_addr(),
            &no_checksums(),
        );
    }
    frame
}
