//! When what was lost is sent again where nothing tells of the loss but silence: round trips, the retransmission timer, its
//! back-off, and the tail loss probe.

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{None as Plain, Psh, Syn};

use super::fixture::{RTO, net_from, storage};
use super::in_flight::{MSS, acks, in_flight, large, millis, send, timed_out};
use super::peer::{letters, peer, upper};
use super::states::open;

/// The tail loss probe, then timeouts that double from the first on. An acknowledgement takes the back-off back.
#[test]
fn a_lost_reply_comes_again_after_206_milliseconds_and_then_with_back_off() {
    let (mut net, mut peer) = open();
    for lost in [1, 6] {
        peer.send(&mut net, Psh, b"again");
        peer.take(&mut net);
        peer.acked = lost;
        for timeouts in [1, 1, 2, 4, 8] {
            net.pass_in_silence(RTO * timeouts);
            let again = peer.take(&mut net);
            net.nothing_sent();
            assert_eq!((again.seq, again.data.as_slice()), (lost, &b"AGAIN"[..]));
            peer.acked = lost;
        }
        peer.acked = lost + 5;
        peer.ack(&mut net);
        net.nothing_sent();
    }
}

/// RFC 6298, section 2: SRTT and RTTVAR of the round trips.
#[test]
fn the_timeout_follows_the_round_trips() {
    let (mut net, mut peer) = open();
    for _ in 0..50 {
        peer.send(&mut net, Psh, b"x");
        peer.take(&mut net);
        net.pass(millis(150));
        net.nothing_sent();
        peer.ack(&mut net);
    }
    peer.send(&mut net, Psh, b"y");
    peer.take(&mut net);
    net.pass(millis(356) - millis(5));
    net.nothing_sent();
    net.pass(millis(10));
    assert_eq!(peer.take(&mut net).data, b"Y");
}

/// Linux delays an acknowledgement by 40 ms, others by up to 200.
#[test]
fn nothing_is_sent_twice_to_a_peer_that_delays_its_acknowledgements() {
    for delay in [40, 100, 200] {
        for (mut net, mut peer) in [open(), large()] {
            for _ in 0..20 {
                peer.send(&mut net, Psh, &letters(700));
                assert_eq!(peer.take_data(&mut net), upper(&letters(700)));
                net.pass(millis(delay));
                net.nothing_sent();
                peer.ack(&mut net);
            }
        }
    }
}

#[test]
fn a_peer_that_is_heard_again_after_an_outage_is_sent_to_at_once_and_then_once_a_second() {
    let (mut net, mut peer) = open();
    peer.send(&mut net, Psh, b"lost");
    net.pass(Duration::from_secs(33));
    net.wire.sent.clear();
    net.arrive(peer.segment(Psh, 1, Some(1), b"lost"));
    assert_eq!(peer.take(&mut net).data, b"", "the acknowledgement of what came again");
    for _ in 0..5 {
        peer.acked = 1;
        assert_eq!(peer.take(&mut net).data, b"LOST");
        for _ in 0..10 {
            net.arrive(peer.segment(Plain, 5, Some(1), b""));
            net.nothing_sent();
        }
        net.pass_in_silence(Duration::from_secs(1));
    }
    assert_eq!(peer.take(&mut net).data, b"LOST");
    peer.ack(&mut net);
    assert_eq!(peer.exchange(&mut net, b"on", 2), b"ON");
}

/// The echo's client was heard all the time; what went to it was lost.
#[test]
fn an_outage_of_90_seconds_in_one_direction_is_survived() {
    let (mut net, mut peer) = open();
    peer.send(&mut net, Psh, b"lost");
    for _ in 0..9 {
        net.pass(Duration::from_secs(10));
        net.arrive(peer.segment(Psh, 1, Some(1), b"lost"));
        assert_eq!(net.stats().live, 1);
    }
    peer.acked = 1;
    assert_eq!(peer.begins(&mut net).last(), Some(&1));
    peer.ack(&mut net);
    net.wire.sent.clear();
    assert_eq!(peer.exchange(&mut net, b"on", 2), b"ON");
}

