//! Acceptable acknowledgement numbers (RFC 5961, section 5): data is accepted only with an ACK within what is in
//! flight, so that a blind attacker has to guess SEG.ACK as well as SEG.SEQ.

use std::vec::Vec;

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, None as Plain, Psh};

use super::fixture::{Net, net};
use super::peer::{Peer, letters, peer, upper};
use super::states::{buffers_full, close_wait, open};
use crate::DropReason;

/// 1024 bytes of ours are in flight: SND.UNA is 1, SND.NXT is 1025.
fn in_flight() -> (Net, Peer) {
    let (mut net, mut peer) = open();
    peer.send(&mut net, Psh, &letters(1024));
    assert_eq!(peer.take_data(&mut net).len(), 1024);
    (net, peer)
}

#[test]
fn data_with_an_acknowledgement_of_what_is_in_flight_are_taken() {
    for ack in [1, 2, 512, 1024, 1025] {
        let (mut net, peer) = in_flight();
        net.arrive(peer.segment(Psh, peer.next, Some(ack), b"a"));
        net.pass(Duration::from_secs(5));
        net.arrive(peer.segment(Psh, peer.next + 1, Some(1025), b""));
        assert_eq!(net.stats().bytes_in, 1025, "acknowledgement {ack}");
    }
}

#[test]
fn data_with_any_other_acknowledgement_are_not_taken() {
    // One above SND.NXT, a window above it, the farthest number ahead, and the farthest behind.
    for ack in [1026, 1025 + 60_000, i32::MAX, i32::MIN, -60_000, -1] {
        for (mut net, mut peer) in [in_flight(), open(), buffers_full()] {
            let before = *net.stats();
            let seq = peer.next;
            net.arrive(peer.segment(Psh, seq, Some(ack), b"guess"));
            assert_eq!(net.stats().bytes_in, before.bytes_in, "acknowledgement {ack}");
            // The answer is a challenge ACK with the true numbers, at most 10 in 5 seconds.
            peer.take_ack(&mut net);
            for _ in 0..20 {
                net.arrive(peer.segment(Psh, seq, Some(ack), b"guess"));
            }
            assert_eq!(net.wire.sent.len(), 9, "acknowledgement {ack}");
        }
    }
}

#[test]
fn nothing_is_freed_by_an_acknowledgement_of_what_was_not_sent() {
    let (mut net, mut peer) = close_wait();
    // 1500 bytes wait behind a closed window. They would be lost if this ACK were believed.
    for ack in [3, 1501, 1502, i32::MAX] {
        net.arrive(peer.segment(Psh, peer.next, Some(ack), &[]));
        net.pass(Duration::from_secs(1));
        net.wire.sent.clear();
    }
    peer.window = 60_000;
    peer.ack(&mut net);
    let mut echo = Vec::new();
    while echo.len() < 1500 {
        let seg = peer.take(&mut net);
        echo.extend_from_slice(&seg.data);
        if net.wire.sent.is_empty() {
            peer.ack(&mut net);
        }
    }
    assert!(echo == upper(&letters(1500)));
}

/// `letters(2048)` have come and their echo is acknowledged, in this many steps: SND.UNA is 2049.
fn acknowledged() -> (Net, Peer) {
    let (mut net, mut peer) = open();
    assert_eq!(peer.exchange(&mut net, &letters(2048), 512), upper(&letters(2048)));
    (net, peer)
}

/// RFC 9293, section 3.10.7.4: a duplicate ACK is ignored, and the data that it comes with is not.
#[test]
fn data_that_a_newer_acknowledgement_overtook_is_taken_at_once() {
    for length in [3, 600, 1024] {
        for ack in [1, 700, 2048] {
            let (mut net, mut peer) = acknowledged();
            let data = letters(length);
            net.arrive(peer.segment(Psh, peer.next, Some(ack), &data));
            peer.next += i32::try_from(length).unwrap();
            assert!(peer.take_data(&mut net) == upper(&data), "{length} bytes, acknowledgement {ack}");
            net.dropped_only(DropReason::Unacceptable, 0);
        }
    }
}

#[test]
fn overtaken_data_fills_a_hole_and_brings_a_fin() {
    let (mut net, mut peer) = acknowledged();
    net.arrive(peer.segment(Fin, peer.next + 3, Some(2048), b"def"));
    peer.take_ack(&mut net);
    net.arrive(peer.segment(Psh, peer.next, Some(2000), b"abc"));
    peer.next += 6;
    assert_eq!(peer.take_data(&mut net), b"ABCDEF");
    net.arrive(peer.segment(Fin, peer.next, Some(1), b""));
    assert_eq!(peer.take(&mut net).control, Fin);
}

