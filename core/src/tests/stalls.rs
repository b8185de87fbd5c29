//! Closed windows and losses together: states in which smoltcp alone waits for ever, or sends beyond the window.

use std::vec::Vec;

#[cfg(feature = "recovery")]
use smoltcp::phy::Medium;
use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{self, None as Plain, Psh};

#[cfg(feature = "recovery")]
use super::fixture::RTO;
use super::fixture::{Net, PERSIST};
#[cfg(feature = "recovery")]
use super::in_flight::{MSS, acks, in_flight, in_flight_on, millis};
use super::peer::{Peer, letters, upper};
use super::states::{fill_buffers, open};

/// `letters(1000)` have come. Of the echo the peer has 512 bytes, its window at first; the other 488 = 1000 - 512 were
/// sent and lost.
#[track_caller]
fn tail_lost() -> (Net, Peer) {
    let (mut net, mut peer) = open();
    peer.window = 512;
    peer.ack(&mut net);
    peer.send(&mut net, Psh, &letters(1000));
    assert_eq!(peer.take_data(&mut net).len(), 512);
    peer.window = 60_000;
    peer.ack(&mut net);
    assert_eq!(peer.take(&mut net).data.len(), 488);
    net.nothing_sent();
    peer.acked = 513;
    (net, peer)
}

/// The server sends something within this time without being asked. The peer's answer opens the window, and the rest
/// comes.
#[track_caller]
fn assert_goes_on(net: &mut Net, peer: &mut Peer, within: Duration) {
    net.pass(within);
    assert!(!net.wire.sent.is_empty(), "the server waits for ever");
    net.wire.sent.clear();
    peer.window = 60_000;
    let end = net.now + Duration::from_secs(10);
    while peer.acked < 1001 && net.now < end {
        net.arrive(peer.segment(Plain, peer.next, Some(peer.acked), &[]));
        net.pass(Duration::from_secs(1));
        while !net.wire.sent.is_empty() {
            let at = usize::try_from(peer.acked).unwrap() - 1;
            let before = peer.acked;
            let data = peer.take(net).data;
            if peer.acked > before {
                assert_eq!(data, upper(&letters(1000)[at..at + data.len()]));
            }
        }
    }
    assert_eq!(peer.acked, 1001);
    peer.ack(net);
    assert_eq!(peer.exchange(net, b"on", 2), b"ON");
}

#[test]
fn what_was_lost_before_the_window_closed_is_sent_again_when_it_opens() {
    let (mut net, mut peer) = tail_lost();
    peer.window = 0;
    net.arrive(peer.segment(Plain, peer.next, Some(513), &[]));
    net.pass(Duration::from_secs(1));
    net.wire.sent.clear();
    assert_goes_on(&mut net, &mut peer, Duration::from_secs(10));
}

/// As Linux does with a slow reader: what came was thrown away, and the window is soon open again.
#[test]
#[cfg_attr(not(feature = "recovery"), ignore = "it is about recovery from loss")]
fn what_the_window_closed_over_is_sent_again_at_once_when_it_opens() {
    let (mut net, mut peer) = tail_lost();
    for window in [0, 2048] {
        net.nothing_sent();
        peer.window = window;
        net.arrive(peer.segment(Plain, peer.next, Some(513), &[]));
    }
    let again = peer.take(&mut net);
    assert!((again.seq, again.data) == (513, upper(&letters(1000)[512..])));
    net.nothing_sent();
    peer.ack(&mut net);
    assert_eq!(peer.exchange(&mut net, b"on", 2), b"ON");
}

/// The echo of `letters(1000)` is in flight in one segment. The peer acknowledges half of it, and has no room for the rest.
#[track_caller]
fn half_acknowledged() -> (Net, Peer) {
    let (mut net, mut peer) = open();
    peer.send(&mut net, Psh, &letters(1000));
    assert_eq!(peer.take_data(&mut net), upper(&letters(1000)));
    (peer.window, peer.acked) = (0, 513);
    peer.ack(&mut net);
    net.nothing_sent();
    (net, peer)
}

