//! Silly windows of the peer's (RFC 9293, section 3.8.6.2.1): when a small segment leaves, and when it waits.

use std::vec::Vec;

use smoltcp::time::Duration;
use smoltcp::wire::IpAddress;
use smoltcp::wire::TcpControl::{None as Plain, Psh};

use super::fixture::{FAMILIES, Net, PERSIST, net, net_from, storage};
use super::peer::{Peer, letters, peer, peer_from, upper};
use super::states::{buffers_full, open};

/// ESTABLISHED, with a peer whose window has never been larger than this: MAX.SND.WND.
#[track_caller]
pub(super) fn open_with_window(window: u16) -> (Net, Peer) {
    let (mut net, mut peer) = (net(), peer(40_000));
    peer.window = window;
    peer.connect(&mut net);
    (net, peer)
}

/// RFC 9293, section 3.8.6.2.1 (MUST-38). The peer reads 20 bytes at a time.
#[test]
fn a_window_that_opens_in_drips_draws_no_small_segments() {
    let (mut net, mut peer) = buffers_full();
    net.pass(Duration::from_secs(10));
    net.wire.sent.clear();
    for window in (20..512).step_by(20) {
        peer.window = window;
        net.arrive(peer.segment(Plain, peer.next, Some(1), b""));
        net.pass_in_silence(Duration::from_millis(5));
    }
    peer.window = 512;
    net.arrive(peer.segment(Plain, peer.next, Some(1), b""));
    assert_eq!(peer.take_data(&mut net).len(), 512);
}

/// The same rule for what is left of a window behind a whole segment; half of the largest window is enough.
#[test]
fn the_rest_of_a_window_is_not_filled_with_a_small_segment() {
    for (largest, window, lengths) in [
        (60_000, 600, &[512][..]),
        (60_000, 1023, &[512]),
        (600, 300, &[300]),
        (600, 299, &[]),
        (800, 600, &[512]),
    ] {
        let (mut net, mut peer) = open_with_window(largest);
        peer.window = window;
        peer.ack(&mut net);
        peer.send(&mut net, Psh, &letters(1024));
        let mut sent = Vec::new();
        while !net.wire.sent.is_empty() {
            sent.push(peer.take(&mut net).data.len());
        }
        sent.retain(|&length| length > 0);
        assert_eq!(sent, lengths, "a window of {window} after one of {largest}");
    }
}

/// A whole segment is as long as the headers of the connection's IP version let it be, if the peer takes longer ones.
#[test]
fn the_rest_of_a_window_is_what_whole_segments_leave_of_it() {
    for &(client, server) in FAMILIES {
        let mut net = net_from(storage(1, 8192, 0), 1500, |_| {});
        let mut peer = peer_from(client, server, 40_000);
        peer.mss = Some(8960);
        peer.connect(&mut net);
        let whole = if matches!(server, IpAddress::Ipv4(_)) { 1460 } else { 1440 };
        peer.window = 2920;
        peer.ack(&mut net);
        peer.send(&mut net, Psh, &letters(8000));
        assert_eq!(peer.take_data(&mut net).len(), 2 * whole, "{server}");
    }
}

/// What the peer has room for leaves with the persist timer, though it is little.
#[test]
fn a_window_that_stays_small_is_filled_when_the_persist_timer_fires() {
    let (mut net, mut peer) = open();
    peer.window = 100;
    peer.ack(&mut net);
    let data = letters(1000);
    peer.send(&mut net, Psh, &data);
    peer.take_ack(&mut net);
    let mut echo = Vec::new();
    while echo.len() < 300 {
        net.pass_in_silence(PERSIST);
        let part = peer.take_data(&mut net);
        assert_eq!(part.len(), 100);
        echo.extend_from_slice(&part);
        peer.ack(&mut net);
    }
    peer.window = 60_000;
    peer.ack(&mut net);
    echo.extend_from_slice(&peer.take_data(&mut net));
    assert!(echo == upper(&data));
}

/// All that there is to send is sent, however small: only more than the window has room for waits.
#[test]
fn the_last_of_the_data_does_not_wait_for_room() {
    let (mut net, mut peer) = open();
    peer.window = 20;
    peer.ack(&mut net);
    for length in [1, 19, 20] {
        assert_eq!(peer.exchange(&mut net, &letters(length), 20), upper(&letters(length)));
    }
}

/// ESTABLISHED with a peer that takes 100 bytes in a segment and 250 in all. Of the echo of `letters(1000)`, 200 bytes are in
/// flight, and 50 wait for room.
#[track_caller]
fn rest_waits() -> (Net, Peer) {
    let (mut net, mut peer) = (net(), peer(40_000));
    peer.mss = Some(100);
    peer.connect(&mut net);
    peer.window = 250;
    peer.ack(&mut net);
    peer.send(&mut net, Psh, &letters(1000));
    assert_eq!(peer.take_data(&mut net), upper(&letters(200)));
    (net, peer)
}

/// The wait is that of the first byte which has no room, wherever SND.UNA is.
#[test]
fn acknowledgements_of_what_is_in_flight_do_not_prolong_the_wait_for_room() {
    let (mut net, mut peer) = rest_waits();
    for (wait, ack, window) in [(150, 101, 150), (49, 201, 50)] {
        net.pass_in_silence(Duration::from_millis(wait));
        peer.window = window;
        net.arrive(peer.segment(Plain, peer.next, Some(ack), b""));
        net.nothing_sent();
    }
    net.pass_in_silence(Duration::from_millis(1));
    net.arrive(peer.segment(Psh, peer.next, Some(201), b"!"));
    peer.next += 1;
    assert_eq!(peer.take_data(&mut net), upper(&letters(250)[200..]));
}

/// smoltcp is told of the room that it may use for each segment that comes. Were it told the same twice, these would be duplicate
/// acknowledgements.
#[test]
fn what_waits_for_room_makes_no_retransmission_of_keep_alives() {
    let (mut net, mut peer) = rest_waits();
    for _ in 0..2 {
        net.arrive(peer.segment(Plain, peer.next - 1, Some(1), b""));
        peer.take_ack(&mut net);
    }
}
