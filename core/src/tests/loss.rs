//! What was lost is sent again, as soon as it is known to be lost and no sooner: the retransmission timer, the tail loss probe,
//! fast recovery, and what SACK tells.

use std::vec::Vec;

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{None as Plain, Psh};

use super::fixture::{Net, RTO, TICK, net_from, storage};
use super::peer::{Peer, letters, peer, upper};
use super::states::open;

const MSS: i32 = 1000;

fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A connection with large buffers and segments of 1000 bytes, whose peer offers SACK.
#[track_caller]
fn large() -> (Net, Peer) {
    let (mut net, mut peer) = (net_from(storage(2, 65_535, 0), 1500, |_| {}), peer(40_000));
    (peer.mss, peer.sack) = (Some(1000), Some([None; 3]));
    peer.connect(&mut net);
    (net, peer)
}

/// This many segments are in flight; the peer has taken none of them.
#[track_caller]
fn in_flight(segments: i32) -> (Net, Peer) {
    let (mut net, mut peer) = large();
    assert_eq!(send(&mut net, &mut peer, segments), (0..segments).map(|at| 1 + at * MSS).collect::<Vec<_>>());
    peer.acked = 1;
    (net, peer)
}

/// The peer sends this many segments of data. Returns where the segments begin that come back.
#[track_caller]
fn send(net: &mut Net, peer: &mut Peer, segments: i32) -> Vec<i32> {
    for _ in 0..segments {
        let data = letters(1000);
        net.arrive(peer.segment(Psh, peer.next, Some(peer.acked), &data));
        peer.next += MSS;
    }
    peer.begins(net)
}

/// The peer acknowledges this much, and has these segments beyond it, counted from 0. Returns what comes of it.
#[track_caller]
fn acks(net: &mut Net, peer: &mut Peer, segments: i32, beyond: &[(i32, i32)]) -> Vec<i32> {
    let mut blocks = [None; 3];
    for (block, (left, right)) in blocks.iter_mut().zip(beyond) {
        *block = Some((1 + left * MSS, 1 + right * MSS));
    }
    peer.sack = Some(blocks);
    peer.acked = 1 + segments * MSS;
    net.arrive(peer.segment(Plain, peer.next, Some(peer.acked), &[]));
    let begins = peer.begins(net);
    peer.acked = 1 + segments * MSS;
    begins
}

/// The tail loss probe, then timeouts that double from the first on. An acknowledgement takes the back-off back.
#[test]
fn a_lost_reply_comes_again_after_220_milliseconds_and_then_with_back_off() {
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
    net.pass(millis(370) - millis(5));
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

#[test]
fn three_duplicates_that_ride_on_data_bring_the_lost_segment() {
    let (mut net, mut peer) = in_flight(5);
    for (right, expected) in [(2, &[][..]), (3, &[]), (4, &[1])] {
        peer.sack = Some([Some((1 + MSS, 1 + right * MSS)), None, None]);
        net.arrive(peer.segment(Psh, peer.next, Some(1), b"data"));
        peer.next += 4;
        let again = peer.begins(&mut net);
        peer.acked = 1;
        assert_eq!(again.into_iter().filter(|&seq| seq < 5 * MSS).collect::<Vec<_>>(), expected);
    }
}

/// Requests in a row, to which the replies are on their way: none of them tells of a loss.
#[test]
fn acknowledgements_that_ride_on_data_are_no_duplicates_without_sack() {
    for sack in [None, Some([None; 3])] {
        let (mut net, mut peer) = open();
        peer.sack = sack;
        for at in 0..10 {
            net.arrive(peer.segment(Psh, 1 + at * 10, Some(1), b"0123456789"));
        }
        assert_eq!(peer.begins(&mut net), (0..10).map(|at| 1 + at * 10).collect::<Vec<_>>());
        net.pass(millis(100));
        net.nothing_sent();
    }
}

#[test]
fn three_duplicates_without_sack_bring_the_lost_segment_and_each_part_the_next() {
    let (mut other, mut plain) = (net_from(storage(2, 65_535, 0), 1500, |_| {}), peer_without_sack());
    plain.connect(&mut other);
    assert_eq!(send(&mut other, &mut plain, 6).len(), 6);
    plain.acked = 1;
    for expected in [&[][..], &[], &[1]] {
        other.arrive(plain.segment(Plain, plain.next, Some(1), &[]));
        assert_eq!(plain.begins(&mut other), expected);
        plain.acked = 1;
    }
    other.arrive(plain.segment(Plain, plain.next, Some(1 + 2 * MSS), &[]));
    assert_eq!(plain.begins(&mut other), [1 + 2 * MSS]);
}

fn peer_without_sack() -> Peer {
    Peer { mss: Some(1000), ..peer(40_000) }
}

#[test]
fn holes_that_sack_tells_of_are_filled_one_a_round_trip_and_nothing_else_is_sent_again() {
    let (mut net, mut peer) = in_flight(8);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 2)]), [0; 0]);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 2), (3, 4)]), [0; 0]);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 2), (3, 5)]), [1]);
    assert_eq!(acks(&mut net, &mut peer, 2, &[(3, 5)]), [1 + 2 * MSS]);
    assert_eq!(acks(&mut net, &mut peer, 5, &[(6, 8)]), [1 + 5 * MSS]);
    assert_eq!(acks(&mut net, &mut peer, 8, &[]), [0; 0]);
    net.pass(Duration::from_secs(19));
    net.nothing_sent();
}