/// The peer acknowledges two whole segments at once, so silence means loss; where nothing was ever lost, it may mean a slow peer.
#[test]
fn where_segments_were_lost_the_loss_of_several_last_ones_is_probed_for_after_milliseconds() {
    let (mut net, mut peer) = in_flight(5);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 4)]), [1]);
    assert_eq!(acks(&mut net, &mut peer, 5, &[]), [0; 0]);
    assert_eq!(send(&mut net, &mut peer, 2).len(), 2);
    for wait in [10, 20, 40, 80] {
        peer.acked = 1 + 5 * MSS;
        net.pass_in_silence(millis(wait));
        assert_eq!(peer.begins(&mut net), [1 + 5 * MSS]);
    }
    assert_eq!(acks(&mut net, &mut peer, 7, &[]), [0; 0]);
    // A single one is acknowledged later, and so is what is shorter than two.
    assert_eq!(send(&mut net, &mut peer, 1), [1 + 7 * MSS]);
    net.arrive(peer.segment(Psh, peer.next, Some(1 + 7 * MSS), b"short"));
    peer.next += 5;
    assert_eq!(peer.begins(&mut net), [1 + 8 * MSS]);
    net.pass(millis(200));
    net.nothing_sent();
}

/// The peer's segments are longer than ours: of the four that each of them draws, half is acknowledged.
#[test]
fn where_segments_were_lost_the_rest_of_several_is_probed_for_after_milliseconds() {
    let (mut net, mut peer) = (net_from(storage(2, 65_535, 0), 1500, |_| {}), peer(40_000));
    (peer.mss, peer.sack) = (Some(350), Some([None; 3]));
    peer.connect(&mut net);
    for _ in 0..2 {
        net.arrive(peer.segment(Psh, peer.next, Some(1), &letters(1400)));
        peer.next += 1400;
    }
    net.wire.sent.clear();
    for (acked, block, begins) in [(1, Some((351, 2801)), &[1][..]), (2801, None, &[])] {
        (peer.acked, peer.sack) = (acked, Some([block, None, None]));
        net.arrive(peer.segment(Plain, peer.next, Some(acked), &[]));
        assert_eq!(peer.begins(&mut net), begins);
    }
    peer.send(&mut net, Psh, &letters(1400));
    assert_eq!(peer.begins(&mut net).len(), 4);
    peer.acked = 3501;
    peer.ack(&mut net);
    net.pass_in_silence(millis(10));
    assert_eq!(peer.begins(&mut net), [3501]);
    // What left before the probe and is not acknowledged with it is lost, too.
    peer.ack(&mut net);
    assert_eq!(peer.begins(&mut net), [3851]);
}

/// RFC 6298, section 5.2. What is sent later has the whole timeout.
#[test]
fn the_timer_stops_when_everything_is_acknowledged_after_a_timeout() {
    let (mut net, mut peer) = timed_out(2);
    assert_eq!(acks(&mut net, &mut peer, 2, &[]), [0; 0]);
    net.pass_in_silence(millis(200));
    assert_eq!(send(&mut net, &mut peer, 1), [1 + 2 * MSS]);
    peer.acked = 1 + 2 * MSS;
    net.pass_in_silence(RTO);
    assert_eq!(peer.begins(&mut net), [1 + 2 * MSS]);
}