/// The window is both buffers, and smoltcp is shown a segment that is longer than the receive buffer in pieces.
#[test]
fn overtaken_data_that_is_longer_than_the_receive_buffer_is_taken_with_its_fin() {
    for (length, control) in [(1025, Fin), (1500, Fin), (1536, Fin), (1536, Psh)] {
        let (mut net, mut peer) = acknowledged();
        let data = letters(length);
        net.arrive(peer.segment(control, peer.next, Some(2000), &data));
        peer.next += i32::try_from(length).unwrap() + i32::from(control == Fin);
        let mut echo = Vec::new();
        while echo.len() < length {
            let seg = peer.take(&mut net);
            assert_eq!(seg.ack, Some(peer.next), "{length} bytes");
            echo.extend_from_slice(&seg.data);
            if net.wire.sent.is_empty() {
                peer.ack(&mut net);
            }
        }
        assert!(echo == upper(&data), "{length} bytes");
        net.dropped_only(DropReason::Unacceptable, 0);
    }
}

#[test]
fn overtaken_data_that_came_before_draws_an_acknowledgement() {
    let (mut net, mut peer) = acknowledged();
    for _ in 0..30 {
        net.arrive(peer.segment(Psh, peer.next - 3, Some(1), b"abc"));
        peer.take_ack(&mut net);
    }
    assert_eq!(net.stats().bytes_in, 2048);
}

/// Shown to smoltcp, they would count as duplicates of the present one, and draw a fast retransmission.
#[test]
fn bare_old_acknowledgements_draw_nothing() {
    let (mut net, mut peer) = acknowledged();
    peer.send(&mut net, Psh, b"in flight");
    assert_eq!(peer.take_data(&mut net), b"IN FLIGHT");
    for _ in 0..10 {
        net.arrive(peer.segment(Plain, peer.next, Some(2000), b""));
        net.nothing_sent();
    }
}

/// RFC 5961, section 5.2: SND.UNA - MAX.SND.WND =< SEG.ACK.
#[test]
fn no_acknowledgement_older_than_the_largest_window_is_taken() {
    let (mut net, mut peer) = open();
    peer.window = 500;
    net.arrive(peer.segment(Plain, 1, Some(1), b""));
    let (mut small, mut other) = acknowledged_with(500);
    assert_eq!(peer.exchange(&mut net, &letters(2048), 250), upper(&letters(2048)));
    // The window of the SYN was 60,000: the largest counts.
    net.arrive(peer.segment(Psh, peer.next, Some(1), b"abc"));
    peer.next += 3;
    assert_eq!(peer.take_data(&mut net), b"ABC");
    // SND.UNA is 2049, and then 2050.
    for (ack, taken) in [(2049 - 500, true), (2050 - 501, false), (1, false)] {
        let before = small.stats().bytes_in;
        small.arrive(other.segment(Psh, other.next, Some(ack), b"a"));
        assert_eq!(small.stats().bytes_in - before, u64::from(taken), "acknowledgement {ack}");
        if taken {
            other.next += 1;
            assert_eq!(other.take_data(&mut small), b"A");
            other.ack(&mut small);
        } else {
            other.take_ack(&mut small);
        }
    }
}

/// As [`acknowledged`], by a peer whose window has never been larger than this.
fn acknowledged_with(window: u16) -> (Net, Peer) {
    let (mut net, mut peer) = (net(), peer(40_000));
    peer.window = window;
    peer.connect(&mut net);
    assert_eq!(peer.exchange(&mut net, &letters(2048), 250), upper(&letters(2048)));
    (net, peer)
}

/// The peer sends again what it got no acknowledgement of, or probes, and has got the echo in the meantime.
#[test]
#[cfg_attr(not(feature = "recovery"), ignore = "it is about recovery from loss")]
fn a_new_acknowledgement_on_what_comes_again_counts_if_it_is_near() {
    let length = 1500;
    for (seq, data, counts) in
        [(length + 1, &b"abc"[..], true), (length + 3, b"", true), (length + 1 - 100_000, b"abc", false)]
    {
        let (mut net, mut peer) = open();
        peer.exchange(&mut net, &letters(1500), 500);
        peer.send(&mut net, Psh, b"abc");
        assert_eq!(peer.take(&mut net).data, b"ABC");
        net.arrive(peer.segment(Psh, seq, Some(peer.acked), data));
        assert_eq!(peer.take(&mut net).data, b"");
        net.nothing_sent();
        net.pass(Duration::from_secs(1));
        assert_eq!(net.wire.sent.is_empty(), counts, "{seq}");
    }
}
