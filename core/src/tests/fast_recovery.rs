//! What counts as a duplicate acknowledgement, and what it draws in a recovery (RFC 5681, RFC 6675, RFC 8985).

use smoltcp::wire::TcpControl::{None as Plain, Psh};

use super::fixture::{Net, RTO, net_from, storage};
use super::in_flight::{MSS, acks, in_flight, millis, send};
use super::peer::{Peer, letters, peer};

/// A connection whose peer offers no SACK, with this many segments in flight.
#[track_caller]
fn in_flight_without_sack(segments: i32) -> (Net, Peer) {
    let (mut net, mut peer) = (net_from(storage(2, 65_535, 0), 1500, |_| {}), peer(40_000));
    peer.mss = Some(1000);
    peer.connect(&mut net);
    assert_eq!(i32::try_from(send(&mut net, &mut peer, segments).len()), Ok(segments));
    peer.acked = 1;
    (net, peer)
}

/// The first segment is in a recovery, and these arrive at the peer.
#[track_caller]
fn recovering(segments: i32) -> (Net, Peer) {
    let (mut net, mut peer) = in_flight(segments);
    for (right, expected) in [(2, &[][..]), (3, &[]), (4, &[1])] {
        assert_eq!(acks(&mut net, &mut peer, 0, &[(1, right)]), expected);
    }
    (net, peer)
}

/// RFC 5681, section 2: it has no data, no SYN and no FIN. smoltcp, which would count it, too, must not see it.
#[test]
fn a_duplicate_may_be_pushed() {
    let (mut net, mut peer) = in_flight_without_sack(3);
    for expected in [&[][..], &[], &[1]] {
        net.arrive(peer.segment(Psh, peer.next, Some(1), &[]));
        assert_eq!(peer.begins(&mut net), expected);
    }
    peer.acked = 1 + 2 * MSS;
    assert_eq!(send(&mut net, &mut peer, 1), [1 + 2 * MSS, 1 + 3 * MSS]);
}

/// A quarter of a round trip, a millisecond at least, in which it may have been overtaken.
#[test]
fn a_single_duplicate_without_sack_brings_the_first_of_two_segments() {
    let (mut net, mut peer) = in_flight_without_sack(2);
    peer.ack(&mut net);
    net.pass_in_silence(millis(1));
    assert_eq!(peer.begins(&mut net), [1]);
}

/// It cannot have been sent for anything behind the segment.
#[test]
fn a_duplicate_without_sack_tells_of_nothing_where_one_segment_is_in_flight() {
    let (mut net, mut peer) = in_flight_without_sack(1);
    peer.ack(&mut net);
    net.pass_in_silence(RTO);
    assert_eq!(peer.begins(&mut net), [1]);
}

/// The first that is lost of a connection, in one of the segments that came of a single one of the peer's.
#[test]
fn blocks_of_an_acknowledgement_that_advances_count() {
    let (mut net, mut peer) = (net_from(storage(2, 65_535, 0), 1500, |_| {}), peer(40_000));
    (peer.mss, peer.sack) = (Some(400), Some([None; 3]));
    peer.connect(&mut net);
    peer.send(&mut net, Psh, &letters(1200));
    assert_eq!(peer.begins(&mut net), [1, 401, 801]);
    (peer.acked, peer.sack) = (401, Some([Some((801, 1201)), None, None]));
    net.arrive(peer.segment(Plain, peer.next, Some(401), &[]));
    net.pass_in_silence(millis(5));
    assert_eq!(peer.begins(&mut net), [401]);
}

/// They left before the first segment was sent again, and say nothing of what became of it since.
#[test]
fn duplicates_that_older_segments_draw_do_not_bring_the_first_once_more() {
    let (mut net, mut peer) = recovering(10);
    for right in 5..=10 {
        assert_eq!(acks(&mut net, &mut peer, 0, &[(1, right)]), [0; 0]);
    }
}