/// Karn's algorithm: it is not known which of two SYN|ACKs the peer has answered.
#[test]
fn a_handshake_with_two_syn_acks_measures_no_round_trip() {
    let (mut net, mut peer) = (net_from(storage(2, 1024, 0), 1500, |_| {}), peer(40_000));
    net.arrive(peer.segment(Syn, 0, None, &[]));
    net.wire.sent.clear();
    net.pass(Duration::from_secs(1));
    peer.take_syn_ack(&mut net);
    peer.ack(&mut net);
    peer.send(&mut net, Psh, b"lost");
    assert_eq!(peer.take(&mut net).data, b"LOST");
    net.pass_in_silence(Duration::from_secs(1));
    assert_eq!(peer.take(&mut net).data, b"LOST");
    peer.ack(&mut net);
    assert_eq!(peer.exchange(&mut net, b"measured", 8), b"MEASURED");
    peer.send(&mut net, Psh, b"lost");
    peer.take(&mut net);
    net.pass_in_silence(RTO);
    assert_eq!(peer.take(&mut net).data, b"LOST");
}

/// What SACK tells to have arrived is measured also where SND.UNA waits for something else.
#[test]
fn what_arrives_behind_a_hole_measures_a_round_trip() {
    let (mut net, mut peer) = in_flight(4);
    // The first acknowledgement comes late.
    net.pass(millis(200));
    net.nothing_sent();
    assert_eq!(acks(&mut net, &mut peer, 1, &[(2, 4)]), [0; 0]);
    assert_eq!(send(&mut net, &mut peer, 2), [1 + 4 * MSS, 1 + 5 * MSS]);
    // What has just left arrives at once: so much longer does an answer not take.
    assert_eq!(acks(&mut net, &mut peer, 1, &[(2, 6)]), [1 + MSS]);
    peer.acked = 1 + MSS;
    net.pass_in_silence(millis(5));
    assert_eq!(peer.begins(&mut net), [1 + MSS]);
}

/// smoltcp has been made to believe that it is later, so that its timer for probes would not come in time.
#[test]
fn a_window_that_closes_over_what_is_sent_again_is_probed() {
    let (mut net, mut peer) = timed_out(8);
    peer.acked = 1;
    let window = core::mem::replace(&mut peer.window, 0);
    net.arrive(peer.segment(Plain, peer.next, Some(1), &[]));
    net.nothing_sent();
    net.pass(Duration::from_secs(3));
    let probe = peer.take(&mut net);
    assert_eq!((probe.seq, probe.data.len()), (1, 1));
    net.wire.sent.clear();
    (peer.window, peer.acked) = (window, 2);
    net.arrive(peer.segment(Plain, peer.next, Some(2), &[]));
    net.pass(Duration::from_secs(1));
    assert_eq!(peer.begins(&mut net)[0], 2);
}

/// Whoever has something behind a hole acknowledges at once what fills it.
#[test]
fn a_retransmission_that_is_lost_is_sent_again_after_milliseconds() {
    for window in [60_000, 60_001, 65_535] {
        let (mut net, mut peer) = in_flight(5);
        peer.window = window;
        for right in 2..4 {
            assert_eq!(acks(&mut net, &mut peer, 0, &[(1, right)]), [0; 0]);
        }
        assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 4)]), [1]);
        for wait in [5, 10, 20] {
            peer.acked = 1;
            net.pass_in_silence(millis(wait));
            assert_eq!(peer.begins(&mut net), [1]);
        }
        assert_eq!(acks(&mut net, &mut peer, 5, &[]), [0; 0]);
    }
}

/// smoltcp's own timeout has grown with each time that it went back, and with it the time to its first probe.
#[test]
fn a_window_that_closes_after_recoveries_is_probed_within_a_timeout_and_with_back_off() {
    let (mut net, mut peer) = in_flight(2);
    for rounds in 1..6 {
        peer.acked = 1 + (rounds - 1) * 2 * MSS;
        for _ in 0..2 {
            net.pass(RTO * 2);
        }
        net.wire.sent.clear();
        assert_eq!(acks(&mut net, &mut peer, rounds * 2, &[]), [0; 0]);
        assert_eq!(send(&mut net, &mut peer, 2).len(), 2);
    }
    peer.window = 0;
    assert_eq!(acks(&mut net, &mut peer, 12, &[]), [0; 0]);
    peer.window = 1000;
    assert_eq!(send(&mut net, &mut peer, 4), [1 + 12 * MSS]);
    peer.window = 0;
    assert_eq!(acks(&mut net, &mut peer, 13, &[]), [0; 0]);
    for wait in [250, 500, 900, 1800] {
        net.pass(millis(wait));
        let probe = peer.take(&mut net);
        peer.acked = 1 + 13 * MSS;
        assert_eq!((probe.seq, probe.data.len()), (peer.acked, 1));
        net.nothing_sent();
        net.arrive(peer.segment(Plain, peer.next, Some(peer.acked), &[]));
        net.nothing_sent();
    }
}

