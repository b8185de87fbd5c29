//! Neighbour discovery (RFC 4861): what ARP is to IPv4 on Ethernet.

use std::vec::Vec;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::Syn;
use smoltcp::wire::{
    EthernetAddress, EthernetProtocol, Icmpv6Packet, Icmpv6Repr, IpAddress, IpProtocol, Ipv6Address,
    Ipv6Packet, NdiscNeighborFlags, NdiscRepr,
};

use super::fixture::{CLIENT_MAC, CLIENT_V6, Net, SERVER_MAC, SERVER_V6, TICK, ethernet};
use super::packets::{Icmp, frame, icmp, ip, ip_packet, ping, unframe};
use super::peer::{letters, peer_from, upper};
use super::udp::{question, take_reply};
use crate::DropReason;

const GATEWAY: IpAddress = IpAddress::v6(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0xffff);
/// Not in the server's subnet.
const FAR: IpAddress = IpAddress::v6(0x2001, 0xdb8, 1, 0, 0, 0, 0, 7);

pub(super) fn v6(address: IpAddress) -> Ipv6Address {
    match address {
        IpAddress::Ipv6(address) => address,
        IpAddress::Ipv4(_) => panic!("neighbour discovery is for IPv6"),
    }
}

/// The multicast address that the owner of this one listens to (RFC 4291, section 2.7.1).
pub(super) fn solicited_node(address: IpAddress) -> Ipv6Address {
    let octets = v6(address).octets();
    Ipv6Address::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, octets[13], octets[14], octets[15]])
}

/// A neighbour discovery message in a frame; it counts only with a hop limit of 255 (RFC 4861, section 7.1).
pub(super) fn message(
    mac: EthernetAddress,
    from: Ipv6Address,
    to: Ipv6Address,
    ndisc: NdiscRepr<'_>,
) -> Vec<u8> {
    let repr = Icmpv6Repr::Ndisc(ndisc);
    let mut packet = ip_packet(from.into(), to.into(), IpProtocol::Icmpv6, repr.buffer_len(), |payload| {
        repr.emit(&from, &to, &mut Icmpv6Packet::new_unchecked(payload), &ChecksumCapabilities::default());
    });
    Ipv6Packet::new_unchecked(&mut packet[..]).set_hop_limit(255);
    let group = EthernetAddress([0x33, 0x33, 0xff, 0, 0, 1]);
    frame(mac, if to.is_multicast() { group } else { SERVER_MAC }, EthernetProtocol::Ipv6, &packet)
}

pub(super) fn solicitation(mac: EthernetAddress, from: Ipv6Address, to: Ipv6Address) -> Vec<u8> {
    let lladdr = Some(CLIENT_MAC.into());
    message(mac, from, to, NdiscRepr::NeighborSolicit { target_addr: v6(SERVER_V6), lladdr })
}

pub(super) fn advertisement(from: IpAddress) -> Vec<u8> {
    let (from, lladdr) = (v6(from), Some(CLIENT_MAC.into()));
    let flags = NdiscNeighborFlags::SOLICITED | NdiscNeighborFlags::OVERRIDE;
    message(CLIENT_MAC, from, v6(SERVER_V6), NdiscRepr::NeighborAdvert { flags, target_addr: from, lladdr })
}