/// A peer whose window has opened answers no empty segment: if its update was lost, a byte has to ask for it.
#[test]
fn a_window_that_closes_with_an_acknowledgement_over_the_rest_is_probed_with_the_next_byte() {
    let (mut net, mut peer) = half_acknowledged();
    for _ in 0..3 {
        while net.wire.sent.is_empty() {
            net.pass(Duration::from_millis(100));
        }
        let probe = peer.take(&mut net);
        net.nothing_sent();
        assert_eq!((probe.seq, &probe.data[..]), (513, &upper(&letters(513)[512..])[..]));
        peer.acked = 513;
    }
    assert_goes_on(&mut net, &mut peer, Duration::from_secs(10));
}

/// Nor is it forgotten where the window has room for a part of it.
#[test]
fn a_window_that_closes_with_an_acknowledgement_and_opens_by_less_than_the_rest_stops_nothing() {
    for window in [1, 300, 487, 488, 60_000] {
        let (mut net, mut peer) = half_acknowledged();
        peer.window = window;
        peer.ack(&mut net);
        assert_goes_on(&mut net, &mut peer, Duration::from_secs(2));
    }
}

#[test]
fn a_window_that_shrinks_stops_nothing_for_ever() {
    let (mut net, mut peer) = tail_lost();
    for window in [300, 100, 0] {
        peer.window = window;
        net.arrive(peer.segment(Plain, peer.next, Some(513), &[]));
    }
    assert_goes_on(&mut net, &mut peer, Duration::from_secs(10));
}

#[test]
#[cfg_attr(not(feature = "recovery"), ignore = "it is about recovery from loss")]
fn duplicate_acknowledgements_do_not_push_more_through_a_window_than_it_allows() {
    let (mut net, mut peer) = tail_lost();
    peer.window = 100;
    for _ in 0..5 {
        net.arrive(peer.segment(Plain, peer.next, Some(513), &[]));
    }
    net.pass(Duration::from_secs(5));
    while !net.wire.sent.is_empty() {
        let segment = peer.take(&mut net);
        peer.acked = 513;
        assert!(segment.seq + i32::try_from(segment.data.len()).unwrap() <= 613, "{segment:?}");
    }
    net.arrive(peer.segment(Plain, peer.next, Some(513), &[]));
    assert_goes_on(&mut net, &mut peer, Duration::from_secs(10));
}

/// It is found to be lost by an acknowledgement that closes the window, and leaves when the window opens.
#[cfg(feature = "recovery")]
#[test]
fn what_is_found_to_be_lost_as_the_window_closes_is_sent_again_when_it_opens() {
    let (mut net, mut peer) = in_flight(5);
    for right in [2, 3] {
        assert_eq!(acks(&mut net, &mut peer, 0, &[(1, right)]), [0; 0]);
    }
    let window = core::mem::replace(&mut peer.window, 0);
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 4)]), [0; 0]);
    net.nothing_sent();
    peer.window = window;
    assert_eq!(acks(&mut net, &mut peer, 0, &[(1, 4)]), [1]);
}

/// smoltcp's keep-alive carries a garbage byte at SND.NXT - 1. If the byte sent there was lost, the peer accepts the
/// garbage. So there must be no keep-alive while data is in flight.
#[test]
fn no_probe_stands_in_the_place_of_bytes_in_flight() {
    for length in [1, 100, 1000] {
        let (mut net, mut peer) = open();
        net.pass(Duration::from_secs(15));
        peer.send(&mut net, Psh, &letters(length));
        net.pass(Duration::from_secs(59));
        while !net.wire.sent.is_empty() {
            let segment = peer.take(&mut net);
            peer.acked = 1;
            let at = usize::try_from(segment.seq).unwrap() - 1;
            assert_eq!(segment.data, upper(&letters(length)[at..at + segment.data.len()]));
        }
    }
}

/// A segment `behind` RCV.NXT, which may be from long ago, with window 0.
#[track_caller]
fn does_not_close_the_window(control: TcpControl, behind: i32, data: &[u8]) {
    let (mut net, mut peer) = open();
    peer.send(&mut net, Psh, b"abc");
    assert_eq!(peer.take(&mut net).data, b"ABC");
    peer.window = 0;
    net.arrive(peer.segment(control, peer.next - behind, Some(1), data));
    net.pass(Duration::from_secs(30));
    net.wire.sent.clear();
    net.pass(Duration::from_secs(30));
    assert_eq!(peer.take(&mut net).data, b"ABC");
}

