//! What was lost where one segment is in flight, as with buffers that one segment fills.

use std::vec::Vec;

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{None as Plain, Psh};

use super::fixture::{Net, RTO, net};
use super::in_flight::{MSS, acks, in_flight};
use super::peer::{Peer, letters, peer, upper};

/// A connection on which a round trip, which took no time, has been measured.
#[track_caller]
fn measured() -> (Net, Peer) {
    let (mut net, mut peer) = (net(), peer(40_000));
    peer.sack = Some([None; 3]);
    peer.connect(&mut net);
    assert_eq!(peer.exchange(&mut net, b"measured", 8), b"MEASURED");
    (net, peer)
}

/// The peer sends 1024 bytes, and this is what comes back of it.
#[track_caller]
fn asks(net: &mut Net, peer: &mut Peer, acked: i32) -> Vec<i32> {
    net.arrive(peer.segment(Psh, peer.next, Some(acked), &letters(1024)));
    peer.next += 1024;
    peer.begins(net)
}

#[test]
fn an_echo_is_lost_if_the_peer_sends_again_what_it_echoes_two_round_trips_later() {
    for probe in [false, true] {
        let (mut net, mut peer) = measured();
        assert_eq!(asks(&mut net, &mut peer, 9), [9]);
        // The peer has not received that, and sends all of it again, or an empty segment to the left of the window.
        let again = |net: &mut Net, peer: &mut Peer| {
            let data = if probe { Vec::new() } else { letters(1024) };
            let seq = if probe { peer.next - 1 } else { 9 };
            net.arrive(peer.segment(Psh, seq, Some(9), &data));
            peer.acked = 9;
            assert_eq!(peer.take(net).data, b"", "the acknowledgement");
        };
        for wait in [5, 10, 20] {
            net.pass(Duration::from_millis(wait) - Duration::from_micros(1));
            again(&mut net, &mut peer);
            net.nothing_sent();
            net.pass(Duration::from_micros(1));
            again(&mut net, &mut peer);
            assert_eq!(peer.take_data(&mut net), upper(&letters(1024)));
        }
        peer.ack(&mut net);
        net.nothing_sent();
    }
}

/// Its echo has been lost, and come again.
#[track_caller]
fn lossy() -> (Net, Peer) {
    let (mut net, mut peer) = measured();
    assert_eq!(asks(&mut net, &mut peer, 9), [9]);
    net.pass_in_silence(RTO);
    assert_eq!(peer.begins(&mut net), [9]);
    net.pass_in_silence(RTO);
    assert_eq!(peer.begins(&mut net), [9]);
    peer.acked = 1033;
    peer.ack(&mut net);
    net.nothing_sent();
    (net, peer)
}

/// RFC 8985, section 7.4: the acknowledgement of what was probed for tells which of the two has come, or that both have.
#[test]
fn a_probe_tells_of_a_loss_unless_the_peer_has_got_the_segment_twice() {
    for (sack, twice, next) in
        [(true, false, &[1033, 1545][..]), (true, true, &[1033]), (false, false, &[1033])]
    {
        let (mut net, mut peer) = (net(), peer(40_000));
        peer.sack = sack.then_some([None; 3]);
        peer.connect(&mut net);
        assert_eq!(peer.exchange(&mut net, b"measured", 8), b"MEASURED");
        assert_eq!(asks(&mut net, &mut peer, 9), [9]);
        net.pass_in_silence(RTO);
        assert_eq!(peer.begins(&mut net), [9]);
        if twice {
            peer.sack = Some([Some((9, 1033)), None, None]);
        }
        peer.ack(&mut net);
        net.nothing_sent();
        peer.sack = sack.then_some([None; 3]);
        assert_eq!(asks(&mut net, &mut peer, 1033), next);
    }
}

#[test]
fn of_two_halves_the_second_tells_that_the_first_is_lost() {
    let (mut net, mut peer) = lossy();
    assert_eq!(asks(&mut net, &mut peer, 1033), [1033, 1545]);
    peer.sack = Some([Some((1545, 2057)), None, None]);
    net.arrive(peer.segment(Plain, peer.next, Some(1033), b""));
    net.nothing_sent();
    net.pass_in_silence(Duration::from_millis(1));
    assert_eq!(peer.begins(&mut net), [1033]);
    peer.sack = Some([None; 3]);
    peer.acked = 2057;
    peer.ack(&mut net);
    net.pass(RTO);
    net.nothing_sent();
}

