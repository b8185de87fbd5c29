//! The window of both buffers, which a handler offers that passes bytes through: never more than can be kept, and its right
//! edge never moves left (which `Peer::take` looks at with each segment).

use core::net::SocketAddr;
use std::vec::Vec;

use smoltcp::wire::TcpControl::{Fin, None as Plain, Psh};
use smoltcp::wire::TcpPacket;

use super::fixture::{FAMILIES, Net, ethernet, net, net_from, net_with_handler, storage};
use super::peer::{Peer, Seg, letters, peer, peer_from, upper};
use super::states::open;
use crate::{Handler, Next, Stream};

/// Takes all that is sent, and acknowledges it, until nothing more comes.
#[track_caller]
fn take_all(net: &mut Net, peer: &mut Peer) -> Vec<u8> {
    let mut taken = Vec::new();
    loop {
        while !net.wire.sent.is_empty() {
            taken.extend_from_slice(&take_new(net, peer).data);
        }
        peer.ack(net);
        if net.wire.sent.is_empty() {
            return taken;
        }
    }
}

/// Takes a segment. A byte that came before, which asks for an acknowledgement, is no data.
#[track_caller]
fn take_new(net: &mut Net, peer: &mut Peer) -> Seg {
    let acked = peer.acked;
    let seg = peer.take(net);
    if seg.seq == acked { seg } else { Seg { data: Vec::new(), ..seg } }
}

#[test]
fn both_buffers_are_offered_and_taken_from_a_client_that_acknowledges_nothing() {
    for &(client, server) in FAMILIES {
        for size in [1, 7, 100, 512, 1000, 1024, 1448] {
            let (mut net, mut peer) = (net(), peer_from(client, server, 40_000));
            assert_eq!(peer.syn(&mut net).window, 2048);
            peer.ack(&mut net);
            let data = letters(2048);
            let mut echo = Vec::new();
            for part in data.chunks(size) {
                assert!(peer.edge - peer.next >= i32::try_from(part.len()).unwrap(), "no room was offered");
                net.arrive(peer.segment(Psh, peer.next, Some(1), part));
                peer.next += i32::try_from(part.len()).unwrap();
                while !net.wire.sent.is_empty() {
                    let seg = take_new(&mut net, &mut peer);
                    assert_eq!(seg.ack, Some(peer.next), "not all of it was taken, in parts of {size}");
                    echo.extend_from_slice(&seg.data);
                }
            }
            assert_eq!(peer.edge, peer.next, "there is no more room");
            echo.extend_from_slice(&take_all(&mut net, &mut peer));
            assert!(echo == upper(&data), "in parts of {size}");
        }
    }
}

#[test]
fn a_fin_with_the_last_byte_of_the_window_is_taken() {
    for size in [1, 512, 1024, 1448, 2048] {
        let (mut net, mut peer) = open();
        let data = letters(2048);
        let (first, last) = data.split_at(2048 - size);
        let mut echo = Vec::new();
        for (control, part) in first.chunks(512).map(|part| (Psh, part)).chain([(Fin, last)]) {
            net.arrive(peer.segment(control, peer.next, Some(1), part));
            peer.next += i32::try_from(part.len()).unwrap() + i32::from(control == Fin);
            while !net.wire.sent.is_empty() {
                let seg = take_new(&mut net, &mut peer);
                assert_eq!(seg.ack, Some(peer.next), "with a last segment of {size}");
                echo.extend_from_slice(&seg.data);
            }
        }
        echo.extend_from_slice(&take_all(&mut net, &mut peer));
        assert!(echo == upper(&data));
        assert_eq!(net.stats().closed, 1);
    }
}

#[test]
fn a_segment_that_is_longer_than_a_buffer_is_taken() {
    let (mut net, mut peer) = open();
    let data = letters(10_000);
    let mut echo = Vec::new();
    // The first fills both buffers, and is asked for its acknowledgement; from then on, the receive buffer alone is offered.
    for part in core::iter::once(&data[..1460]).chain(data[1460..].chunks(1024)) {
        assert!(peer.edge - peer.next >= i32::try_from(part.len()).unwrap(), "no room was offered");
        peer.send(&mut net, Psh, part);
        echo.extend_from_slice(&take_all(&mut net, &mut peer));
    }
    assert!(echo == upper(&data));
}

