//! Round trips become longer, than the timeout even, on a connection on which something was lost, so that what is in flight is waited
//! for with little patience: that nothing was lost is noticed, and nothing more is sent twice.

use std::vec::Vec;

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{None as Plain, Psh};

use super::fixture::Net;
use super::in_flight::{MSS, acks, millis, send};
use super::peer::{Peer, letters};
use super::reopened_windows::far_away;

/// A connection whose round trips have all taken 100 ms, and on which a segment was lost.
#[track_caller]
fn lossy(sack: bool) -> (Net, Peer) {
    let (mut net, mut peer) = far_away(sack);
    assert_eq!(send(&mut net, &mut peer, 5).len(), 5);
    net.pass_in_silence(millis(100));
    let mut again = Vec::new();
    for right in [2, 3, 4] {
        let beyond = if sack { &[(1, right)][..] } else { &[] };
        again.extend(acks(&mut net, &mut peer, 0, beyond));
    }
    assert_eq!(again, [1]);
    net.pass_in_silence(millis(100));
    assert_eq!(acks(&mut net, &mut peer, 5, &[]), [0; 0]);
    if !sack {
        peer.sack = None;
    }
    (net, peer)
}

/// The peer sends several segments, and acknowledges each of the echo's this long after it has left; none is lost. Returns how many are
/// sent twice.
#[track_caller]
fn sent_twice(net: &mut Net, peer: &mut Peer, round_trip: Duration, sack: bool) -> usize {
    let (begin, segments) = (peer.acked, 4);
    for _ in 0..segments {
        net.arrive(peer.segment(Psh, peer.next, Some(begin), &letters(1000)));
        peer.next += MSS;
    }
    let (end, mut taken, mut twice, mut answers) = (begin + segments * MSS, begin, 0, Vec::new());
    for _ in 0..600 {
        for left in peer.begins(net) {
            let is_new = left == taken;
            taken += if is_new { MSS } else { 0 };
            twice += usize::from(!is_new);
            answers.push((net.now + round_trip, taken, (!is_new).then_some((left, left + MSS))));
        }
        net.pass(millis(5));
        while let Some(&(at, acked, block)) = answers.first()
            && at <= net.now
        {
            answers.remove(0);
            peer.sack = sack.then_some([block, None, None]);
            net.arrive(peer.segment(Plain, peer.next, Some(acked), &[]));
        }
    }
    assert_eq!(taken, end, "all of it has come");
    peer.acked = end;
    twice
}

#[test]
fn where_round_trips_have_become_longer_nothing_more_is_sent_twice_after_a_few() {
    // Without the feature, a timeout sends again what is behind the first segment, too, and measures nothing for longer.
    let longest = if cfg!(feature = "many-holes") { 900 } else { 500 };
    for (sack, longest) in [(true, longest), (false, 500)] {
        for round_trip in [150, 240, 260, 305, 350, 500, longest] {
            let (mut net, mut peer) = lossy(sack);
            let twice = [(); 12].map(|()| sent_twice(&mut net, &mut peer, millis(round_trip), sack));
            assert_eq!(twice[8..], [0; 4], "round trips of {round_trip} ms, SACK {sack}: {twice:?}");
        }
    }
}