/// Takes the next frame, which must be a neighbour discovery message from the server to this address.
#[track_caller]
pub(super) fn take_ndisc(net: &mut Net, to: Ipv6Address) -> Icmpv6Repr<'static> {
    let frame = net.next_frame();
    let (source, _, protocol, packet) = unframe(&frame);
    assert_eq!((source, protocol), (SERVER_MAC, EthernetProtocol::Ipv6));
    let (from, destination, protocol, payload) = ip(packet);
    assert_eq!((from, destination, protocol), (SERVER_V6, to.into(), IpProtocol::Icmpv6));
    let message = Icmpv6Packet::new_checked(payload).unwrap();
    let checksum = ChecksumCapabilities::default();
    match Icmpv6Repr::parse(&v6(from), &v6(destination), &message, &checksum).unwrap() {
        Icmpv6Repr::Ndisc(NdiscRepr::NeighborSolicit { target_addr, .. }) => {
            Icmpv6Repr::Ndisc(NdiscRepr::NeighborSolicit { target_addr, lladdr: None })
        }
        Icmpv6Repr::Ndisc(NdiscRepr::NeighborAdvert { target_addr, flags, .. }) => {
            Icmpv6Repr::Ndisc(NdiscRepr::NeighborAdvert { target_addr, flags, lladdr: None })
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn take_solicitation(net: &mut Net) {
    let asked = take_ndisc(net, solicited_node(GATEWAY));
    let expected = NdiscRepr::NeighborSolicit { target_addr: v6(GATEWAY), lladdr: None };
    assert_eq!(asked, Icmpv6Repr::Ndisc(expected));
}

#[test]
fn a_solicitation_is_answered_and_makes_the_client_known() {
    let mut net = ethernet(|_| {});
    net.arrive_frame(solicitation(CLIENT_MAC, v6(CLIENT_V6), solicited_node(SERVER_V6)));
    let answer = take_ndisc(&mut net, v6(CLIENT_V6));
    assert!(matches!(
        answer,
        Icmpv6Repr::Ndisc(NdiscRepr::NeighborAdvert { target_addr, .. }) if target_addr == v6(SERVER_V6)
    ));
    net.nothing_sent();

    let mut peer = peer_from(CLIENT_V6, SERVER_V6, 40_000);
    peer.connect(&mut net);
    let data = letters(3000);
    assert!(peer.exchange(&mut net, &data, 500) == upper(&data));
    assert!(DropReason::ALL.iter().all(|&reason| net.stats().dropped(reason) == 0));
}

/// Neighbour unreachability detection sends unicast solicitations (RFC 4861, section 7.3.3).
#[test]
fn a_solicitation_to_us_alone_is_answered() {
    let mut net = ethernet(|_| {});
    net.arrive_frame(solicitation(CLIENT_MAC, v6(CLIENT_V6), v6(SERVER_V6)));
    take_ndisc(&mut net, v6(CLIENT_V6));
}

/// A server with a gateway whose hardware address it has not learned.
fn behind_a_gateway() -> Net {
    ethernet(|config| config.gateways.push(GATEWAY).unwrap())
}

#[test]
fn a_syn_ack_waits_for_the_advertisement_and_leaves_with_it() {
    let mut net = behind_a_gateway();
    let mut peer = peer_from(FAR, SERVER_V6, 40_000);
    net.arrive(peer.segment(Syn, 0, None, &[]));
    take_solicitation(&mut net);
    net.pass_in_silence(Duration::from_millis(1));
    net.arrive_frame(advertisement(GATEWAY));
    peer.take_syn_ack(&mut net);
    peer.ack(&mut net);
    assert_eq!(peer.exchange(&mut net, b"hello", 5), b"HELLO");
}

#[test]
fn a_reply_waits_for_the_advertisement_or_is_dropped_after_a_second() {
    let mut net = behind_a_gateway();
    net.arrive(question(FAR, 50_000, SERVER_V6, b"a"));
    take_solicitation(&mut net);
    net.arrive_frame(advertisement(GATEWAY));
    assert_eq!(take_reply(&mut net, FAR, 50_000, SERVER_V6), b"A");

    let mut net = behind_a_gateway();
    net.arrive(question(FAR, 50_000, SERVER_V6, b"a"));
    take_solicitation(&mut net);
    net.pass_in_silence(Duration::from_secs(1) - TICK);
    net.pass(TICK);
    net.dropped_only(DropReason::Neighbour, 1);
}

#[test]
fn a_solicitation_from_where_no_host_can_be_is_not_answered() {
    let mut net = ethernet(|_| {});
    let group = solicited_node(SERVER_V6);
    for from in [Ipv6Address::UNSPECIFIED, Ipv6Address::LOCALHOST, group] {
        net.arrive_frame(solicitation(CLIENT_MAC, from, group));
    }
    net.arrive_frame(solicitation(EthernetAddress([0x33, 0x33, 0, 0, 0, 1]), v6(CLIENT_V6), group));
    net.nothing_sent();
    net.dropped_only(DropReason::Source, 4);
    net.arrive_frame(solicitation(CLIENT_MAC, v6(SERVER_V6), group));
    net.nothing_sent();
    assert_eq!(net.stats().dropped(DropReason::OwnSource), 1);
}

#[test]
fn multicast_that_is_no_solicitation_is_not_answered() {
    let mut net = ethernet(|_| {});
    let group = EthernetAddress([0x33, 0x33, 0, 0, 0, 1]);
    let everybody: IpAddress = IpAddress::Ipv6("ff02::1".parse().unwrap());
    let packets = [
        ping(CLIENT_V6, everybody, b""),
        question(CLIENT_V6, 50_000, everybody, b""),
        peer_from(CLIENT_V6, everybody, 40_000).segment(Syn, 0, None, &[]),
        peer_from(CLIENT_V6, SERVER_V6, 40_000).segment(Syn, 0, None, &[]),
    ];
    for packet in packets {
        net.arrive_frame(frame(CLIENT_MAC, group, EthernetProtocol::Ipv6, &packet));
    }
    net.nothing_sent();
    net.dropped_only(DropReason::Broadcast, 4);
}

/// The ping itself teaches nothing (`what_is_said_of_a_closed_port_does_not_wait_for_its_neighbour`).
#[test]
fn who_asks_for_us_need_not_be_asked_for() {
    let mut net = ethernet(|_| {});
    net.arrive_frame(solicitation(CLIENT_MAC, v6(CLIENT_V6), solicited_node(SERVER_V6)));
    take_ndisc(&mut net, v6(CLIENT_V6));
    net.arrive(ping(CLIENT_V6, SERVER_V6, b"x"));
    assert_eq!(icmp(&net.next_sent()).2, Icmp::EchoReply(b"x".to_vec()));
    net.nothing_sent();
}

/// RFC 4861, section 7.1.1 has what makes a solicitation valid.
#[test]
fn a_solicitation_to_another_station_or_with_another_code_is_not_answered() {
    let mut net = ethernet(|_| {});
    let (from, to) = (v6(CLIENT_V6), solicited_node(SERVER_V6));
    let mut to_another_station = solicitation(CLIENT_MAC, from, to);
    to_another_station[..6].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
    net.arrive_frame(to_another_station);
    let mut with_a_code = solicitation(CLIENT_MAC, from, to);
    let message = &mut with_a_code[14 + 40..];
    message[1] = 1;
    Icmpv6Packet::new_unchecked(message).fill_checksum(&from, &to);
    net.arrive_frame(with_a_code);
    net.nothing_sent();
}