#[test]
fn of_a_long_segment_behind_a_hole_what_lies_beyond_the_receive_buffer_comes_again() {
    let (mut net, mut peer) = open();
    let data = letters(1560);
    net.arrive(peer.segment(Psh, peer.next + 100, Some(peer.acked), &data[100..1560]));
    peer.take(&mut net);
    net.arrive(peer.segment(Psh, peer.next, Some(peer.acked), &data[..100]));
    let seg = peer.take(&mut net);
    let taken = seg.ack.unwrap() - peer.next;
    assert!((100..=1560).contains(&taken), "{taken}");
    peer.next += taken;
    let mut echo = seg.data;
    echo.extend_from_slice(&take_all(&mut net, &mut peer));
    peer.send(&mut net, Psh, &data[usize::try_from(taken).unwrap()..1560]);
    echo.extend_from_slice(&take_all(&mut net, &mut peer));
    assert!(echo == upper(&data[..1560]));
}

#[test]
fn the_first_segment_may_be_longer_than_a_buffer() {
    for control in [Psh, Fin] {
        let mut net = net_from(storage(1, 270, 0), 1500, |_| {});
        let mut peer = peer(40_000);
        peer.syn(&mut net);
        let data = letters(540);
        net.arrive(peer.segment(control, 1, Some(1), &data));
        peer.next += 540 + i32::from(control == Fin);
        assert!(take_all(&mut net, &mut peer) == upper(&data));
        assert_eq!((net.stats().opened, net.stats().closed), (1, u64::from(control == Fin)));
    }
}

#[test]
fn every_buffer_size_keeps_what_it_offers() {
    for buffer in [64, 66, 268, 270, 536, 1460, 4096, 65_534] {
        let mut net = net_from(storage(1, buffer, 0), 1500, |_| {});
        let mut peer = peer(40_000);
        let window = usize::from(peer.syn(&mut net).window);
        assert_eq!(window, if buffer > 268 { (2 * buffer).min(65_535) } else { buffer });
        peer.ack(&mut net);
        let data = letters(window);
        let mut echo = Vec::new();
        for part in data.chunks(1460) {
            net.arrive(peer.segment(Psh, peer.next, Some(1), part));
            peer.next += i32::try_from(part.len()).unwrap();
            while !net.wire.sent.is_empty() {
                let seg = take_new(&mut net, &mut peer);
                assert_eq!(seg.ack, Some(peer.next), "with buffers of {buffer}");
                echo.extend_from_slice(&seg.data);
            }
        }
        echo.extend_from_slice(&take_all(&mut net, &mut peer));
        assert!(echo == upper(&data), "with buffers of {buffer}");
    }
}

#[test]
fn a_handler_that_does_not_pass_bytes_offers_the_receive_buffer() {
    struct Upper;

    impl Handler for Upper {
        type State = ();

        fn open(&mut self, _: SocketAddr) -> Option<()> {
            Some(())
        }

        fn stream(&mut self, (): &mut (), stream: &mut Stream<'_, '_>) -> Next {
            stream.pass(<[u8]>::make_ascii_uppercase);
            Next::Continue
        }
    }

    let mut net = net_with_handler::<1024, _>(Upper);
    let mut peer = peer(40_000);
    assert_eq!(peer.syn(&mut net).window, 1024);
    peer.ack(&mut net);
    peer.send(&mut net, Psh, b"abc");
    let echo = peer.take(&mut net);
    assert_eq!((&echo.data[..], echo.window), (&b"ABC"[..], 1024));
    peer.send(&mut net, Plain, b"");
    net.nothing_sent();
}

/// Linux's segments are as long as the largest window, as long as that is not more than 536 bytes.
#[test]
fn the_reply_to_a_whole_very_small_window_opens_a_whole_one() {
    for (buffer, window) in [(64, 64), (100, 100), (268, 268), (270, 540), (1024, 2048)] {
        let (mut net, mut peer) = (net_from(storage(1, buffer, 0), 1500, |_| {}), peer(40_000));
        assert_eq!(peer.syn(&mut net).window, window);
        peer.ack(&mut net);
        let length = if window > 536 { window / 2 } else { window };
        for _ in 0..10 {
            let data = letters(usize::from(length));
            peer.send(&mut net, Psh, &data);
            let echo = peer.take(&mut net);
            assert_eq!((echo.data, echo.window >= length), (upper(&data), true), "with buffers of {buffer}");
        }
    }
}

