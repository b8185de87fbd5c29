//! Eviction when all slots are taken: TIME-WAIT first, then the oldest half-open connection, never an open one.

use std::vec::Vec;

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, Psh, Rst, Syn};
use smoltcp::wire::TcpPacket;

use super::fixture::{Net, TICK, net_with};
use super::packets::ip;
use super::peer::{Peer, peer};
use super::states::IDLE;
use crate::DropReason;

fn net_of_two() -> Net {
    net_with::<2>(|config| config.idle_timeout = Some(IDLE))
}

/// Closes an idle connection from the server's side.
#[track_caller]
fn into_time_wait(net: &mut Net, peer: &mut Peer) {
    assert_eq!(peer.take(net).control, Fin);
    peer.send(net, Fin, b"");
    peer.take_ack(net);
}

/// The connection is open: it echoes.
#[track_caller]
fn assert_alive(net: &mut Net, peer: &mut Peer) {
    assert_eq!(peer.exchange(net, b"alive", 5), b"ALIVE");
}

/// The server knows nothing of this connection.
#[track_caller]
fn assert_gone(net: &mut Net, peer: &mut Peer) {
    peer.send(net, Psh, b"?");
    peer.take_rst(net);
}

#[test]
fn free_slots_are_used_first() {
    let mut net = net_of_two();
    let mut closed = peer(1);
    closed.connect(&mut net);
    net.pass(IDLE);
    into_time_wait(&mut net, &mut closed);
    let mut new = peer(2);
    new.syn(&mut net);
    // TIME-WAIT is still there: it acknowledges.
    net.arrive(closed.segment(Fin, 1, Some(2), b""));
    closed.take_ack(&mut net);
    new.ack(&mut net);
    assert_alive(&mut net, &mut new);
    assert_eq!((net.stats().evicted, net.stats().refused), (0, 0));
}

/// Two connections, closed for their idleness; the FINs are on their way.
fn two_silent() -> (Net, [Peer; 2]) {
    let mut net = net_of_two();
    let mut peers = [peer(1), peer(2)];
    for peer in &mut peers {
        peer.connect(&mut net);
        net.pass(TICK);
    }
    net.pass(IDLE);
    for peer in &mut peers {
        assert_eq!(peer.take(&mut net).control, Fin);
    }
    (net, peers)
}

#[test]
fn who_does_not_answer_the_fin_of_an_idle_connection_gives_way() {
    let (mut net, [mut first, mut second]) = two_silent();
    let mut new = peer(3);
    new.connect(&mut net);
    assert_alive(&mut net, &mut new);
    assert_eq!((net.stats().timed_out, net.stats().refused, net.stats().live), (1, 0, 2));
    assert_gone(&mut net, &mut first);
    // The one that has been silent for less long is there still, and ends in good order.
    second.send(&mut net, Fin, b"");
    second.take_ack(&mut net);
    assert_eq!((net.stats().closed, net.stats().live), (1, 1));
}

#[test]
fn who_answers_the_fin_of_an_idle_connection_keeps_the_slot_until_the_end() {
    let (mut net, mut peers) = two_silent();
    for peer in &mut peers {
        peer.ack(&mut net);
    }
    net.arrive(peer(3).segment(Syn, 0, None, &[]));
    net.nothing_sent();
    net.dropped_only(DropReason::NoSlot, 1);
    for peer in &mut peers {
        peer.send(&mut net, Fin, b"");
        peer.take_ack(&mut net);
    }
    assert_eq!((net.stats().closed, net.stats().timed_out), (2, 0));
}

#[test]
fn time_wait_gives_way_before_a_silent_peer_and_that_before_a_half_open_connection() {
    let (mut net, [mut first, _]) = two_silent();
    first.send(&mut net, Fin, b"");
    first.take_ack(&mut net);
    let mut half_open = peer(3);
    half_open.syn(&mut net);
    assert_eq!((net.stats().live, net.stats().timed_out), (1, 0));
    let mut new = peer(4);
    new.connect(&mut net);
    assert_eq!((net.stats().evicted, net.stats().timed_out), (0, 1));
    half_open.ack(&mut net);
    assert_alive(&mut net, &mut half_open);
}

#[test]
fn time_wait_gives_way_before_a_half_open_connection() {
    let mut net = net_of_two();
    let (mut half_open, mut closed, mut new) = (peer(1), peer(2), peer(3));
    closed.connect(&mut net);
    net.pass(IDLE);
    into_time_wait(&mut net, &mut closed);
    half_open.syn(&mut net);
    new.connect(&mut net);
    assert_gone(&mut net, &mut closed);
    half_open.ack(&mut net);
    assert_alive(&mut net, &mut half_open);
    assert_alive(&mut net, &mut new);
    assert_eq!((net.stats().evicted, net.stats().refused), (0, 0));
    assert_eq!((net.stats().closed, net.stats().opened), (1, 3));
}