#[test]
fn all_holes_that_sack_tells_of_are_filled_in_one_round_trip() {
    for lost in [0, 2] {
        let (mut net, mut peer) = in_flight(10);
        assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 2)]), [0; 0]);
        assert_eq!(acks(&mut net, &mut peer, 0, &[(3, 4), (1, 2)]), [0; 0]);
        let holes = [1, 1 + 2 * MSS, 1 + 4 * MSS];
        assert_eq!(acks(&mut net, &mut peer, 0, &[(5, 9), (3, 4), (1, 2)]), holes);
        // A hole that shows later is filled when it shows, and the others not once more.
        assert_eq!(acks(&mut net, &mut peer, lost, &[(lost + 1, 9), (lost + 3, 5)]), [0; 0]);
        assert_eq!(acks(&mut net, &mut peer, 10, &[]), [0; 0]);
        net.pass(Duration::from_secs(19));
        net.nothing_sent();
    }
}

/// RFC 6675, section 5, step C: in a recovery, what is found to be lost is sent again at once.
#[test]
fn a_hole_that_shows_during_a_recovery_is_filled_and_no_other_once_more() {
    let (mut net, mut peer) = in_flight(10);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 2)]), [0; 0]);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(3, 4), (1, 2)]), [0; 0]);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(3, 7), (1, 2)]), [1, 1 + 2 * MSS]);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(8, 9), (3, 7), (1, 2)]), [1 + 7 * MSS]);
    assert_eq!(acks(&mut net, &mut peer, 2, &[(8, 9), (3, 7)]), [0; 0]);
    assert_eq!(acks(&mut net, &mut peer, 7, &[(8, 9)]), [0; 0]);
    assert_eq!(acks(&mut net, &mut peer, 10, &[]), [0; 0]);
}

/// Of two holes that were filled, the second one is, and the first one is not: its segment was lost again.
#[test]
fn what_was_sent_again_is_lost_if_what_was_sent_again_after_it_has_arrived() {
    let (mut net, mut peer) = in_flight(8);
    for right in [2, 4] {
        assert_eq!(acks(&mut net, &mut peer, 0, &[(right - 1, right)]), [0; 0]);
    }
    assert_eq!(acks(&mut net, &mut peer, 0, &[(5, 8), (3, 4)]), [1, 1 + 2 * MSS, 1 + 4 * MSS]);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 4), (5, 8)]), [0; 0]);
    net.pass_in_silence(millis(1));
    assert_eq!(peer.begins(&mut net), [1, 1 + 4 * MSS]);
}

