//! Which frames tell where a host is, and what waits until that is known.

use std::vec::Vec;

use smoltcp::phy::Medium;
use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Psh, Syn};
use smoltcp::wire::{
    ArpOperation, EthernetAddress, EthernetProtocol, IpAddress, IpEndpoint, TcpRepr, TcpSeqNumber,
};

use super::ethernet::{arp, take_arp_request};
use super::fixture::{CLIENT, CLIENT_MAC, Net, SERVER, SERVER_MAC, TICK, ethernet, net_on, storage};
use super::packets::{Icmp, frame, icmp, ip, ping, tcp_packet, udp_packet, unframe};
use super::peer::{Peer, letters, peer, peer_from};
use super::udp::{question, take_reply};
use super::wire::Wire;
use crate::DropReason;

const FORGER: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 66]);
const OTHER: IpAddress = IpAddress::v4(192, 0, 2, 101);
const OTHER_MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 101]);

/// This packet arrives from the forger.
#[track_caller]
fn forge(net: &mut Net, packet: &[u8]) {
    net.arrive_frame(frame(FORGER, SERVER_MAC, EthernetProtocol::Ipv4, packet));
}

/// A connection on which an echo has not been acknowledged.
fn conversing() -> (Net, Peer) {
    let mut net = ethernet(|_| {});
    let mut peer = peer(40_000);
    peer.connect(&mut net);
    peer.send(&mut net, Psh, b"hello");
    assert_eq!(peer.take_data(&mut net), b"HELLO");
    (net, peer)
}

/// The echo is sent again, to the client (`next_sent` looks at the frame).
#[track_caller]
fn retransmits_to_the_client(net: &mut Net, peer: &mut Peer) {
    net.wire.sent.clear();
    net.pass(Duration::from_secs(1));
    // Beside it there is the SYN|ACK of a forged SYN.
    net.wire.sent.retain(|frame| frame.len() > 58);
    let seg = peer.take(net);
    assert_eq!((&seg.data[..], seg.seq), (&b"HELLO"[..], 1));
}

#[test]
fn a_segment_that_is_not_accepted_moves_no_retransmission() {
    for far_off in [1 << 20, -(1 << 20)] {
        let (mut net, mut peer) = conversing();
        forge(&mut net, &peer.segment(Psh, peer.next + far_off, Some(1), b"x"));
        retransmits_to_the_client(&mut net, &mut peer);
    }
    let (mut net, mut peer) = conversing();
    forge(&mut net, &peer.segment(Psh, peer.next, Some(1 << 20), b"x"));
    retransmits_to_the_client(&mut net, &mut peer);
}

#[test]
fn a_forged_syn_or_datagram_moves_no_retransmission() {
    let (mut net, mut peer) = conversing();
    forge(&mut net, &peer.segment(Syn, 1 << 20, None, &[]));
    forge(&mut net, &peer_from(CLIENT, SERVER, 40_001).segment(Syn, 0, None, &[]));
    forge(&mut net, &question(CLIENT, 50_000, SERVER, b"x"));
    forge(&mut net, &ping(CLIENT, SERVER, b"x"));
    retransmits_to_the_client(&mut net, &mut peer);
}

/// Nothing but a proof that only the client can give is worth more than ARP.
#[test]
fn a_forged_arp_moves_the_way_until_the_next_accepted_segment() {
    let (mut net, peer) = conversing();
    net.arrive_frame(arp(ArpOperation::Reply, FORGER, CLIENT, SERVER));
    net.pass(Duration::from_secs(1));
    assert_eq!(unframe(&net.next_frame()).1, FORGER);
    net.wire.sent.clear();
    net.arrive(peer.segment(Psh, peer.next, Some(1), b""));
    net.pass(Duration::from_secs(2));
    assert_eq!(unframe(&net.next_frame()).1, CLIENT_MAC);
}

#[test]
fn a_client_that_goes_on_from_elsewhere_is_answered_there() {
    let (mut net, mut peer) = conversing();
    net.client_mac = OTHER_MAC;
    peer.ack(&mut net);
    assert_eq!(peer.exchange(&mut net, b"moved", 5), b"MOVED");
}

/// A segment to a port that nobody listens to.
fn to_a_closed_port() -> Vec<u8> {
    let tcp = TcpRepr {
        src_port: 40_000,
        dst_port: 8081,
        control: Syn,
        seq_number: TcpSeqNumber(7),
        ack_number: None,
        window_len: 1000,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    };
    tcp_packet(CLIENT, SERVER, &tcp)
}

#[test]
fn the_first_ping_of_a_neighbour_is_answered() {
    let mut net = ethernet(|_| {});
    net.arrive(ping(CLIENT, SERVER, &letters(56)));
    take_arp_request(&mut net, CLIENT);
    net.nothing_sent();
    net.pass_in_silence(Duration::from_millis(10));
    net.arrive_frame(arp(ArpOperation::Reply, CLIENT_MAC, CLIENT, SERVER));
    assert_eq!(icmp(&net.next_sent()).2, Icmp::EchoReply(letters(56)));
    net.nothing_sent();
    assert_eq!(net.last.deadline, None);
    // Once.
    net.arrive_frame(arp(ArpOperation::Reply, CLIENT_MAC, CLIENT, SERVER));
    net.nothing_sent();
}

