//! Datagrams that would be sent back and forth for ever (CVE-2024-2169).

use smoltcp::time::Duration;
use smoltcp::wire::IpEndpoint;

use super::fixture::{CLIENT, FAMILIES, Net, PORT, net};
use super::packets::{udp, udp_packet};
use super::peer::letters;
use super::udp::{question, take_reply};
use crate::DropReason;

/// Another service on the client's address sends back what it gets, until no reply comes. Returns how often it did.
#[track_caller]
fn loop_until_silence(net: &mut Net, data: &[u8]) -> usize {
    let service = 8081;
    net.arrive(question(CLIENT, service, super::fixture::SERVER, data));
    let mut turns = 0;
    while let Some(packet) = net.wire.sent.pop_front() {
        let (from, to, payload) = udp(&packet);
        let answer = udp_packet(to, from, payload);
        net.now += Duration::from_micros(20);
        net.arrive(answer);
        turns += 1;
        assert!(turns < 1000, "it goes on for ever");
    }
    turns
}

#[test]
fn a_loop_with_another_service_ends() {
    let mut net = net();
    let turns = loop_until_silence(&mut net, b"hello");
    assert!((100..110).contains(&turns), "{turns}");
    net.dropped_only(DropReason::EchoLimit, 1);
    // There is little left for the next one, and it is another that ends it.
    let turns = loop_until_silence(&mut net, &letters(1400));
    assert!(turns < 10, "{turns}");
}

#[test]
fn who_has_nothing_to_be_changed_is_answered() {
    for &(client, server) in FAMILIES {
        let mut net = net();
        for data in [&b"HELLO"[..], b"", b"12345", &[0xff; 1024]] {
            for _ in 0..25 {
                net.arrive(question(client, 50_000, server, data));
                assert_eq!(take_reply(&mut net, client, 50_000, server), data);
            }
        }
        net.arrive(question(client, 50_000, server, b"HELLO"));
        net.nothing_sent();
        net.dropped_only(DropReason::EchoLimit, 1);
        // Others are answered, from another port too, and what is to be changed is.
        net.arrive(question(client, 50_001, server, b"HELLO"));
        assert_eq!(take_reply(&mut net, client, 50_001, server), b"HELLO");
        for _ in 0..1000 {
            net.arrive(question(client, 50_000, server, b"hello"));
            assert_eq!(take_reply(&mut net, client, 50_000, server), b"HELLO");
        }
        // And whoever asks 50 times a second.
        for _ in 0..1000 {
            net.pass(Duration::from_millis(20));
            net.arrive(question(client, 50_000, server, b"HELLO"));
            assert_eq!(take_reply(&mut net, client, 50_000, server), b"HELLO");
        }
    }
}

#[test]
fn services_that_answer_whatever_they_get_are_not_answered() {
    for &(client, server) in FAMILIES {
        let mut net = net();
        for (port, count) in [0, PORT, 7, 11, 13, 17, 19, 37, 53, 69, 123].into_iter().zip(1..) {
            net.arrive(question(client, port, server, b"hello"));
            net.nothing_sent();
            net.dropped_only(DropReason::EchoLoop, count);
        }
        assert_eq!(net.stats().datagrams_in, 0);
    }
}

#[test]
fn a_flood_of_forged_sources_draws_no_more_than_the_table_has_room_for() {
    let mut net = net();
    let mut replies = 0;
    for port in 1024..60_000 {
        net.arrive(udp_packet(
            IpEndpoint::new(CLIENT, port),
            IpEndpoint::new(super::fixture::SERVER, PORT),
            b"X",
        ));
        replies += net.wire.sent.drain(..).count();
    }
    assert!(replies <= 256 * 100, "{replies}");
}
