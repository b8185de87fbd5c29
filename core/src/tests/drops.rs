//! Each `DropReason`: the packet is counted, not answered, and takes no slot.

use std::vec::Vec;

use smoltcp::wire::TcpControl::{None as Plain, Psh, Rst, Syn};
use smoltcp::wire::{IpAddress, IpEndpoint, IpProtocol, Ipv4Packet};

use super::fixture::{CLIENT, FAMILIES, PORT, SERVER, net, net_with};
use super::packets::{ip_packet, ping, retouched, udp_packet, with_udp_checksum};
use super::peer::{peer, peer_from};
use super::udp::question;
use crate::DropReason;

/// A new server drops this packet for this reason, and sends nothing.
#[track_caller]
fn dropped(packet: Vec<u8>, reason: DropReason) {
    let mut net = net();
    net.arrive(packet);
    net.nothing_sent();
    net.dropped_only(reason, 1);
    assert_eq!(net.last.deadline, None, "a slot was taken");
}

/// All of them are dropped for this reason.
#[track_caller]
fn all_dropped(packets: [Vec<u8>; 3], reason: DropReason) {
    for packet in packets {
        dropped(packet, reason);
    }
}

/// A SYN, a datagram and a ping, each of which would be answered if the addresses were others.
fn greetings(from: IpAddress, to: IpAddress) -> [Vec<u8>; 3] {
    [
        peer_from(from, to, 40_000).segment(Syn, 0, None, &[]),
        question(from, 50_000, to, b"hello"),
        ping(from, to, b"hello"),
    ]
}

fn v4(bytes: [u8; 4]) -> IpAddress {
    IpAddress::Ipv4(bytes.into())
}

#[cfg(feature = "ipv6")]
fn v6(address: &str) -> IpAddress {
    IpAddress::Ipv6(address.parse().unwrap())
}

/// The same packet with another IPv4 header, whose checksum is right.
fn with_header(mut packet: Vec<u8>, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    change(&mut packet[..20]);
    Ipv4Packet::new_unchecked(&mut packet[..]).fill_checksum();
    packet
}

#[test]
fn the_list_of_reasons_is_complete_and_in_order() {
    for (index, reason) in DropReason::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, index);
        assert!(DropReason::ALL[..index].iter().all(|other| other.name() != reason.name()));
        // A new reason needs a test first, and then a line here.
        match reason {
            DropReason::Malformed
            | DropReason::Checksum
            | DropReason::NotOurs
            | DropReason::Broadcast
            | DropReason::Source
            | DropReason::OwnSource
            | DropReason::Fragment
            | DropReason::ExtensionHeader
            | DropReason::NoSlot // slots.rs
            | DropReason::PerSource // per_source.rs
            | DropReason::ShuttingDown // shutdown.rs
            | DropReason::Unacceptable // reset.rs
            | DropReason::EchoLoop
            | DropReason::EchoLimit // echo_loops.rs
            | DropReason::AnswerLimit // icmp.rs
            | DropReason::ReplyQueue
            | DropReason::Neighbour => {} // ethernet.rs
        }
    }
}

#[test]
fn packets_that_are_no_ip_are_malformed() {
    for packet in [&[][..], &[0x45], &[0x60], &[0x45; 19], &[0x60; 39], &[0x00; 60], &[0x55; 60], &[0xff; 60]]
    {
        dropped(packet.to_vec(), DropReason::Malformed);
    }
}

#[test]
fn lengths_that_contradict_each_other_are_malformed() {
    for packet in greetings(CLIENT, SERVER) {
        let cut = packet.len() - 1;
        dropped(packet[..cut].to_vec(), DropReason::Malformed);
        dropped(with_header(packet.clone(), |header| header[0] = 0x44), DropReason::Malformed);
        dropped(with_header(packet, |header| header[3] = 19), DropReason::Malformed);
    }
    for (protocol, lengths) in [(IpProtocol::Tcp, 0..20), (IpProtocol::Udp, 0..8)] {
        for length in lengths {
            dropped(ip_packet(CLIENT, SERVER, protocol, length, |_| {}), DropReason::Malformed);
        }
    }
}