#[test]
fn the_oldest_connection_in_time_wait_gives_way_first() {
    for ports in [[1, 2], [2, 1]] {
        let mut net = net_of_two();
        let mut peers = [peer(1), peer(2)];
        for peer in &mut peers {
            peer.connect(&mut net);
        }
        net.pass(IDLE);
        let mut fins: Vec<Vec<u8>> = net.wire.sent.drain(..).collect();
        peers.sort_by_key(|peer| peer.port != ports[0]);
        for peer in &mut peers {
            let fin = fins.iter().position(|fin| TcpPacket::new_unchecked(ip(fin).3).dst_port() == peer.port);
            net.wire.sent.push_back(fins.swap_remove(fin.unwrap()));
            into_time_wait(&mut net, peer);
        }
        peer(3).connect(&mut net);
        let [older, younger] = &mut peers;
        net.arrive(younger.segment(Fin, 1, Some(2), b""));
        younger.take_ack(&mut net);
        assert_gone(&mut net, older);
    }
}

#[test]
fn half_open_connections_give_way_oldest_first_and_without_a_word() {
    let mut net = net_of_two();
    let mut peers: Vec<Peer> = (1..=5).map(peer).collect();
    for peer in &mut peers {
        peer.syn(&mut net);
        net.nothing_sent(); // the SYN|ACK was taken by `syn`
        net.pass(Duration::from_millis(10));
    }
    assert_eq!((net.stats().evicted, net.stats().abandoned, net.stats().refused), (3, 0, 0));
    for peer in &mut peers[3..] {
        peer.ack(&mut net);
        assert_alive(&mut net, peer);
    }
    assert_eq!(net.stats().revived, 0);
}

#[test]
fn a_half_open_connection_that_opened_is_not_in_the_way_any_more() {
    let mut net = net_of_two();
    let (mut first, mut second, mut third) = (peer(1), peer(2), peer(3));
    first.syn(&mut net);
    second.syn(&mut net);
    first.ack(&mut net);
    third.connect(&mut net);
    second.ack(&mut net);
    net.nothing_sent();
    net.dropped_only(DropReason::NoSlot, 1);
    assert_alive(&mut net, &mut first);
    assert_alive(&mut net, &mut third);
}

#[test]
fn a_syn_is_dropped_without_a_word_when_all_connections_are_open() {
    let mut net = net_of_two();
    let (mut first, mut second, mut late) = (peer(1), peer(2), peer(3));
    first.connect(&mut net);
    second.connect(&mut net);
    for count in 1..=3 {
        net.arrive(late.segment(Syn, 0, None, &[]));
        net.nothing_sent();
        net.dropped_only(DropReason::NoSlot, count);
        assert_eq!(net.stats().refused, count);
    }
    assert_alive(&mut net, &mut first);
    assert_alive(&mut net, &mut second);

    // The client retransmits its SYN, and there is a free slot then.
    net.arrive(first.segment(Rst, first.next, None, &[]));
    late.connect(&mut net);
    assert_alive(&mut net, &mut late);
    assert_eq!((net.stats().most_live, net.stats().live, net.stats().refused), (2, 2, 3));
}

#[test]
fn connections_that_are_ending_do_not_give_way_either() {
    let mut net = net_with::<1>(|config| config.idle_timeout = Some(IDLE));
    let mut closing = peer(1);
    closing.connect(&mut net);
    closing.send(&mut net, Fin, b"bye");
    assert_eq!(closing.take(&mut net).control, Fin);
    net.arrive(peer(2).segment(Syn, 0, None, &[]));
    net.nothing_sent();
    net.dropped_only(DropReason::NoSlot, 1);
    closing.ack(&mut net);
    assert_eq!(net.stats().closed, 1);
    peer(2).connect(&mut net);
}

#[test]
fn every_slot_can_be_used() {
    let mut net = net_with::<100>(|_| {});
    let mut peers: Vec<Peer> = (1..=100).map(peer).collect();
    for _ in 0..3 {
        for peer in &mut peers {
            peer.connect(&mut net);
        }
        net.arrive(peer(1000).segment(Syn, 0, None, &[]));
        net.nothing_sent();
        for peer in &mut peers {
            assert_alive(&mut net, peer);
            peer.send(&mut net, Fin, b"");
            assert_eq!(peer.take(&mut net).control, Fin);
            peer.ack(&mut net);
        }
    }
    assert_eq!((net.stats().most_live, net.stats().closed, net.stats().refused), (100, 300, 3));
}

#[test]
fn a_half_open_connection_is_no_younger_for_a_syn_that_comes_again() {
    let mut net = net_of_two();
    let mut peers = [peer(1), peer(2), peer(3)];
    for number in [0, 1, 0] {
        peers[number].syn(&mut net);
    }
    peers[2].syn(&mut net);
    assert_eq!(net.stats().evicted, 1);
    net.arrive(peers[1].segment(Syn, 0, None, &[]));
    assert_eq!(net.stats().evicted, 1, "the first has given way, not the second");
}