/// A peer that has filled our window has its acknowledgements at the right edge of it.
#[test]
fn an_acknowledgement_at_the_right_edge_of_the_window_counts() {
    let (mut net, mut peer) = open();
    peer.send(&mut net, Psh, b"abc");
    assert_eq!(peer.take(&mut net).data, b"ABC");
    let edge = peer.edge;
    net.arrive(peer.segment(Plain, edge, Some(4), &[]));
    net.nothing_sent();
    net.pass(Duration::from_secs(19));
    net.nothing_sent();
}

/// There is nothing to probe for, and nothing that the server wants to be called for but the question whether the peer lives.
#[test]
fn the_timer_stops_behind_a_window_that_closes_over_nothing_after_a_timeout() {
    let (mut net, mut peer) = timed_out(2);
    peer.window = 0;
    assert_eq!(acks(&mut net, &mut peer, 2, &[]), [0; 0]);
    let heard = net.now;
    net.pass(RTO * 2);
    assert!(net.last.deadline.is_some_and(|at| at >= heard + Duration::from_secs(5)));
}

/// Before a round trip was measured, it is not known how soon an acknowledgement is missed: silence is a timeout, after which
/// one segment may be in flight.
#[test]
fn a_retransmission_that_is_lost_before_a_round_trip_was_measured_waits_for_the_timeout() {
    let (mut net, mut peer) = (net_from(storage(2, 65_535, 0), 1500, |_| {}), peer(40_000));
    (peer.mss, peer.sack) = (Some(1000), Some([None; 3]));
    net.arrive(peer.segment(Syn, 0, None, &[]));
    net.wire.sent.clear();
    net.pass(Duration::from_secs(1));
    peer.take_syn_ack(&mut net);
    peer.ack(&mut net);
    assert_eq!(send(&mut net, &mut peer, 8).len(), 8);
    for (right, expected) in [(2, &[][..]), (3, &[]), (8, &[1])] {
        assert_eq!(acks(&mut net, &mut peer, 0, &[(1, right)]), expected);
    }
    peer.acked = 1;
    net.pass_in_silence(Duration::from_secs(1));
    assert_eq!(peer.begins(&mut net), [1]);
    peer.acked = 1;
    assert_eq!(send(&mut net, &mut peer, 1), [0; 0]);
}

/// What it sends has been acknowledged.
#[test]
fn a_keep_alive_starts_no_timer() {
    let (mut net, mut peer) = open();
    net.pass(Duration::from_secs(20));
    assert_eq!(peer.take(&mut net).seq, 0);
    assert_eq!(net.last.deadline, Some(net.now + Duration::from_secs(5)));
}

#[test]
fn a_timer_that_stopped_behind_a_closed_window_starts_anew_when_it_opens() {
    let (mut net, mut peer) = in_flight(2);
    let window = core::mem::replace(&mut peer.window, 0);
    assert_eq!(acks(&mut net, &mut peer, 2, &[]), [0; 0]);
    net.pass(Duration::from_secs(1));
    assert_eq!(send(&mut net, &mut peer, 1), [1 + 2 * MSS]);
    peer.window = window;
    assert_eq!(acks(&mut net, &mut peer, 2, &[]), [1 + 2 * MSS]);
    net.pass_in_silence(RTO);
    assert_eq!(peer.begins(&mut net), [1 + 2 * MSS]);
}
