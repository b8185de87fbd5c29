//! The claims of the teaching note (`tests/e2e/note/README.md`) that need loss or virtual time.
//! `tests/e2e/note_claims.rs` has all seven, on Linux.

use shout_tests::app::{Outcome, Pace};
use shout_tests::content::Content;
use shout_tests::ethernet::Neighbour;
use shout_tests::link::Faults;
use shout_tests::memory::ServerMemory;
use shout_tests::network::Network;
use shout_tests::scenario::{BEGIN, Scenario, TcpClientSpec, UdpClientSpec};
use shout_tests::single_server::{ServerSetup, SingleServer};
use shout_tests::udp_client::Request;
use shout_tests::wire::{ACK, PSH};
use smoltcp::time::{Duration, Instant};

use crate::run::run;

/// "TCP is a reliable protocol: only when the other end has answered with an ACK is the data deleted from one's own
/// memory."
#[test]
fn claim_1_tcp_is_reliable_nothing_is_lost_when_packets_are() {
    let mut scenario =
        Scenario { faults: Faults { duplicate: 20, corrupt: 20, ..Faults::loss(50) }, ..Scenario::new(1) };
    scenario.tcp_clients = (0..16).map(|index| TcpClientSpec::new(BEGIN, 30_000 + index)).collect();
    let tally = run(&scenario);
    assert_eq!(tally.outcomes.get(&Outcome::Served), Some(&16), "{tally:?}");
    assert!(tally.faults.lost > 50 && tally.faults.corrupted > 10, "{tally:?}");
}

/// "TCP has the problem of sticky packets."
#[test]
fn claim_2_tcp_is_a_stream_messages_stick_together_or_are_split() {
    let mut memory = ServerMemory::new(1, 1024, 0);
    let mut single = SingleServer::new(ServerSetup::USUAL, &mut memory, |_| {});
    let peer = Neighbour { mac: [2; 6], address: Scenario::address(0, false) };
    assert!(single.connect(&peer, 40_000, 0));
    single.sent.clear();

    // Two messages of 60 bytes each, and a window of 100 = 60 + 40, so that the second echo leaves as 40 + 20.
    let from = (peer.address, 40_000).into();
    for first in [1, 61] {
        let mut message = single.segment(from, first, ACK | PSH);
        message.payload = Content(2).part(first - 1, 60);
        message.window = if first == 1 { 100 } else { 40 };
        single.arrive_from(&peer, &message.to_packet());
        single.poll();
    }
    // A part that is smaller than a segment, and not all, waits for the persist timer: 206 ms, as the round trip took no time.
    single.pass(Duration::from_millis(250));
    let mut acknowledgement = single.segment(from, 121, ACK);
    acknowledgement.window = 60_000;
    single.arrive_from(&peer, &acknowledgement.to_packet());
    single.poll();

    let lengths: Vec<_> =
        single.sent.iter().map(|segment| segment.payload.len()).filter(|&n| n > 0).collect();
    assert_eq!(lengths, [60, 40, 20], "one message came back whole, and the other in two parts");
    let echo: Vec<u8> = single.sent.iter().flat_map(|segment| segment.payload.clone()).collect();
    Content(2).assert_echo(0, &echo);
}

/// "UDP is an unreliable protocol: a message is deleted as soon as it is sent, whether the other end has received it or
/// not."
#[test]
fn claim_4_udp_sends_and_forgets_a_lost_datagram_is_not_sent_again() {
    let request = |seconds| Request { at: BEGIN + secs(seconds), payload: b"lost".to_vec(), replies: 0 };
    let udp_client = UdpClientSpec { ipv6: false, requests: vec![request(0), request(1000), request(2000)] };
    let mut memory = ServerMemory::new(1, 1024, 0);
    let mut network = Network::new(Scenario::new(4), &mut memory);
    network.add_udp_client(&udp_client);

    // The first request arrives, and its reply is lost.
    network.pass(Duration::ZERO);
    network.link.faults.lose = 1000;
    network.pass(secs(500));
    assert_eq!(
        (network.stats().datagrams_in, network.stats().datagrams_out, network.link.done.lost),
        (1, 1, 1)
    );
    // The second one is lost itself.
    network.pass(secs(1000));
    assert_eq!(
        (network.stats().datagrams_in, network.stats().datagrams_out, network.link.done.lost),
        (1, 1, 2)
    );
    // The third one and its reply arrive.
    network.link.faults.lose = 0;
    network.pass(secs(1000));
    assert_eq!((network.stats().datagrams_in, network.stats().datagrams_out), (2, 2));
    let replies: Vec<u32> = network
        .udp_clients()
        .flat_map(|udp_client| &udp_client.requests)
        .map(|request| request.replies)
        .collect();
    assert_eq!(replies, [0, 0, 1]);
}

/// "Each send is one whole datagram and corresponds to exactly one receive, so UDP has no sticky packets."
#[test]
fn claim_5_udp_keeps_boundaries_datagrams_never_stick_together() {
    let lengths = [0, 1, 1, 0, 500, 1023, 1024, 1025, 1472, 0];
    let request = |(at, length)| Request { at: BEGIN, payload: Content(5).part(at, length), replies: 0 };
    let udp_client = UdpClientSpec { ipv6: false, requests: (0..).zip(lengths).map(request).collect() };
    let mut memory = ServerMemory::new(1, 1024, 0);
    let mut network = Network::new(Scenario::new(5), &mut memory);
    network.add_udp_client(&udp_client);
    network.pass(secs(1));
    // Each was compared with its request as it arrived.
    assert!(
        network.udp_clients().flat_map(|udp_client| &udp_client.requests).all(|request| request.replies == 1)
    );
    assert_eq!((network.stats().datagrams_in, network.stats().datagrams_out), (10, 10));
}

/// Concurrency: a slow client, or a slow reply, does not hold up another client.
#[test]
fn claim_7_a_slow_client_or_a_slow_reply_holds_up_no_other_client() {
    let alone = served_at(&Scenario {
        tcp_clients: vec![TcpClientSpec::new(BEGIN + secs(1), 30_000)],
        ..Scenario::new(7)
    });
    let mut scenario = Scenario { delay: Some(secs(10)), ..Scenario::new(7) };
    scenario.tcp_clients.push(TcpClientSpec::new(BEGIN + secs(1), 30_000));
    for _ in 0..10 {
        let mut slow = TcpClientSpec::new(BEGIN, 60_000);
        slow.behaviour.reads = Pace { bytes: 1, pause: secs(100), pauses: u32::MAX };
        scenario.tcp_clients.push(slow);
    }
    let request = Request { at: BEGIN + secs(1), payload: b"slow".to_vec(), replies: 0 };
    scenario.udp_clients.push(UdpClientSpec { ipv6: false, requests: vec![request] });
    assert_eq!(served_at(&scenario), alone);
}

/// When the first client of a scenario has been served.
fn served_at(scenario: &Scenario) -> Instant {
    let mut memory = ServerMemory::new(scenario.slots, scenario.buffer, 16);
    let mut network = Network::new(scenario.clone(), &mut memory);
    scenario.tcp_clients.iter().for_each(|client| network.add_tcp_client(client, None));
    scenario.udp_clients.iter().for_each(|client| network.add_udp_client(client));
    while network.apps().next().is_some_and(|app| app.outcome.is_none()) {
        assert!(network.now < BEGIN + secs(60), "the client is not served at all");
        network.pass(Duration::from_millis(1));
    }
    assert_eq!(network.apps().next().and_then(|app| app.outcome), Some(Outcome::Served));
    network.now
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
