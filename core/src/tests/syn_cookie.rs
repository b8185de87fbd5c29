//! SYN cookies (RFC 4987, section 3.6): a client whose half-open slot was evicted is let in with its ACK, and no other
//! segment is taken for such an ACK.
//!
//! The ISS of a half-open connection is a keyed function of 4-tuple, the client's ISS and the clock (`tcp/isn.rs`). The
//! server computes it again from the ACK: SEG.ACK - 1 must be what it would have sent to a client with ISS = SEG.SEQ -
//! 1 at one of the ticks of the last five seconds. `syn_cookie_options` has what is lost with the slot,
//! `syn_cookie_duplicates` what a late duplicate of such an ACK does.

use std::vec::Vec;

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, None as Plain, Psh, Rst, Syn};

use super::fixture::{FAMILIES, Net, ethernet, net, net_with};
use super::peer::{Peer, letters, peer, peer_from, upper};
use super::states::IDLE;
use crate::DropReason;

/// For how long an evicted client is recognised.
pub(super) const COOKIE_AGE: Duration = Duration::from_secs(5);

/// A SYN flood: this many clients send a SYN, and nothing after it.
#[track_caller]
pub(super) fn flood(net: &mut Net, slots: u16) {
    flood_from(net, 1, slots);
}

#[track_caller]
fn flood_from(net: &mut Net, first: u16, slots: u16) {
    for port in first..first + slots {
        peer(port).syn(net);
    }
}

/// The flood of that many clients is over: those whose connection is half-open reset it.
#[track_caller]
pub(super) fn flood_ends(net: &mut Net, slots: u16) {
    for port in 1..=slots {
        net.arrive(peer(port).segment(Rst, 1, None, &[]));
    }
}

/// A server with four slots, and a client whose half-open slot was evicted by a SYN flood.
#[track_caller]
pub(super) fn evicted() -> (Net, Peer) {
    let (mut net, mut peer) = (net(), peer(40_000));
    peer.syn(&mut net);
    flood(&mut net, 4);
    (net, peer)
}

#[test]
fn an_evicted_client_is_let_in_with_its_acknowledgement() {
    for &(client, server) in FAMILIES {
        for (mut net, slots) in [(net(), 4), (ethernet(|_| {}), 48)] {
            let mut peer = peer_from(client, server, 40_000);
            let offered = peer.syn(&mut net);
            flood(&mut net, slots);
            assert_eq!((net.stats().evicted, net.stats().live), (1, 0));
            let packets = net.stats().packets_out;
            peer.ack(&mut net);
            net.nothing_sent();
            assert_eq!(net.stats().packets_out, packets, "what was not sent must not count");
            assert_eq!((net.stats().revived, net.stats().opened, net.stats().evicted), (1, 1, 2));
            assert_eq!(peer.edge, 1 + i32::from(offered.window));
            let data = letters(20_000);
            assert!(peer.exchange(&mut net, &data, 1460) == upper(&data));
            peer.send(&mut net, Fin, b"bye");
            assert_eq!(peer.take(&mut net).data, b"BYE");
            peer.ack(&mut net);
            assert_eq!((net.stats().closed, net.stats().abandoned), (1, 0));
        }
    }
}

#[test]
fn its_first_segment_may_bring_data_and_a_fin_with_it() {
    let (mut net, mut peer) = evicted();
    peer.send(&mut net, Psh, b"at once");
    assert_eq!(peer.take_data(&mut net), b"AT ONCE");
    assert_eq!(peer.exchange(&mut net, b"and on", 6), b"AND ON");

    let (mut net, mut peer) = evicted();
    peer.send(&mut net, Fin, b"at once");
    let answer = peer.take(&mut net);
    assert_eq!((answer.control, answer.data.as_slice(), answer.ack), (Fin, &b"AT ONCE"[..], Some(9)));
    peer.ack(&mut net);
    assert_eq!((net.stats().opened, net.stats().closed), (1, 1));

    let (mut net, mut peer) = evicted();
    peer.send(&mut net, Fin, b"");
    assert_eq!(peer.take(&mut net).control, Fin);
    peer.ack(&mut net);
    assert_eq!((net.stats().opened, net.stats().closed), (1, 1));
}

