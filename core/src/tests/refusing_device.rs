//! A device without room. Nothing is lost, no packet is taken that could not be answered, and the server does not spin.
//!
//! | the device | `Wire::room` | `Wire::one_way` | `receive` | `transmit` |
//! |---|---|---|---|---|
//! | has room | above 0 | false | a packet, and room for its reply | room for a packet |
//! | is full | 0 | | nothing | nothing |
//! | has room for replies only | above 0 | true | a packet, and room for its reply | nothing |

use std::vec::Vec;

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, None as Plain, Psh, Rst, Syn};

use super::fixture::{CLIENT, Net, SERVER, TICK, net, net_with};
use super::peer::{Peer, letters, peer, upper};
use super::states::{buffers_full, fill_buffers, half_open, open};
use super::udp::{question, take_reply};

/// The server is blocked: it wants to be polled when there is room, and has no deadline.
#[track_caller]
pub(super) fn assert_blocked(net: &Net) {
    assert!(net.last.blocked);
    assert_eq!(net.last.deadline, None);
}

/// The device has room for this many packets, and the server is polled.
#[track_caller]
pub(super) fn make_room(net: &mut Net, room: usize) {
    net.wire.room = room;
    net.poll();
}

#[test]
fn a_refused_echo_leaves_as_soon_as_there_is_room() {
    let (mut net, mut peer) = open();
    net.wire.one_way = true; // a full device would not deliver the request
    peer.send(&mut net, Psh, b"hello");
    assert_blocked(&net);
    net.nothing_sent();
    net.pass(Duration::from_millis(1));
    assert_blocked(&net);

    net.wire.one_way = false;
    net.poll();
    assert!(!net.last.blocked);
    assert_eq!(peer.take_data(&mut net), b"HELLO");
    peer.ack(&mut net);
    assert_eq!((net.stats().bytes_in, net.stats().bytes_out), (5, 5));
}

#[test]
fn nothing_is_taken_from_the_device_while_it_refuses() {
    let (mut net, mut peer) = open();
    net.wire.one_way = true;
    peer.send(&mut net, Psh, b"first");
    assert_blocked(&net);
    for _ in 0..3 {
        peer.send(&mut net, Psh, b"more!");
        net.arrive(super::packets::ping(CLIENT, SERVER, b""));
        assert_blocked(&net);
    }
    assert_eq!(net.wire.arriving.len(), 6);

    net.wire.one_way = false;
    net.poll();
    assert!(net.wire.arriving.is_empty());
    net.wire.sent.retain(|packet| packet[9] == 6);
    let echo: Vec<u8> = (0..4).flat_map(|_| peer.take(&mut net).data).collect();
    assert_eq!(echo, b"FIRSTMORE!MORE!MORE!");
}

#[test]
fn nothing_more_is_taken_once_the_device_has_refused() {
    let (mut net, peer) = open();
    net.wire.one_way = true;
    for packet in [peer.segment(Psh, 1, Some(1), b"a"), peer.segment(Psh, 2, Some(1), b"b")] {
        net.wire.arriving.push_back(packet);
    }
    net.poll();
    assert_blocked(&net);
    assert_eq!(net.wire.arriving.len(), 1);
}

#[test]
fn every_packet_of_a_transfer_may_be_refused_first() {
    let (mut net, mut peer) = open();
    let data = letters(20_000);
    let (mut echo, mut left) = (Vec::new(), &data[..]);
    while echo.len() < data.len() {
        let room = usize::try_from(peer.edge - peer.next).unwrap();
        let (now, later) = left.split_at(left.len().min(room).min(512));
        left = later;
        net.wire.one_way = true;
        peer.send(&mut net, Psh, now);
        for _ in 0..2 {
            net.wire.one_way = false;
            make_room(&mut net, 1);
            net.wire.room = usize::MAX;
            net.wire.one_way = true;
            net.poll();
        }
        net.wire.one_way = false;
        net.poll();
        echo.extend_from_slice(&peer.take_data(&mut net));
    }
    assert!(echo == upper(&data));
}

