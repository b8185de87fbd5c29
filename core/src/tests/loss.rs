//! What was lost is sent again, as soon as it is known to be lost and no sooner: fast recovery, with SACK and without, and
//! slow start after a timeout.

use std::vec::Vec;

use smoltcp::phy::Medium;
use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, None as Plain, Psh};

use super::fixture::{RTO, TICK, net_from, storage};
use super::in_flight::{MSS, acks, in_flight, large, large_on, millis, nothing_follows, send, timed_out};
use super::peer::{Peer, peer};
use super::states::open;

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

/// RFC 5681, section 3.1: one segment, then two for each that is acknowledged. What has arrived is left out.
#[test]
#[cfg_attr(not(feature = "many-holes"), ignore = "one hole is filled a round trip")]
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
        nothing_follows(&mut net, &mut peer, 8);
    }
}

/// While smoltcp goes through what it sends again, the peer accepts acknowledgements all the same: they stand at SND.MAX.
#[test]
fn acknowledgements_during_a_recovery_stand_behind_all_that_was_sent() {
    let (mut net, mut peer) = timed_out(8);
    net.arrive(peer.segment(Psh, peer.next + 10, Some(1), b"behind a hole"));
    let answer = peer.take(&mut net);
    assert_eq!((answer.seq, answer.data.len()), (1 + 8 * MSS, 0));
    net.nothing_sent();
}

/// Everything is lost, the probe is acknowledged alone: what was sent before it is lost, too.
#[test]
#[cfg_attr(not(feature = "many-holes"), ignore = "one hole is filled a round trip")]
fn what_was_sent_before_a_probe_and_is_not_acknowledged_with_it_is_sent_again_at_once() {
    let (mut net, mut peer) = in_flight(4);
    net.pass_in_silence(RTO);
    assert_eq!(peer.begins(&mut net), [1]);
    assert_eq!(acks(&mut net, &mut peer, 1, &[]), [1 + MSS, 1 + 2 * MSS]);
    assert_eq!(acks(&mut net, &mut peer, 3, &[]), [1 + 3 * MSS]);
    nothing_follows(&mut net, &mut peer, 4);
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
        net.arrive(peer.segment(Fin, peer.next, Some(1 + 30 * MSS), &[]));
        net.wire.sent.clear();
        net.arrive(peer.segment(Plain, peer.next + 1, Some(2 + 30 * MSS), &[]));
        assert_eq!((net.stats().live, net.stats().closed), (0, 1));
    }
}

/// The last retransmission of a recovery says nothing about what is in flight after it.
#[test]
fn an_acknowledgement_after_a_recovery_is_no_sign_of_a_loss() {
    let (mut net, mut peer) = in_flight(8);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 8)]), [1]);
    assert_eq!(send(&mut net, &mut peer, 3), [8, 9, 10].map(|at| 1 + at * MSS));
    peer.acked = 1;
    net.pass_in_silence(millis(5));
    assert_eq!(peer.begins(&mut net), [1]);
    for acked in 8..=11 {
        assert_eq!(acks(&mut net, &mut peer, acked, &[]), [0; 0], "{acked}");
    }
}

/// Where segments were lost, the last ones are probed for before the timeout; they are lost, too, if the probe is acknowledged alone.
#[test]
fn what_was_sent_before_an_early_probe_and_is_not_acknowledged_with_it_is_sent_again_at_once() {
    let (mut net, mut peer) = in_flight(5);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 4)]), [1]);
    assert_eq!(acks(&mut net, &mut peer, 5, &[]), [0; 0]);
    assert_eq!(send(&mut net, &mut peer, 2).len(), 2);
    peer.acked = 1 + 5 * MSS;
    net.pass_in_silence(millis(10));
    assert_eq!(peer.begins(&mut net), [1 + 5 * MSS]);
    assert_eq!(acks(&mut net, &mut peer, 6, &[]), [1 + 6 * MSS]);
    assert_eq!(acks(&mut net, &mut peer, 7, &[]), [0; 0]);
}

/// A connection that is aborted while smoltcp sends again: a peer that has what was sent again last expects the RST's number.
#[test]
#[cfg_attr(not(feature = "many-holes"), ignore = "one hole is filled a round trip")]
fn a_rst_in_a_recovery_stands_behind_what_was_sent_again() {
    let (mut net, mut peer) = timed_out(8);
    net.server.shutdown(net.now);
    net.pass(Duration::from_secs(1));
    let mut last = peer.take(&mut net);
    while !net.wire.sent.is_empty() {
        last = peer.take(&mut net);
    }
    assert_eq!((last.control, last.seq), (smoltcp::wire::TcpControl::Rst, 1 + MSS));
}

/// Each time, smoltcp is told a time at which its timer fires. On Ethernet that may not be far ahead.
#[test]
fn what_is_lost_in_last_ack_is_sent_again_and_again() {
    for medium in [Medium::Ip, Medium::Ethernet] {
        let (mut net, mut peer) = large_on(medium, None);
        peer.send(&mut net, Fin, b"bye");
        assert_eq!(peer.begins(&mut net), [1]);
        for timeouts in [1, 1, 2, 4] {
            peer.acked = 1;
            net.pass_in_silence(RTO * timeouts);
            assert_eq!(peer.begins(&mut net), [1], "{medium:?}");
        }
    }
}
