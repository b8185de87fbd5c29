//! UDP replies that leave some time after their requests came.

use std::vec::Vec;

use smoltcp::time::Duration;

use super::fixture::{CLIENT, FAMILIES, Net, SERVER, TICK, net_from, storage};
use super::peer::{letters, peer, upper};
use super::refusing_device::{assert_blocked, make_room};
use super::udp::{CLIENT_PORT, question, take_reply};
use crate::DropReason;

/// A server with room for this many delayed replies.
fn delaying(delay: Duration, replies: usize) -> Net {
    net_from(storage(2, 1024, replies), 1500, |config| config.delay = Some(delay))
}

#[test]
fn a_delayed_reply_leaves_exactly_then() {
    for &(client, server) in FAMILIES {
        let mut net = delaying(Duration::from_secs(10), 4);
        for data in [&b"hello"[..], b"", &letters(1472)] {
            net.arrive(question(client, CLIENT_PORT, server, data));
            net.nothing_sent();
            net.pass_in_silence(Duration::from_secs(10));
            let reply = take_reply(&mut net, client, CLIENT_PORT, server);
            assert!(reply == upper(&data[..data.len().min(1024)]));
        }
        assert_eq!(net.last.deadline, None);
    }
}

#[test]
fn delayed_replies_keep_their_order_and_each_its_time() {
    let mut net = delaying(Duration::from_millis(100), 20);
    // Of different lengths, so that the ring of delayed replies wraps.
    let lengths: Vec<usize> = (0..100).map(|turn| turn * 197 % 1025).collect();
    let mut expected = lengths.iter();
    for (port, &length) in (50_000..).zip(&lengths) {
        net.arrive(question(CLIENT, port, SERVER, &letters(length)));
        net.pass(Duration::from_millis(10) - TICK);
        net.nothing_sent();
        net.pass(TICK);
        // The reply to the request of ten turns ago.
        if port >= 50_009 {
            let length = *expected.next().unwrap();
            assert!(take_reply(&mut net, CLIENT, port - 9, SERVER) == upper(&letters(length)));
        }
        net.nothing_sent();
    }
    net.pass(Duration::from_millis(90));
    assert_eq!(net.stats().datagrams_out, 100);
}

#[test]
fn replies_that_are_due_together_leave_together() {
    let mut net = delaying(Duration::from_secs(1), 20);
    for port in 0..20 {
        net.arrive(question(CLIENT, 50_000 + port, SERVER, &letters(1024)));
    }
    net.pass_in_silence(Duration::from_secs(1));
    for port in 0..20 {
        assert_eq!(take_reply(&mut net, CLIENT, 50_000 + port, SERVER).len(), 1024);
    }
}

#[test]
fn tcp_does_not_wait_for_delayed_replies() {
    let mut net = delaying(Duration::from_secs(10), 4);
    let mut peer = peer(40_000);
    peer.connect(&mut net);
    net.arrive(question(CLIENT, CLIENT_PORT, SERVER, b"later"));
    for _ in 0..9 {
        net.pass_in_silence(Duration::from_secs(1));
        assert_eq!(peer.exchange(&mut net, b"now", 3), b"NOW");
    }
    net.pass_in_silence(Duration::from_secs(1));
    assert_eq!(take_reply(&mut net, CLIENT, CLIENT_PORT, SERVER), b"LATER");
}

#[test]
fn replies_beyond_the_delay_queue_are_dropped_and_counted() {
    let mut net = delaying(Duration::from_secs(1), 4);
    for port in 0..7 {
        net.arrive(question(CLIENT, 50_000 + port, SERVER, b"x"));
    }
    net.dropped_only(DropReason::ReplyQueue, 3);
    assert_eq!(net.stats().datagrams_in, 7);
    net.pass_in_silence(Duration::from_secs(1));
    for port in 0..4 {
        assert_eq!(take_reply(&mut net, CLIENT, 50_000 + port, SERVER), b"X");
    }
    net.nothing_sent();
    assert_eq!(net.stats().datagrams_out, 4);
    // The queue has room again.
    net.arrive(question(CLIENT, CLIENT_PORT, SERVER, b"x"));
    net.pass_in_silence(Duration::from_secs(1));
    assert_eq!(take_reply(&mut net, CLIENT, CLIENT_PORT, SERVER), b"X");
}

#[test]
fn replies_without_room_are_dropped() {
    let mut net = delaying(Duration::from_secs(1), 0);
    net.arrive(question(CLIENT, 50_000, SERVER, b"x"));
    net.nothing_sent();
    net.dropped_only(DropReason::ReplyQueue, 1);
    assert_eq!(net.last.deadline, None);
}

#[test]
fn refused_delayed_replies_leave_later_and_in_order() {
    let delay = Duration::from_secs(1);
    let mut net = delaying(delay, 8);
    for length in 1..=8 {
        net.arrive(question(CLIENT, 50_000, SERVER, &letters(length)));
    }
    net.wire.room = 0;
    net.pass(delay);
    assert_blocked(&net);
    for length in 1..=8 {
        make_room(&mut net, 1);
        assert_eq!(net.last.blocked, length < 8);
        assert_eq!(take_reply(&mut net, CLIENT, 50_000, SERVER), upper(&letters(length)));
        net.nothing_sent();
    }
    assert_eq!((net.stats().datagrams_out, net.last.deadline), (8, None));
}
