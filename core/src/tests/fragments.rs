//! IPv4 fragments: reassembly of requests, fragmentation of replies.

use std::vec::Vec;

use smoltcp::time::Duration;
use smoltcp::wire::{IpAddress, IpEndpoint, Ipv4Packet};

use super::fixture::{CLIENT, Net, PORT, SERVER, TICK, net, net_from, storage};
use super::packets::{Icmp, fragments, icmp, ping, reassembled, udp};
use super::peer::{letters, peer, upper};
use super::udp::{question, take_reply};
use crate::DropReason;

pub(super) const CLIENT_PORT: u16 = 50_000;

fn long_question(length: usize) -> Vec<u8> {
    question(CLIENT, CLIENT_PORT, SERVER, &letters(length))
}

#[track_caller]
pub(super) fn arrive_all(net: &mut Net, fragments: impl IntoIterator<Item = Vec<u8>>) {
    for fragment in fragments {
        net.nothing_sent();
        net.arrive(fragment);
    }
}

/// A server on an IPv4 device whose MTU is the smallest that there is.
fn narrow() -> Net {
    net_from(storage(2, 1024, 0), 576, |config| config.addresses.truncate(1))
}

/// A server for IPv4 whose device has room for this many packets.
fn narrow_with_room(room: usize) -> Net {
    let mut net = narrow();
    net.wire.room = room;
    net
}

/// The three fragments of a question of 1900 bytes, from the client's port to the server, make it in whatever order they come.
#[track_caller]
pub(super) fn arrive_in_any_order(
    parts: &[Vec<u8>],
    (client, server): (IpAddress, IpAddress),
    net: impl Fn() -> Net,
) {
    assert_eq!(parts.len(), 3);
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut net = net();
        arrive_all(&mut net, order.map(|index| parts[index].clone()));
        assert!(take_reply(&mut net, client, CLIENT_PORT, server) == upper(&letters(1024)));
        net.nothing_sent();
        assert_eq!((net.stats().datagrams_in, net.stats().datagrams_out), (1, 1));
    }
}

#[test]
fn fragments_in_any_order_make_a_datagram() {
    arrive_in_any_order(&fragments(&long_question(1900), 680, 1), (CLIENT, SERVER), net);
}

#[test]
fn datagrams_of_up_to_2048_bytes_are_put_together() {
    let mut net = net();
    arrive_all(&mut net, fragments(&long_question(2040), 1480, 1)); // and 8 of the UDP header
    assert_eq!(take_reply(&mut net, CLIENT, CLIENT_PORT, SERVER).len(), 1024);
    arrive_all(&mut net, fragments(&long_question(2041), 1480, 2));
    net.nothing_sent();
}

#[test]
fn a_fragment_that_comes_twice_does_no_harm() {
    let mut net = net();
    let parts = fragments(&long_question(1900), 680, 1);
    for (order, last) in [([0, 0, 1, 1, 0], 2), ([2, 2, 1, 2, 1], 0)] {
        arrive_all(&mut net, order.map(|index: usize| parts[index].clone()));
        net.nothing_sent();
        net.arrive(parts[last].clone());
        assert_eq!(take_reply(&mut net, CLIENT, CLIENT_PORT, SERVER).len(), 1024);
    }
}

#[test]
fn four_datagrams_are_put_together_at_once() {
    let mut net = net();
    let parts: Vec<Vec<Vec<u8>>> = (0..5).map(|ident| fragments(&long_question(1600), 808, ident)).collect();
    arrive_all(&mut net, parts.iter().map(|parts| parts[0].clone()));
    for parts in &parts[..4] {
        net.arrive(parts[1].clone());
        assert_eq!(take_reply(&mut net, CLIENT, CLIENT_PORT, SERVER).len(), 1024);
    }
    net.arrive(parts[4][1].clone()); // its first half found no room
    net.nothing_sent();
}

