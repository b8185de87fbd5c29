//! An Ethernet device: frames, ARP, and the cache of neighbours. IPv6 neighbour discovery is in `ndisc`.

use std::vec::Vec;

use smoltcp::wire::TcpControl::{Psh, Syn};
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetProtocol, IpAddress, Ipv4Address,
};

use super::fixture::{CLIENT, CLIENT_MAC, FAMILIES, Net, SERVER, SERVER_MAC, ethernet};
use super::packets::{Icmp, frame, icmp, ping, unframe};
use super::peer::{Peer, letters, peer, peer_from, upper};
use super::udp::{question, take_reply};
use crate::{DropReason, Handler};

const STRANGER: IpAddress = IpAddress::v4(192, 0, 2, 101);
const STRANGER_MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 101]);

fn v4(address: IpAddress) -> Ipv4Address {
    match address {
        IpAddress::Ipv4(address) => address,
        #[cfg(feature = "ipv6")]
        IpAddress::Ipv6(_) => panic!("ARP is for IPv4"),
    }
}

pub(super) fn arp(
    operation: ArpOperation,
    mac: EthernetAddress,
    address: IpAddress,
    target: IpAddress,
) -> Vec<u8> {
    let repr = ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr: mac,
        source_protocol_addr: v4(address),
        target_hardware_addr: SERVER_MAC,
        target_protocol_addr: v4(target),
    };
    let mut payload = std::vec![0; repr.buffer_len()];
    repr.emit(&mut ArpPacket::new_unchecked(&mut payload[..]));
    let to = if operation == ArpOperation::Request { EthernetAddress::BROADCAST } else { SERVER_MAC };
    frame(mac, to, EthernetProtocol::Arp, &payload)
}

/// Takes the next frame, which must be a request for the hardware address of this host.
#[track_caller]
pub(super) fn take_arp_request(net: &mut Net<impl Handler<State: 'static>>, wanted: IpAddress) {
    let frame = net.next_frame();
    let (source, destination, protocol, payload) = unframe(&frame);
    assert_eq!((source, protocol), (SERVER_MAC, EthernetProtocol::Arp));
    assert_eq!(destination, EthernetAddress::BROADCAST);
    let repr = ArpRepr::parse(&ArpPacket::new_checked(payload).unwrap()).unwrap();
    let ArpRepr::EthernetIpv4 { operation, source_protocol_addr, target_protocol_addr, .. } = repr else {
        panic!("{repr:?}");
    };
    assert_eq!(operation, ArpOperation::Request);
    assert_eq!((source_protocol_addr, target_protocol_addr), (v4(SERVER), v4(wanted)));
}

/// A server that has learned the client's hardware address from its ARP request.
pub(super) fn acquainted() -> Net {
    let mut net = ethernet(|_| {});
    net.arrive_frame(arp(ArpOperation::Request, CLIENT_MAC, CLIENT, SERVER));
    let frame = net.next_frame();
    let (source, destination, protocol, payload) = unframe(&frame);
    assert_eq!((source, destination, protocol), (SERVER_MAC, CLIENT_MAC, EthernetProtocol::Arp));
    let ArpRepr::EthernetIpv4 { operation, source_hardware_addr, source_protocol_addr, .. } =
        ArpRepr::parse(&ArpPacket::new_checked(payload).unwrap()).unwrap()
    else {
        panic!("no IPv4");
    };
    assert_eq!((operation, source_hardware_addr), (ArpOperation::Reply, SERVER_MAC));
    assert_eq!(source_protocol_addr, v4(SERVER));
    net
}

#[test]
fn tcp_udp_and_ping_are_answered() {
    let mut net = acquainted();
    let mut peer = peer(40_000);
    assert_eq!(peer.syn(&mut net).mss, Some(1460));
    peer.ack(&mut net);
    let data = letters(5000);
    assert!(peer.exchange(&mut net, &data, 700) == upper(&data));
    net.arrive(question(CLIENT, 50_000, SERVER, b"udp"));
    assert_eq!(take_reply(&mut net, CLIENT, 50_000, SERVER), b"UDP");
    net.arrive(ping(CLIENT, SERVER, &letters(1472)));
    assert_eq!(icmp(&net.next_sent()).2, Icmp::EchoReply(letters(1472)));
}

#[test]
fn what_stands_behind_a_short_packet_in_its_frame_is_ignored() {
    let mut net = acquainted();
    let mut packet = question(CLIENT, 50_000, SERVER, b"x");
    packet.resize(46, 0xff);
    net.arrive(packet);
    assert_eq!(take_reply(&mut net, CLIENT, 50_000, SERVER), b"X");

    let mut peer = peer(40_000);
    peer.connect(&mut net);
    let mut packet = peer.segment(Psh, 1, Some(1), b"ab");
    packet.resize(46, 0xff);
    net.arrive(packet);
    peer.next += 2;
    assert_eq!(peer.take_data(&mut net), b"AB");
}