/// RFC 8985, section 6.2: what left after a retransmission has arrived, and it has not.
#[test]
fn three_duplicates_that_later_segments_draw_bring_the_first_once_more() {
    let (mut net, mut peer) = recovering(6);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 6)]), [0; 0]);
    assert_eq!(send(&mut net, &mut peer, 2), [1 + 6 * MSS, 1 + 7 * MSS]);
    for (right, expected) in [(7, &[][..]), (8, &[])] {
        assert_eq!(acks(&mut net, &mut peer, 0, &[(1, right)]), expected);
    }
    assert_eq!(send(&mut net, &mut peer, 1), [1 + 8 * MSS]);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 9)]), [1]);
    // No timer had to do with it, so that what is not acknowledged after it is not lost, too.
    assert_eq!(acks(&mut net, &mut peer, 6, &[]), [0; 0]);
    assert_eq!(acks(&mut net, &mut peer, 7, &[]), [0; 0]);
}

/// Only where nothing is known to be lost is the acknowledgement of several segments waited for no longer than it takes.
#[test]
fn a_segment_that_leaves_in_a_recovery_does_not_bring_the_timer_forward() {
    let (mut net, mut peer) = recovering(5);
    assert_eq!(acks(&mut net, &mut peer, 4, &[]), [1 + 4 * MSS]);
    assert_eq!(send(&mut net, &mut peer, 1), [1 + 5 * MSS]);
    peer.acked = 1 + 4 * MSS;
    net.pass_in_silence(RTO);
    assert_eq!(peer.begins(&mut net), [1 + 4 * MSS]);
}

/// RFC 3042, limited transmit: each tells of a segment that has left the network.
#[test]
fn the_first_two_duplicates_without_sack_let_a_new_segment_leave() {
    let (mut net, mut peer) = in_flight_without_sack(10);
    assert_eq!(send(&mut net, &mut peer, 2), [0; 0]);
    for expected in [1 + 10 * MSS, 1 + 11 * MSS, 1] {
        peer.acked = 1;
        peer.ack(&mut net);
        assert_eq!(peer.begins(&mut net), [expected]);
    }
}

/// RFC 6675, section 5, step C: what is sent again is so as far as half of what was in flight has room.
#[test]
#[cfg_attr(not(feature = "many-holes"), ignore = "one hole is filled a round trip")]
fn holes_are_filled_as_the_pipe_has_room() {
    let (mut net, mut peer) = in_flight(10);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 2)]), [0; 0]);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(3, 4), (1, 2)]), [0; 0]);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(5, 7), (3, 4), (1, 2)]), [1, 1 + 2 * MSS]);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(8, 9), (5, 7), (3, 4)]), [1 + 4 * MSS, 1 + 7 * MSS]);
}

/// What is skipped has to be written somewhere, and there is no room for such a packet.
#[test]
fn of_segments_longer_than_those_of_ethernet_one_hole_is_filled_a_round_trip() {
    let (mut net, mut peer) = (net_from(storage(2, 65_535, 0), 9000, |_| {}), peer(40_000));
    (peer.mss, peer.sack) = (Some(2000), Some([None; 3]));
    peer.connect(&mut net);
    for _ in 0..7 {
        peer.send(&mut net, Psh, &letters(2000));
        net.wire.sent.clear();
    }
    let blocks = [Some((2001, 4001)), Some((6001, 8001)), Some((10_001, 14_001))];
    for (acked, known, expected) in
        [(1, 1, &[][..]), (1, 2, &[]), (1, 3, &[1]), (4001, 3, &[4001]), (8001, 3, &[8001]), (14_001, 0, &[])]
    {
        peer.acked = acked;
        peer.sack = Some([0, 1, 2].map(|at| blocks[at].filter(|block| at < known && block.0 > acked)));
        peer.ack(&mut net);
        assert_eq!(peer.begins(&mut net), expected);
    }
}
