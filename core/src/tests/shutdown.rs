//! Shutdown: SYNs are dropped, every connection gets the rest of its echo and FIN, and after one second a RST.

use std::vec::Vec;

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, Psh, Rst, Syn};

use super::fixture::{CLIENT, Net, SERVER, TICK, net};
use super::packets::{Icmp, icmp, ping};
use super::peer::{letters, peer, upper};
use super::states::{
    buffers_full, close_wait, closing, fin_wait_1, fin_wait_2, half_open, last_ack, open, time_wait,
};
use super::udp::question;
use crate::DropReason;

const LIMIT: Duration = Duration::from_secs(1);

#[track_caller]
fn shut_down(net: &mut Net) {
    assert!(!net.server.is_shut_down());
    net.server.shutdown(net.now);
    net.poll();
}

/// There is nothing left, and nothing to wait for.
#[track_caller]
fn assert_over(net: &mut Net) {
    assert!(net.server.is_shut_down());
    assert_eq!(net.stats().live, 0);
    net.nothing_sent();
}

#[test]
fn without_connections_it_is_over_at_once() {
    let mut net = net();
    shut_down(&mut net);
    assert_over(&mut net);

    let (mut net, _) = time_wait();
    shut_down(&mut net);
    assert_over(&mut net);
}

#[test]
fn afterwards_there_is_nothing_to_wait_for() {
    let (mut net, _peer) = open();
    shut_down(&mut net);
    net.pass(LIMIT);
    assert!(net.server.is_shut_down());
    assert!(net.last.deadline.is_none_or(|at| at > net.now), "whoever polls on would spin");
}

#[test]
fn syns_are_dropped_and_counted() {
    let (mut net, mut peer_a) = open();
    shut_down(&mut net);
    assert_eq!(peer_a.take(&mut net).control, Fin);
    for count in 1..=3 {
        net.arrive(peer(40_001).segment(Syn, 0, None, &[]));
        net.nothing_sent();
        net.dropped_only(DropReason::ShuttingDown, count);
    }
    assert_eq!(net.stats().refused, 0);
}

#[test]
fn a_syn_does_not_open_time_wait_anew() {
    let (mut net, old) = time_wait();
    shut_down(&mut net);
    let mut new = peer(40_000);
    new.iss = old.iss.wrapping_add(99);
    net.arrive(new.segment(Syn, 0, None, &[]));
    net.nothing_sent();
    net.dropped_only(DropReason::ShuttingDown, 1);
    assert_over(&mut net);
}

#[test]
fn a_half_open_connection_is_reset() {
    let (mut net, mut peer) = half_open();
    shut_down(&mut net);
    assert_eq!(peer.take(&mut net).control, Rst);
    assert_over(&mut net);
    assert_eq!((net.stats().opened, net.stats().abandoned, net.stats().aborted), (0, 1, 0));
    net.arrive(peer.segment(Syn, 0, None, &[]));
    net.dropped_only(DropReason::ShuttingDown, 1);
}

#[test]
fn an_idle_connection_is_closed_in_good_order() {
    let (mut net, mut peer) = open();
    peer.exchange(&mut net, b"hello", 5);
    shut_down(&mut net);
    let fin = peer.take(&mut net);
    assert_eq!((fin.control, fin.seq), (Fin, 6));
    assert!(!net.server.is_shut_down());
    peer.send(&mut net, Fin, b"");
    peer.take_ack(&mut net);
    assert_over(&mut net);
    assert_eq!((net.stats().closed, net.stats().aborted), (1, 0));
}

#[test]
fn what_was_received_is_echoed_before_the_fin() {
    for (mut net, mut peer, length) in [buffers_full(), close_wait()].into_iter().zip([2048, 1500]).map(flat)
    {
        shut_down(&mut net);
        peer.window = 60_000;
        peer.ack(&mut net);
        let mut echo = Vec::new();
        loop {
            let seg = peer.take(&mut net);
            echo.extend_from_slice(&seg.data);
            if seg.control == Fin {
                break;
            }
            if net.wire.sent.is_empty() {
                peer.ack(&mut net);
            }
        }
        assert!(echo == upper(&letters(length)));
        if net.stats().live == 1 && length == 2048 {
            peer.send(&mut net, Fin, b"");
            net.wire.sent.clear();
        } else {
            peer.ack(&mut net);
        }
        assert_over(&mut net);
        assert_eq!((net.stats().closed, net.stats().aborted), (1, 0));
    }
}

