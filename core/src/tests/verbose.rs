//! What is logged for those who want to know more: clients of UDP (`debug`), and each dropped packet (`trace`).

use std::vec::Vec;

use log::Level;
use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Rst, Syn};
use smoltcp::wire::{EthernetAddress, EthernetProtocol, IpAddress, IpProtocol};

use super::events::{lines_at, record};
use super::fixture::{CLIENT, Net, PORT, SERVER, TICK, ethernet, net, net_with};
#[cfg(feature = "ipv6")]
use super::fixture::{CLIENT_V6, SERVER_V6};
use super::packets::{frame, ip_packet};
use super::peer::peer;
use super::udp::question;

fn ask(net: &mut Net, port: u16) {
    net.arrive(question(CLIENT, port, SERVER, b"hello"));
    net.wire.sent.clear();
}

#[test]
fn each_client_of_udp_is_logged_once_in_a_while() {
    record();
    let mut net = net();
    for port in [50_000, 50_000, 50_001, 50_000] {
        ask(&mut net, port);
    }
    assert_eq!(
        lines_at(Level::Debug),
        ["192.0.2.100:50000 asks over UDP", "192.0.2.100:50001 asks over UDP"]
    );
    net.now += Duration::from_secs(60) - TICK;
    ask(&mut net, 50_000);
    assert_eq!(lines_at(Level::Debug), [""; 0]);
    net.now += TICK;
    ask(&mut net, 50_000);
    ask(&mut net, 50_000);
    assert_eq!(lines_at(Level::Debug), ["192.0.2.100:50000 asks over UDP"]);
}

#[test]
fn a_crowd_of_clients_of_udp_is_no_flood_of_lines() {
    record();
    let mut net = net();
    for port in 50_000..50_100 {
        ask(&mut net, port);
    }
    assert_eq!(lines_at(Level::Debug).len(), 20);
    net.now += Duration::from_secs(1);
    ask(&mut net, 51_000);
    assert_eq!(lines_at(Level::Debug), ["192.0.2.100:51000 asks over UDP"]);
}

#[track_caller]
fn assert_dropped(net: &mut Net, packet: Vec<u8>, expected: &str) {
    net.arrive(packet);
    assert_eq!(lines_at(Level::Trace), [expected]);
}

#[test]
fn each_dropped_packet_is_logged_with_its_reason() {
    record();
    let mut net = net_with::<1>(|_| {});
    let syn = |port| peer(port).segment(Syn, 0, None, &[]);
    let mut damaged = syn(40_000);
    damaged[25] ^= 1;
    assert_dropped(&mut net, damaged, "dropped: checksum: 192.0.2.100:40000 > 192.0.2.1:8080, TCP, 44 bytes");
    assert_dropped(
        &mut net,
        question(CLIENT, PORT, SERVER, b""),
        "dropped: echo loop: a datagram of 192.0.2.100:8080",
    );
    assert_dropped(&mut net, Vec::from([0x45; 3]), "dropped: malformed: 3 bytes");
    assert_dropped(
        &mut net,
        ip_packet(CLIENT, IpAddress::v4(192, 0, 2, 255), IpProtocol::Icmp, 8, |icmp| icmp.fill(8)),
        "dropped: broadcast: 192.0.2.100 > 192.0.2.255, ICMP, 28 bytes",
    );
    let mut connected = peer(40_000);
    connected.connect(&mut net);
    assert_dropped(
        &mut net,
        syn(41_000),
        "dropped: no slot: 192.0.2.100:41000 > 192.0.2.1:8080, TCP, 44 bytes",
    );
    let inexact = connected.segment(Rst, connected.next + 1, None, &[]);
    assert_dropped(
        &mut net,
        inexact,
        "dropped: unacceptable segment: 192.0.2.100:40000 > 192.0.2.1:8080, TCP, 40 bytes",
    );
    // Those that are not dropped are not logged.
    net.wire.sent.clear();
    ask(&mut net, 50_000);
    assert_eq!(lines_at(Level::Trace), [""; 0]);
}

#[cfg(feature = "ipv6")]
#[test]
fn a_dropped_packet_of_ipv6_is_described_too() {
    record();
    assert_dropped(
        &mut net(),
        ip_packet(CLIENT_V6, SERVER_V6, IpProtocol::Ipv6Frag, 8, |header| header.fill(17)),
        "dropped: fragment: 2001:db8::100 > 2001:db8::1, IPv6-Frag, 48 bytes",
    );
}

#[test]
fn a_dropped_frame_is_described_by_both_its_addresses() {
    record();
    let mut net = ethernet(|_| {});
    let stranger = EthernetAddress([2, 0, 0, 0, 0, 9]);
    net.arrive_frame(frame(stranger, stranger, EthernetProtocol::Ipv4, &[]));
    let lines = lines_at(Level::Trace);
    assert_eq!(lines, ["dropped: not ours: 02-00-00-00-00-09 > 02-00-00-00-00-09, 14 bytes"]);
}

#[test]
fn a_reply_whose_neighbour_does_not_answer_is_logged() {
    record();
    let gateway = IpAddress::v4(192, 0, 2, 254);
    let mut net = ethernet(|config| config.gateways.push(gateway).unwrap());
    net.arrive(question(IpAddress::v4(203, 0, 113, 7), 50_000, SERVER, b"from afar"));
    net.pass(Duration::from_secs(1));
    assert_eq!(lines_at(Level::Trace), ["dropped: no neighbour: a reply over UDP"]);
}