/// The source of the frame is the client's hardware address, so no ARP request is needed.
#[test]
fn clients_are_known_by_their_first_frame() {
    for &(client, server) in FAMILIES {
        let mut net = ethernet(|_| {});
        peer_from(client, server, 40_000).connect(&mut net);

        let mut net = ethernet(|_| {});
        net.arrive(question(client, 50_000, server, b"hello"));
        assert_eq!(take_reply(&mut net, client, 50_000, server), b"HELLO");
        net.nothing_sent();
    }
}

/// smoltcp's cache has 32 neighbours (`iface-neighbor-cache-count-32`), and it sends one request a second.
#[test]
fn more_clients_than_neighbours_are_kept_are_all_answered_at_once() {
    let mut net = ethernet(|_| {});
    for _ in 0..3 {
        for last in 10..90 {
            let client = IpAddress::v4(192, 0, 2, last);
            net.client_mac = EthernetAddress([2, 0, 0, 0, 1, last]);
            net.arrive(question(client, 50_000, SERVER, b"hello"));
            assert_eq!(take_reply(&mut net, client, 50_000, SERVER), b"HELLO");
            net.nothing_sent();
        }
    }
}

#[test]
fn more_conversations_than_neighbours_are_kept_go_on_without_a_pause() {
    let mut net = ethernet(|_| {});
    let mut peers: Vec<Peer> =
        (10..50).map(|last| peer_from(IpAddress::v4(192, 0, 2, last), SERVER, last.into())).collect();
    for turn in 0..3 {
        for (peer, last) in peers.iter_mut().zip(10..) {
            net.client_mac = EthernetAddress([2, 0, 0, 0, 1, last]);
            if turn == 0 {
                peer.connect(&mut net);
            }
            assert_eq!(peer.exchange(&mut net, b"hello", 5), b"HELLO");
        }
    }
}

#[test]
fn a_client_that_has_another_hardware_address_now_is_answered_there() {
    let mut net = ethernet(|_| {});
    for last in [1, 2, 1] {
        net.client_mac = EthernetAddress([2, 0, 0, 0, 1, last]);
        net.arrive(question(CLIENT, 50_000, SERVER, b"hello"));
        assert_eq!(take_reply(&mut net, CLIENT, 50_000, SERVER), b"HELLO");
    }
}

#[test]
fn arp_for_others_is_not_answered() {
    let mut net = ethernet(|_| {});
    net.arrive_frame(arp(ArpOperation::Request, CLIENT_MAC, CLIENT, STRANGER));
    net.nothing_sent();
}

#[test]
fn frames_for_others_or_of_unknown_protocols_are_not_ours() {
    let mut net = acquainted();
    let packet = question(CLIENT, 50_000, SERVER, b"x");
    net.arrive_frame(frame(CLIENT_MAC, STRANGER_MAC, EthernetProtocol::Ipv4, &packet));
    net.arrive_frame(frame(CLIENT_MAC, SERVER_MAC, EthernetProtocol::Unknown(0x88cc), &packet));
    net.nothing_sent();
    net.dropped_only(DropReason::NotOurs, 2);
}

#[test]
fn a_packet_for_us_in_a_frame_for_everybody_is_not_answered() {
    let mut net = acquainted();
    let packets = [
        question(CLIENT, 50_000, SERVER, b"x"),
        peer(1).segment(Syn, 0, None, &[]),
        ping(CLIENT, SERVER, b""),
    ];
    let everybody = [EthernetAddress::BROADCAST, EthernetAddress([1, 0, 0x5e, 0, 0, 1])];
    for packet in &packets {
        for destination in everybody {
            net.arrive_frame(frame(CLIENT_MAC, destination, EthernetProtocol::Ipv4, packet));
        }
    }
    net.nothing_sent();
    net.dropped_only(DropReason::Broadcast, 6);
}

#[test]
fn frames_from_where_no_host_can_be_are_not_answered() {
    let mut net = ethernet(|_| {});
    let packet = question(CLIENT, 50_000, SERVER, b"x");
    for source in [EthernetAddress::BROADCAST, EthernetAddress([1, 0, 0, 0, 0, 1]), EthernetAddress([0; 6])] {
        net.arrive_frame(frame(source, SERVER_MAC, EthernetProtocol::Ipv4, &packet));
        net.arrive_frame(arp(ArpOperation::Request, source, CLIENT, SERVER));
    }
    net.nothing_sent();
    net.dropped_only(DropReason::Source, 6);
}

#[test]
fn truncated_frames_are_malformed() {
    let mut net = ethernet(|_| {});
    let mut count = 0;
    for protocol in [EthernetProtocol::Ipv4, EthernetProtocol::Ipv6] {
        let whole = frame(CLIENT_MAC, SERVER_MAC, protocol, &[0x45; 19]);
        for length in 0..whole.len() {
            net.arrive_frame(whole[..length].to_vec());
            count += 1;
        }
    }
    // ARP is smoltcp's: it ignores what it cannot read.
    net.arrive_frame(frame(CLIENT_MAC, SERVER_MAC, EthernetProtocol::Arp, &[0; 27]));
    net.nothing_sent();
    net.dropped_only(DropReason::Malformed, count);
}