#[test]
fn the_first_rst_of_a_stray_segment_reaches_its_neighbour() {
    let mut net = ethernet(|_| {});
    net.arrive(peer(40_000).segment(Psh, 1, Some(1), b"of no connection"));
    take_arp_request(&mut net, CLIENT);
    net.arrive_frame(arp(ArpOperation::Reply, CLIENT_MAC, CLIENT, SERVER));
    assert_eq!(ip(&net.next_sent()).1, CLIENT);
    net.nothing_sent();
}

/// Their answers go back to where the frame came from, and teach nothing.
#[test]
fn what_is_said_of_a_closed_port_does_not_wait_for_its_neighbour() {
    let datagram = udp_packet(IpEndpoint::new(CLIENT, 50_000), IpEndpoint::new(SERVER, 8081), b"x");
    for packet in [to_a_closed_port(), datagram] {
        let mut net = ethernet(|_| {});
        net.arrive(packet);
        assert_eq!(ip(&net.next_sent()).1, CLIENT);
        net.nothing_sent();
        net.arrive(ping(CLIENT, SERVER, b"x"));
        take_arp_request(&mut net, CLIENT);
    }
}

#[test]
fn a_neighbour_that_does_not_answer_is_asked_three_times() {
    let mut net = ethernet(|_| {});
    net.arrive(ping(CLIENT, SERVER, b"x"));
    for _ in 0..2 {
        take_arp_request(&mut net, CLIENT);
        net.pass_in_silence(Duration::from_secs(1));
    }
    take_arp_request(&mut net, CLIENT);
    net.pass(Duration::from_secs(60));
    net.nothing_sent();
    assert_eq!(net.last.deadline, None);
    net.arrive_frame(arp(ArpOperation::Reply, CLIENT_MAC, CLIENT, SERVER));
    net.nothing_sent();
}

/// smoltcp asks for one neighbour a second.
#[test]
fn a_ping_waits_for_its_turn_to_ask() {
    let mut net = ethernet(|config| config.gateways.push(OTHER).unwrap());
    net.arrive(question(IpAddress::v4(203, 0, 113, 7), 50_000, SERVER, b"far"));
    take_arp_request(&mut net, OTHER);
    net.arrive(ping(CLIENT, SERVER, b"x"));
    net.nothing_sent();
    net.pass(Duration::from_secs(1) - TICK);
    net.nothing_sent();
    net.pass(TICK);
    take_arp_request(&mut net, CLIENT);
    net.arrive_frame(arp(ArpOperation::Reply, CLIENT_MAC, CLIENT, SERVER));
    assert_eq!(icmp(&net.next_sent()).2, Icmp::EchoReply(b"x".to_vec()));
    net.dropped_only(DropReason::Neighbour, 1);
}

#[test]
fn a_ping_waits_for_room_too() {
    let mut net = ethernet(|_| {});
    net.arrive(ping(CLIENT, SERVER, b"x"));
    take_arp_request(&mut net, CLIENT);
    net.wire.one_way = true;
    net.wire.arriving.push_back(arp(ArpOperation::Reply, CLIENT_MAC, CLIENT, SERVER));
    net.last = net.server.poll(net.now, &mut net.wire);
    assert!(net.last.blocked);
    net.nothing_sent();
    net.wire.one_way = false;
    net.poll();
    assert_eq!(icmp(&net.next_sent()).2, Icmp::EchoReply(b"x".to_vec()));
}

#[test]
fn a_datagram_of_a_host_that_has_moved_is_answered_there_where_nothing_better_is_known() {
    let mut net = ethernet(|_| {});
    for mac in [CLIENT_MAC, OTHER_MAC, CLIENT_MAC] {
        net.client_mac = mac;
        net.arrive(question(CLIENT, 50_000, SERVER, b"hello"));
        assert_eq!(take_reply(&mut net, CLIENT, 50_000, SERVER), b"HELLO");
    }
}

#[test]
fn a_delayed_reply_waits_for_its_neighbour_for_a_second() {
    let mut net = net_on(Wire::new(Medium::Ethernet, 1514), storage(2, 1024, 4), |config| {
        config.delay = Some(Duration::from_secs(5));
        config.gateways.push(OTHER).unwrap();
    });
    net.pass(Duration::from_secs(4));
    net.wire.sent.clear();
    net.arrive(question(IpAddress::v4(203, 0, 113, 7), 50_000, SERVER, b"far"));
    net.pass(Duration::from_secs(5));
    take_arp_request(&mut net, OTHER);
    net.pass_in_silence(Duration::from_secs(1));
    net.dropped_only(DropReason::Neighbour, 1);
}

#[cfg(feature = "ipv6")]
mod ipv6 {
    use super::*;
    use crate::tests::fixture::{CLIENT_V6, SERVER_V6};
    use crate::tests::ndisc::{advertisement, take_ndisc};

    #[test]
    fn the_first_ping_of_a_neighbour_is_answered() {
        let mut net = ethernet(|_| {});
        net.arrive(ping(CLIENT_V6, SERVER_V6, &letters(56)));
        take_ndisc(&mut net, crate::tests::ndisc::solicited_node(CLIENT_V6));
        net.arrive_frame(advertisement(CLIENT_V6));
        assert_eq!(icmp(&net.next_sent()).2, Icmp::EchoReply(letters(56)));
        net.nothing_sent();
        assert_eq!(net.last.deadline, None);
    }
}