#[test]
fn orphans_give_way_after_2_seconds() {
    let mut net = net();
    let orphans = (0..4).map(|ident| fragments(&long_question(1600), 808, ident).swap_remove(1));
    arrive_all(&mut net, orphans);
    net.pass(Duration::from_secs(2) - TICK);
    arrive_all(&mut net, fragments(&long_question(1600), 808, 9));
    net.nothing_sent();
    net.pass(TICK + TICK);
    arrive_all(&mut net, fragments(&long_question(1600), 808, 10));
    assert_eq!(take_reply(&mut net, CLIENT, CLIENT_PORT, SERVER).len(), 1024);
}

#[test]
fn fragments_of_other_senders_or_numbers_do_not_mix() {
    let mut net = net();
    let ours = fragments(&long_question(1600), 808, 1);
    let other = IpAddress::v4(192, 0, 2, 101);
    let theirs = fragments(&question(other, CLIENT_PORT, SERVER, &letters(1600)), 808, 1);
    let later = fragments(&long_question(1600), 808, 2);
    arrive_all(&mut net, [ours[0].clone(), theirs[1].clone(), later[1].clone()]);
    net.nothing_sent();
    net.arrive(theirs[0].clone());
    assert_eq!(take_reply(&mut net, other, CLIENT_PORT, SERVER).len(), 1024);
}

#[test]
fn overlapping_fragments_never_make_a_datagram_with_a_wrong_checksum() {
    let mut net = net();
    let mut parts = fragments(&long_question(1600), 808, 1);
    let forged = fragments(&question(CLIENT, CLIENT_PORT, SERVER, &std::vec![b'!'; 1600]), 816, 1);
    parts.insert(1, forged[0].clone());
    arrive_all(&mut net, parts);
    net.nothing_sent();
    assert_eq!(net.stats().datagrams_in, 0);
}

#[test]
fn a_datagram_from_our_own_port_gets_no_reply_though_it_came_in_fragments() {
    for (port, count) in [(PORT, 1), (0, 1)] {
        let mut net = net();
        let datagram = question(CLIENT, port, SERVER, &letters(1600));
        arrive_all(&mut net, fragments(&datagram, 808, 1));
        net.nothing_sent();
        net.dropped_only(DropReason::EchoLoop, count);
        assert_eq!(net.stats().datagrams_in, 0);
    }
}

#[test]
fn a_reply_longer_than_the_mtu_leaves_in_fragments() {
    let mut net = narrow();
    for turn in 0..3 {
        net.arrive(long_question(548));
        assert_eq!(take_reply(&mut net, CLIENT, CLIENT_PORT, SERVER).len(), 548);
        net.nothing_sent();
        arrive_all(&mut net, fragments(&long_question(1024), 552, turn));
        let parts: Vec<Vec<u8>> = net.wire.sent.drain(..).collect();
        assert_eq!(parts.len(), 2);
        let reply = reassembled(&parts, 576);
        assert!(udp(&reply).2 == upper(&letters(1024)));
    }
    assert_eq!(net.last.deadline, None);
    assert_eq!((net.stats().datagrams_in, net.stats().datagrams_out), (6, 6));
}

#[test]
fn the_rest_of_a_fragmented_reply_waits_for_room_and_nothing_comes_between() {
    let mut net = narrow_with_room(1);
    net.wire.arriving.extend(fragments(&long_question(1024), 552, 1));
    net.wire.arriving.push_back(question(CLIENT, CLIENT_PORT, SERVER, b"next"));
    net.poll();
    assert!(net.last.blocked);
    assert_eq!(net.stats().datagrams_out, 0, "half of it is still here");
    net.wire.room = 1;
    net.poll();
    let parts: Vec<Vec<u8>> = net.wire.sent.drain(..).collect();
    assert!(udp(&reassembled(&parts, 576)).2 == upper(&letters(1024)));
    net.wire.room = 10;
    net.poll();
    assert_eq!(take_reply(&mut net, CLIENT, CLIENT_PORT, SERVER), b"NEXT");
    assert_eq!((net.last.blocked, net.stats().datagrams_out), (false, 2));
}

#[test]
fn a_ping_of_2000_bytes_is_answered_in_fragments() {
    let mut net = net();
    arrive_all(&mut net, fragments(&ping(CLIENT, SERVER, &letters(2000)), 1480, 1));
    let parts: Vec<Vec<u8>> = net.wire.sent.drain(..).collect();
    assert_eq!(parts.len(), 2);
    let reply = reassembled(&parts, 1500);
    assert_eq!(icmp(&reply), (SERVER, CLIENT, Icmp::EchoReply(letters(2000))));
    assert_eq!(net.last.deadline, None);
}

