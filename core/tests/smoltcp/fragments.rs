//! Reassembly of IPv4 (RFC 791, section 3.2; RFC 1122, section 3.3.2).

use smoltcp::config::ASSEMBLER_MAX_SEGMENT_COUNT;
use smoltcp::socket::udp;

use super::packets::{UDP, fragments, udp_v4};
use super::peer::Peer;
use super::repaired::repaired_by;

const PORT: u16 = 9;

/// The bytes of the datagrams that a socket has after these fragments.
fn received(fragments: Vec<Vec<u8>>) -> usize {
    let mut peer = Peer::new(0, 0);
    let ring = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 4].leak(), vec![0; 4096].leak());
    let mut socket = udp::Socket::new(ring(), ring());
    socket.bind(PORT).unwrap();
    let handle = peer.sockets.add(socket);
    for fragment in fragments {
        peer.sends_packet(fragment);
    }
    peer.sockets.get_mut::<udp::Socket<'_>>(handle).recv_queue()
}

/// A datagram whose fragments come in an order that leaves more holes than smoltcp's table has places for
/// (four by default) is lost: that the table is full is not looked at. RFC 791, section 3.2: fragments may
/// come in any order.
#[test]
fn a_datagram_with_more_holes_than_the_table_has_is_lost() {
    let size = 400 / (2 * ASSEMBLER_MAX_SEGMENT_COUNT + 2) / 8 * 8;
    let ordered = fragments(UDP, &udp_v4(PORT, &[b'x'; 392]), size);
    assert_eq!(received(ordered.clone()), 392);
    let every_other = |first| ordered.iter().skip(first).step_by(2).cloned();
    let lost = received(every_other(1).chain(every_other(0)).collect()) == 0;
    repaired_by("ip/reassembly.rs", lost);
}
