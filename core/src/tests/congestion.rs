//! How much is in flight at once (RFC 5681, RFC 6928), and how much one connection sends in its turn.

use core::net::SocketAddr;
use std::vec::Vec;

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{None as Plain, Psh};

use super::fixture::{Net, net_from, net_with_handler, storage};
use super::peer::{Peer, letters, peer};
use crate::{Handler, Next, Stream};

/// A connection with buffers of this size and the peer's segments of this size.
#[track_caller]
fn open_with(buffer: usize, mss: u16) -> (Net, Peer) {
    let (mut net, mut peer) = (net_from(storage(2, buffer, 0), 1500, |_| {}), peer(40_000));
    peer.mss = Some(mss);
    peer.window = 65_535;
    peer.connect(&mut net);
    (net, peer)
}

/// The peer sends this much and acknowledges nothing. Returns where the segments begin that come back.
#[track_caller]
fn flood(net: &mut Net, peer: &mut Peer, length: usize) -> Vec<i32> {
    for part in letters(length).chunks(1000) {
        net.arrive(peer.segment(Psh, peer.next, Some(1), part));
        peer.next += i32::try_from(part.len()).unwrap();
    }
    let begins = peer.begins(net);
    peer.acked = 1;
    begins
}

#[test]
fn ten_segments_leave_at_the_start_and_what_comes_is_acknowledged_all_the_same() {
    let (mut net, mut peer) = open_with(65_534, 1000);
    assert_eq!(flood(&mut net, &mut peer, 40_000), (0..10).map(|at| 1 + at * 1000).collect::<Vec<_>>());
    net.arrive(peer.segment(Psh, peer.next, Some(1), b"more"));
    peer.next += 4;
    let answer = peer.take(&mut net);
    net.nothing_sent();
    assert_eq!((answer.ack, answer.data.len()), (Some(peer.next), 0));
}

#[test]
fn not_even_a_byte_leaves_beyond_the_congestion_window() {
    let (mut net, mut peer) = open_with(65_534, 1000);
    assert_eq!(flood(&mut net, &mut peer, 10_001).len(), 10);
}

/// RFC 5681, section 3.1: slow start lets two segments go for each that is acknowledged.
#[test]
fn the_window_grows_with_what_is_acknowledged() {
    let (mut net, mut peer) = open_with(65_534, 1000);
    flood(&mut net, &mut peer, 40_000);
    peer.acked = 2001;
    net.arrive(peer.segment(Plain, peer.next, Some(2001), &[]));
    assert_eq!(peer.begins(&mut net).len(), 4);
}

#[test]
fn one_segment_leaves_after_a_timeout() {
    let (mut net, mut peer) = open_with(65_534, 1000);
    assert_eq!(flood(&mut net, &mut peer, 40_000).len(), 10);
    // The probe, and two timeouts.
    for timeout in 0..3 {
        peer.acked = 1;
        net.pass(Duration::from_millis(if timeout == 2 { 441 } else { 221 }));
        assert_eq!(peer.begins(&mut net), [1]);
    }
}

/// RFC 5681, section 3.1: slow start goes on to half of what was in flight.
#[test]
fn the_window_grows_slowly_from_half_of_what_was_in_flight_at_a_timeout() {
    let (mut net, mut peer) = open_with(65_534, 1000);
    assert_eq!(flood(&mut net, &mut peer, 40_000).len(), 10);
    for _ in 0..2 {
        peer.acked = 1;
        net.pass(Duration::from_millis(221));
        assert_eq!(peer.begins(&mut net), [1]);
    }
    let mut last = Vec::new();
    for acked in 1..=10 {
        peer.acked = 1 + acked * 1000;
        net.arrive(peer.segment(Plain, peer.next, Some(peer.acked), &[]));
        last.extend(peer.begins(&mut net));
    }
    assert_eq!(last.last(), Some(&15_001));
}

/// Writes all that there is room for; it reads once more than 100 bytes of that have been acknowledged.
struct Speaker;

impl Handler for Speaker {
    /// Bytes that were written.
    type State = usize;

    fn open(&mut self, _: SocketAddr) -> Option<usize> {
        Some(0)
    }

    fn stream(&mut self, written: &mut usize, stream: &mut Stream<'_, '_>) -> Next {
        *written += stream.write(&letters(1024));
        while *written > 1124 && stream.read(|bytes| (bytes.len(), ())).is_some() {}
        Next::Continue
    }
}

/// After a timeout, a single segment may be in flight: what opens is told of without data.
#[test]
fn a_window_that_opens_while_data_is_held_back_is_told() {
    let (mut net, mut peer) = (net_with_handler::<1024, _>(Speaker), peer(40_000));
    peer.syn(&mut net);
    peer.ack(&mut net);
    peer.send(&mut net, Psh, &letters(1024));
    net.wire.sent.clear();
    for _ in 0..2 {
        peer.acked = 1;
        net.pass(Duration::from_millis(221));
        assert_eq!(peer.begins(&mut net), [1]);
    }
    net.arrive(peer.segment(Plain, peer.next, Some(51), &[]));
    net.nothing_sent();
    peer.acked = 151;
    net.arrive(peer.segment(Plain, peer.next, Some(151), &[]));
    let update = peer.take(&mut net);
    net.nothing_sent();
    assert_eq!((update.data.len(), update.window), (0, 1024));
}

#[test]
fn nothing_is_held_back_of_small_buffers() {
    let (mut net, mut peer) = open_with(1024, 1460);
    assert_eq!(flood(&mut net, &mut peer, 1024).iter().max(), Some(&1001));
}

/// A turn has 64 packets: then others get theirs. The congestion window of a peer that takes 48 bytes at a time, the least that
/// smoltcp sends, has grown to hundreds of segments, which it acknowledges all at once.
#[test]
fn what_a_connection_sends_in_its_turn_is_bounded() {
    for mss in [1, 48] {
        let (mut net, mut greedy) = open_with(1 << 20, mss);
        let mut other = peer(40_001);
        other.connect(&mut net);
        let (mut acked, mut begins) = (1, flood(&mut net, &mut greedy, 60_000));
        for _ in 0..300 {
            acked += 48;
            net.arrive(greedy.segment(Plain, greedy.next, Some(acked), &[]));
            begins.extend(greedy.begins(&mut net));
        }
        let all = begins.last().unwrap() + 48;
        net.wire.arriving.push_back(greedy.segment(Plain, greedy.next, Some(all), &[]));
        net.wire.arriving.push_back(other.segment(Psh, other.next, Some(1), b"x"));
        net.poll();
        let of_other = |packet: &Vec<u8>| packet.len() == 41 && packet[22..24] == 40_001_u16.to_be_bytes();
        assert_eq!(net.wire.sent.iter().position(of_other), Some(64));
        assert!(net.wire.sent.len() > 300, "{}", net.wire.sent.len());
    }
}
