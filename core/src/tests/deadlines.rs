//! Deadlines of silent peers: half-open, keep-alive, dead peer, LAST-ACK, TIME-WAIT. Each is checked one tick before it
//! expires and when it does.

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, None as Plain, Psh, Rst};

use super::fixture::{Net, RTO, TICK, net_with};
use super::peer::{Peer, letters, peer, upper};
use super::states::{buffers_full, close_wait, fill_buffers, last_ack, open, time_wait};

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Takes the keep-alive of an idle connection, and nothing else.
#[track_caller]
fn take_probe(net: &mut Net, peer: &mut Peer) {
    let probe = peer.take(net);
    net.nothing_sent();
    assert_eq!((probe.control, probe.seq, probe.ack), (Plain, peer.acked - 1, Some(peer.next)));
}

/// One tick before the deadline the connection is alive. At the deadline a RST is sent, and the slot is free.
#[track_caller]
fn assert_dies_after(net: &mut Net, peer: &mut Peer, duration: Duration) {
    net.pass(duration - TICK);
    assert_eq!((net.stats().live, net.stats().timed_out), (1, 0));
    net.wire.sent.clear();
    net.pass(TICK);
    assert_eq!((net.stats().live, net.stats().timed_out), (0, 1));
    let rst = peer.take(net);
    net.nothing_sent();
    assert_eq!(rst.control, Rst);
    if peer.window == 0 {
        assert_eq!(rst.seq, peer.acked, "what did not fit into its window it does not expect either");
    }
    net.pass(secs(1000));
    net.nothing_sent();
    assert_eq!(net.last.deadline, None);
}

pub(super) type Make = fn() -> (Net, Peer);

/// The process was stopped for a while: SIGSTOP, or a machine that was suspended.
#[test]
fn a_deadline_that_was_overslept_probes_first() {
    for (idle, stopped) in [(0, 61), (19, 42), (30, 3600)] {
        let (mut net, mut peer) = open();
        peer.exchange(&mut net, b"hello", 5);
        net.pass(secs(idle));
        net.wire.sent.clear();
        net.now += secs(stopped);
        net.poll();
        take_probe(&mut net, &mut peer);
        assert_eq!(net.stats().live, 1);
        peer.ack(&mut net);
        assert_eq!(peer.exchange(&mut net, b"still there", 11), b"STILL THERE");
        net.now += secs(stopped);
        net.poll();
        take_probe(&mut net, &mut peer);
        net.pass(secs(60));
        assert_eq!((net.stats().live, net.stats().timed_out), (0, 1), "the probes were not answered");
    }
}

#[test]
fn an_idle_peer_is_probed_after_20_seconds_and_dead_after_60() {
    let (mut net, mut peer) = open();
    net.pass_in_silence(secs(20));
    take_probe(&mut net, &mut peer);
    for _ in 0..7 {
        net.pass_in_silence(secs(5));
        take_probe(&mut net, &mut peer);
    }
    assert_dies_after(&mut net, &mut peer, secs(5));
}

#[test]
fn the_last_of_several_lost_probes_keeps_the_connection() {
    let (mut net, mut peer) = open();
    for _ in 0..10 {
        net.pass(secs(55));
        net.wire.sent.clear(); // every keep-alive but the eighth is lost
        peer.ack(&mut net);
    }
    assert_eq!(net.stats().live, 1);
}

#[test]
fn a_sign_of_life_in_the_last_moment_keeps_the_connection() {
    let (mut net, mut peer) = open();
    net.pass(secs(60) - TICK);
    net.wire.sent.clear();
    peer.ack(&mut net);
    net.pass(TICK);
    assert_eq!(net.stats().live, 1);
    net.wire.sent.clear();
    assert_dies_after(&mut net, &mut peer, secs(60) - TICK);
}

#[test]
fn a_peer_that_answers_probes_is_kept_for_ever() {
    let (mut net, mut peer) = open();
    peer.exchange(&mut net, b"hello", 5);
    for _ in 0..1000 {
        net.pass_in_silence(secs(20));
        take_probe(&mut net, &mut peer);
        peer.ack(&mut net);
    }
    assert_eq!(peer.exchange(&mut net, b"still there", 11), b"STILL THERE");
}