/// RFC 5681, section 3.1: one segment, then two for each that is acknowledged. What has arrived is left out.
#[test]
fn after_a_timeout_what_is_lost_is_sent_again_in_slow_start() {
    for (beyond, expected) in [(&[][..], [[1, 2], [3, 4]]), (&[(2, 4), (5, 6)], [[1, 4], [6, 7]])] {
        let (mut net, mut peer) = in_flight(8);
        for _ in 0..2 {
            net.pass_in_silence(RTO);
            assert_eq!(peer.begins(&mut net), [1]);
            peer.acked = 1;
        }
        let expected = expected.map(|of_a_round_trip| of_a_round_trip.map(|at| 1 + at * MSS));
        assert_eq!(acks(&mut net, &mut peer, 1, beyond), expected[0]);
        let acked = if beyond.is_empty() { 2 } else { 4 };
        let rest = if beyond.is_empty() { &[][..] } else { &beyond[1..] };
        assert_eq!(acks(&mut net, &mut peer, acked, rest), expected[1]);
        assert_eq!(acks(&mut net, &mut peer, 8, &[]), [0; 0]);
        net.pass(Duration::from_secs(19));
        net.nothing_sent();
    }
}

/// While smoltcp goes through what it sends again, the peer accepts acknowledgements all the same: they stand at SND.MAX.
#[test]
fn acknowledgements_during_a_recovery_stand_behind_all_that_was_sent() {
    let (mut net, mut peer) = in_flight(8);
    for _ in 0..2 {
        net.pass(RTO);
    }
    net.wire.sent.clear();
    net.arrive(peer.segment(Psh, peer.next + 10, Some(1), b"behind a hole"));
    let answer = peer.take(&mut net);
    assert_eq!((answer.seq, answer.data.len()), (1 + 8 * MSS, 0));
    net.nothing_sent();
}

/// Everything is lost, the probe is acknowledged alone: what was sent before it is lost, too.
#[test]
fn what_was_sent_before_a_probe_and_is_not_acknowledged_with_it_is_sent_again_at_once() {
    let (mut net, mut peer) = in_flight(4);
    net.pass_in_silence(RTO);
    assert_eq!(peer.begins(&mut net), [1]);
    assert_eq!(acks(&mut net, &mut peer, 1, &[]), [1 + MSS, 1 + 2 * MSS]);
    assert_eq!(acks(&mut net, &mut peer, 3, &[]), [1 + 3 * MSS]);
    assert_eq!(acks(&mut net, &mut peer, 4, &[]), [0; 0]);
    net.pass(Duration::from_secs(19));
    net.nothing_sent();
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
    // A single one is acknowledged later.
    assert_eq!(send(&mut net, &mut peer, 1), [1 + 7 * MSS]);
    net.pass(millis(200));
    net.nothing_sent();
}

/// Karn's algorithm: it is not known which of two SYN|ACKs the peer has answered.
#[test]
fn a_handshake_with_two_syn_acks_measures_no_round_trip() {
    let (mut net, mut peer) = (net_from(storage(2, 1024, 0), 1500, |_| {}), peer(40_000));
    net.arrive(peer.segment(smoltcp::wire::TcpControl::Syn, 0, None, &[]));
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
    let (mut net, mut peer) = in_flight(8);
    for _ in 0..2 {
        net.pass(RTO);
    }
    net.wire.sent.clear();
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

/// RFC 2018, section 8: it may do that. SND.UNA stops where it did.
#[test]
fn what_the_peer_has_thrown_away_is_sent_again() {
    let (mut net, mut peer) = in_flight(4);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 4)]), [1]);
    let mut acked = 1;
    for _ in 0..20 {
        let again = acks(&mut net, &mut peer, acked, &[]);
        net.pass(RTO);
        let later = peer.begins(&mut net);
        if again.iter().chain(&later).any(|&seq| seq == 1 + acked * MSS) {
            acked += 1;
        }
        if acked == 4 {
            return;
        }
    }
    panic!("{acked} of 4 segments");
}

