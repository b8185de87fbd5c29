//! Windows with a scale (RFC 7323, section 2): each side's is as large as its own scale makes it, but for that of a SYN.

use core::net::SocketAddr;

use smoltcp::wire::TcpControl::Psh;

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
        std::eprintln!("{seg:?}");
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
        assert_eq!(offered(&mut net, &mut peer), BUFFER);
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
