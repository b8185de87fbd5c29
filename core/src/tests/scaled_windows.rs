//! Windows with a scale (RFC 7323, section 2): each side's is as large as its own scale makes it, but for that of a SYN.

use core::net::SocketAddr;
use std::vec::Vec;

use smoltcp::wire::TcpControl::Psh;
use smoltcp::wire::TcpPacket;

use super::fixture::{Net, net_from, net_with_handler, storage};
use super::peer::{Peer, letters, peer};
use crate::{DropReason, Handler, Next, Stream};

const BUFFER: usize = 1 << 17;

/// Reads this much in a turn, and says nothing.
struct Reader(usize);

impl Handler for Reader {
    type State = ();

    fn open(&mut self, _: SocketAddr) -> Option<()> {
        Some(())
    }

    fn stream(&mut self, (): &mut (), stream: &mut Stream<'_, '_>) -> Next {
        let mut left = self.0;
        while let Some(taken @ 1..) = stream.read(|bytes| (left.min(bytes.len()), left.min(bytes.len()))) {
            left -= taken;
        }
        Next::Continue
    }
}

/// The window that the server offers.
fn offered(net: &mut Net<Reader>, peer: &mut Peer) -> usize {
    let mut window = 0;
    while !net.wire.sent.is_empty() {
        let seg = peer.take(net);
        window = usize::from(seg.window) << peer.shift;
    }
    window
}

#[track_caller]
fn read_by(handler: Reader) -> (Net<Reader>, Peer) {
    let (mut net, mut peer) = (net_with_handler::<BUFFER, _>(handler), peer(40_000));
    peer.scale = Some(0);
    peer.connect(&mut net);
    assert_eq!(peer.shift, 2);
    (net, peer)
}

/// RFC 9293, section 3.8.6.2.2.
#[test]
fn a_closed_window_opens_when_half_of_the_buffer_is_free() {
    let (mut net, mut peer) = read_by(Reader(0));
    let data = letters(1024);
    for _ in 0..BUFFER / 1024 {
        peer.send(&mut net, Psh, &data);
    }
    assert_eq!(offered(&mut net, &mut peer), 0);
    net.server.handler_mut().0 = 5000;
    // Each probe gives the handler its turn, after it was answered.
    for read in 0..14 {
        net.arrive(peer.segment(Psh, peer.next, Some(1), b"?"));
        assert_eq!(offered(&mut net, &mut peer), 0, "{read} times 5000 bytes are free");
    }
    net.arrive(peer.segment(Psh, peer.next, Some(1), b"?"));
    assert!(offered(&mut net, &mut peer) >= BUFFER / 2);
}

#[test]
fn a_large_window_follows_what_is_read() {
    let (mut net, mut peer) = read_by(Reader(BUFFER));
    for _ in 0..10 {
        peer.send(&mut net, Psh, &letters(100));
        // Less what is set aside, and a step.
        assert_eq!(offered(&mut net, &mut peer), BUFFER - BUFFER / 32 - 4);
    }
}

/// RFC 5961, section 5.2. The window of the SYN, which would be the largest one, is not scaled.
#[test]
fn an_acknowledgement_is_too_old_if_it_is_farther_behind_than_the_largest_window() {
    for (behind, taken) in [(2048, 1), (2049, 0)] {
        let (mut net, mut peer) = (net_from(storage(2, BUFFER, 0), 1500, |_| {}), peer(40_000));
        (peer.scale, peer.window) = (Some(7), 1000);
        peer.syn(&mut net);
        peer.window = 2048 >> 7;
        peer.ack(&mut net);
        assert_eq!(peer.exchange(&mut net, &letters(10_000), 1000).len(), 10_000);
        net.arrive(peer.segment(Psh, peer.next, Some(peer.acked - behind), b"x"));
        assert_eq!(net.stats().bytes_in, 10_000 + taken, "{behind}");
        net.dropped_only(DropReason::Unacceptable, 1 - taken);
    }
}

