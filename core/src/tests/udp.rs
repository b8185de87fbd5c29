//! UDP: one reply for one datagram, from the address that was asked.

use core::net::SocketAddr;
use std::vec::Vec;

use smoltcp::wire::{IpAddress, IpCidr, IpEndpoint};

use super::fixture::{
    CLIENT, FAMILIES, Net, PORT, SERVER, net, net_from, net_with, net_with_handler, storage,
};
use super::handlers::script;
use super::packets::{udp, udp_packet, with_udp_checksum};
use super::peer::{letters, upper};
use crate::{DropReason, Handler, Next, Reply, Stream};

pub(super) const CLIENT_PORT: u16 = 50_000;

/// A datagram from this port of the client.
pub(super) fn question(from: IpAddress, port: u16, to: IpAddress, payload: &[u8]) -> Vec<u8> {
    udp_packet(IpEndpoint::new(from, port), IpEndpoint::new(to, PORT), payload)
}

/// Takes the next packet, which must be the server's reply to this port of the client.
#[track_caller]
pub(super) fn take_reply(net: &mut Net, to: IpAddress, port: u16, from: IpAddress) -> Vec<u8> {
    let packet = net.next_sent();
    let (source, destination, payload) = udp(&packet);
    assert_eq!((source, destination), (IpEndpoint::new(from, PORT), IpEndpoint::new(to, port)));
    payload.to_vec()
}

/// Sends a datagram and takes the reply, the only one, and at once.
#[track_caller]
fn ask(net: &mut Net, from: IpAddress, to: IpAddress, payload: &[u8]) -> Vec<u8> {
    net.arrive(question(from, CLIENT_PORT, to, payload));
    let reply = take_reply(net, from, CLIENT_PORT, to);
    net.nothing_sent();
    reply
}

#[test]
fn a_datagram_comes_back_in_upper_case_and_is_cut_at_1024_bytes() {
    for &(client, server) in FAMILIES {
        let mut net = net();
        let mut count = 0;
        let mut bytes = (0, 0);
        for length in [0, 1, 2, 511, 1023, 1024, 1025, 1452, 1472] {
            if length == 1472 && client != CLIENT {
                continue; // the header of IPv6 is longer by 20 bytes
            }
            let data = letters(length);
            assert!(ask(&mut net, client, server, &data) == upper(&data[..length.min(1024)]), "{length}");
            count += 1;
            bytes = (bytes.0 + length as u64, bytes.1 + length.min(1024) as u64);
        }
        assert_eq!((net.stats().datagrams_in, net.stats().datagrams_out), (count, count));
        assert_eq!((net.stats().datagram_bytes_in, net.stats().datagram_bytes_out), bytes);
        assert_eq!(net.last.deadline, None);
    }
}

#[test]
fn a_datagram_as_long_as_the_largest_mtu_is_answered() {
    let mut net = net_from(storage(1, 1024, 0), 65_535, |_| {});
    let data = letters(65_507);
    assert!(ask(&mut net, CLIENT, SERVER, &data) == upper(&data[..1024]));
}

#[test]
fn only_ascii_letters_change() {
    let every: Vec<u8> = (0..=255).collect();
    assert_eq!(ask(&mut net(), CLIENT, SERVER, &every), every.to_ascii_uppercase());
}

#[test]
fn datagrams_that_come_together_are_answered_one_by_one_and_in_order() {
    let mut net = net();
    for length in 0..50 {
        net.wire.arriving.push_back(question(CLIENT, CLIENT_PORT, SERVER, &letters(length)));
    }
    net.poll();
    for length in 0..50 {
        assert_eq!(take_reply(&mut net, CLIENT, CLIENT_PORT, SERVER), upper(&letters(length)));
    }
    net.nothing_sent();
}

#[test]
fn the_reply_comes_from_the_address_that_was_asked() {
    let mut net = net_with::<2>(|config| {
        for last in 2..=7 {
            if !config.addresses.is_full() {
                config.addresses.push(IpCidr::new(IpAddress::v4(198, 51, 100, last), 24)).unwrap();
            }
        }
    });
    let clients = [CLIENT, IpAddress::v4(198, 51, 100, 200), IpAddress::v4(203, 0, 113, 5)];
    for client in clients {
        for last in [7, 2, 4] {
            let address = IpAddress::v4(198, 51, 100, last);
            assert_eq!(ask(&mut net, client, address, b"you"), b"YOU");
        }
        assert_eq!(ask(&mut net, client, SERVER, b"you"), b"YOU");
    }
}

#[test]
fn a_checksum_may_be_absent_over_ipv4_only() {
    for &(client, server) in FAMILIES {
        let mut net = net();
        net.arrive(with_udp_checksum(question(client, CLIENT_PORT, server, b"x"), |_| 0));
        if client == CLIENT {
            assert_eq!(take_reply(&mut net, client, CLIENT_PORT, server), b"X");
        } else {
            net.nothing_sent();
            net.dropped_only(DropReason::Checksum, 1);
        }
    }
}

#[test]
fn the_port_is_configured() {
    let mut net = net_with::<2>(|config| config.port = 7);
    net.arrive(udp_packet(IpEndpoint::new(CLIENT, PORT), IpEndpoint::new(SERVER, 7), b"x"));
    let packet = net.next_sent();
    assert_eq!(udp(&packet), (IpEndpoint::new(SERVER, 7), IpEndpoint::new(CLIENT, PORT), &b"X"[..]));
    net.arrive(udp_packet(IpEndpoint::new(CLIENT, 7), IpEndpoint::new(SERVER, 7), b"x"));
    net.dropped_only(DropReason::EchoLoop, 1);
}

#[test]
fn a_handler_without_datagrams_answers_none() {
    let mut net = script(|_, _| Next::Continue);
    net.arrive(question(CLIENT, CLIENT_PORT, SERVER, b"anybody?"));
    net.nothing_sent();
    assert_eq!((net.stats().datagrams_in, net.stats().datagrams_out), (1, 0));
}

#[test]
fn the_longest_reply_to_a_datagram_is_1024_bytes() {
    struct Longest;

    impl Handler for Longest {
        type State = ();

        fn open(&mut self, _: SocketAddr) -> Option<()> {
            None
        }

        fn stream(&mut self, (): &mut (), _: &mut Stream<'_, '_>) -> Next {
            Next::Abort
        }

        fn datagram(&mut self, peer: SocketAddr, request: &[u8], reply: &mut Reply) -> bool {
            assert_eq!((peer.port(), request, reply.len()), (CLIENT_PORT, &b"say"[..], 0));
            while reply.push(b'x').is_ok() {}
            true
        }
    }

    let mut net = net_with_handler::<1024, _>(Longest);
    net.arrive(question(CLIENT, CLIENT_PORT, SERVER, b"say"));
    assert_eq!(udp(&net.next_sent()).2, [b'x'; 1024]);
}
