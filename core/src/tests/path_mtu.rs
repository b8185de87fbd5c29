//! ICMP errors about packets that are too big for their path (RFC 1191, RFC 8201), and forged ones (RFC 5927).

use std::vec::Vec;

use smoltcp::time::Duration;
#[cfg(feature = "ipv6")]
use smoltcp::wire::Icmpv6Packet;
use smoltcp::wire::TcpControl::{None as Plain, Psh};
use smoltcp::wire::{Icmpv4Packet, IpAddress, IpProtocol};

use super::fixture::{CLIENT, FAMILIES, Net, net_from, storage};
use super::packets::ip_packet;
use super::peer::{Peer, letters, peer_from, upper};

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

/// A connection with a large echo in flight, and its longest packet.
#[track_caller]
fn in_flight(client: IpAddress, server: IpAddress) -> (Net, Peer, Vec<u8>) {
    let (mut net, mut peer) =
        (net_from(storage(2, 65_534, 0), 1500, |_| {}), peer_from(client, server, 40_000));
    peer.connect(&mut net);
    for part in letters(6000).chunks(1400) {
        net.arrive(peer.segment(Psh, peer.next, Some(1), part));
        peer.next += i32::try_from(part.len()).unwrap();
    }
    let first = net.wire.sent.iter().max_by_key(|packet| packet.len()).unwrap().clone();
    net.wire.sent.clear();
    (net, peer, first)
}

#[test]
fn the_stream_goes_on_with_packets_that_fit() {
    for &(client, server) in FAMILIES {
        let (mut net, mut peer, first) = in_flight(client, server);
        let mtu = if first[0] >> 4 == 4 { 600 } else { 1280 };
        // A packet that was no longer than that tells of nothing.
        net.arrive(too_big(&first, client, server, 1500));
        net.nothing_sent();
        net.arrive(too_big(&first, client, server, mtu));
        let mut echo = Vec::new();
        for _ in 0..100 {
            while !net.wire.sent.is_empty() {
                assert!(net.wire.sent[0].len() <= mtu.into(), "{} bytes", net.wire.sent[0].len());
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
    for &(client, server) in FAMILIES {
        let (mut net, mut peer, first) = in_flight(client, server);
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
    for &(client, server) in FAMILIES {
        let (mut net, _peer, first) = in_flight(client, server);
        net.arrive(too_big(&first, client, server, 0));
        let least = if client == CLIENT { 552 } else { 1280 };
        assert!(net.next_sent().len() <= least);
        net.nothing_sent();
    }
}

#[test]
fn other_connections_keep_their_longest_packets() {
    for &(client, server) in FAMILIES {
        let (mut net, _peer, first) = in_flight(client, server);
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
    for &(client, server) in FAMILIES {
        let (mut net, _peer, first) = in_flight(client, server);
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
    for &(client, server) in FAMILIES {
        let (mut net, _peer, first) = in_flight(client, server);
        let error = too_big(&first, client, server, 1280);
        net.arrive(error.clone());
        assert!(!net.wire.sent.is_empty());
        net.wire.sent.clear();
        net.arrive(error);
        net.nothing_sent();
    }
}