#[test]
fn a_full_window_of_data_is_taken_whatever_order_it_comes_in() {
    let data = letters(1024);
    let parts: Vec<(i32, &[u8])> = (1..).step_by(256).zip(data.chunks(256)).collect();
    for first in 0..4 {
        let (mut net, mut peer) = evicted();
        // A segment before the first is not acknowledged, and not taken for the first.
        for &(seq, part) in parts[first..].iter().chain(&parts[1..]) {
            if seq > 1 {
                net.arrive(peer.segment(Psh, seq, Some(1), part));
                net.nothing_sent();
            } else {
                break;
            }
        }
        assert_eq!(net.stats().opened, 0);
        let mut echo = Vec::new();
        for (_, part) in &parts {
            peer.send(&mut net, Psh, part);
            echo.extend_from_slice(&peer.take_data(&mut net));
        }
        assert!(echo == upper(&data));
        assert_eq!((net.stats().revived, net.stats().opened), (1, 1));
    }
}

#[test]
fn a_segment_that_is_not_the_first_is_dropped_without_a_word() {
    let (mut net, peer) = evicted();
    let mut count = 0;
    for (seq, ack) in [(0, 1), (2, 1), (101, 1), (1000, 1), (1, 2), (1, 1000), (101, 101), (8000, 8000)] {
        for control in [Plain, Psh, Fin] {
            net.arrive(peer.segment(control, seq, Some(ack), b"x"));
            net.nothing_sent();
            count += 1;
        }
    }
    net.dropped_only(DropReason::Unacceptable, count);
    assert_eq!((net.stats().revived, net.stats().opened), (0, 0));
}

#[test]
fn foreign_segments_get_their_rst_during_a_flood_too() {
    let (mut net, mut client) = evicted();
    let mut foreign = peer(40_001);
    (foreign.irs, foreign.next, foreign.acked) = (client.irs, 1, 1);
    foreign.ack(&mut net);
    foreign.take_rst(&mut net);
    for ack in [100_000, -2_000_000, 1 << 30, i32::MIN] {
        net.arrive(client.segment(Plain, 1, Some(ack), &[]));
        let rst = client.take(&mut net);
        assert_eq!((rst.control, rst.seq), (Rst, ack));
    }
    // Segments that no client sends first do not bring a connection back.
    net.arrive(client.segment(Plain, 1, None, b"x"));
    net.nothing_sent();
    net.arrive(client.segment(Syn, 1, Some(1), b""));
    client.take_rst(&mut net);
    net.arrive(client.segment(Rst, 1, Some(1), b""));
    net.nothing_sent();
    assert_eq!(net.stats().opened, 0);
    client.ack(&mut net);
    assert_eq!(client.exchange(&mut net, b"still", 5), b"STILL");
}

#[test]
fn it_waits_without_a_word_as_long_as_all_slots_are_open() {
    let mut net = net_with::<2>(|_| {});
    let (mut client, mut others) = (peer(40_000), [peer(1), peer(2)]);
    client.syn(&mut net);
    for other in &mut others {
        other.syn(&mut net);
    }
    for other in &mut others {
        other.ack(&mut net);
    }
    client.ack(&mut net);
    client.next = 1;
    for _ in 0..3 {
        net.arrive(client.segment(Psh, 1, Some(1), b"hello"));
        net.nothing_sent();
        net.pass(Duration::from_millis(300));
    }
    net.dropped_only(DropReason::NoSlot, 4);
    assert_eq!((net.stats().refused, net.stats().revived), (4, 0));
    net.arrive(others[0].segment(Rst, 1, None, &[]));
    client.send(&mut net, Psh, b"hello");
    assert_eq!(client.take_data(&mut net), b"HELLO");
    assert_eq!(others[1].exchange(&mut net, b"alive", 5), b"ALIVE");
}

#[test]
fn a_connection_in_time_wait_gives_way_before_a_half_open_one() {
    let mut net = net_with::<2>(|config| config.idle_timeout = Some(IDLE));
    let mut closed = peer(1);
    closed.connect(&mut net);
    net.pass(IDLE);
    let mut client = peer(40_000);
    assert_eq!(closed.take(&mut net).control, Fin);
    // It would give way now, if it did not answer.
    closed.ack(&mut net);
    let mut half_open = peer(2);
    client.syn(&mut net);
    half_open.syn(&mut net);
    assert_eq!(net.stats().evicted, 1);
    closed.send(&mut net, Fin, b"");
    closed.take_ack(&mut net);
    client.ack(&mut net);
    half_open.ack(&mut net);
    assert_eq!(client.exchange(&mut net, b"one", 3), b"ONE");
    assert_eq!(half_open.exchange(&mut net, b"two", 3), b"TWO");
    assert_eq!((net.stats().evicted, net.stats().revived), (1, 1));
}