fn flat<A, B, C>(((a, b), c): ((A, B), C)) -> (A, B, C) {
    (a, b, c)
}

#[test]
fn after_a_second_the_rest_are_reset() {
    for (state, (mut net, mut peer)) in
        [open(), buffers_full(), close_wait(), last_ack(), fin_wait_1(), fin_wait_2(), closing()]
            .into_iter()
            .enumerate()
    {
        shut_down(&mut net);
        net.pass(LIMIT - TICK);
        assert!(!net.server.is_shut_down());
        assert_eq!((net.stats().live, net.stats().aborted), (1, 0), "{state}");
        net.wire.sent.clear();
        net.now += TICK;
        net.last = net.server.poll(net.now, &mut net.wire);
        while net.wire.sent.len() > 1 {
            net.wire.sent.pop_front(); // a FIN, once more
        }
        assert_eq!(peer.take(&mut net).control, Rst);
        assert_over(&mut net);
        assert_eq!((net.stats().aborted, net.stats().timed_out, net.stats().closed), (1, 0, 0), "{state}");
    }
}

#[test]
fn a_second_call_does_not_prolong_it() {
    let (mut net, _peer) = open();
    shut_down(&mut net);
    net.pass(LIMIT - TICK);
    net.server.shutdown(net.now);
    net.now += TICK;
    net.server.poll(net.now, &mut net.wire);
    assert!(net.server.is_shut_down());
}

#[test]
fn a_device_that_refuses_for_ever_does_not_hold_it_up() {
    for (mut net, _peer) in [half_open(), open(), buffers_full(), close_wait(), last_ack(), fin_wait_1()] {
        net.wire.room = 0;
        net.server.shutdown(net.now);
        net.last = net.server.poll(net.now, &mut net.wire);
        // A blocked server has to tell its deadline. A half-open connection ends without its RST.
        assert!(net.server.is_shut_down() || net.last.deadline.is_some_and(|at| at <= net.now + LIMIT));
        assert_eq!(net.server.is_shut_down(), net.stats().opened == 0);
        net.now += LIMIT;
        net.server.poll(net.now, &mut net.wire);
        assert!(net.server.is_shut_down());
        assert_eq!(net.stats().live, 0);
        net.nothing_sent();
    }
}

#[test]
fn datagrams_and_pings_are_answered_to_the_end() {
    let (mut net, mut peer) = open();
    shut_down(&mut net);
    assert_eq!(peer.take(&mut net).control, Fin);
    net.arrive(question(CLIENT, 50_000, SERVER, b"still here"));
    assert_eq!(super::udp::take_reply(&mut net, CLIENT, 50_000, SERVER), b"STILL HERE");
    net.arrive(ping(CLIENT, SERVER, b"x"));
    assert_eq!(icmp(&net.next_sent()).2, Icmp::EchoReply(b"x".to_vec()));
}

#[test]
fn an_acknowledgement_that_comes_with_the_signal_opens_and_closes() {
    let (mut net, mut peer) = half_open();
    net.server.shutdown(net.now);
    net.arrive(peer.segment(Psh, 1, Some(1), b"just in time"));
    peer.next += 12;
    let answer = peer.take(&mut net);
    assert_eq!((answer.control, answer.data), (Fin, upper(b"just in time")));
    assert_eq!((net.stats().opened, net.stats().abandoned), (1, 0));
    peer.send(&mut net, Fin, b"");
    assert_eq!(net.stats().closed, 1);
}

#[test]
fn after_a_second_a_connection_in_time_wait_is_not_reset() {
    let (mut net, old) = time_wait();
    let mut other = peer(40_001);
    other.connect(&mut net);
    shut_down(&mut net);
    assert_eq!(other.take(&mut net).control, Fin);
    net.pass(LIMIT - TICK);
    net.wire.sent.clear();
    net.pass(TICK);
    let reset: Vec<Vec<u8>> = net.wire.sent.drain(..).filter(|packet| packet[33] & 4 != 0).collect();
    assert_eq!(reset.len(), 1);
    assert_eq!(reset[0][22..24], other.port.to_be_bytes());
    assert_ne!(old.port, other.port);
    assert_over(&mut net);
}
