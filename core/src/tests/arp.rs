//! ARP (RFC 826): the server asks for the hardware address of a peer or of its gateway, and what is for it waits.

use smoltcp::phy::Medium;
use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{None as Plain, Psh, Rst, Syn};
use smoltcp::wire::{ArpOperation, EthernetAddress, EthernetProtocol, IpAddress};

use super::ethernet::{acquainted, arp, take_arp_request};
use super::fixture::{CLIENT, CLIENT_MAC, Net, RTO, SERVER, TICK, ethernet, net_of, storage};
use super::packets::unframe;
use super::peer::{letters, peer, peer_from};
use super::udp::{question, take_reply};
use super::wire::Wire;
use crate::{DropReason, Handler, Next, Stream};

const GATEWAY: IpAddress = IpAddress::v4(192, 0, 2, 254);
/// Not in the server's subnet.
const FAR: IpAddress = IpAddress::v4(203, 0, 113, 7);

/// A server with a gateway whose hardware address it has not learned, and a datagram from another network.
fn behind_a_gateway() -> Net {
    let mut net = ethernet(|config| config.gateways.push(GATEWAY).unwrap());
    net.arrive(question(FAR, 50_000, SERVER, b"far"));
    take_arp_request(&mut net, GATEWAY);
    net.nothing_sent();
    net
}

#[test]
fn a_peer_behind_the_gateway_is_answered_through_it() {
    let mut net = behind_a_gateway();
    net.arrive_frame(arp(ArpOperation::Reply, CLIENT_MAC, GATEWAY, SERVER));
    assert_eq!(take_reply(&mut net, FAR, 50_000, SERVER), b"FAR");
    let mut peer = peer_from(FAR, SERVER, 40_000);
    peer.connect(&mut net);
    assert_eq!(peer.exchange(&mut net, b"hello", 5), b"HELLO");
    assert_eq!((net.stats().datagrams_out, net.last.deadline.is_some()), (1, true));
}

#[test]
fn a_syn_ack_waits_for_arp_and_leaves_as_soon_as_it_is_answered() {
    let mut net = ethernet(|config| config.gateways.push(GATEWAY).unwrap());
    let mut peer = peer_from(FAR, SERVER, 40_000);
    net.arrive(peer.segment(Syn, 0, None, &[]));
    take_arp_request(&mut net, GATEWAY);
    net.pass_in_silence(Duration::from_millis(1));
    net.arrive_frame(arp(ArpOperation::Reply, CLIENT_MAC, GATEWAY, SERVER));
    peer.take_syn_ack(&mut net);
    net.nothing_sent();
    peer.ack(&mut net);
    assert_eq!(peer.exchange(&mut net, b"hello", 5), b"HELLO");
}

#[test]
fn a_slot_does_not_wait_for_the_neighbour_of_the_client_that_had_it_before() {
    let mut net = ethernet(|config| config.gateways.push(GATEWAY).unwrap());
    let far = peer_from(FAR, SERVER, 40_000);
    net.arrive(far.segment(Syn, 0, None, &[]));
    take_arp_request(&mut net, GATEWAY);
    net.arrive(far.segment(Rst, 1, None, &[]));
    peer(40_000).connect(&mut net);
}

#[test]
fn arp_is_tried_again_after_a_second() {
    let mut net = ethernet(|config| config.gateways.push(GATEWAY).unwrap());
    let mut peer = peer_from(FAR, SERVER, 40_000);
    net.arrive(peer.segment(Syn, 0, None, &[]));
    take_arp_request(&mut net, GATEWAY);
    net.pass_in_silence(Duration::from_secs(1));
    take_arp_request(&mut net, GATEWAY);
    net.arrive_frame(arp(ArpOperation::Reply, CLIENT_MAC, GATEWAY, SERVER));
    peer.take_syn_ack(&mut net);
}

#[test]
fn a_half_open_connection_without_a_neighbour_is_given_up_after_75_seconds() {
    let mut net = ethernet(|config| config.gateways.push(GATEWAY).unwrap());
    net.arrive(peer_from(FAR, SERVER, 40_000).segment(Syn, 0, None, &[]));
    net.pass(Duration::from_secs(75) - TICK);
    assert_eq!(net.stats().abandoned, 0);
    net.pass(TICK);
    assert_eq!((net.stats().abandoned, net.last.deadline), (1, None));
}

#[test]
fn all_replies_that_waited_for_arp_are_counted() {
    let mut net = behind_a_gateway();
    net.arrive(question(FAR, 50_001, SERVER, b"away"));
    net.pass_in_silence(Duration::from_millis(999));
    assert_eq!(net.stats().datagrams_out, 0);
    net.arrive_frame(arp(ArpOperation::Reply, CLIENT_MAC, GATEWAY, SERVER));
    assert_eq!(take_reply(&mut net, FAR, 50_000, SERVER), b"FAR");
    assert_eq!(take_reply(&mut net, FAR, 50_001, SERVER), b"AWAY");
    assert_eq!((net.stats().datagrams_out, net.last.deadline), (2, None));
}

#[test]
fn replies_by_way_of_a_silent_neighbour_are_dropped_after_a_second() {
    let mut net = behind_a_gateway();
    net.arrive(question(FAR, 50_001, SERVER, b"away"));
    net.pass(Duration::from_secs(1) - TICK);
    net.nothing_sent();
    net.dropped_only(DropReason::Neighbour, 0);
    net.pass(TICK);
    net.dropped_only(DropReason::Neighbour, 2);
    assert_eq!((net.stats().datagrams_in, net.stats().datagrams_out), (2, 0));
    net.pass(Duration::from_secs(10));
    assert_eq!(net.last.deadline, None);
}

