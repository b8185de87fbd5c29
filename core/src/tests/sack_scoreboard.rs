//! What SACK tells to have arrived is not sent again, and the holes between it are (RFC 2018, RFC 6675).

use smoltcp::phy::Medium;
use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, None as Plain, Psh};

use super::fixture::{RTO, TICK, net_from, storage};
use super::in_flight::{MSS, acks, in_flight, in_flight_on, millis, nothing_follows, timed_out};
use super::peer::{letters, peer};

#[test]
fn holes_that_sack_tells_of_are_filled_one_a_round_trip_and_nothing_else_is_sent_again() {
    let (mut net, mut peer) = in_flight(8);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 2)]), [0; 0]);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 2), (3, 4)]), [0; 0]);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 2), (3, 5)]), [1]);
    assert_eq!(acks(&mut net, &mut peer, 2, &[(3, 5)]), [1 + 2 * MSS]);
    assert_eq!(acks(&mut net, &mut peer, 5, &[(6, 8)]), [1 + 5 * MSS]);
    nothing_follows(&mut net, &mut peer, 8);
}

#[test]
#[cfg_attr(not(feature = "many-holes"), ignore = "one hole is filled a round trip")]
fn all_holes_that_sack_tells_of_are_filled_in_one_round_trip() {
    for (medium, scale, lost) in
        [(Medium::Ip, None, 0), (Medium::Ip, None, 2), (Medium::Ip, Some(1), 0), (Medium::Ethernet, None, 0)]
    {
        let (mut net, mut peer) = in_flight_on(medium, scale, 10);
        assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 2)]), [0; 0]);
        assert_eq!(acks(&mut net, &mut peer, 0, &[(3, 4), (1, 2)]), [0; 0]);
        let holes = [1, 1 + 2 * MSS, 1 + 4 * MSS];
        assert_eq!(acks(&mut net, &mut peer, 0, &[(5, 9), (3, 4), (1, 2)]), holes);
        // A hole that shows later is filled when it shows, and the others not once more.
        assert_eq!(acks(&mut net, &mut peer, lost, &[(lost + 1, 9), (lost + 3, 5)]), [0; 0]);
        nothing_follows(&mut net, &mut peer, 10);
    }
}

/// Between the holes, smoltcp sends packets of 1500 bytes that do not leave.
#[test]
#[cfg_attr(not(feature = "many-holes"), ignore = "one hole is filled a round trip")]
fn holes_between_segments_that_are_as_long_as_can_be_are_filled() {
    let (mut net, mut peer) = (net_from(storage(2, 65_535, 0), 1500, |_| {}), peer(40_000));
    (peer.mss, peer.sack) = (Some(1460), Some([None; 3]));
    peer.connect(&mut net);
    for _ in 0..5 {
        net.arrive(peer.segment(Psh, peer.next, Some(1), &letters(1460)));
        peer.next += 1460;
    }
    assert_eq!(peer.begins(&mut net), [1, 1461, 2921, 4381, 5841]);
    (peer.acked, peer.sack) = (1, Some([Some((4381, 7301)), Some((1461, 2921)), None]));
    peer.ack(&mut net);
    assert_eq!(peer.begins(&mut net), [1, 2921]);
}

/// RFC 6675, section 5, step C: in a recovery, what is found to be lost is sent again at once.
#[test]
#[cfg_attr(not(feature = "many-holes"), ignore = "one hole is filled a round trip")]
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
#[cfg_attr(not(feature = "many-holes"), ignore = "one hole is filled a round trip")]
fn what_was_sent_again_is_lost_if_what_was_sent_again_after_it_has_arrived() {
    let (mut net, mut peer) = in_flight(8);
    for right in [2, 4] {
        assert_eq!(acks(&mut net, &mut peer, 0, &[(right - 1, right)]), [0; 0]);
    }
    assert_eq!(acks(&mut net, &mut peer, 0, &[(5, 8), (3, 4)]), [1, 1 + 2 * MSS, 1 + 4 * MSS]);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 4), (5, 8)]), [0; 0]);
    net.pass_in_silence(millis(1));
    assert_eq!(peer.begins(&mut net), [1, 1 + 4 * MSS]);
    // The next time it takes longer, or else each such block would draw it.
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 8)]), [0; 0]);
    net.pass_in_silence(millis(2));
    assert_eq!(peer.begins(&mut net), [1]);
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

/// The same after a timeout: what SACK told of does not count any more.
#[test]
#[cfg_attr(not(feature = "many-holes"), ignore = "one hole is filled a round trip")]
fn what_the_peer_has_thrown_away_is_sent_again_in_slow_start_after_a_timeout() {
    let (mut net, mut peer) = in_flight(8);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 8)]), [1]);
    net.pass(Duration::from_secs(1));
    net.wire.sent.clear();
    assert_eq!(acks(&mut net, &mut peer, 1, &[]), [1, 2].map(|at| 1 + at * MSS));
    assert_eq!(acks(&mut net, &mut peer, 3, &[]), [3, 4, 5, 6].map(|at| 1 + at * MSS));
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

/// Blocks need not end where segments do. What is left out ends there, if smoltcp can be shown a window that does: a scaled one
/// cannot, and the segment leaves.
#[test]
#[cfg_attr(not(feature = "many-holes"), ignore = "one hole is filled a round trip")]
fn a_hole_begins_within_a_segment() {
    for (scale, expected) in [(None, &[1, 1501, 3001][..]), (Some(1), &[1, 1001, 2001, 3001])] {
        let (mut net, mut peer) = in_flight_on(Medium::Ip, scale, 8);
        for blocks in [[Some((4001, 5001)), None, None], [Some((1001, 1501)), Some((4001, 5001)), None]] {
            peer.sack = Some(blocks);
            net.arrive(peer.segment(Plain, peer.next, Some(1), &[]));
            net.nothing_sent();
        }
        peer.sack = Some([Some((1001, 1501)), Some((2501, 3001)), Some((4001, 8001))]);
        net.arrive(peer.segment(Plain, peer.next, Some(1), &[]));
        assert_eq!(peer.begins(&mut net), expected);
    }
}

/// After a timeout, it is lost as all others.
#[test]
#[cfg_attr(not(feature = "many-holes"), ignore = "one hole is filled a round trip")]
fn a_hole_of_the_last_byte_is_filled() {
    let (mut net, mut peer) = timed_out(8);
    (peer.acked, peer.sack) = (1001, Some([Some((2001, 8000)), None, None]));
    net.arrive(peer.segment(Plain, peer.next, Some(1001), &[]));
    assert_eq!(peer.begins(&mut net), [1001, 8000]);
}

/// There, smoltcp looks at no window.
#[test]
#[cfg_attr(not(feature = "many-holes"), ignore = "one hole is filled a round trip")]
fn a_hole_begins_within_a_segment_in_last_ack() {
    let (mut net, mut peer) = in_flight(8);
    net.arrive(peer.segment(Fin, peer.next, Some(1), &[]));
    peer.next += 1;
    let fin = peer.take(&mut net);
    assert_eq!((fin.control, fin.seq), (Fin, 8001));
    for right in [5001, 6001, 8001] {
        peer.sack = Some([Some((1001, 1501)), Some((4001, right)), None]);
        net.arrive(peer.segment(Plain, peer.next, Some(1), &[]));
    }
    assert_eq!(peer.begins(&mut net), [1, 1001, 2001, 3001]);
}
