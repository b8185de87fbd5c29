//! The persist timer (RFC 9293, section 3.8.6.1) is the retransmission timer: neither smoltcp's own timeouts, which are a second
//! at least and grow with each loss, nor what is in flight has a closed or a small window wait for longer.

use std::vec::Vec;

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, None as Plain, Psh};

use super::fixture::{Net, RTO, TICK, net};
use super::peer::{Peer, letters, peer, upper};
use super::states::open;

/// Of the peer that is far away.
const ROUND_TRIP: Duration = Duration::from_millis(900);

/// ESTABLISHED with a peer that takes 100 bytes in a segment. `letters(1000)` have come, and 500 bytes of the echo are in flight.
#[track_caller]
fn half_in_flight() -> (Net, Peer) {
    let (mut net, mut peer) = (net(), peer(40_000));
    (peer.mss, peer.window) = (Some(100), 500);
    peer.connect(&mut net);
    peer.send(&mut net, Psh, &letters(1000));
    assert_eq!(peer.take_data(&mut net), upper(&letters(500)));
    (net, peer)
}

/// The same, and what is in flight was sent three times: smoltcp's timeout has grown. Then it was acknowledged with this window.
#[track_caller]
fn after_losses(window: u16) -> (Net, Peer) {
    let (mut net, mut peer) = half_in_flight();
    net.pass(RTO * 4);
    net.wire.sent.clear();
    peer.window = window;
    peer.ack(&mut net);
    net.nothing_sent();
    (net, peer)
}

/// Takes a probe of the closed window, which the peer has no room for.
#[track_caller]
fn take_probe(net: &mut Net, peer: &mut Peer) {
    let begin = peer.acked;
    let probe = peer.take(net);
    net.nothing_sent();
    assert_eq!((probe.seq, probe.data.len()), (begin, 1));
    peer.acked = begin;
}

/// Takes what has not come yet of `letters(1000)`, with this window.
#[track_caller]
fn take_rest(net: &mut Net, peer: &mut Peer, window: u16) {
    let begin = usize::try_from(peer.acked - 1).unwrap();
    let mut echo = Vec::new();
    peer.window = window;
    peer.ack(net);
    for _ in 0..1000 {
        echo.extend(peer.take_data(net));
        peer.ack(net);
    }
    assert!(echo == upper(&letters(1000)[begin..]));
    assert_eq!(peer.exchange(net, b"on", 2), b"ON");
}

#[test]
fn a_closed_window_is_probed_within_a_retransmission_timeout_and_with_back_off() {
    for answers in [true, false] {
        let (mut net, mut peer) = after_losses(0);
        for timeouts in [1, 2, 4, 8, 16, 32] {
            net.pass_in_silence(RTO * timeouts);
            take_probe(&mut net, &mut peer);
            if answers {
                peer.ack(&mut net);
                net.nothing_sent();
            }
        }
        take_rest(&mut net, &mut peer, 500);
    }
}

#[test]
fn a_small_window_is_filled_within_a_retransmission_timeout() {
    let (mut net, mut peer) = after_losses(20);
    net.pass_in_silence(RTO);
    assert_eq!(peer.take_data(&mut net), upper(&letters(520)[500..]));
    take_rest(&mut net, &mut peer, 500);
}

#[test]
fn a_window_that_closes_over_data_is_probed_within_a_retransmission_timeout_and_with_back_off() {
    let (mut net, mut peer) = half_in_flight();
    (peer.window, peer.acked) = (0, 1);
    peer.ack(&mut net);
    for timeouts in [1, 2, 4, 8, 16, 32] {
        net.pass_in_silence(RTO * timeouts);
        take_probe(&mut net, &mut peer);
    }
    take_rest(&mut net, &mut peer, 500);
}

/// Behind the closed window, smoltcp has gone back to what was in flight.
#[test]
fn nothing_is_left_out_when_a_window_opens_that_has_closed_over_data() {
    for window in [100, 149, 150, 199, 500, 1000, 60_000] {
        let (mut net, mut peer) = half_in_flight();
        (peer.window, peer.acked) = (0, 1);
        peer.ack(&mut net);
        net.pass_in_silence(RTO);
        assert_eq!(peer.take(&mut net).data, b"A");
        take_rest(&mut net, &mut peer, window);
    }
}

