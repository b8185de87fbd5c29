//! `idle_timeout`: FIN after that time without payload in either direction, and RST 5 seconds later.

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, None as Plain, Psh, Rst};

use super::fixture::{Net, PERSIST, TICK, net_with};
use super::peer::{Peer, letters, peer, upper};
use super::states::{IDLE, closing, fill_buffers, fin_wait_1, fin_wait_2};

const LINGER: Duration = Duration::from_secs(5);

fn open_for(idle: Duration) -> (Net, Peer) {
    let (mut net, mut peer) = (net_with::<4>(|config| config.idle_timeout = Some(idle)), peer(40_000));
    peer.connect(&mut net);
    (net, peer)
}

#[track_caller]
fn assert_reset_after(net: &mut Net, peer: &mut Peer, duration: Duration) {
    net.pass(duration - TICK);
    assert_eq!((net.stats().live, net.stats().timed_out), (1, 0));
    net.wire.sent.clear();
    net.pass(TICK);
    assert_eq!((net.stats().live, net.stats().timed_out, net.stats().closed), (0, 1, 0));
    let rst = peer.take(net);
    net.nothing_sent();
    assert_eq!(rst.control, Rst);
    net.pass(Duration::from_secs(1000));
    net.nothing_sent();
    assert_eq!(net.last.deadline, None);
}

#[test]
fn an_idle_connection_is_closed_and_its_peer_may_close_too() {
    let (mut net, mut peer) = open_for(IDLE);
    net.pass_in_silence(IDLE);
    assert_eq!(peer.take(&mut net).control, Fin);
    net.pass(LINGER - TICK);
    net.wire.sent.clear();
    peer.send(&mut net, Fin, b"");
    peer.take_ack(&mut net);
    net.pass(Duration::from_secs(100));
    net.nothing_sent();
    assert_eq!((net.stats().closed, net.stats().timed_out), (1, 0));
}

#[test]
fn each_state_after_our_fin_ends_with_a_rst_5_seconds_later() {
    for (mut net, mut peer) in [fin_wait_1(), fin_wait_2(), closing()] {
        assert_reset_after(&mut net, &mut peer, LINGER);
    }
}

#[test]
fn signs_of_life_do_not_prolong_the_5_seconds() {
    let (mut net, mut peer) = fin_wait_2();
    for _ in 0..4 {
        net.pass(Duration::from_secs(1));
        net.arrive(peer.segment(Plain, peer.next, Some(2), b""));
        net.arrive(peer.segment(Plain, peer.next - 1, Some(2), b""));
    }
    net.wire.sent.clear();
    assert_reset_after(&mut net, &mut peer, Duration::from_secs(1));
}

#[test]
fn payload_from_the_peer_begins_the_time_anew() {
    let (mut net, mut peer) = open_for(IDLE);
    for _ in 0..5 {
        net.pass_in_silence(IDLE - TICK);
        assert_eq!(peer.exchange(&mut net, b"x", 1), b"X");
    }
    net.pass_in_silence(IDLE);
    assert_eq!(peer.take(&mut net).control, Fin);
}

#[test]
fn payload_that_the_peer_acknowledges_begins_the_time_anew() {
    let (mut net, mut peer) = open_for(IDLE);
    fill_buffers(&mut net, &mut peer, &letters(500));
    peer.window = 60_000;
    net.arrive(peer.segment(Plain, peer.next, Some(1), b""));
    assert_eq!(net.wire.sent.len(), 1);
    net.wire.sent.clear();
    net.pass(IDLE - TICK);
    net.wire.sent.clear();
    net.arrive(peer.segment(Plain, peer.next, Some(2), b""));
    net.pass(IDLE - TICK);
    assert!(!net.wire.sent.is_empty());
    while !net.wire.sent.is_empty() {
        assert_ne!(peer.take(&mut net).control, Fin);
    }
}

#[test]
fn payload_that_is_only_received_begins_the_time_anew() {
    let (mut net, mut peer) = open_for(IDLE);
    fill_buffers(&mut net, &mut peer, &letters(100));
    net.pass(IDLE - TICK);
    net.wire.sent.clear();
    peer.send(&mut net, Psh, b"more"); // the window is still closed
    net.wire.sent.clear();
    assert_reset_after(&mut net, &mut peer, IDLE + LINGER);
}

