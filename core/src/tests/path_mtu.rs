//! ICMP errors about packets that are too big for their path (RFC 1191, RFC 8201), and forged ones (RFC 5927).

use std::vec::Vec;

use smoltcp::phy::Medium;
use smoltcp::time::Duration;
#[cfg(feature = "ipv6")]
use smoltcp::wire::Icmpv6Packet;
use smoltcp::wire::TcpControl::{None as Plain, Psh, Syn};
use smoltcp::wire::{ArpOperation, Icmpv4Packet, IpAddress, IpProtocol};

use super::ethernet::{arp, take_arp_request};
use super::fixture::{CLIENT, FAMILIES, Net, SERVER, net_on, storage};
use super::in_flight::large;
use super::packets::ip_packet;
use super::peer::{Peer, letters, peer_from, upper};
use super::wire::Wire;

/// The error of a router whose next link takes packets of `mtu` bytes, about this packet.
fn too_big(lost: &[u8], from: IpAddress, to: IpAddress, mtu: u16) -> Vec<u8> {
    let quoted = &lost[..lost.len().min(if lost[0] >> 4 == 4 { 28 } else { 1200 })];
    let protocol = if lost[0] >> 4 == 4 { IpProtocol::Icmp } else { IpProtocol::Icmpv6 };
    ip_packet(from, to, protocol, 8 + quoted.len(), |payload| {
        payload[6..8].copy_from_slice(&mtu.to_be_bytes());
        payload[8..].copy_from_slice(quoted);
        match (from, to) {
            #[cfg(feature = "ipv6")]
            (IpAddress::Ipv6(from), IpAddress::Ipv6(to)) => {
                payload[..2].copy_from_slice(&[2, 0]);
                Icmpv6Packet::new_unchecked(payload).fill_checksum(&from, &to);
            }
            _ => {
                payload[..2].copy_from_slice(&[3, 4]);
                Icmpv4Packet::new_unchecked(payload).fill_checksum();
            }
        }
    })
}

/// Client and server address, on a device without frames and on Ethernet.
fn cases() -> impl Iterator<Item = (IpAddress, IpAddress, Medium)> {
    [Medium::Ip, Medium::Ethernet]
        .into_iter()
        .flat_map(|medium| FAMILIES.iter().map(move |&(client, server)| (client, server, medium)))
}

/// A connection with a large echo in flight, and its longest packet.
#[track_caller]
fn in_flight((client, server, medium): (IpAddress, IpAddress, Medium)) -> (Net, Peer, Vec<u8>) {
    let mtu = if medium == Medium::Ethernet { 1514 } else { 1500 };
    let mut net = net_on(Wire::new(medium, mtu), storage(2, 65_534, 0), |_| {});
    net.pass(Duration::from_secs(2));
    net.wire.sent.clear();
    let mut peer = peer_from(client, server, 40_000);
    peer.connect(&mut net);
    let first = fill(&mut net, &mut peer);
    (net, peer, first)
}

/// Sends for a large echo, and returns its longest packet.
#[track_caller]
fn fill(net: &mut Net, peer: &mut Peer) -> Vec<u8> {
    for part in letters(6000).chunks(1400) {
        net.arrive(peer.segment(Psh, peer.next, Some(peer.acked), part));
        peer.next += i32::try_from(part.len()).unwrap();
    }
    let mut longest = Vec::new();
    while !net.wire.sent.is_empty() {
        let packet = net.next_sent();
        longest = if packet.len() > longest.len() { packet } else { longest };
    }
    longest
}

#[test]
fn the_stream_goes_on_with_packets_that_fit() {
    for case in cases() {
        let (client, server, _) = case;
        let (mut net, mut peer, first) = in_flight(case);
        let mtu = if first[0] >> 4 == 4 { 600 } else { 1280 };
        // A packet that was no longer than that tells of nothing.
        net.arrive(too_big(&first, client, server, 1500));
        net.nothing_sent();
        net.arrive(too_big(&first, client, server, mtu));
        let mut echo = Vec::new();
        for _ in 0..100 {
            while !net.wire.sent.is_empty() {
                let headers = if case.2 == Medium::Ethernet { 14 } else { 0 };
                let length = net.wire.sent[0].len() - headers;
                assert!(length <= mtu.into(), "{length} bytes");
                let before = peer.acked;
                let segment = peer.take(&mut net);
                if segment.seq == before {
                    echo.extend_from_slice(&segment.data);
                }
            }
            net.arrive(peer.segment(Plain, peer.next, Some(peer.acked), &[]));
        }
        assert!(echo == upper(&letters(6000).chunks(1000).flatten().copied().collect::<Vec<_>>()));
        assert_eq!(net.stats().live, 1);
    }
}

#[test]
fn errors_about_what_is_not_in_flight_change_nothing() {
    for case in cases() {
        let (client, server, _) = case;
        let (mut net, mut peer, first) = in_flight(case);
        let header = if first[0] >> 4 == 4 { 20 } else { 40 };
        let forged = |change: &dyn Fn(&mut [u8])| {
            let mut packet = first.clone();
            change(&mut packet[header..]);
            too_big(&packet, client, server, 576)
        };
        net.arrive(forged(&|tcp| tcp[4] ^= 0x40)); // the sequence number
        net.arrive(forged(&|tcp| tcp[1] ^= 1)); // the server's port
        net.arrive(forged(&|tcp| tcp[3] ^= 1)); // the client's
        let mut corrupt = too_big(&first, client, server, 576);
        corrupt[header + 4] ^= 1;
        net.arrive(corrupt);
        net.nothing_sent();
        // All of it is acknowledged: an error about it comes too late.
        peer.acked = peer.next;
        peer.ack(&mut net);
        net.arrive(too_big(&first, client, server, 1280));
        net.pass(Duration::from_secs(19));
        net.nothing_sent();
    }
}