#[test]
fn segments_that_make_no_sense_are_malformed() {
    let syn = peer(40_000).segment(Syn, 0, None, &[]);
    let changes: [fn(&mut [u8]); 4] = [
        |tcp| tcp[..2].fill(0), // source port 0
        |tcp| tcp[12] = 0x40,   // a header of 16 bytes
        |tcp| tcp[12] = 0xf0,   // a header longer than the segment
        |tcp| tcp[13] = 0x03,   // SYN and FIN
    ];
    for change in changes {
        dropped(retouched(syn.clone(), change), DropReason::Malformed);
    }
    dropped(retouched(syn, |tcp| tcp[2..4].fill(0)), DropReason::Malformed); // destination port 0
    let ack = peer(40_000).segment(Plain, 1, Some(1), &[]);
    dropped(retouched(ack, |tcp| tcp[..2].fill(0)), DropReason::Malformed);
}

#[test]
fn datagrams_that_make_no_sense_are_malformed() {
    for &(client, server) in FAMILIES {
        let datagram = question(client, 50_000, server, b"hello");
        let udp = datagram.len() - 13;
        for length in [0, 7, 14, 255] {
            let mut packet = datagram.clone();
            packet[udp + 5] = length;
            dropped(packet, DropReason::Malformed);
        }
        let nowhere = IpEndpoint::new(server, 0);
        dropped(udp_packet(IpEndpoint::new(client, 50_000), nowhere, b"x"), DropReason::Malformed);
    }
}

#[test]
fn wrong_checksums_are_seen() {
    for &(client, server) in FAMILIES {
        let mut segment = peer_from(client, server, 40_000).segment(Syn, 0, None, b"data");
        *segment.last_mut().unwrap() ^= 1;
        dropped(segment, DropReason::Checksum);

        let datagram = question(client, 50_000, server, b"hello");
        dropped(with_udp_checksum(datagram.clone(), |right| right ^ 0x100), DropReason::Checksum);
        let mut datagram = datagram;
        *datagram.last_mut().unwrap() ^= 1;
        dropped(datagram, DropReason::Checksum);
    }
    for mut packet in greetings(CLIENT, SERVER) {
        packet[10] ^= 1;
        dropped(packet, DropReason::Checksum);
    }
}

#[test]
fn a_wrong_checksum_does_nothing_to_a_live_connection() {
    let (mut net, mut peer) = super::states::open();
    for control in [Psh, Rst] {
        let mut segment = peer.segment(control, 1, Some(1), b"hello");
        *segment.last_mut().unwrap() ^= 1;
        net.arrive(segment);
    }
    net.nothing_sent();
    net.dropped_only(DropReason::Checksum, 2);
    assert_eq!(peer.exchange(&mut net, b"alive", 5), b"ALIVE");
}

#[test]
fn packets_for_others_are_not_ours() {
    for to in [v4([192, 0, 2, 2]), v4([8, 8, 8, 8]), v4([127, 0, 0, 1])] {
        all_dropped(greetings(CLIENT, to), DropReason::NotOurs);
    }
    #[cfg(feature = "ipv6")]
    for to in ["2001:db8::2", "fe80::1", "::1", "::"] {
        let client = super::fixture::CLIENT_V6;
        all_dropped(greetings(client, v6(to)), DropReason::NotOurs);
    }
}

#[test]
fn packets_for_everybody_are_not_answered() {
    for to in [[255, 255, 255, 255], [192, 0, 2, 255], [224, 0, 0, 1], [239, 1, 2, 3]] {
        all_dropped(greetings(CLIENT, v4(to)), DropReason::Broadcast);
    }
    #[cfg(feature = "ipv6")]
    for to in ["ff02::1", "ff02::1:ff00:1", "ff0e::1"] {
        let client = super::fixture::CLIENT_V6;
        all_dropped(greetings(client, v6(to)), DropReason::Broadcast);
    }
}

#[test]
fn packets_from_where_no_host_can_be_are_not_answered() {
    for from in [
        [0, 0, 0, 0],
        [0, 1, 2, 3],
        [127, 0, 0, 1],
        [127, 255, 255, 254],
        [192, 0, 2, 255],
        [224, 0, 0, 1],
        [240, 0, 0, 1],
        [255, 255, 255, 255],
    ] {
        all_dropped(greetings(v4(from), SERVER), DropReason::Source);
    }
    #[cfg(feature = "ipv6")]
    for from in ["::", "::1", "ff02::1", "::ffff:192.0.2.100", "::ffff:127.0.0.1"] {
        let server = super::fixture::SERVER_V6;
        all_dropped(greetings(v6(from), server), DropReason::Source);
    }
}

