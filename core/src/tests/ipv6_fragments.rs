//! IPv6 fragments (RFC 8200, section 4.5): reassembly, and what is said about fragments that cannot be.

use std::vec::Vec;

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::Psh;
use smoltcp::wire::{IpEndpoint, IpProtocol};

use super::extension_headers::{DESTINATION, FRAGMENT, Header, PADDING, behind, dropped, take_problem};
use super::fixture::{CLIENT_V6 as CLIENT, SERVER_V6 as SERVER, TICK, ethernet, net};
use super::fragments::{CLIENT_PORT, arrive_all, arrive_in_any_order};
use super::packets::{Icmp, icmp, ip_packet, ping, udp_packet};
use super::peer::{letters, peer_from, upper};
use super::udp::{question, take_reply};
use crate::DropReason;

/// This packet, cut behind its IPv6 header into fragments with this much data each.
fn fragments(packet: &[u8], length: usize, ident: u8) -> Vec<Vec<u8>> {
    fragments_behind(&[], packet, length, ident)
}

/// The same, with these headers in each before the fragment header.
fn fragments_behind(headers: &[Header<'_>], packet: &[u8], length: usize, ident: u8) -> Vec<Vec<u8>> {
    let payload = &packet[40..];
    let cut = |(offset, part): (usize, &[u8])| {
        let more = offset + part.len() < payload.len();
        let [high, low] = (u16::try_from(offset).unwrap() | u16::from(more)).to_be_bytes();
        let header = [0, high, low, 0, 0, 0, ident];
        let headers: Vec<Header<'_>> = headers.iter().copied().chain([(FRAGMENT, &header[..])]).collect();
        behind(&headers, [&packet[..40], part].concat())
    };
    (0..).step_by(length).zip(payload.chunks(length)).map(cut).collect()
}

fn long_question(length: usize) -> Vec<u8> {
    question(CLIENT, CLIENT_PORT, SERVER, &letters(length))
}

#[test]
fn fragments_in_any_order_make_a_datagram() {
    let parts = fragments(&long_question(1900), 680, 1);
    arrive_in_any_order(&parts, (CLIENT, SERVER), net);
    arrive_in_any_order(&parts, (CLIENT, SERVER), || ethernet(|_| {}));
}

/// RFC 8200, section 5: a node takes 1500 bytes.
#[test]
fn up_to_2048_bytes_behind_the_header_are_put_together() {
    let mut net = net();
    arrive_all(&mut net, fragments(&long_question(2040), 1232, 1)); // and 8 of the UDP header
    assert_eq!(take_reply(&mut net, CLIENT, CLIENT_PORT, SERVER).len(), 1024);
    arrive_all(&mut net, fragments(&long_question(2041), 1232, 2));
    net.nothing_sent();
    net.dropped_only(DropReason::Fragment, 1);
}

#[test]
fn tcp_ping_and_headers_in_fragments_are_served() {
    let mut net = net();
    let mut peer = peer_from(CLIENT, SERVER, 40_000);
    peer.connect(&mut net);
    let segment = peer.segment(Psh, peer.next, Some(peer.acked), &letters(200));
    arrive_all(&mut net, fragments(&segment, 64, 1));
    peer.next += 200;
    assert!(peer.take_data(&mut net) == upper(&letters(200)));

    arrive_all(&mut net, fragments(&ping(CLIENT, SERVER, &letters(1400)), 1024, 2));
    assert_eq!(icmp(&net.next_sent()), (SERVER, CLIENT, Icmp::EchoReply(letters(1400))));

    // Before the fragment header, and behind it.
    let extended = behind(&[(DESTINATION, PADDING)], long_question(1000));
    arrive_all(&mut net, fragments_behind(&[(DESTINATION, PADDING)], &extended, 512, 3));
    assert!(take_reply(&mut net, CLIENT, CLIENT_PORT, SERVER) == upper(&letters(1000)));
}

/// The reply would have to be cut into fragments, too: that is not done.
#[test]
fn a_ping_that_is_longer_than_the_mtu_is_not_answered() {
    let mut net = net();
    arrive_all(&mut net, fragments(&ping(CLIENT, SERVER, &letters(2000)), 1024, 2));
    net.nothing_sent();
}

#[test]
fn fragments_of_other_senders_or_numbers_do_not_mix() {
    let mut net = net();
    let ours = fragments(&long_question(1600), 808, 1);
    let later = fragments(&long_question(1600), 808, 2);
    arrive_all(&mut net, [ours[0].clone(), later[1].clone()]);
    net.nothing_sent();
    // The number has four bytes.
    let mut other = ours[1].clone();
    other[44] = 1;
    net.arrive(other);
    net.nothing_sent();
    net.arrive(ours[1].clone());
    assert_eq!(take_reply(&mut net, CLIENT, CLIENT_PORT, SERVER).len(), 1024);
}

/// RFC 5722: neither is a part of anything.
#[test]
fn overlapping_fragments_throw_the_datagram_away() {
    let mut net = net();
    let parts = fragments(&long_question(1600), 808, 1);
    let other = fragments(&long_question(1600), 816, 1);
    arrive_all(&mut net, [parts[0].clone(), other[0].clone(), parts[1].clone()]);
    net.nothing_sent();
    assert_eq!(net.stats().datagrams_in, 0);
}

#[test]
fn orphans_give_way_after_2_seconds_without_a_word() {
    let mut net = net();
    let orphans = (0..4).map(|ident| fragments(&long_question(1600), 808, ident).swap_remove(0));
    arrive_all(&mut net, orphans);
    net.pass(Duration::from_secs(2) - TICK);
    arrive_all(&mut net, fragments(&long_question(1600), 808, 9));
    net.nothing_sent();
    net.pass(TICK + TICK);
    net.nothing_sent();
    arrive_all(&mut net, fragments(&long_question(1600), 808, 10));
    assert_eq!(take_reply(&mut net, CLIENT, CLIENT_PORT, SERVER).len(), 1024);
}

#[test]
fn a_fragment_that_cannot_be_one_is_a_problem() {
    // Not the last, and its data ends between two blocks of 8 bytes: the payload length is at fault.
    let mut net = net();
    let packet = behind(&[(FRAGMENT, &[0, 0, 9, 0, 0, 0, 1])], long_question(5));
    net.arrive(packet.clone());
    assert_eq!(take_problem(&mut net, &packet), (0, 4));
    // Its data ends beyond 65,535 bytes: the offset is at fault.
    let packet =
        behind(&[(DESTINATION, PADDING), (FRAGMENT, &[0, 0xff, 0xf8, 0, 0, 0, 1])], long_question(8));
    net.arrive(packet.clone());
    assert_eq!(take_problem(&mut net, &packet), (0, 50));
    // It ends with the last of them: nothing is wrong with it, but that it is of a longer packet than is put together.
    let mut packet = behind(&[(FRAGMENT, &[0, 0xff, 0xf8, 0, 0, 0, 1])], long_question(0));
    packet.pop();
    packet[5] -= 1;
    net.arrive(packet);
    net.nothing_sent();
    net.dropped_only(DropReason::Fragment, 1);
}

#[test]
fn a_first_fragment_may_have_no_more_than_the_headers() {
    let mut net = net();
    arrive_all(&mut net, fragments(&long_question(16), 8, 1));
    assert!(take_reply(&mut net, CLIENT, CLIENT_PORT, SERVER) == upper(&letters(16)));
}

/// RFC 7112: the first fragment has all headers.
#[test]
fn a_first_fragment_without_all_headers_is_a_problem() {
    let udp = long_question(32);
    let segment = peer_from(CLIENT, SERVER, 40_000).segment(Psh, 1, Some(1), &letters(32));
    for packet in [
        behind(&[(DESTINATION, &[0; 15])], udp.clone()), // cut inside the options
        behind(&[(DESTINATION, PADDING)], udp.clone()),  // behind them
        segment,                                         // inside TCP's header
    ] {
        let mut net = net();
        let mut packet = packet;
        if packet[6] == DESTINATION && packet[42] == 0 {
            packet[41] = 1;
        }
        let first = fragments(&packet, 8, 1).swap_remove(0);
        net.arrive(first.clone());
        assert_eq!(take_problem(&mut net, &first), (3, 0));
    }
    // What other fragments begin with is nobody's header.
    let mut net = net();
    net.arrive(fragments(&udp, 8, 1).swap_remove(1));
    net.nothing_sent();
    net.dropped_only(DropReason::Fragment, 0);
}

/// RFC 6980.
#[test]
fn neighbour_discovery_and_errors_do_not_come_in_fragments() {
    for kind in [1, 133, 135, 136, 137] {
        let message = ip_packet(CLIENT, SERVER, IpProtocol::Icmpv6, 24, |message| message[0] = kind);
        dropped(fragments(&message, 16, 1).swap_remove(0), DropReason::ExtensionHeader);
    }
}

#[test]
fn a_fragment_of_fragments_is_dropped() {
    let first: Header<'_> = (FRAGMENT, &[0, 0, 1, 0, 0, 0, 1]);
    for count in [2, 9, 180] {
        dropped(behind(&std::vec![first; count], long_question(8)), DropReason::Fragment);
    }
}

#[test]
fn an_error_about_a_datagram_in_fragments_quotes_it() {
    let mut net = net();
    let datagram =
        udp_packet(IpEndpoint::new(CLIENT, CLIENT_PORT), IpEndpoint::new(SERVER, 9), &letters(1600));
    arrive_all(&mut net, fragments(&datagram, 808, 77));
    let error = net.next_sent();
    assert_eq!((icmp(&error).2, error.len()), (Icmp::PortUnreachable, 1280));
    assert!(error[48..] == datagram[..1232]);
}