/// The least that is believed.
#[test]
fn a_path_is_not_believed_to_take_next_to_nothing() {
    for case in cases() {
        let (client, server, _) = case;
        let (mut net, _peer, first) = in_flight(case);
        net.arrive(too_big(&first, client, server, 0));
        let least = if client == CLIENT { 552 } else { 1280 };
        assert!(net.next_sent().len() <= least);
        net.nothing_sent();
    }
}

#[test]
fn other_connections_keep_their_longest_packets() {
    for case in cases() {
        let (client, server, _) = case;
        let (mut net, _peer, first) = in_flight(case);
        net.arrive(too_big(&first, client, server, 1280));
        assert!(net.next_sent().len() <= 1280);
        net.wire.sent.clear();
        let mut other = peer_from(client, server, 40_001);
        other.connect(&mut net);
        other.send(&mut net, Psh, &letters(1400));
        assert_eq!(other.take(&mut net).data.len(), 1400);
    }
}

#[test]
fn an_error_that_cannot_be_about_a_segment_in_flight_changes_nothing() {
    for case in cases() {
        let (client, server, _) = case;
        let (mut net, _peer, first) = in_flight(case);
        let (ipv4, mtu) = (client == CLIENT, if client == CLIENT { 600 } else { 1280 });
        // The length that the quoted header tells, which IPv6 counts without that header.
        let quoting = |length: u16, mtu: u16| {
            let (at, length) = if ipv4 { (2, length) } else { (4, length - 40) };
            let mut packet = first.clone();
            packet[at..at + 2].copy_from_slice(&length.to_be_bytes());
            too_big(&packet, client, server, mtu)
        };
        net.arrive(quoting(mtu, mtu)); // It was short enough.
        net.arrive(quoting(1501, 1500)); // It was longer than the device sends.
        let mut datagram = first.clone();
        datagram[if ipv4 { 9 } else { 6 }] = 17;
        net.arrive(too_big(&datagram, client, server, mtu));
        let mut corrupt = too_big(&first, client, server, mtu);
        *corrupt.last_mut().unwrap() ^= 1;
        net.arrive(corrupt);
        net.nothing_sent();
    }
}

#[test]
fn the_same_error_a_second_time_draws_nothing() {
    for case in cases() {
        let (client, server, _) = case;
        let (mut net, _peer, first) = in_flight(case);
        let error = too_big(&first, client, server, 1280);
        net.arrive(error.clone());
        assert!(!net.wire.sent.is_empty());
        net.wire.sent.clear();
        net.arrive(error);
        net.nothing_sent();
    }
}

/// The client is behind a router whose other link takes less. Where the router is has been forgotten when there is something
/// to send again, and it is asked for.
#[test]
fn on_ethernet_packets_that_fit_go_to_the_router() {
    let gateway = IpAddress::v4(192, 0, 2, 254);
    let far = IpAddress::v4(203, 0, 113, 7);
    let wire = Wire::new(Medium::Ethernet, 1514);
    let mut net = net_on(wire, storage(2, 65_534, 0), |config| config.gateways.push(gateway).unwrap());
    let mut peer = peer_from(far, SERVER, 40_000);
    net.pass(Duration::from_secs(2));
    net.wire.sent.clear();
    net.arrive(peer.segment(Syn, 0, None, &[]));
    take_arp_request(&mut net, gateway);
    let answer = |net: &mut Net| {
        net.arrive_frame(arp(ArpOperation::Reply, net.client_mac, gateway, SERVER));
    };
    answer(&mut net);
    peer.take_syn_ack(&mut net);
    peer.ack(&mut net);
    let first = fill(&mut net, &mut peer);
    assert!(first.len() > 1300);
    net.arrive(too_big(&first, gateway, SERVER, 1300));
    assert_eq!(net.next_sent().len(), 1300);
    peer.acked = peer.next;
    peer.ack(&mut net);
    for _ in 0..6 {
        net.pass(Duration::from_secs(15));
        peer.ack(&mut net);
    }
    net.wire.sent.clear();
    peer.send(&mut net, Psh, &letters(1400));
    take_arp_request(&mut net, gateway);
    net.client_mac.0[5] += 1;
    answer(&mut net);
    assert_eq!(net.next_sent().len(), 1300);
    assert_eq!(net.next_sent().len(), 140 + 40);
    net.nothing_sent();
}

/// SMSS is what the path takes without the headers: so long is what has to arrive behind a segment before that is lost.
#[test]
fn a_segment_is_as_long_as_the_path_takes_when_a_loss_is_judged() {
    let (mut net, mut peer) = large();
    peer.send(&mut net, Psh, &letters(1000));
    let first = net.wire.sent[0].clone();
    net.wire.sent.clear();
    net.arrive(too_big(&first, CLIENT, SERVER, 600));
    for begins in [1, 561] {
        peer.acked = begins;
        assert_eq!(peer.begins(&mut net), [begins]);
        peer.ack(&mut net);
    }
    for _ in 0..4 {
        peer.send(&mut net, Psh, &letters(560));
    }
    assert_eq!(peer.begins(&mut net).len(), 4);
    peer.acked = 1001;
    for (right, expected) in [(1561 + 560, &[][..]), (1561 + 2 * 560, &[]), (1561 + 3 * 560, &[1001])] {
        peer.sack = Some([Some((1561, right)), None, None]);
        net.arrive(peer.segment(Plain, peer.next, Some(1001), &[]));
        assert_eq!(peer.begins(&mut net), expected);
        peer.acked = 1001;
    }
}
