//! Windows that close over what is in flight and open again: what was thrown away comes again, once, and nothing else does.
//!
//! A receiver whose memory is full does so, as Linux's: it throws away what comes, and says that its window is closed.

use std::vec::Vec;

use smoltcp::time::Duration;

use super::fixture::{Net, TICK, net_from, storage};
use super::in_flight::{MSS, acks, millis, nothing_follows, send};
use super::peer::{Peer, peer};

/// Of the peer that is far away.
const ROUND_TRIP: Duration = Duration::from_millis(100);

/// The peer acknowledges this much, has these segments beyond it, and offers this window. Returns what comes of it.
#[track_caller]
fn offers(net: &mut Net, peer: &mut Peer, window: u16, segments: i32, beyond: &[(i32, i32)]) -> Vec<i32> {
    peer.window = window;
    acks(net, peer, segments, beyond)
}

/// The window closes with this acknowledgement, which draws nothing, and opens 3 ms later with the same. `blocks`: those that
/// stand in each. Returns what comes of it.
#[track_caller]
fn reopens(net: &mut Net, peer: &mut Peer, segments: i32, blocks: [&[(i32, i32)]; 2]) -> Vec<i32> {
    let [closed, open] = blocks;
    assert_eq!(offers(net, peer, 0, segments, closed), [0; 0]);
    net.pass_in_silence(millis(3));
    offers(net, peer, 60_000, segments, open)
}

/// A connection with large buffers and segments of 1000 bytes, whose round trips have all taken 100 ms.
#[track_caller]
pub(super) fn far_away(sack: bool) -> (Net, Peer) {
    let (mut net, mut peer) = (net_from(storage(2, 65_535, 0), 1500, |_| {}), peer(40_000));
    (peer.mss, peer.sack) = (Some(1000), sack.then_some([None; 3]));
    peer.syn(&mut net);
    net.pass(ROUND_TRIP);
    peer.ack(&mut net);
    for _ in 0..20 {
        assert_eq!(send(&mut net, &mut peer, 1).len(), 1);
        net.pass(ROUND_TRIP);
        peer.ack(&mut net);
    }
    net.nothing_sent();
    // The next segment begins at 1.
    peer.irs = peer.irs.wrapping_add(peer.acked - 1);
    peer.acked = 1;
    (net, peer)
}

/// This many segments have left a round trip ago. The peer has taken none of them.
#[track_caller]
fn in_flight_from_far_away(sack: bool, segments: i32) -> (Net, Peer) {
    let (mut net, mut peer) = far_away(sack);
    assert_eq!(send(&mut net, &mut peer, segments).len(), usize::try_from(segments).unwrap());
    peer.acked = 1;
    net.pass_in_silence(ROUND_TRIP);
    (net, peer)
}

#[test]
fn what_was_thrown_away_comes_again_when_the_window_opens_and_once() {
    for sack in [true, false] {
        let (mut net, mut peer) = in_flight_from_far_away(sack, 3);
        assert_eq!(reopens(&mut net, &mut peer, 0, [&[], &[]]), [1]);
        for acked in [1, 2] {
            net.pass_in_silence(ROUND_TRIP);
            assert_eq!(acks(&mut net, &mut peer, acked, &[]), [1 + acked * MSS]);
        }
        net.pass_in_silence(ROUND_TRIP);
        nothing_follows(&mut net, &mut peer, 3);
    }
}

#[test]
#[cfg_attr(not(feature = "many-holes"), ignore = "one hole is filled a round trip")]
fn what_the_peer_has_kept_behind_its_closed_window_is_not_sent_again() {
    let (mut net, mut peer) = in_flight_from_far_away(true, 4);
    assert_eq!(reopens(&mut net, &mut peer, 0, [&[(2, 3)], &[]]), [1, 1 + MSS]);
    net.pass_in_silence(ROUND_TRIP);
    assert_eq!(acks(&mut net, &mut peer, 3, &[]), [1 + 3 * MSS]);
    net.pass_in_silence(ROUND_TRIP);
    nothing_follows(&mut net, &mut peer, 4);
}

/// Nothing says that it has come to a closed window.
#[test]
fn what_is_under_way_when_the_window_opens_is_not_sent_again() {
    for sack in [true, false] {
        let (mut net, mut peer) = in_flight_from_far_away(sack, 2);
        assert_eq!(reopens(&mut net, &mut peer, 1, [&[], &[]]), [0; 0]);
        net.pass_in_silence(ROUND_TRIP);
        nothing_follows(&mut net, &mut peer, 2);
    }
}

#[test]
fn what_was_under_way_when_the_window_opened_and_is_lost_comes_after_the_timeout() {
    let (mut net, mut peer) = in_flight_from_far_away(true, 2);
    assert_eq!(reopens(&mut net, &mut peer, 1, [&[], &[]]), [0; 0]);
    net.pass_in_silence(millis(306 - 3));
    assert_eq!(peer.begins(&mut net), [1 + MSS]);
}

#[test]
fn what_is_not_acknowledged_when_the_window_opens_two_round_trips_later_is_lost() {
    for early in [TICK, Duration::ZERO] {
        let (mut net, mut peer) = in_flight_from_far_away(true, 2);
        assert_eq!(offers(&mut net, &mut peer, 0, 1, &[]), [0; 0]);
        net.pass_in_silence(ROUND_TRIP * 2 - early);
        let again = if early == TICK { &[][..] } else { &[1 + MSS] };
        assert_eq!(offers(&mut net, &mut peer, 60_000, 1, &[]), again);
    }
}

/// What was answered with a closed window had left before it.
#[test]
fn what_was_just_sent_again_when_the_window_closes_and_opens_is_not_sent_a_third_time() {
    let (mut net, mut peer) = in_flight_from_far_away(true, 5);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 4)]), [1]);
    assert_eq!(reopens(&mut net, &mut peer, 0, [&[(1, 4)], &[(1, 4)]]), [0; 0]);
    net.pass_in_silence(ROUND_TRIP);
    assert_eq!(acks(&mut net, &mut peer, 4, &[]), [1 + 4 * MSS]);
    net.pass_in_silence(ROUND_TRIP);
    nothing_follows(&mut net, &mut peer, 5);
}

/// They come from what was under way when the window opened.
#[test]
#[cfg_attr(not(feature = "many-holes"), ignore = "one hole is filled a round trip")]
fn duplicates_after_a_window_has_opened_do_not_bring_the_first_segment_a_third_time() {
    for sack in [true, false] {
        let (mut net, mut peer) = in_flight_from_far_away(sack, 6);
        assert_eq!(offers(&mut net, &mut peer, 0, 0, &[]), [0; 0]);
        assert_eq!(offers(&mut net, &mut peer, 60_000, 0, &[]), [1]);
        for right in [4, 5, 6] {
            let beyond = if sack { &[(3, right)][..] } else { &[] };
            let again = if sack && right == 4 { &[1 + MSS, 1 + 2 * MSS][..] } else { &[] };
            assert_eq!(acks(&mut net, &mut peer, 0, beyond), again);
        }
        net.pass_in_silence(millis(20));
    }
}