#[test]
fn a_peer_that_acknowledges_nothing_is_dead_after_60_seconds() {
    let (mut net, mut peer) = open();
    net.pass(secs(7));
    peer.send(&mut net, Psh, b"hello");
    assert_dies_after(&mut net, &mut peer, secs(60));
}

#[test]
fn a_peer_that_acknowledges_nothing_is_dead_after_120_seconds_whatever_else_it_says() {
    let (mut net, mut peer) = open();
    peer.send(&mut net, Psh, b"hello");
    for _ in 0..23 {
        net.pass(secs(5));
        net.wire.sent.clear();
        net.arrive(peer.segment(Psh, peer.next, Some(1), b"!"));
        peer.next += 1;
        net.arrive(peer.segment(Plain, peer.next, Some(1), b""));
    }
    assert_dies_after(&mut net, &mut peer, secs(5));
}

#[test]
fn every_acknowledged_byte_is_progress() {
    let (mut net, mut peer) = open();
    peer.send(&mut net, Psh, &letters(5));
    for ack in 2..6 {
        net.pass(secs(59));
        assert_eq!(net.stats().live, 1);
        net.wire.sent.clear();
        net.arrive(peer.segment(Plain, peer.next, Some(ack), b""));
    }
    net.pass(secs(59));
    assert_eq!(net.stats().live, 1);
}

#[test]
fn time_before_there_was_something_to_acknowledge_does_not_count() {
    let (mut net, mut peer) = open();
    for _ in 0..10 {
        net.pass(secs(20));
        take_probe(&mut net, &mut peer);
        peer.ack(&mut net);
    }
    net.pass(secs(19));
    peer.send(&mut net, Psh, b"hello");
    assert_dies_after(&mut net, &mut peer, secs(60));
}

#[test]
fn last_ack_ends_after_60_seconds() {
    let (mut net, mut peer) = last_ack();
    assert_dies_after(&mut net, &mut peer, secs(60));
}

#[test]
fn last_ack_ends_after_60_seconds_though_the_peer_talks_on() {
    let (mut net, mut peer) = last_ack();
    for _ in 0..11 {
        net.pass(secs(5));
        net.wire.sent.clear();
        net.arrive(peer.segment(Fin, 1, Some(1), b"bye"));
        net.arrive(peer.segment(Plain, 5, Some(1), b""));
        net.wire.sent.clear();
    }
    assert_dies_after(&mut net, &mut peer, secs(5));
}

/// In LAST-ACK, answers to zero-window probes do not extend the deadline.
#[test]
fn last_ack_ends_after_60_seconds_though_the_peers_window_has_closed() {
    let (mut net, mut peer) = last_ack();
    (peer.window, peer.acked) = (0, 1);
    for _ in 0..11 {
        net.pass(secs(5));
        net.wire.sent.clear();
        net.arrive(peer.segment(Plain, 5, Some(1), b""));
        net.wire.sent.clear();
    }
    assert_dies_after(&mut net, &mut peer, secs(5));
}

#[test]
fn close_wait_ends_after_60_seconds_without_a_sign_of_life() {
    let (mut net, mut peer) = close_wait();
    assert_dies_after(&mut net, &mut peer, secs(60));
}

#[test]
fn a_dead_peer_with_a_closed_window_is_dead_after_60_seconds() {
    let (mut net, mut peer) = buffers_full();
    assert_dies_after(&mut net, &mut peer, secs(60));
}

/// The peer has sent `letters(500)` and FIN, and reads nothing: all of the echo is in the send buffer.
#[track_caller]
fn shut() -> (Net, Peer) {
    let (mut net, mut peer) = open();
    fill_buffers(&mut net, &mut peer, &letters(500));
    peer.send(&mut net, Fin, b"");
    peer.take_ack(&mut net);
    (net, peer)
}

