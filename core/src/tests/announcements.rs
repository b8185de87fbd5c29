//! What the server says of its own addresses: unasked at the start, and to hosts that want to take one of them.

use std::vec::Vec;

use smoltcp::time::Duration;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetProtocol, IpAddress, Ipv4Address,
};

use super::ethernet::arp;
use super::fixture::{CLIENT_MAC, Net, SERVER, SERVER_MAC, TICK, ethernet, starting_ethernet};
use super::packets::unframe;

#[cfg(feature = "ipv6")]
mod ipv6;

const NOBODY: Ipv4Address = Ipv4Address::UNSPECIFIED;

/// The next frame, which must be ARP: where it goes, operation, sender, and target.
#[track_caller]
fn take_arp(net: &mut Net) -> (EthernetAddress, ArpOperation, (EthernetAddress, Ipv4Address), Ipv4Address) {
    let frame = net.next_frame();
    let (source, destination, protocol, payload) = unframe(&frame);
    assert_eq!((source, protocol), (SERVER_MAC, EthernetProtocol::Arp));
    let repr = ArpRepr::parse(&ArpPacket::new_checked(payload).unwrap()).unwrap();
    let ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr,
        source_protocol_addr,
        target_protocol_addr,
        ..
    } = repr
    else {
        panic!("{repr:?}");
    };
    (destination, operation, (source_hardware_addr, source_protocol_addr), target_protocol_addr)
}

fn own() -> Ipv4Address {
    match SERVER {
        IpAddress::Ipv4(address) => address,
        #[cfg(feature = "ipv6")]
        IpAddress::Ipv6(_) => unreachable!(),
    }
}

/// Takes what the server says of all its addresses.
#[track_caller]
fn take_round(net: &mut Net) {
    #[cfg(feature = "ipv6")]
    assert_eq!(ipv6::take_report(net), (ipv6::CHANGE_TO_EXCLUDE, std::vec![ipv6::group()]));
    let announcement = (EthernetAddress::BROADCAST, ArpOperation::Request, (SERVER_MAC, own()), own());
    assert_eq!(take_arp(net), announcement);
    #[cfg(feature = "ipv6")]
    ipv6::take_announcement(net);
    net.nothing_sent();
}

#[test]
fn addresses_are_announced_twice() {
    let mut net = starting_ethernet(|_| {});
    net.poll();
    take_round(&mut net);
    net.pass(Duration::from_secs(2) - TICK);
    net.nothing_sent();
    net.pass(TICK);
    take_round(&mut net);
    net.pass(Duration::from_secs(600));
    net.nothing_sent();
    assert_eq!(net.last.deadline, None);
}

#[test]
fn an_announcement_waits_for_room() {
    let mut net = starting_ethernet(|_| {});
    net.wire.room = 1;
    net.last = net.server.poll(net.now, &mut net.wire);
    assert!(net.last.blocked);
    assert_eq!(net.wire.sent.len(), 1);
    net.wire.room = usize::MAX;
    net.poll();
    take_round(&mut net);
}

#[test]
fn a_device_without_frames_is_told_nothing() {
    let mut net = super::fixture::net();
    net.pass(Duration::from_secs(10));
    net.nothing_sent();
    assert_eq!(net.last.deadline, None);
}

/// A host that looks whether an address is free, before it takes it (RFC 5227, section 2.1.1).
fn probe(target: IpAddress) -> Vec<u8> {
    arp(ArpOperation::Request, CLIENT_MAC, NOBODY.into(), target)
}

#[test]
fn a_probe_for_our_address_is_answered() {
    let mut net = ethernet(|_| {});
    net.arrive_frame(probe(SERVER));
    assert_eq!(take_arp(&mut net), (CLIENT_MAC, ArpOperation::Reply, (SERVER_MAC, own()), NOBODY));
    net.nothing_sent();
    net.arrive_frame(probe(IpAddress::v4(192, 0, 2, 3)));
    net.nothing_sent();
    assert_eq!(net.last.deadline, None);
}

#[test]
fn a_probe_from_where_no_host_can_be_is_not_answered() {
    let mut net = ethernet(|_| {});
    for source in [EthernetAddress::BROADCAST, EthernetAddress([1, 0, 0, 0, 0, 1]), EthernetAddress([0; 6])] {
        net.arrive_frame(arp(ArpOperation::Request, source, NOBODY.into(), SERVER));
    }
    net.arrive_frame(arp(ArpOperation::Reply, CLIENT_MAC, NOBODY.into(), SERVER));
    net.nothing_sent();
}

#[test]
fn a_probe_is_answered_in_a_frame_to_all_or_to_us_alone_and_in_no_other() {
    let mut net = ethernet(|_| {});
    let in_a_frame_to = |station: EthernetAddress| {
        let mut frame = probe(SERVER);
        frame[..6].copy_from_slice(station.as_bytes());
        frame
    };
    net.arrive_frame(in_a_frame_to(SERVER_MAC));
    assert_eq!(take_arp(&mut net), (CLIENT_MAC, ArpOperation::Reply, (SERVER_MAC, own()), NOBODY));
    for other in [EthernetAddress([2, 0, 0, 0, 0, 9]), EthernetAddress([1, 0, 0x5e, 0, 0, 1])] {
        net.arrive_frame(in_a_frame_to(other));
    }
    net.nothing_sent();
}

#[test]
fn a_probe_whose_frame_or_arp_packet_names_no_station_is_not_answered() {
    let mut net = ethernet(|_| {});
    let (frame_source, arp_source) = (6..12, 14 + 8..14 + 14);
    for place in [frame_source, arp_source] {
        let mut frame = probe(SERVER);
        frame[place].fill(0);
        net.arrive_frame(frame);
    }
    net.nothing_sent();
}