/// ESTABLISHED with a peer that takes 100 bytes in a segment, and 900 ms to answer. smoltcp's timeout is a second, and ours longer.
#[track_caller]
fn far_away() -> (Net, Peer) {
    let (mut net, mut peer) = (net(), peer(40_000));
    (peer.mss, peer.window) = (Some(100), 500);
    peer.syn(&mut net);
    for _ in 0..20 {
        net.pass_in_silence(ROUND_TRIP);
        peer.send(&mut net, Psh, b"x");
        assert_eq!(peer.take(&mut net).data, b"X");
    }
    net.pass_in_silence(ROUND_TRIP);
    (net, peer)
}

#[test]
fn nothing_is_left_out_when_smoltcp_goes_back_before_our_timer_has_fired() {
    for window in [100, 149, 150, 199, 500, 1000, 60_000] {
        let (mut net, mut peer) = far_away();
        peer.send(&mut net, Psh, &letters(1000));
        let begin = peer.acked;
        assert_eq!(peer.take_data(&mut net), upper(&letters(500)));
        (peer.window, peer.acked) = (0, begin);
        peer.ack(&mut net);
        net.pass_in_silence(Duration::from_millis(1050));
        let mut echo = Vec::new();
        peer.window = window;
        for _ in 0..1000 {
            peer.ack(&mut net);
            echo.extend(peer.take_data(&mut net));
        }
        assert!(echo == upper(&letters(1000)), "with a window of {window}");
    }
}

/// As the peer delays its acknowledgement by as much as it may.
#[test]
#[cfg_attr(not(feature = "many-holes"), ignore = "smoltcp sends again what is not lost")]
fn a_delayed_acknowledgement_from_far_away_draws_no_retransmission() {
    for length in [1, 50, 250, 500, 1000] {
        let (mut net, mut peer) = far_away();
        peer.ack(&mut net);
        peer.send(&mut net, Psh, &letters(length));
        let mut echo = peer.take_data(&mut net);
        assert_eq!(echo.len(), length.min(500));
        net.pass_in_silence(ROUND_TRIP + Duration::from_millis(200));
        for _ in 0..1000 {
            peer.ack(&mut net);
            echo.extend(peer.take_data(&mut net));
        }
        assert!(echo == upper(&letters(length)));
        // What is lost comes after our own timeout.
        peer.send(&mut net, Psh, b"lost");
        let begin = peer.take(&mut net).seq;
        net.pass_in_silence(ROUND_TRIP + Duration::from_millis(200));
        net.pass(Duration::from_secs(3));
        assert_eq!(peer.take(&mut net).seq, begin);
    }
}

/// Many losses make smoltcp's timeout longer than the 5 seconds between the probes.
#[test]
fn a_silent_peer_with_a_closed_window_is_probed_every_5_seconds_whatever_was_lost() {
    let (mut net, mut peer) = half_in_flight();
    net.pass(Duration::from_secs(10));
    net.wire.sent.clear();
    peer.window = 0;
    peer.ack(&mut net);
    net.pass(Duration::from_secs(20));
    net.wire.sent.clear();
    net.pass(Duration::from_secs(38));
    assert!(net.wire.sent.len() >= 8, "{} probes in 38 seconds", net.wire.sent.len());
}

/// Linux does so, too: the back-off is that of the probes.
#[test]
fn what_leaves_when_the_window_has_opened_is_not_backed_off() {
    let (mut net, mut peer) = after_losses(0);
    for timeouts in [1, 2, 4, 8] {
        net.pass_in_silence(RTO * timeouts);
        take_probe(&mut net, &mut peer);
    }
    peer.window = 500;
    net.arrive(peer.segment(Plain, peer.next, Some(501), b""));
    assert!(peer.take_data(&mut net).starts_with(&upper(&letters(600)[500..])));
    peer.acked = 501;
    net.pass_in_silence(RTO);
    assert_eq!(peer.take(&mut net).seq, 501);
}

/// A window that opens by little does not have the timer run on for what it lets through in the end.
#[test]
fn what_leaves_after_a_wait_for_room_is_timed_anew() {
    let (mut net, mut peer) = after_losses(20);
    net.pass_in_silence(RTO - TICK);
    peer.window = 500;
    net.arrive(peer.segment(Plain, peer.next, Some(501), b""));
    assert!(peer.take_data(&mut net).starts_with(&upper(&letters(600)[500..])));
    net.pass_in_silence(RTO);
}