#[test]
fn a_long_ping_reply_waits_for_room_and_nothing_comes_between() {
    let mut net = net();
    let mut peer = peer(40_000);
    peer.connect(&mut net);
    net.wire.room = 1;
    net.wire.arriving.extend(fragments(&ping(CLIENT, SERVER, &letters(2000)), 1480, 1));
    net.poll();
    assert!(net.last.blocked);
    net.wire.arriving.push_back(long_question(100));
    net.wire.room = 1;
    net.poll();
    let parts: Vec<Vec<u8>> = net.wire.sent.drain(..).collect();
    assert_eq!(icmp(&reassembled(&parts, 1500)).2, Icmp::EchoReply(letters(2000)));
    net.wire.room = 10;
    net.poll();
    assert_eq!(take_reply(&mut net, CLIENT, CLIENT_PORT, SERVER).len(), 100);
    assert_eq!(peer.exchange(&mut net, b"and on", 6), b"AND ON");
}

#[test]
fn each_fragmented_reply_has_a_number_of_its_own() {
    let mut net = narrow();
    let mut idents = Vec::new();
    for turn in 0..4 {
        arrive_all(&mut net, fragments(&long_question(1024), 552, turn));
        idents.push(Ipv4Packet::new_unchecked(&net.next_sent()[..]).ident());
        net.wire.sent.clear();
    }
    idents.dedup();
    assert_eq!(idents.len(), 4);
}

/// smoltcp keeps 4 holes, and loses a datagram with more of them.
#[test]
fn a_datagram_of_128_fragments_comes_in_any_order() {
    let parts = fragments(&long_question(1016), 8, 1);
    assert_eq!(parts.len(), 128);
    for step in [1, 127, 3, 77] {
        let mut net = net();
        arrive_all(&mut net, (0..128).map(|turn| parts[turn * step % 128].clone()));
        assert!(take_reply(&mut net, CLIENT, CLIENT_PORT, SERVER) == upper(&letters(1016)));
    }
}

#[test]
fn the_longest_ping_that_is_put_together_is_answered() {
    let mut net = net();
    arrive_all(&mut net, fragments(&ping(CLIENT, SERVER, &letters(2040)), 1480, 1));
    let parts: Vec<Vec<u8>> = net.wire.sent.drain(..).collect();
    let reply = reassembled(&parts, 1500);
    assert_eq!(icmp(&reply), (SERVER, CLIENT, Icmp::EchoReply(letters(2040))));
    arrive_all(&mut net, fragments(&ping(CLIENT, SERVER, &letters(2048)), 1480, 2));
    net.nothing_sent();
    net.dropped_only(DropReason::Fragment, 1);
}

#[test]
fn tcp_in_fragments_is_served() {
    let mut net = net();
    let mut peer = peer(40_000);
    peer.connect(&mut net);
    let segment = peer.segment(smoltcp::wire::TcpControl::Psh, peer.next, Some(peer.acked), &letters(200));
    arrive_all(&mut net, fragments(&segment, 64, 1));
    peer.next += 200;
    assert!(peer.take_data(&mut net) == upper(&letters(200)));
}

#[test]
fn an_error_about_a_datagram_in_fragments_quotes_its_first_header() {
    let mut net = net();
    let closed = IpEndpoint::new(SERVER, 9);
    let datagram = super::packets::udp_packet(IpEndpoint::new(CLIENT, CLIENT_PORT), closed, &letters(1600));
    let mut parts = fragments(&datagram, 808, 77);
    parts.reverse();
    arrive_all(&mut net, parts);
    let error = net.next_sent();
    assert_eq!((icmp(&error).2, error.len()), (Icmp::PortUnreachable, 576));
    let quoted = &error[28..];
    assert_eq!(
        (quoted[4..8].to_vec(), u16::from_be_bytes([quoted[2], quoted[3]])),
        (std::vec![0, 77, 0, 0], 1628)
    );
    assert!(quoted[20..] == datagram[20..][..quoted.len() - 20]);
}