#[test]
fn room_for_one_packet_at_a_time_is_enough_for_everybody() {
    let mut net = net_with::<8>(|_| {});
    let mut peers: Vec<Peer> = (1..=8).map(peer).collect();
    for peer in &mut peers {
        peer.connect(&mut net);
    }
    net.wire.room = 1;
    for peer in &mut peers {
        net.wire.arriving.push_back(peer.segment(Psh, 1, Some(1), &letters(1024)));
        peer.next += 1024;
    }
    for peer in &mut peers {
        make_room(&mut net, 1);
        assert_eq!(peer.take(&mut net).data.len(), 1024);
        net.nothing_sent();
    }
}

#[test]
fn a_refused_syn_ack_leaves_later() {
    let (mut net, mut peer) = (net(), peer(40_000));
    net.wire.one_way = true;
    net.arrive(peer.segment(Syn, 0, None, &[]));
    assert_blocked(&net);
    net.now += Duration::from_secs(3);
    net.wire.one_way = false;
    net.poll();
    peer.take_syn_ack(&mut net);
    net.nothing_sent();
    peer.ack(&mut net);
    assert_eq!(peer.exchange(&mut net, b"hello", 5), b"HELLO");
}

#[test]
fn a_refused_fin_leaves_later() {
    let (mut net, mut peer) = open();
    net.wire.one_way = true;
    peer.send(&mut net, Fin, b"bye");
    assert_blocked(&net);
    net.wire.one_way = false;
    net.poll();
    let answer = peer.take(&mut net);
    assert_eq!((answer.control, answer.data), (Fin, upper(b"bye")));
    peer.ack(&mut net);
    assert_eq!(net.stats().closed, 1);
}

#[test]
fn a_refused_reply_leaves_later() {
    let mut net = net();
    net.wire.one_way = true;
    net.arrive(question(CLIENT, 1, SERVER, b"a"));
    assert_blocked(&net);
    net.arrive(question(CLIENT, 2, SERVER, b"b"));
    assert_eq!(net.stats().datagrams_out, 0);
    net.wire.one_way = false;
    net.poll();
    for (port, reply) in [(1, b"A"), (2, b"B")] {
        assert_eq!(take_reply(&mut net, CLIENT, port, SERVER), reply);
    }
    assert_eq!(net.stats().datagrams_out, 2);
}

#[test]
fn a_refused_retransmission_and_a_refused_probe_leave_later() {
    let (mut net, mut peer) = open();
    peer.send(&mut net, Psh, b"lost");
    peer.take(&mut net);
    net.wire.room = 0;
    net.pass(Duration::from_millis(1500));
    assert_blocked(&net);
    make_room(&mut net, 1);
    assert_eq!(peer.take(&mut net).data, b"LOST");
    net.wire.room = usize::MAX;
    peer.ack(&mut net);

    net.wire.room = 0;
    net.pass(Duration::from_secs(21));
    assert_blocked(&net);
    make_room(&mut net, usize::MAX);
    assert_eq!(peer.take(&mut net).seq, 4);
}

#[test]
fn deadlines_that_came_meanwhile_are_met_when_there_is_room() {
    let mut net = net_with::<2>(|_| {});
    let (mut silent, mut half_open) = (peer(1), peer(2));
    silent.connect(&mut net);
    half_open.syn(&mut net);
    net.wire.room = 0;
    net.pass(Duration::from_secs(2));
    assert_blocked(&net); // by the retransmission of the SYN|ACK
    net.now += Duration::from_secs(98);
    make_room(&mut net, usize::MAX);
    // The silent peer could not be asked. So it is now, before it is given up.
    assert_eq!((net.stats().timed_out, net.stats().abandoned, net.stats().live), (0, 1, 1));
    assert_eq!(silent.take(&mut net).seq, 0, "a probe");
    net.nothing_sent();
    net.pass(Duration::from_secs(40));
    assert_eq!((net.stats().timed_out, net.stats().live), (1, 0));
    while net.wire.sent.len() > 1 {
        silent.take(&mut net);
    }
    assert_eq!(silent.take(&mut net).control, Rst);
    assert_eq!(net.last.deadline, None);
}