/// RFC 9293, section 3.8.6.2.1 (MUST-38).
#[test]
fn the_rest_of_a_scaled_window_is_not_filled_with_a_small_segment() {
    let (mut net, mut peer) = (net_from(storage(2, BUFFER, 0), 1500, |_| {}), peer(40_000));
    (peer.scale, peer.mss, peer.window) = (Some(2), Some(1000), 10_000);
    peer.connect(&mut net);
    peer.window = 2500 >> 2;
    peer.ack(&mut net);
    let mut sent = 0;
    for _ in 0..5 {
        net.arrive(peer.segment(Psh, peer.next, Some(1), &letters(1000)));
        peer.next += 1000;
        sent += peer.take_data(&mut net).len();
    }
    assert_eq!(sent, 2000, "a window of 2500 has room for two segments of 1000");
}

/// A client that fills the window with segments of this length, again and again, and acknowledges the echo only then.
#[track_caller]
fn fill(buffer: usize, length: usize) {
    let (mut net, mut peer) = (net_from(storage(1, buffer, 0), 1500, |_| {}), peer(40_000));
    (peer.scale, peer.window) = (Some(14), 60_000);
    peer.connect(&mut net);
    for _ in 0..3 {
        let (mut sent, mut echo, acked) = (0, 0, peer.acked);
        while peer.edge > peer.next {
            let part = letters(length.min(usize::try_from(peer.edge - peer.next).unwrap()));
            net.arrive(peer.segment(Psh, peer.next, Some(acked), &part));
            peer.next += i32::try_from(part.len()).unwrap();
            sent += part.len();
            // `Peer::take` sees to it that the edge does not move left.
            while !net.wire.sent.is_empty() {
                let seg = peer.take(&mut net);
                assert_eq!(seg.ack, Some(peer.next), "{sent} bytes were offered, {buffer}, {length}");
                echo += seg.data.len();
            }
        }
        assert!(sent > buffer / 2);
        while echo < sent {
            peer.ack(&mut net);
            echo += peer.take_data(&mut net).len();
        }
        peer.ack(&mut net);
    }
}

/// What was offered is taken, and the edge stays where it was or moves right, whatever the window's scale can express.
#[test]
fn what_was_offered_is_taken() {
    for (buffer, length) in
        [(65_536, 333), (65_536, 1460), (70_000, 999), (131_070, 1447), (1 << 18, 1447), (1 << 20, 1460)]
    {
        fill(buffer, length);
    }
}

/// What was acknowledged since, and up to which edge more was offered: from the packets themselves, as the edge may move left here.
fn advertised(net: &mut Net, peer: &Peer) -> Vec<(i32, i32)> {
    let read = |packet: Vec<u8>| {
        let segment = TcpPacket::new_unchecked(&packet[20..]);
        let ack = segment.ack_number().0.wrapping_sub(peer.iss);
        (ack, ack + (i32::from(segment.window_len()) << peer.shift))
    };
    net.wire.sent.drain(..).map(read).collect()
}

/// Each byte alone has the edge rounded up, until what is set aside for that is used up.
#[test]
fn what_was_offered_is_taken_though_the_edge_has_moved_left() {
    const BUFFER: i32 = 1 << 16;
    let (mut net, mut peer) = (net_from(storage(1, BUFFER as usize, 0), 1500, |_| {}), peer(40_000));
    peer.scale = Some(7);
    peer.connect(&mut net);
    let (mut farthest, mut moves_left, mut acked) = (peer.edge, 0, 1);
    while peer.next < farthest {
        // Whole segments come after very many of a byte.
        let length = if peer.next < 5000 { 1 } else { (farthest - peer.next).min(1000) };
        net.arrive(peer.segment(Psh, peer.next, Some(1), &letters(length.unsigned_abs() as usize)));
        peer.next += length;
        for (ack, edge) in advertised(&mut net, &peer) {
            assert!(edge > farthest - 2 && edge <= 1 + 2 * BUFFER, "{edge} after {farthest}");
            moves_left += usize::from(edge < farthest);
            (acked, farthest) = (ack, farthest.max(edge));
        }
    }
    assert_eq!(acked, peer.next);
    assert!(moves_left > 0 && farthest > 1 + 2 * BUFFER - 10);
}