#[test]
fn it_comes_back_until_its_slot_would_have_been_given_up_and_no_longer() {
    // The clock of the numbers is coarse: it may be two ticks of 33 ms less.
    for (millis, comes_back) in [(0, true), (1000, true), (4930, true), (5001, false), (60_000, false)] {
        let (mut net, mut peer) = evicted();
        let until = net.now + Duration::from_millis(millis);
        // The flood continues.
        for turn in 1.. {
            if net.now == until {
                break;
            }
            flood_from(&mut net, 4 * turn + 1, 4);
            net.pass(Duration::from_millis(500).min(until - net.now));
            net.wire.sent.clear();
        }
        net.wire.sent.clear();
        peer.ack(&mut net);
        if comes_back {
            assert_eq!(peer.exchange(&mut net, b"late", 4), b"LATE", "after {millis} ms");
        } else {
            peer.take_rst(&mut net);
        }
    }
}

#[test]
fn nobody_comes_back_where_nobody_gave_way() {
    let (mut net, mut peer) = (net(), peer(40_000));
    peer.syn(&mut net);
    net.arrive(peer.segment(Rst, 1, None, &[]));
    peer.ack(&mut net);
    peer.take_rst(&mut net);

    // Nor a while after.
    flood(&mut net, 5);
    assert_eq!(net.stats().evicted, 1);
    net.pass(COOKIE_AGE);
    net.wire.sent.clear();
    peer.syn(&mut net);
    net.arrive(peer.segment(Rst, 1, None, &[]));
    peer.ack(&mut net);
    peer.take_rst(&mut net);
    assert_eq!((net.stats().opened, net.stats().revived), (0, 0));
}

#[test]
fn the_same_addresses_and_ports_connect_again_at_once_during_a_flood() {
    let mut net = net();
    for turn in 0..50 {
        let mut peer = peer(40_000);
        peer.iss = turn * 1_000_003;
        peer.syn(&mut net);
        flood(&mut net, 4);
        peer.ack(&mut net);
        peer.send(&mut net, Fin, b"again");
        assert_eq!(peer.take(&mut net).data, b"AGAIN");
        peer.ack(&mut net);
        net.pass(Duration::from_millis(1));
    }
    assert_eq!((net.stats().revived, net.stats().closed), (50, 50));
}

#[test]
fn a_first_segment_that_cannot_be_taken_keeps_no_slot() {
    let (mut net, peer) = evicted();
    net.arrive(peer.segment(Fin, 1, Some(1), &letters(2049)));
    assert_eq!((net.stats().revived, net.stats().opened), (1, 0));
    net.wire.sent.clear();
    flood_ends(&mut net, 4);
    net.pass(Duration::from_secs(75));
    net.wire.sent.clear();
    assert_eq!((net.last.deadline, net.stats().abandoned), (None, 4));

    let (mut net, mut peer) = evicted();
    net.arrive(peer.segment(Fin, 1, Some(1), &letters(2049)));
    net.wire.sent.clear();
    peer.ack(&mut net);
    assert_eq!(peer.exchange(&mut net, b"as it should", 12), b"AS IT SHOULD");
}

#[test]
fn the_device_may_refuse_meanwhile() {
    let (mut net, mut peer) = evicted();
    net.wire.one_way = true;
    net.arrive(peer.segment(Psh, 1, Some(1), b"hello"));
    assert!(net.last.blocked);
    net.wire.one_way = false;
    net.poll();
    peer.next = 6;
    assert_eq!(peer.take_data(&mut net), b"HELLO");
}

#[test]
fn it_is_told_when_the_server_shuts_down() {
    let (mut net, mut peer) = evicted();
    net.server.shutdown(net.now);
    net.poll();
    net.wire.sent.clear(); // to the half-open connections
    peer.ack(&mut net);
    peer.take_rst(&mut net);
    assert!(net.server.is_shut_down());
}

/// Tags of numbers that wrap would not tell its segments apart.
#[test]
fn a_client_whose_numbers_are_about_to_wrap_does_not_come_back() {
    for (iss, revived) in [(-1, 0), (-127, 0), (-128, 1)] {
        let (mut net, mut peer) = (net(), peer(40_000));
        peer.iss = iss;
        peer.syn(&mut net);
        flood(&mut net, 4);
        net.arrive(peer.segment(Plain, 1, Some(1), &[]));
        assert_eq!(net.stats().revived, revived, "{iss}");
    }
}