#[test]
fn a_refused_rst_is_not_waited_for() {
    let (mut net, _peer) = open();
    net.pass(Duration::from_secs(60) - TICK);
    net.wire.sent.clear();
    net.wire.room = 0;
    net.pass(TICK);
    assert_eq!((net.stats().timed_out, net.stats().live), (1, 0));
    make_room(&mut net, usize::MAX);
    net.nothing_sent();
    assert_eq!(net.last.deadline, None);
}

#[test]
fn more_packets_than_one_call_takes_are_announced() {
    let mut net = net();
    for port in 0..130 {
        net.wire.arriving.push_back(question(CLIENT, 50_000 + port, SERVER, b"x"));
    }
    for (left, taken) in [(66, 64), (2, 128)] {
        let poll = net.server.poll(net.now, &mut net.wire);
        assert_eq!((poll.deadline, poll.blocked), (Some(net.now), false));
        assert_eq!((net.wire.arriving.len(), net.stats().packets_in), (left, taken));
    }
    let poll = net.server.poll(net.now, &mut net.wire);
    assert_eq!((poll.deadline, poll.blocked), (None, false));
    assert_eq!(net.wire.sent.len(), 130);
}

#[test]
fn deadlines_are_met_though_packets_keep_coming() {
    let (mut net, mut peer) = half_open();
    net.now += Duration::from_secs(1);
    for _ in 0..1000 {
        net.wire.arriving.push_back(question(CLIENT, 50_000, SERVER, b"x"));
    }
    net.server.poll(net.now, &mut net.wire);
    assert_eq!(net.wire.arriving.len(), 1000 - 64);
    net.wire.sent.retain(|packet| packet[9] == 6);
    assert_eq!(peer.take(&mut net).control, Syn);
}

/// While smoltcp has not sent the ACK of a FIN that filled its window, the window's right edge is left of RCV.NXT, and it
/// panics over a segment half the number space away (`SeqNumber::sub` in 0.14.0). Such a segment must not reach it.
#[test]
fn a_segment_from_far_away_after_a_fin_that_filled_the_window_does_no_harm() {
    let (mut net, mut peer) = buffers_full();
    net.wire.one_way = true;
    peer.send(&mut net, Fin, b"");
    for far in [1 << 30, (1 << 30) + 1, i32::MAX - 1, i32::MAX, i32::MIN, i32::MIN + 1, -(1 << 30) - 1] {
        for control in [Plain, Psh, Fin, Rst, Syn] {
            net.wire.arriving.push_back(peer.segment(control, peer.next.wrapping_add(far), Some(1), b"?"));
        }
    }
    for _ in 0..40 {
        net.poll();
        net.wire.one_way = false;
        make_room(&mut net, 1);
        net.wire.room = usize::MAX;
        net.wire.one_way = true;
    }
    net.wire.one_way = false;
    net.poll();
    assert!(net.wire.arriving.is_empty());
    assert_eq!(net.stats().live, 1);
}

#[test]
fn a_window_that_closes_while_the_device_refuses_opens_again() {
    let (mut net, mut peer) = open();
    fill_buffers(&mut net, &mut peer, &letters(1024));
    net.wire.one_way = true;
    net.wire.arriving.push_back(peer.segment(Psh, peer.next, Some(1), &letters(1024)));
    peer.next += 1024;
    net.poll();
    assert_blocked(&net);
    net.wire.one_way = false;
    net.poll();
    assert_eq!(peer.take_ack(&mut net).window, 0);
    peer.window = 60_000;
    peer.ack(&mut net);
    assert_eq!(peer.take_data(&mut net).len(), 1024);
    peer.ack(&mut net);
    assert_eq!(peer.take_data(&mut net).len(), 1024);
    peer.ack(&mut net);
    assert_eq!(peer.edge - peer.next, 1024);
}
