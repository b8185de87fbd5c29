//! A connection with several segments in flight, and a peer that says which of them it has.

use std::vec::Vec;

use smoltcp::phy::Medium;
use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{None as Plain, Psh};

use super::fixture::{Net, RTO, net_on, storage};
use super::peer::{Peer, letters, peer};
use super::wire::Wire;

pub(super) const MSS: i32 = 1000;

pub(super) fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A connection with large buffers and segments of 1000 bytes, whose peer offers SACK.
#[track_caller]
pub(super) fn large() -> (Net, Peer) {
    large_on(Medium::Ip, None)
}

/// The same on this medium, and with this scale of the peer's window.
#[track_caller]
pub(super) fn large_on(medium: Medium, scale: Option<u8>) -> (Net, Peer) {
    // The server scales windows if its own needs it.
    let buffer = if scale.is_some() { 65_536 } else { 65_535 };
    let (mut net, mut peer) = (net_on(Wire::new(medium, 1514), storage(2, buffer, 0), |_| {}), peer(40_000));
    // On Ethernet, it announces itself.
    net.pass(Duration::from_secs(2));
    net.wire.sent.clear();
    (peer.mss, peer.sack, peer.scale) = (Some(1000), Some([None; 3]), scale);
    peer.connect(&mut net);
    (net, peer)
}

/// This many segments are in flight; the peer has taken none of them.
#[track_caller]
pub(super) fn in_flight(segments: i32) -> (Net, Peer) {
    in_flight_on(Medium::Ip, None, segments)
}

#[track_caller]
pub(super) fn in_flight_on(medium: Medium, scale: Option<u8>, segments: i32) -> (Net, Peer) {
    let (mut net, mut peer) = large_on(medium, scale);
    assert_eq!(send(&mut net, &mut peer, segments), (0..segments).map(|at| 1 + at * MSS).collect::<Vec<_>>());
    peer.acked = 1;
    (net, peer)
}

/// The same after the probe of the last segment and the timeout, of which nothing arrived.
#[track_caller]
pub(super) fn timed_out(segments: i32) -> (Net, Peer) {
    let (mut net, peer) = in_flight(segments);
    for _ in 0..2 {
        net.pass(RTO);
    }
    net.wire.sent.clear();
    (net, peer)
}

/// The peer acknowledges this many segments, which are all: nothing is sent then or later, up to the first keep-alive.
#[track_caller]
pub(super) fn nothing_follows(net: &mut Net, peer: &mut Peer, segments: i32) {
    assert_eq!(acks(net, peer, segments, &[]), [0; 0]);
    net.pass(Duration::from_secs(19));
    net.nothing_sent();
}

/// The peer sends this many segments of data. Returns where the segments begin that come back.
#[track_caller]
pub(super) fn send(net: &mut Net, peer: &mut Peer, segments: i32) -> Vec<i32> {
    for _ in 0..segments {
        let data = letters(1000);
        net.arrive(peer.segment(Psh, peer.next, Some(peer.acked), &data));
        peer.next += MSS;
    }
    peer.begins(net)
}

/// The peer acknowledges this much, and has these segments beyond it, counted from 0. Returns what comes of it.
#[track_caller]
pub(super) fn acks(net: &mut Net, peer: &mut Peer, segments: i32, beyond: &[(i32, i32)]) -> Vec<i32> {
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