#[test]
fn packets_from_ourselves_are_not_answered() {
    for &(_, server) in FAMILIES {
        all_dropped(greetings(server, server), DropReason::OwnSource);
        // The server's own address and port as source: the LAND attack.
        let land = peer_from(server, server, PORT).segment(Syn, 0, None, &[]);
        dropped(land, DropReason::OwnSource);
    }
    // From one of the server's addresses to another.
    let second = v4([198, 51, 100, 1]);
    for packet in greetings(second, SERVER).into_iter().chain(greetings(SERVER, second)) {
        let mut net = net_with::<1>(|config| {
            config.addresses.push(smoltcp::wire::IpCidr::new(second, 24)).unwrap();
        });
        net.arrive(packet);
        net.nothing_sent();
        net.dropped_only(DropReason::OwnSource, 1);
    }
}

#[cfg(not(feature = "fragments"))]
#[test]
fn fragments_are_dropped() {
    // The first one, a middle one, the last one; a don't-fragment flag alone is no fragment.
    for (flags, offset) in [(0x20, 0), (0x20, 10), (0, 10)] {
        let change = |header: &mut [u8]| {
            header[6] = flags;
            header[7] = offset;
        };
        for packet in greetings(CLIENT, SERVER) {
            dropped(with_header(packet, change), DropReason::Fragment);
        }
        let other = ip_packet(CLIENT, SERVER, IpProtocol::Unknown(132), 64, |_| {});
        dropped(with_header(other, change), DropReason::Fragment);
    }
}

#[test]
fn datagrams_that_might_be_answered_for_ever_are_dropped() {
    for &(client, server) in FAMILIES {
        dropped(question(client, 0, server, b"x"), DropReason::EchoLoop);
        dropped(question(client, PORT, server, b"x"), DropReason::EchoLoop);
        // No ICMP error to a source port of 0 either.
        let closed = IpEndpoint::new(server, 9);
        dropped(udp_packet(IpEndpoint::new(client, 0), closed, b"x"), DropReason::EchoLoop);
    }
}

/// What the kernel of a host sends on any link, to routers, is nothing that is lost.
#[test]
fn what_is_said_to_routers_is_no_drop() {
    no_drop(ip_packet(CLIENT, v4([224, 0, 0, 22]), IpProtocol::Igmp, 16, |igmp| igmp.fill(0x22)));
    #[cfg(feature = "ipv6")]
    {
        let from = super::fixture::CLIENT_V6;
        no_drop(ip_packet(from, v6("ff02::2"), IpProtocol::Icmpv6, 8, |icmp| icmp[0] = 133));
        // A router alert (RFC 2711), then a report of RFC 3810.
        let report = [58, 0, 5, 2, 0, 0, 1, 0, 143, 0, 0, 0, 0, 0, 0, 0];
        no_drop(ip_packet(from, v6("ff02::16"), IpProtocol::HopByHop, 16, |icmp| {
            icmp.copy_from_slice(&report);
        }));
        // The same behind 8 more bytes of padding.
        let mut padded = [0; 24];
        padded[..8].copy_from_slice(&[58, 1, 5, 2, 0, 0, 1, 8]);
        padded[16] = 143;
        no_drop(ip_packet(from, v6("ff02::16"), IpProtocol::HopByHop, 24, |icmp| {
            icmp.copy_from_slice(&padded);
        }));
    }
}

/// A new server says nothing about this packet, and counts no drop.
#[track_caller]
fn no_drop(packet: Vec<u8>) {
    let mut net = net();
    net.arrive(packet);
    net.nothing_sent();
    assert!(DropReason::ALL.iter().all(|&reason| net.stats().dropped(reason) == 0), "{}", net.stats());
}

#[cfg(feature = "ipv6")]
#[test]
fn a_datagram_to_a_group_is_dropped_though_it_begins_like_a_report() {
    let mut net = net();
    // Behind a router alert, a UDP header whose first byte is MLD's number of a report.
    let datagram = [17, 0, 5, 2, 0, 0, 1, 0, 143, 0, 0, 9, 0, 8, 0, 0];
    net.arrive(ip_packet(super::fixture::CLIENT_V6, v6("ff02::16"), IpProtocol::HopByHop, 16, |payload| {
        payload.copy_from_slice(&datagram);
    }));
    net.nothing_sent();
    net.dropped_only(DropReason::Broadcast, 1);
}