/// Two segments are in flight, so that there are no three duplicates: one is enough, after a millisecond in which the other
/// may still be overtaken.
#[test]
fn a_single_duplicate_brings_the_lost_segment_a_millisecond_later() {
    let (mut net, mut peer) = in_flight(2);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 2)]), [0; 0]);
    net.pass_in_silence(millis(1));
    assert_eq!(peer.begins(&mut net), [1]);
}

#[test]
fn a_segment_that_was_only_overtaken_is_not_sent_again() {
    let (mut net, mut peer) = in_flight(4);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 2)]), [0; 0]);
    net.pass(millis(1) - TICK);
    assert_eq!(acks(&mut net, &mut peer, 2, &[]), [0; 0]);
    net.pass(millis(200));
    net.nothing_sent();
}

/// Whoever has something behind a hole acknowledges at once what fills it.
#[test]
fn a_retransmission_that_is_lost_is_sent_again_after_milliseconds() {
    let (mut net, mut peer) = in_flight(5);
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

/// ACKs and SACK blocks of what was never sent, blocks of what was acknowledged, empty and inverted ones.
#[test]
fn sack_blocks_that_cannot_be_change_nothing() {
    let (mut net, mut peer) = in_flight(4);
    for blocks in [
        [Some((1 + 4 * MSS, 1 + 9 * MSS)), None, None],
        [Some((1 + 2 * MSS, 1 + 5 * MSS)), Some((-5 * MSS, -4 * MSS)), None],
        [Some((1, 1 + MSS)), Some((2 * MSS, 2 * MSS)), Some((3 * MSS, 2 * MSS))],
        [Some((i32::MIN, i32::MAX)), Some((1 + MSS, i32::MIN)), Some((i32::MIN, 1 + MSS))],
    ] {
        peer.sack = Some(blocks);
        for _ in 0..4 {
            net.arrive(peer.segment(Plain, peer.next, Some(1), &[]));
            net.nothing_sent();
        }
    }
    net.pass(RTO - TICK);
    net.nothing_sent();
}

/// The same block again and again (D-SACK, or a peer that repeats itself) says nothing new.
#[test]
fn a_block_that_is_repeated_is_no_duplicate() {
    let (mut net, mut peer) = in_flight(6);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 2)]), [0; 0]);
    for _ in 0..5 {
        assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 2)]), [0; 0]);
    }
}

/// It acknowledges what has not arrived: it gets each byte that it has sent once, none of them again, and no more than that.
#[test]
fn a_peer_that_acknowledges_what_it_has_not_received_gets_nothing_more_and_frees_its_slot() {
    for ahead in [0, 1, 5 * MSS, 60 * MSS] {
        let (mut net, mut peer) = large();
        let mut seen = Vec::new();
        for _ in 0..30 {
            seen.extend(send(&mut net, &mut peer, 1));
            let sent = i32::try_from(seen.len()).unwrap() * MSS;
            // All that left is lost, and acknowledged at once; or even before it leaves.
            for acked in [1 + sent, 1 + sent + ahead] {
                net.arrive(peer.segment(Plain, peer.next, Some(acked), &[]));
            }
            peer.acked = 1 + sent;
            seen.extend(peer.begins(&mut net));
        }
        assert_eq!(seen, (0..30).map(|at| 1 + at * MSS).collect::<Vec<_>>(), "{ahead}");
        net.pass(Duration::from_secs(15));
        net.nothing_sent();
        net.arrive(peer.segment(smoltcp::wire::TcpControl::Fin, peer.next, Some(1 + 30 * MSS), &[]));
        net.wire.sent.clear();
        net.arrive(peer.segment(Plain, peer.next + 1, Some(2 + 30 * MSS), &[]));
        assert_eq!((net.stats().live, net.stats().closed), (0, 1));
    }
}
