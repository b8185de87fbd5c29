//! Segments that come again, and probes: each is answered (RFC 9293, section 3.10.7.4, first check), within the limit of
//! RFC 5961, section 7.

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, None as Plain, Psh, Rst, Syn};

use super::peer::letters;
use super::states::{close_wait, closing, last_ack, open, time_wait};

#[test]
fn each_probe_is_answered() {
    let (mut net, mut peer) = open();
    for _ in 0..10 {
        net.pass(Duration::from_millis(100));
        net.arrive(peer.segment(Plain, peer.next - 1, Some(1), b""));
        peer.take_ack(&mut net);
    }
    // Five seconds later, ten more.
    net.pass(Duration::from_secs(5));
    for _ in 0..10 {
        net.arrive(peer.segment(Plain, peer.next - 1, Some(1), b""));
        peer.take_ack(&mut net);
    }
}

#[test]
fn more_than_ten_segments_without_a_number_of_their_own_are_answered_at_two_a_second() {
    for (control, away) in [(Plain, -1), (Plain, -100), (Syn, 0), (Rst, 1), (Psh, 1 << 30)] {
        let (mut net, peer) = open();
        let mut answers = 0;
        for _ in 0..200 {
            net.arrive(peer.segment(control, peer.next + away, Some(1), b""));
            answers += net.wire.sent.len();
            net.wire.sent.clear();
            net.pass(Duration::from_millis(50));
        }
        assert_eq!(answers, 10 + 20 - 1, "in 10 seconds: {control:?} at {away}");
    }
}

#[test]
fn each_fin_that_comes_again_is_acknowledged() {
    for make in [close_wait, last_ack, closing, time_wait] {
        let (mut net, mut peer) = make();
        for _ in 0..30 {
            net.arrive(peer.segment(Fin, peer.next - 1, Some(peer.acked), b""));
            let ack = peer.take(&mut net);
            net.nothing_sent();
            assert_eq!((ack.control, ack.ack, ack.data.len()), (Plain, Some(peer.next), 0));
            net.pass(Duration::from_millis(1));
        }
    }
}

#[test]
fn each_segment_of_data_that_comes_again_is_acknowledged() {
    let (mut net, mut peer) = open();
    peer.exchange(&mut net, &letters(500), 500);
    for _ in 0..50 {
        net.arrive(peer.segment(Psh, 1, Some(501), &letters(500)));
        peer.take_ack(&mut net);
    }
}