#[test]
fn empty_segments_and_probes_do_not_begin_the_time_anew() {
    let (mut net, mut peer) = open_for(Duration::from_secs(30));
    for _ in 0..29 {
        net.pass(Duration::from_secs(1));
        peer.ack(&mut net);
        net.arrive(peer.segment(Plain, 0, Some(1), b"")); // the peer's own keep-alive
        peer.take_ack(&mut net);
    }
    net.pass_in_silence(Duration::from_secs(1));
    assert_eq!(peer.take(&mut net).control, Fin);
}

#[test]
fn bytes_that_come_twice_do_not_begin_the_time_anew() {
    let (mut net, mut peer) = open_for(IDLE);
    peer.exchange(&mut net, b"once", 4);
    for _ in 0..9 {
        net.pass(Duration::from_secs(1));
        net.arrive(peer.segment(Psh, 1, Some(5), b"once"));
        peer.take_ack(&mut net);
    }
    net.pass_in_silence(Duration::from_secs(1));
    assert_eq!(peer.take(&mut net).control, Fin);
}

#[test]
fn a_long_idle_time_goes_along_with_probes() {
    let (mut net, mut peer) = open_for(Duration::from_secs(50));
    for _ in 0..2 {
        net.pass_in_silence(Duration::from_secs(20));
        assert_eq!(peer.take(&mut net).seq, 0);
        peer.ack(&mut net);
    }
    net.pass_in_silence(Duration::from_secs(10));
    assert_eq!(peer.take(&mut net).control, Fin);
}

#[test]
fn a_peer_that_answers_zero_window_probes_for_ever_is_dropped() {
    for data in [500, 2000] {
        let (mut net, mut peer) = open_for(IDLE);
        fill_buffers(&mut net, &mut peer, &letters(data));
        let begin = net.now;
        while net.now - begin < IDLE + LINGER - TICK {
            net.now = net.last.deadline.unwrap().min(begin + IDLE + LINGER - TICK);
            net.poll();
            while !net.wire.sent.is_empty() {
                assert_ne!(peer.take(&mut net).control, Rst);
                peer.acked = 1;
                peer.ack(&mut net);
            }
        }
        assert_eq!(net.stats().live, 1);
        assert_reset_after(&mut net, &mut peer, TICK);
    }
}

#[test]
fn a_peer_that_reads_on_after_the_time_was_over_gets_everything_and_the_fin() {
    let (mut net, mut peer) = open_for(IDLE);
    fill_buffers(&mut net, &mut peer, &letters(1000));
    net.pass(IDLE + Duration::from_secs(1));
    net.wire.sent.clear();
    peer.window = 60_000;
    peer.ack(&mut net);
    let mut echo = std::vec::Vec::new();
    loop {
        let seg = peer.take(&mut net);
        echo.extend_from_slice(&seg.data);
        if seg.control == Fin {
            break;
        }
    }
    assert!(echo == upper(&letters(1000)));
    peer.send(&mut net, Fin, b"");
    assert_eq!(net.stats().closed, 1);
}

/// In FIN-WAIT-2, smoltcp keeps probing a closed window with a timer that is never rearmed, and sends without end.
#[test]
fn a_window_that_is_closed_when_our_fin_is_acknowledged_does_not_make_us_send_for_ever() {
    let (mut net, mut peer) = open_for(IDLE);
    fill_buffers(&mut net, &mut peer, b"ab");
    let late = Duration::from_millis(500);
    net.pass(IDLE + late);
    net.wire.sent.clear();
    net.arrive(peer.segment(Plain, peer.next, Some(2), b"")); // acknowledges the first byte: the timer restarts
    peer.acked = 2;
    net.pass_in_silence(PERSIST);
    let probe = peer.take(&mut net);
    assert_eq!((probe.control, probe.seq, probe.data), (Fin, 2, upper(b"b")));
    peer.ack(&mut net);
    net.nothing_sent();
    net.pass(LINGER - late - PERSIST - TICK);
    assert!(net.wire.sent.len() < 3);
    net.wire.sent.clear();
    assert_reset_after(&mut net, &mut peer, TICK);
}

#[test]
fn a_peer_that_has_closed_is_not_waited_for_longer_than_the_idle_time() {
    let (mut net, mut peer) = open_for(IDLE);
    fill_buffers(&mut net, &mut peer, &letters(1024));
    peer.send(&mut net, Fin, &letters(400));
    peer.take_ack(&mut net);
    assert_reset_after(&mut net, &mut peer, IDLE + LINGER);
}