#[test]
fn a_silent_neighbour_holds_up_the_others_for_a_second_at_most() {
    let mut net = behind_a_gateway();
    net.pass(Duration::from_secs(1));
    net.wire.sent.clear();
    net.arrive(question(CLIENT, 50_001, SERVER, b"me"));
    assert_eq!(take_reply(&mut net, CLIENT, 50_001, SERVER), b"ME");
}

#[test]
fn tcp_does_not_wait_for_a_silent_neighbour() {
    let mut net = behind_a_gateway();
    let mut peer = peer(40_000);
    peer.connect(&mut net);
    assert_eq!(peer.exchange(&mut net, b"go on", 5), b"GO ON");
}

#[test]
fn a_peer_outside_the_subnet_is_not_answered_without_a_gateway() {
    let mut net = acquainted();
    net.arrive(question(FAR, 50_000, SERVER, b"far"));
    net.arrive(peer_from(FAR, SERVER, 40_000).segment(Syn, 0, None, &[]));
    net.pass(Duration::from_secs(75));
    net.nothing_sent();
    assert_eq!((net.stats().dropped(DropReason::Neighbour), net.stats().abandoned), (1, 1));
    assert_eq!(net.last.deadline, None);
}

#[test]
fn acknowledgements_reach_a_peer_whose_neighbour_entry_has_gone() {
    let mut net = acquainted();
    let mut peer = peer(40_000);
    peer.connect(&mut net);
    for _ in 0..3 {
        net.pass(Duration::from_secs(20));
        net.wire.sent.clear();
        net.arrive(peer.segment(Plain, 1, Some(1), &[]));
    }
    peer.send(&mut net, Psh, b"hello");
    if unframe(&net.wire.sent[0]).2 == EthernetProtocol::Arp {
        take_arp_request(&mut net, CLIENT);
        net.arrive_frame(arp(ArpOperation::Reply, CLIENT_MAC, CLIENT, SERVER));
    }
    assert_eq!(peer.take_data(&mut net), b"HELLO");
}

#[test]
fn a_keep_alive_may_come_while_our_probe_waits_for_arp() {
    let mut net = acquainted();
    let mut peer = peer(40_000);
    peer.connect(&mut net);
    net.pass(Duration::from_secs(19));
    for last in 1..90 {
        net.client_mac = EthernetAddress([2, 0, 0, 0, 1, last]);
        net.arrive(question(IpAddress::v4(192, 0, 2, last + 100), 50_000, SERVER, b"x"));
    }
    net.wire.sent.clear();
    net.pass(Duration::from_secs(1));
    take_arp_request(&mut net, CLIENT);
    net.client_mac = CLIENT_MAC;
    net.arrive(peer.segment(Plain, peer.next - 1, Some(peer.acked), &[]));
    peer.take(&mut net);
    net.wire.sent.clear();
    assert_eq!(peer.exchange(&mut net, b"hello", 5), b"HELLO");
}

/// Says what it hears, and aborts on "abort".
struct EchoOrAbort;

impl Handler for EchoOrAbort {
    type State = ();

    fn open(&mut self, _peer: core::net::SocketAddr) -> Option<()> {
        Some(())
    }

    fn stream(&mut self, (): &mut (), stream: &mut Stream<'_, '_>) -> Next {
        let heard = stream.read(|bytes| (bytes.len(), bytes.to_vec())).unwrap_or_default();
        if heard == b"abort" {
            return Next::Abort;
        }
        assert_eq!(stream.write(&heard), heard.len(), "there was room");
        Next::Continue
    }
}

/// The peer's hardware address is not known when the echo is to be sent again, and is when the connection is aborted.
#[test]
#[cfg_attr(not(feature = "recovery"), ignore = "it is about recovery from loss")]
fn a_retransmission_that_waits_for_arp_when_its_connection_is_aborted_is_not_the_next_connections() {
    let mut net = net_of(EchoOrAbort, Wire::new(Medium::Ethernet, 1514), storage(1, 1024, 0), |_| {});
    net.pass(Duration::from_secs(2));
    net.wire.sent.clear();
    let mut old = peer(40_000);
    old.connect(&mut net);
    old.send(&mut net, Psh, &letters(200));
    assert_eq!(old.take_data(&mut net).len(), 200);
    for last in 1..90 {
        net.client_mac = EthernetAddress([2, 0, 0, 0, 1, last]);
        net.arrive(question(IpAddress::v4(192, 0, 2, last + 100), 50_000, SERVER, b"x"));
    }
    net.client_mac = CLIENT_MAC;
    net.wire.sent.clear();
    net.pass(RTO);
    take_arp_request(&mut net, CLIENT);
    // Before it may ask again, the timer fires again.
    net.pass_in_silence(RTO * 3);
    old.acked = 1;
    old.send(&mut net, Psh, b"abort");
    assert_eq!(old.take(&mut net).control, Rst);

    let mut new = peer(40_001);
    new.window = 100;
    new.connect(&mut net);
    new.send(&mut net, Psh, &letters(200));
    assert_eq!(new.take_data(&mut net).len(), 100);
}
