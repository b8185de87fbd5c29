//! Transfers over a link that loses segments in both directions: they come to their end, and none waits long.

use shout_tests::link::Faults;
use shout_tests::memory::{ClientMemory, ServerMemory};
use shout_tests::network::Network;
use shout_tests::scenario::{Scenario, Tcp, TcpClientSpec, TcpConfig};
use smoltcp::time::Duration;

use crate::run;
use crate::seeds::{self, for_each_seed};

const SEEDS: u64 = 4;
const CLIENTS: u16 = 5;

/// A transfer in each direction on each of several connections at once.
#[derive(Debug, Clone, Copy)]
struct Transfers {
    /// In percent, in each direction.
    loss: u32,
    buffer: usize,
    bytes: u32,
    tcp: Tcp,
}

/// How long it takes until everything is back, on average over the seeds and both families.
fn average(transfers: Transfers) -> Duration {
    let (mut sum, mut runs) = (Duration::ZERO, 0);
    for_each_seed(SEEDS, |seed| {
        for ipv6 in [false, true] {
            sum += until_all_is_back(seed, ipv6, transfers);
            runs += 1;
        }
    });
    sum / runs
}

fn until_all_is_back(seed: u64, ipv6: bool, transfers: Transfers) -> Duration {
    let (took, given_up) = until_the_end(seed, ipv6, transfers);
    assert_eq!(given_up, 0, "clients gave up");
    took
}

/// How long it takes until all clients have their echo or have given up, and how many have given up. Whatever the server received of
/// these has come back, too: it was the client that sent no more.
fn until_the_end(seed: u64, ipv6: bool, transfers: Transfers) -> (Duration, usize) {
    let Transfers { loss, buffer, bytes, tcp } = transfers;
    let mut scenario = Scenario::new(seed);
    (scenario.buffer, scenario.faults) = (buffer, Faults::loss(10 * loss));
    scenario.tcp_clients = (0..CLIENTS)
        .map(|client| TcpClientSpec {
            ipv6,
            port: 40_000 + client,
            tcp,
            ..TcpClientSpec::new(scenario.begin, bytes)
        })
        .collect();
    let mut server_memory = ServerMemory::new(scenario.slots, scenario.buffer, 0);
    let mut memory: Vec<_> = (0..CLIENTS).map(|_| ClientMemory::new(65_535, 65_535)).collect();
    let mut network = Network::new(scenario.clone(), &mut server_memory);
    for (client, memory) in scenario.tcp_clients.iter().zip(&mut memory) {
        network.add_tcp_client(client, Some(memory));
    }
    network.trace = seeds::trace();
    let step = Duration::from_millis(100);
    while network.apps().any(|app| app.echoed < bytes && app.outcome.is_none()) {
        network.pass(step);
        assert!(
            network.now - scenario.begin < Duration::from_secs(600),
            "{transfers:?}\n{}",
            network.stats()
        );
    }
    let took = network.now - scenario.begin;
    let stats = network.stats();
    assert_eq!((stats.timed_out, stats.aborted), (0, 0), "{stats}");
    let given_up = network.apps().filter(|app| app.echoed < bytes).count();
    let echoed: u64 = network.apps().map(|app| u64::from(app.echoed)).sum();
    assert_eq!(echoed, stats.bytes_in, "not all has come back that was received:\n{stats}");
    network.link.faults = Faults::none();
    network.pass(run::ALL_OVER);
    assert_eq!(network.stats().live, 0, "{}", network.stats());
    (took, given_up)
}

/// The client of these tests, with what Linux has by default.
fn plain() -> Tcp {
    let rto = Duration::from_millis(200);
    Tcp::Plain(TcpConfig { rto, sack: true, fast_retransmit: true, ..TcpConfig::PLAIN })
}

fn smoltcp() -> Tcp {
    let ack_delay = Some(Duration::from_millis(10));
    Tcp::Smoltcp { buffers: (65_535, 65_535), nagle: false, ack_delay }
}

#[test]
fn transfers_with_large_buffers_come_back_whole_whatever_is_lost() {
    for (loss, seconds) in [(5, 4), (10, 6), (20, 15)] {
        let took = average(Transfers { loss, buffer: 65_535, bytes: 300_000, tcp: plain() });
        assert!(took < Duration::from_secs(seconds), "{loss}%: {took}");
    }
}

#[test]
fn transfers_with_small_buffers_come_back_whole_whatever_is_lost() {
    for (loss, seconds) in [(5, 5), (10, 10), (20, 30)] {
        let took = average(Transfers { loss, buffer: 1024, bytes: 20_000, tcp: plain() });
        assert!(took < Duration::from_secs(seconds), "{loss}%: {took}");
    }
}

#[test]
fn transfers_of_smoltcps_own_clients_come_back_whole() {
    for (loss, buffer, bytes, seconds) in
        [(5, 65_535, 100_000, 10), (10, 65_535, 100_000, 30), (5, 1024, 20_000, 10), (10, 1024, 20_000, 30)]
    {
        let took = average(Transfers { loss, buffer, bytes, tcp: smoltcp() });
        assert!(took < Duration::from_secs(seconds), "{loss}%, {buffer}: {took}");
    }
}

/// A smoltcp client's timer doubles with each loss until a round trip is measured: at 20%, one of these clients still has something to
/// send, and is silent for longer than anybody waits. What it did send comes back.
#[test]
fn what_smoltcps_own_clients_send_comes_back_where_a_fifth_is_lost() {
    let (mut given_up, mut clients) = (0, 0);
    for_each_seed(16, |seed| {
        for (buffer, bytes) in [(65_535, 100_000), (1024, 20_000)] {
            let transfers = Transfers { loss: 20, buffer, bytes, tcp: smoltcp() };
            given_up += until_the_end(seed, false, transfers).1;
            clients += usize::from(CLIENTS);
        }
    });
    assert!(given_up <= clients / 20, "{given_up} of {clients} clients gave up");
}