/// The peer acknowledges each probe with a window of 0: it is alive (RFC 1122, section 4.2.2.17).
/// smoltcp probes after 1, 2, 4 … seconds. If one of the later probes were lost, a living peer would be taken for dead.
#[test]
fn a_silent_peer_with_a_closed_window_is_probed_again_and_again_before_it_is_dead() {
    let (mut net, mut peer) = shut();
    for _ in 0..100 {
        net.pass(secs(2));
        net.wire.sent.clear();
        peer.ack(&mut net); // the back-off is at its longest
    }
    net.wire.sent.clear();
    net.pass(secs(20) - TICK); // the first probe of its silence is due
    net.wire.sent.clear();
    net.pass(secs(38) + TICK);
    assert!(net.wire.sent.len() >= 8, "{} probes in 38 seconds", net.wire.sent.len());
    net.wire.sent.clear();
    peer.ack(&mut net);
    net.pass(secs(59));
    assert_eq!(net.stats().live, 1);
    net.pass(secs(1));
    assert_eq!((net.stats().live, net.stats().timed_out), (0, 1));
}

/// After three losses, smoltcp's first probe of a closed window comes after 8 seconds.
#[test]
fn a_silent_peer_with_a_closed_window_is_probed_however_long_its_retransmissions_take() {
    let (mut net, mut peer) = open();
    peer.send(&mut net, Psh, b"hello");
    net.pass(secs(8));
    assert_eq!(peer.take(&mut net).data, b"HELLO");
    net.wire.sent.clear();
    peer.window = 0;
    peer.send(&mut net, Psh, b"world");
    net.wire.sent.clear();
    net.pass(secs(20));
    net.wire.sent.clear();
    net.pass(secs(38));
    assert!(net.wire.sent.len() >= 3, "{} probes in 38 seconds", net.wire.sent.len());
}

#[test]
fn a_peer_that_answers_zero_window_probes_is_kept_for_ever() {
    for ((mut net, mut peer), total) in [(buffers_full(), 2048), (close_wait(), 1500), (shut(), 500)] {
        let (begin, end) = (net.now, net.now + secs(3600));
        while net.now < end {
            net.now = net.last.deadline.unwrap();
            net.poll();
            while !net.wire.sent.is_empty() {
                assert_ne!(peer.take(&mut net).control, Rst, "after {}", net.now - begin);
                peer.acked = 1;
                peer.ack(&mut net);
            }
        }
        peer.window = 60_000;
        peer.ack(&mut net);
        let mut echo = std::vec::Vec::new();
        while !net.wire.sent.is_empty() {
            echo.extend_from_slice(&peer.take(&mut net).data);
            peer.ack(&mut net);
        }
        assert!(echo == upper(&letters(total)));
        assert_eq!(net.stats().closed, u64::from(total < 2048));
    }
}

#[test]
fn time_wait_ends_after_10_seconds() {
    let (mut net, mut gone) = time_wait();
    net.pass_in_silence(secs(10));
    net.nothing_sent();
    assert_eq!(net.last.deadline, None);
    net.arrive(gone.segment(Fin, 1, Some(2), b""));
    gone.take_rst(&mut net);

    let (mut net, mut there) = time_wait();
    net.pass(secs(10) - TICK);
    net.arrive(there.segment(Fin, 1, Some(2), b""));
    there.take_ack(&mut net);
}

#[test]
fn deadlines_hold_for_each_of_many_connections() {
    let mut net = net_with::<8>(|_| {});
    let mut peers: std::vec::Vec<Peer> = (1..=8).map(peer).collect();
    for peer in &mut peers {
        peer.connect(&mut net);
        net.pass(secs(1));
    }
    for gone in 0..8 {
        assert_eq!((net.stats().live, net.stats().timed_out), (8 - gone, gone));
        net.pass(secs(if gone == 0 { 52 } else { 1 }) - TICK);
        assert_eq!(net.stats().timed_out, gone);
        net.pass(TICK);
    }
    assert_eq!((net.stats().live, net.stats().timed_out), (0, 8));
}

/// What it has not acknowledged is a probe of its own.
#[test]
#[cfg_attr(not(feature = "recovery"), ignore = "it is about recovery from loss")]
fn a_silent_peer_is_sent_nothing_between_retransmissions() {
    let (mut net, mut peer) = open();
    peer.send(&mut net, Psh, b"lost");
    net.pass(RTO * 64 + TICK);
    net.wire.sent.clear();
    net.pass_in_silence(RTO * 64 - TICK);
    assert_eq!(peer.take(&mut net).data, b"LOST");
}