#[test]
fn an_old_segment_does_not_close_the_window() {
    does_not_close_the_window(Plain, 3, &[]);
}

#[test]
fn a_duplicate_does_not_close_the_window() {
    does_not_close_the_window(Psh, 3, b"abc");
}

#[test]
fn a_keep_alive_does_not_close_the_window() {
    does_not_close_the_window(Plain, 1, &[]);
}

/// An ACK below SND.UNA is a duplicate that was overtaken. Its window counts from where it was, not from SND.UNA: these, which
/// offer 512 bytes behind byte 1, do not open a window that ends 20 bytes behind byte 513.
#[track_caller]
fn does_not_open_the_window(old: impl Fn(&mut Peer) -> Vec<Vec<u8>>) {
    let (mut net, mut peer) = open();
    peer.window = 512;
    peer.ack(&mut net);
    peer.send(&mut net, Psh, &letters(1000));
    assert_eq!(peer.take_data(&mut net).len(), 512);
    peer.window = 20;
    net.arrive(peer.segment(Plain, peer.next, Some(513), &[]));
    peer.window = 512;
    for segment in old(&mut peer) {
        net.arrive(segment);
    }
    net.pass(Duration::from_secs(5));
    // The right edge is 513 + 20, and a zero-window probe may have one byte beyond it.
    while !net.wire.sent.is_empty() {
        let segment = peer.take(&mut net);
        peer.acked = 513;
        assert!(segment.seq + i32::try_from(segment.data.len()).unwrap() <= 513 + 20 + 1, "{segment:?}");
    }
}

#[test]
fn an_old_acknowledgement_does_not_open_the_window() {
    does_not_open_the_window(|peer| std::vec![peer.segment(Plain, peer.next, Some(1), &[]); 5]);
}

#[test]
fn data_with_an_old_acknowledgement_does_not_open_the_window() {
    does_not_open_the_window(|peer| std::vec![peer.segment(Psh, peer.next, Some(1), b"x")]);
}

/// RFC 9293, section 3.8.6.1: the first probe comes within a retransmission timeout, the next ones with back-off, and as to any
/// silent peer.
#[test]
fn a_window_that_shrank_to_nothing_is_probed_within_a_retransmission_timeout() {
    let (mut net, mut peer) = tail_lost();
    peer.window = 0;
    net.arrive(peer.segment(Plain, peer.next, Some(513), &[]));
    net.nothing_sent();
    net.pass_in_silence(PERSIST);
    for _ in 0..3 {
        let probe = peer.take(&mut net);
        net.nothing_sent();
        assert_eq!((probe.seq, probe.data.len()), (513, 1));
        peer.acked = 513;
        net.arrive(peer.segment(Plain, peer.next, Some(513), &[]));
        net.nothing_sent();
        let begun = net.now;
        while net.wire.sent.is_empty() {
            net.pass(Duration::from_millis(100));
        }
        assert!(net.now - begun <= Duration::from_secs(20), "{}", net.now - begun);
    }
    net.wire.sent.clear();
    peer.window = 60_000;
    net.arrive(peer.segment(Plain, peer.next, Some(513), &[]));
    let tail = peer.take(&mut net);
    assert_eq!((tail.seq, &tail.data[..]), (513, &upper(&letters(1000)[512..])[..]));
    net.nothing_sent();
    peer.ack(&mut net);
    net.pass_in_silence(Duration::from_secs(19));
}

