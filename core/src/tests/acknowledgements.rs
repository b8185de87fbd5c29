//! Acceptable acknowledgement numbers (RFC 5961, section 5): data is accepted only with an ACK within what is in
//! flight, so that a blind attacker has to guess SEG.ACK as well as SEG.SEQ.

use std::vec::Vec;

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::Psh;

use super::fixture::Net;
use super::peer::{Peer, letters, upper};
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
        assert_eq!(net.stats().octets_in, 1025, "acknowledgement {ack}");
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
            assert_eq!(net.stats().octets_in, before.octets_in, "acknowledgement {ack}");
            // An answer is a challenge ACK with the true numbers, at most one a second.
            let answers = net.wire.sent.len();
            assert!(answers <= 1);
            if answers == 1 {
                peer.take_ack(&mut net);
            }
            for _ in 0..20 {
                net.arrive(peer.segment(Psh, seq, Some(ack), b"guess"));
            }
            net.nothing_sent();
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

/// smoltcp drops a segment whose ACK is below SND.UNA, with its data. RFC 9293, section 3.10.7.4 has the ACK ignored
/// and the data accepted. The data is accepted when it is retransmitted.
#[test]
fn data_that_a_newer_acknowledgement_overtook_are_taken_when_they_come_again() {
    let (mut net, mut peer) = in_flight();
    let overtaken = peer.segment(Psh, peer.next, Some(1), b"abc");
    peer.next += 3;
    net.arrive(peer.segment(Psh, peer.next, Some(1025), b"def"));
    peer.next -= 3;
    peer.take_ack(&mut net);
    net.arrive(overtaken);
    net.nothing_sent();
    assert_eq!(net.stats().octets_in, 1024);
    // The retransmission carries the newest acknowledgement.
    net.arrive(peer.segment(Psh, peer.next, Some(1025), b"abc"));
    peer.next += 6;
    assert_eq!(peer.take_data(&mut net), b"ABCDEF");
    net.dropped_only(DropReason::Unacceptable, 0);
}