/// What lies in the receive buffer is passed on first, as far as there is room: then there is room behind the hole for all that
/// was offered.
#[test]
fn what_comes_behind_a_hole_within_the_window_need_not_come_again() {
    let (mut net, mut peer) = open();
    let data = letters(2048);
    peer.acked = 1;
    for (from, to) in [(0, 900), (900, 1200), (1300, 2048), (1200, 1300)] {
        let seq = 1 + i32::try_from(from).unwrap();
        net.arrive(peer.segment(Psh, seq, Some(1), &data[from..to]));
    }
    peer.next = 2049;
    assert_eq!(take_all(&mut net, &mut peer), upper(&data));
}

#[test]
fn a_scaled_window_is_never_more_than_both_buffers_have_room_for() {
    const BUFFER: usize = 100_000;
    // With the smaller one, the peer is asked for an acknowledgement as the buffers fill.
    for window in [60_000, 10] {
        let (mut net, mut peer) = (net_from(storage(1, BUFFER, 0), 1500, |_| {}), peer(40_000));
        peer.scale = Some(7);
        peer.syn(&mut net);
        peer.window = window;
        peer.ack(&mut net);
        for part in letters(150_000).chunks(1460) {
            net.arrive(peer.segment(Psh, peer.next, Some(1), part));
            peer.next += i32::try_from(part.len()).unwrap();
            for packet in net.wire.sent.drain(..) {
                let segment = TcpPacket::new_unchecked(&packet[20..]);
                let ack = usize::try_from(segment.ack_number().0.wrapping_sub(peer.iss)).unwrap();
                let edge = ack + (usize::from(segment.window_len()) << peer.shift);
                assert!(edge <= 1 + 2 * BUFFER, "{edge}");
            }
        }
    }
}

/// `letters(1000)` have come back in one segment, and are not acknowledged. Then this comes, with this window.
#[track_caller]
fn unacknowledged(length: usize, window: u16) -> (Net, Peer) {
    unacknowledged_on(net(), length, window)
}

#[track_caller]
fn unacknowledged_on(mut net: Net, length: usize, window: u16) -> (Net, Peer) {
    let mut peer = peer(40_000);
    peer.connect(&mut net);
    peer.send(&mut net, Psh, &letters(1000));
    assert_eq!(peer.take(&mut net).data.len(), 1000);
    peer.window = window;
    net.arrive(peer.segment(Psh, peer.next, Some(1), &letters(length)));
    (net, peer)
}

/// Whether a byte was sent, which asks for an acknowledgement.
fn asks(net: &Net) -> bool {
    net.wire.sent.iter().any(|packet| packet.len() == 41)
}

#[test]
fn an_acknowledgement_is_asked_for_with_a_byte_that_has_been_acknowledged() {
    let (net, peer) = unacknowledged(1000, 60_000);
    assert!(asks(&net));
    let byte = TcpPacket::new_unchecked(&net.wire.sent[0][20..]);
    assert_eq!((byte.seq_number().0.wrapping_sub(peer.irs), byte.payload()), (0, &[0][..]));
}

#[test]
fn on_ethernet_an_acknowledgement_is_asked_for_where_the_segment_came_from() {
    let (mut net, _) = unacknowledged_on(ethernet(|_| {}), 1000, 60_000);
    assert_eq!(net.next_sent().len(), 41);
}

#[test]
fn no_acknowledgement_is_asked_for_while_all_fits_or_the_peer_has_no_room() {
    assert!(!asks(&unacknowledged(24, 60_000).0), "both fit into the send buffer");
    assert!(!asks(&unacknowledged(1000, 0).0), "it has no room");
}

/// A segment that is longer than the receive buffer is shown to smoltcp in pieces, and acknowledges once: the initial
/// congestion window of ten segments grows by two (RFC 3465).
#[test]
#[cfg(feature = "recovery")]
fn an_acknowledgement_that_rides_on_more_than_the_receive_buffer_opens_the_congestion_window() {
    let (mut net, mut peer) = (net(), peer(40_000));
    peer.mss = Some(50);
    peer.connect(&mut net);
    for (bytes, segments) in [(500, 10), (1460, 12)] {
        peer.send(&mut net, Psh, &letters(bytes));
        assert_eq!(peer.begins(&mut net).len(), segments);
    }
}