/// Linux acknowledges at once what is more than one segment.
#[test]
fn two_segments_that_are_not_acknowledged_at_once_are_lost() {
    for second in [1, 500, 512] {
        let (mut net, mut peer) = lossy();
        let length = 512 + second;
        peer.send(&mut net, Psh, &letters(length));
        assert_eq!(peer.begins(&mut net), [1033, 1545]);
        net.pass_in_silence(Duration::from_millis(10));
        assert_eq!(peer.begins(&mut net), [1033]);
        net.arrive(peer.segment(Plain, peer.next, Some(1545), b""));
        assert_eq!(peer.begins(&mut net), [1545]);
        peer.ack(&mut net);
        net.pass(RTO);
        net.nothing_sent();
    }
}

#[test]
fn each_of_two_halves_that_a_closed_window_has_thrown_away_comes_again_once() {
    let (mut net, mut peer) = lossy();
    assert_eq!(asks(&mut net, &mut peer, 1033), [1033, 1545]);
    peer.acked = 1033;
    peer.window = 0;
    peer.ack(&mut net);
    net.nothing_sent();
    peer.window = 60_000;
    for begin in [1033, 1545] {
        peer.ack(&mut net);
        assert_eq!(peer.begins(&mut net), [begin]);
    }
    peer.ack(&mut net);
    net.pass_in_silence(Duration::from_secs(19));
}

/// On a link that loses nothing any more, the second packet would be for nothing.
#[test]
fn segments_are_whole_again_after_a_thousand_buffers_without_a_retransmission() {
    let (mut net, mut peer) = lossy();
    for sound in [1023, 1024] {
        for _ in 0..sound {
            let at = peer.acked;
            assert_eq!(asks(&mut net, &mut peer, at), [at, at + 512]);
        }
        let at = peer.acked;
        let begins = asks(&mut net, &mut peer, at);
        if sound == 1023 {
            assert_eq!(begins, [at, at + 512]);
            net.pass_in_silence(Duration::from_millis(10));
        } else {
            assert_eq!(begins, [at], "whole");
            net.pass_in_silence(RTO);
            // What was probed for has come twice: no loss.
            peer.sack = Some([Some((at, at + 1024)), None, None]);
        }
        assert_eq!(peer.begins(&mut net), [at]);
        peer.ack(&mut net);
        net.nothing_sent();
    }
    peer.sack = Some([None; 3]);
    let at = peer.acked;
    assert_eq!(asks(&mut net, &mut peer, at), [at]);
}

/// What fits into a half is sent in one segment, and a peer that delays its acknowledgement gets nothing twice.
#[test]
fn half_a_buffer_is_sent_once() {
    let (mut net, mut peer) = lossy();
    peer.send(&mut net, Psh, &letters(512));
    assert_eq!(peer.take_data(&mut net), upper(&letters(512)));
    net.pass(Duration::from_millis(200));
    net.nothing_sent();
}

/// It may have been under way for longer than the echo.
#[test]
fn a_new_segment_does_not_tell_of_a_loss() {
    let (mut net, mut peer) = measured();
    for (at, data) in [(9, b"one"), (12, b"two")] {
        net.arrive(peer.segment(Psh, at, Some(9), data));
        assert_eq!(peer.begins(&mut net), [at]);
        net.pass(RTO / 3);
        net.nothing_sent();
    }
}

/// The server has not run for a while: the peer has acknowledged all of it, and has probed since.
#[test]
fn what_comes_again_tells_of_no_loss_where_many_segments_are_in_flight() {
    let (mut net, mut peer) = in_flight(3);
    net.pass(Duration::from_millis(5));
    net.nothing_sent();
    net.arrive(peer.segment(Psh, peer.next - MSS, Some(1), &letters(1000)));
    assert_eq!(peer.begins(&mut net), [0; 0]);
    assert_eq!(acks(&mut net, &mut peer, 1, &[]), [0; 0]);
    assert_eq!(acks(&mut net, &mut peer, 3, &[]), [0; 0]);
}

#[test]
fn what_comes_again_tells_of_a_loss_where_two_segments_are_in_flight() {
    let (mut net, mut peer) = in_flight(2);
    net.pass_in_silence(Duration::from_millis(5));
    net.arrive(peer.segment(Psh, peer.next - MSS, Some(1), &letters(1000)));
    assert_eq!(peer.begins(&mut net), [1]);
}
