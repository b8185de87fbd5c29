//! IPv6 extension headers: what stands behind them is served, and what is wrong with them is said.

use std::vec::Vec;

use smoltcp::wire::{IpEndpoint, IpProtocol};

use super::fixture::{CLIENT_V6 as CLIENT, Net, SERVER_V6 as SERVER, ethernet, net, net_from, storage};
use super::packets::{Icmp, icmp, ip, ip_packet, ping, udp_packet};
use super::peer::{letters, peer_from, upper};
use super::udp::{question, take_reply};
use crate::DropReason;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
pub(super) const FRAGMENT: u8 = 44;
pub(super) const DESTINATION: u8 = 60;

/// An extension header: its number and what follows its Next Header field.
pub(super) type Header<'h> = (u8, &'h [u8]);

pub(super) const PADDING: &[u8] = &[0, 1, 4, 0, 0, 0, 0];
const SINGLE_PADDING: &[u8] = &[0, 0, 0, 0, 0, 0, 0];
const ROUTER_ALERT: &[u8] = &[0, 5, 2, 0, 0, 1, 0];
/// Unknown, of a type that says: skip.
const SKIPPABLE: &[u8] = &[1, 0x3e, 3, 1, 2, 3, 0x1e, 7, 1, 2, 3, 4, 5, 6, 7];
const ROUTE_AT_ITS_END: &[u8] = &[0, 0, 0, 0, 0, 0, 0];
const UNKNOWN_ROUTE_AT_ITS_END: &[u8] =
    &[2, 99, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
/// The reserved bits mean nothing.
const ATOMIC: &[u8] = &[0xaa, 0, 6, 1, 2, 3, 4];

/// The packet with these headers before its payload.
#[expect(clippy::needless_pass_by_value, reason = "each caller made it for this")]
pub(super) fn behind(headers: &[Header<'_>], packet: Vec<u8>) -> Vec<u8> {
    let mut named_at = 6;
    let mut extended = packet[..40].to_vec();
    for &(number, content) in headers {
        extended[named_at] = number;
        named_at = extended.len();
        extended.push(0);
        extended.extend_from_slice(content);
    }
    extended[named_at] = packet[6];
    extended.extend_from_slice(&packet[40..]);
    let length = u16::try_from(extended.len() - 40).unwrap();
    extended[4..6].copy_from_slice(&length.to_be_bytes());
    extended
}

const SKIPPED: &[&[Header<'_>]] = &[
    &[(HOP_BY_HOP, PADDING)],
    &[(HOP_BY_HOP, SINGLE_PADDING)],
    &[(HOP_BY_HOP, ROUTER_ALERT)],
    &[(HOP_BY_HOP, SKIPPABLE)],
    &[(DESTINATION, PADDING)],
    &[(DESTINATION, SKIPPABLE)],
    &[(ROUTING, ROUTE_AT_ITS_END)],
    &[(ROUTING, UNKNOWN_ROUTE_AT_ITS_END)],
    &[(FRAGMENT, ATOMIC)],
    // In the order of RFC 8200, section 4.1, and in another, some of them more than once.
    &[
        (HOP_BY_HOP, SKIPPABLE),
        (DESTINATION, PADDING),
        (ROUTING, ROUTE_AT_ITS_END),
        (FRAGMENT, ATOMIC),
        (DESTINATION, SKIPPABLE),
    ],
    &[(FRAGMENT, ATOMIC), (DESTINATION, PADDING), (DESTINATION, PADDING), (ROUTING, ROUTE_AT_ITS_END)],
    &[(DESTINATION, PADDING); 8],
];

fn probe() -> Vec<u8> {
    question(CLIENT, 50_000, SERVER, b"hello")
}

/// Takes the next packet, which must be a Parameter Problem about this packet. Returns its code and pointer.
#[track_caller]
pub(super) fn take_problem(net: &mut Net, about: &[u8]) -> (u8, u32) {
    let error = net.next_sent();
    let (from, to, protocol, message) = ip(&error);
    assert_eq!((from, to, protocol, message[0]), (SERVER, CLIENT, IpProtocol::Icmpv6, 4));
    let mut copy = message.to_vec();
    super::packets::fill_icmp_checksum(from, to, &mut copy);
    assert!(copy == message, "its checksum is wrong");
    assert!(message[8..] == about[..about.len().min(1232)]);
    net.nothing_sent();
    (message[1], u32::from_be_bytes([message[4], message[5], message[6], message[7]]))
}

/// A server that has done nothing yet drops this packet, for this reason, without a word.
#[track_caller]
pub(super) fn dropped(packet: Vec<u8>, reason: DropReason) {
    let mut net = net();
    net.arrive(packet);
    net.nothing_sent();
    net.dropped_only(reason, 1);
    assert_eq!(net.last.deadline, None);
}

#[test]
fn tcp_udp_and_ping_are_served_behind_headers_that_are_to_be_skipped() {
    for headers in SKIPPED {
        for mut net in [net(), ethernet(|_| {})] {
            let mut peer = peer_from(CLIENT, SERVER, 40_000);
            let syn = peer.segment(smoltcp::wire::TcpControl::Syn, 0, None, &[]);
            net.arrive(behind(headers, syn));
            peer.take_syn_ack(&mut net);
            peer.ack(&mut net);
            let data = letters(400);
            let segment = peer.segment(smoltcp::wire::TcpControl::Psh, peer.next, Some(peer.acked), &data);
            net.arrive(behind(headers, segment));
            peer.next += 400;
            assert!(peer.take_data(&mut net) == upper(&data));

            net.arrive(behind(headers, probe()));
            assert_eq!(take_reply(&mut net, CLIENT, 50_000, SERVER), b"HELLO");
            net.arrive(behind(headers, ping(CLIENT, SERVER, b"data")));
            assert_eq!(icmp(&net.next_sent()), (SERVER, CLIENT, Icmp::EchoReply(b"data".to_vec())));
            assert!(DropReason::ALL.iter().all(|&reason| net.stats().dropped(reason) == 0));
        }
    }
}

/// RFC 8200, section 4.2.
#[test]
fn an_unknown_option_is_dealt_with_as_its_type_says() {
    for number in [HOP_BY_HOP, DESTINATION] {
        for kind in [0x80_u8, 0xbf, 0xc2, 0xff] {
            let option = [0, 1, 0, kind, 2, 9, 9];
            let mut net = net();
            let packet = behind(&[(number, &option)], probe());
            net.arrive(packet.clone());
            assert_eq!(take_problem(&mut net, &packet), (2, 44), "{kind:#04x}");
            let packet = behind(&[(HOP_BY_HOP, SKIPPABLE), (DESTINATION, &option)], probe());
            net.arrive(packet.clone());
            assert_eq!(take_problem(&mut net, &packet), (2, 60));
            assert_eq!(net.stats().datagrams_in, 0);
        }
        dropped(behind(&[(number, &[0, 0x40, 4, 0, 0, 0, 0])], probe()), DropReason::ExtensionHeader);
    }
}

#[test]
fn a_route_that_goes_on_is_a_problem() {
    for kind in [0, 3, 99] {
        let mut net = net();
        let packet = behind(&[(DESTINATION, PADDING), (ROUTING, &[0, kind, 1, 0, 0, 0, 0])], probe());
        net.arrive(packet.clone());
        assert_eq!(take_problem(&mut net, &packet), (0, 50));
    }
}

#[test]
fn an_unknown_header_is_pointed_at_where_it_is_named() {
    for number in [50, 51, 132, 135, 253, 1] {
        let unknown = ip_packet(CLIENT, SERVER, IpProtocol::from(number), 16, |_| {});
        for (headers, pointer) in [
            (&[][..], 6),
            (&[(HOP_BY_HOP, PADDING)], 40),
            (&[(DESTINATION, SKIPPABLE), (FRAGMENT, ATOMIC)], 56),
        ] {
            let mut net = net();
            let packet = behind(headers, unknown.clone());
            net.arrive(packet.clone());
            assert_eq!(take_problem(&mut net, &packet), (1, pointer), "{number}");
        }
    }
    // Hop-by-hop options stand first or are unknown.
    let mut net = net();
    let packet = behind(&[(DESTINATION, PADDING), (HOP_BY_HOP, PADDING)], probe());
    net.arrive(packet.clone());
    assert_eq!(take_problem(&mut net, &packet), (1, 40));
}

#[test]
fn there_are_no_problems_with_errors() {
    for (kind, silent) in [(1, true), (4, true), (127, true), (137, true), (128, false), (200, false)] {
        let message = ip_packet(CLIENT, SERVER, IpProtocol::Icmpv6, 16, |message| message[0] = kind);
        for headers in [
            &[(HOP_BY_HOP, &[0, 0x80, 4, 0, 0, 0, 0][..])][..],
            &[(DESTINATION, &[0, 0x80, 4, 0, 0, 0, 0]), (ROUTING, ROUTE_AT_ITS_END)],
            &[(FRAGMENT, ATOMIC), (ROUTING, &[0, 0, 1, 0, 0, 0, 0])],
        ] {
            let packet = behind(headers, message.clone());
            if silent {
                dropped(packet, DropReason::ExtensionHeader);
            } else {
                let mut net = net();
                net.arrive(packet.clone());
                take_problem(&mut net, &packet);
            }
        }
    }
}

#[test]
fn answers_about_closed_ports_quote_the_headers_too() {
    let mut net = net();
    let headers = [(HOP_BY_HOP, SKIPPABLE), (FRAGMENT, ATOMIC)];
    let datagram = udp_packet(IpEndpoint::new(CLIENT, 50_000), IpEndpoint::new(SERVER, 9), b"x");
    let packet = behind(&headers, datagram);
    net.arrive(packet.clone());
    let error = net.next_sent();
    assert_eq!(icmp(&error).2, Icmp::PortUnreachable);
    assert!(error[48..] == packet);

    let segment = peer_from(CLIENT, SERVER, 40_000).segment(smoltcp::wire::TcpControl::Syn, 0, None, &[]);
    let segment = super::packets::retouched(segment, |tcp| tcp[3] += 1);
    net.arrive(behind(&headers, segment));
    let rst = net.next_sent();
    assert_eq!((ip(&rst).2, ip(&rst).3[13]), (IpProtocol::Tcp, 0x14));
}

#[test]
fn what_is_not_served_is_dropped() {
    dropped(behind(&[(DESTINATION, PADDING); 9], probe()), DropReason::ExtensionHeader);
    let nothing = ip_packet(CLIENT, SERVER, IpProtocol::Ipv6NoNxt, 16, |_| {});
    dropped(nothing.clone(), DropReason::ExtensionHeader);
    dropped(behind(&[(HOP_BY_HOP, PADDING)], nothing), DropReason::ExtensionHeader);
    // RFC 6980: neighbour discovery.
    let solicitation = ip_packet(CLIENT, SERVER, IpProtocol::Icmpv6, 24, |message| message[0] = 135);
    dropped(behind(&[(FRAGMENT, ATOMIC)], solicitation), DropReason::ExtensionHeader);
}

#[test]
fn headers_that_do_not_fit_are_malformed() {
    for number in [HOP_BY_HOP, DESTINATION, ROUTING, FRAGMENT] {
        let empty = ip_packet(CLIENT, SERVER, IpProtocol::from(number), 0, |_| {});
        dropped(empty, DropReason::Malformed);
        for length in 1..8 {
            let cut = ip_packet(CLIENT, SERVER, IpProtocol::from(number), length, |header| header[0] = 17);
            dropped(cut, DropReason::Malformed);
        }
    }
    for number in [HOP_BY_HOP, DESTINATION, ROUTING] {
        let long = ip_packet(CLIENT, SERVER, IpProtocol::from(number), 16, |header| header[1] = 2);
        dropped(long, DropReason::Malformed);
    }
    for option in [[0, 1, 5, 0, 0, 0, 0], [0, 1, 3, 0, 0, 0, 1], [0, 0x3e, 255, 0, 0, 0, 0]] {
        dropped(behind(&[(DESTINATION, &option)], probe()), DropReason::Malformed);
    }
    // Nor what is behind them.
    let datagram = behind(&[(DESTINATION, PADDING)], probe());
    let mut wrong = datagram.clone();
    *wrong.last_mut().unwrap() ^= 1;
    dropped(wrong, DropReason::Checksum);
    let mut short = datagram;
    short.truncate(52);
    short[5] = 12;
    dropped(short, DropReason::Malformed);
}

#[test]
fn a_packet_of_2048_bytes_is_served_and_a_longer_one_dropped() {
    let mut net = net_from(storage(1, 1024, 0), 9000, |_| {});
    let headers = [(DESTINATION, PADDING)];
    // Of which the headers are not rewritten.
    net.arrive(behind(&headers, question(CLIENT, 50_000, SERVER, &letters(2000))));
    assert!(take_reply(&mut net, CLIENT, 50_000, SERVER) == upper(&letters(1024)));
    net.arrive(behind(&headers, question(CLIENT, 50_000, SERVER, &letters(2001))));
    net.nothing_sent();
    net.dropped_only(DropReason::ExtensionHeader, 1);
    assert_eq!(net.server.stats().datagrams_in, 1);
}