/// Our FIN needs no room in the peer's window.
#[test]
fn a_fin_that_is_lost_behind_a_closed_window_is_sent_again() {
    let (mut net, mut peer) = open();
    peer.window = 0;
    peer.send(&mut net, Fin, b"");
    for timeouts in [0, 1, 1, 2, 4, 8, 16, 32, 64] {
        net.pass(RTO * timeouts - TICK * timeouts.min(1));
        assert_eq!(net.wire.sent.len(), usize::from(timeouts == 0));
        net.pass(TICK * timeouts.min(1));
        let fin = peer.take(&mut net);
        net.nothing_sent();
        assert_eq!((fin.control, fin.seq, fin.data.len()), (Fin, 1, 0));
        peer.acked = 1;
    }
    peer.acked = 2;
    peer.ack(&mut net);
    assert_eq!((net.stats().closed, net.stats().live), (1, 0));
}

/// The device had no room for the probe.
#[test]
fn a_probe_that_the_device_has_refused_leaves_within_a_second() {
    let (mut net, mut peer) = after_losses(0);
    for timeouts in [1, 2, 4, 8] {
        net.pass_in_silence(RTO * timeouts);
        take_probe(&mut net, &mut peer);
    }
    net.wire.one_way = true;
    net.pass(RTO * 16);
    net.wire.one_way = false;
    net.pass(Duration::from_secs(1));
    take_probe(&mut net, &mut peer);
}

/// Each wait for room is as long as the first one.
#[test]
fn each_small_segment_waits() {
    let (mut net, mut peer) = open();
    for _ in 0..3 {
        peer.window = 20;
        peer.ack(&mut net);
        let begin = peer.acked;
        peer.send(&mut net, Psh, &letters(100));
        peer.take_ack(&mut net);
        net.pass(RTO - TICK);
        net.nothing_sent();
        peer.window = 60_000;
        net.arrive(peer.segment(Plain, peer.next, Some(begin), b""));
        assert_eq!(peer.take_data(&mut net), upper(&letters(100)));
        peer.ack(&mut net);
        net.pass(Duration::from_secs(5));
    }
}

/// What the acknowledgement that opens the window leaves unacknowledged is not lost, as smoltcp has not gone back to it: it does
/// not make the congestion window small.
#[test]
fn what_remains_in_flight_when_a_window_opens_is_not_taken_to_be_lost() {
    let (mut net, mut peer) = half_in_flight();
    (peer.window, peer.acked) = (0, 1);
    peer.ack(&mut net);
    net.pass(RTO / 2);
    net.nothing_sent();
    peer.window = 60_000;
    net.arrive(peer.segment(Plain, peer.next, Some(101), b""));
    peer.acked = 501;
    assert_eq!(peer.take_data(&mut net), upper(&letters(1000)[500..]));
}

/// Nor does an acknowledgement that says again that the window is closed put the probe off.
#[test]
fn what_is_heard_behind_a_closed_window_does_not_put_the_probe_off() {
    let (mut net, mut peer) = half_in_flight();
    (peer.window, peer.acked) = (0, 1);
    peer.ack(&mut net);
    for _ in 0..2 {
        net.pass_in_silence(RTO / 3);
        peer.ack(&mut net);
        net.nothing_sent();
    }
    net.pass_in_silence(RTO - RTO / 3 * 2);
    take_probe(&mut net, &mut peer);
}

/// Neither does smoltcp's timer, which fires before ours, send it again.
#[test]
#[cfg_attr(not(feature = "many-holes"), ignore = "smoltcp sends again what is not lost")]
fn a_fin_behind_a_closed_window_waits_for_a_delayed_acknowledgement_from_far_away() {
    let (mut net, mut peer) = far_away();
    peer.window = 0;
    peer.send(&mut net, Fin, b"");
    assert_eq!(peer.take(&mut net).control, Fin);
    net.pass_in_silence(ROUND_TRIP + Duration::from_millis(200));
    peer.ack(&mut net);
    net.nothing_sent();
    assert_eq!((net.stats().closed, net.stats().live), (1, 0));
}

/// smoltcp's timer has fired before ours, and does not keep what is new from carrying the acknowledgement.
#[test]
#[cfg_attr(not(feature = "many-holes"), ignore = "smoltcp sends again what is not lost")]
fn what_comes_before_a_late_acknowledgement_is_answered_with_one_segment() {
    let (mut net, mut peer) = far_away();
    peer.ack(&mut net);
    peer.send(&mut net, Psh, b"late");
    let begin = peer.acked;
    assert_eq!(peer.take(&mut net).data, b"LATE");
    net.pass_in_silence(ROUND_TRIP + Duration::from_millis(200));
    let next = peer.next;
    peer.next += 1;
    net.arrive(peer.segment(Psh, next, Some(begin), b"x"));
    assert_eq!(peer.take(&mut net).data, b"X");
    net.nothing_sent();
}