/// smoltcp's own timer, which would have to fire before it probes, was set for later and later with each timeout.
#[test]
#[cfg_attr(not(feature = "recovery"), ignore = "it is about recovery from loss")]
fn a_window_that_closes_over_what_was_sent_again_many_times_is_probed_after_a_second() {
    let (mut net, mut peer) = open();
    peer.send(&mut net, Psh, b"lost");
    net.pass(Duration::from_millis(206 + 206 + 412 + 824 + 1648 + 10));
    net.wire.sent.clear();
    peer.window = 0;
    net.arrive(peer.segment(Plain, peer.next, Some(1), &[]));
    net.nothing_sent();
    net.pass(Duration::from_millis(1010));
    let probe = peer.take(&mut net);
    assert_eq!((probe.seq, &probe.data[..]), (1, &b"L"[..]));
    net.nothing_sent();
}

/// However late smoltcp's own timer fires, which it would have to on Ethernet before it forgets the peer's hardware address.
#[cfg(feature = "recovery")]
#[test]
fn a_window_that_closes_over_what_was_sent_again_many_times_is_probed_again_and_again() {
    for medium in [Medium::Ip, Medium::Ethernet] {
        let (mut net, mut peer) = in_flight_on(medium, None, 1);
        // The window has no room for the segment: smoltcp goes back with each timeout, and doubles its own.
        peer.window = 500;
        assert_eq!(acks(&mut net, &mut peer, 0, &[]), [0; 0]);
        net.pass(RTO * (1 + 1 + 2 + 4 + 8 + 16) + millis(10));
        net.wire.sent.clear();
        peer.window = 0;
        assert_eq!(acks(&mut net, &mut peer, 0, &[]), [0; 0]);
        // Every 5 seconds at least, when the peer has been silent for 20.
        for seconds in [1, 19, 5, 5] {
            net.pass(Duration::from_secs(seconds));
            let probe = peer.take(&mut net);
            assert_eq!((probe.seq, &probe.data[..]), (1, &b"A"[..]), "{medium:?}");
            peer.acked = 1;
            net.wire.sent.clear();
        }
        peer.window = 60_000;
        assert_eq!(acks(&mut net, &mut peer, 0, &[]), [1]);
        assert_eq!(acks(&mut net, &mut peer, 1, &[]), [0; 0]);
    }
}

/// It is sent again before smoltcp would do that, which waits for a second.
#[track_caller]
fn comes_again(net: &mut Net, peer: &mut Peer, seq: i32) {
    net.wire.sent.clear();
    peer.acked = seq;
    net.pass(Duration::from_millis(500));
    let again = peer.take(net);
    assert!(again.seq == seq && again.data.len() > 1, "{again:?}");
}

#[test]
#[cfg_attr(not(feature = "recovery"), ignore = "it is about recovery from loss")]
fn what_leaves_when_a_segment_out_of_order_opens_the_window_is_sent_again() {
    let (mut net, mut peer) = open();
    fill_buffers(&mut net, &mut peer, &letters(512));
    peer.window = 60_000;
    net.arrive(peer.segment(Psh, peer.next + 100, Some(1), b"later"));
    comes_again(&mut net, &mut peer, 1);
}

#[test]
#[cfg_attr(not(feature = "recovery"), ignore = "it is about recovery from loss")]
fn what_leaves_when_a_probe_of_our_window_opens_the_peers_is_sent_again() {
    let (mut net, mut peer) = open();
    fill_buffers(&mut net, &mut peer, &letters(512));
    peer.window = 60_000;
    net.arrive(peer.segment(Plain, peer.next - 1, Some(1), b""));
    comes_again(&mut net, &mut peer, 1);
}

/// The acknowledgement of a tail loss probe tells that what left before it is lost, too. The window has closed over that: it is not
/// not sent again now, nor is it time to probe. Two segments leave when it opens, as after no timeout.
#[cfg(feature = "recovery")]
#[test]
fn a_loss_that_is_found_as_the_window_closes_draws_nothing() {
    let (mut net, mut peer) = in_flight(5);
    net.pass(RTO);
    assert_eq!(peer.begins(&mut net), [1]);
    (peer.window, peer.acked) = (0, 1 + MSS);
    peer.ack(&mut net);
    net.nothing_sent();
    peer.window = 60_000;
    let again: &[i32] = if cfg!(feature = "many-holes") { &[1 + MSS, 1 + 2 * MSS] } else { &[1 + MSS] };
    assert_eq!(acks(&mut net, &mut peer, 1, &[]), again);
}
