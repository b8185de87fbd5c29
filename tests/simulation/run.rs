//! Runs one scenario, and checks what has to hold after it.

use std::collections::HashMap;

use crate::seeds;
use shout_core::{DropReason, Handler, Uppercase};
use shout_tests::app::{Ending, Outcome, Pace};
use shout_tests::link::{Done, Faults};
use shout_tests::memory::{ClientMemory, ServerMemory};
use shout_tests::network::Network;
use shout_tests::pauses::{Pause, Pauses};
use shout_tests::scenario::{Scenario, Tcp, TcpClientSpec};
use smoltcp::phy::Medium;
use smoltcp::time::Duration;

/// After this long, the server has ended all connections of clients that vanished.
pub(crate) const ALL_OVER: Duration = Duration::from_secs(130);

/// The outcomes of a run, or of several.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) outcomes: HashMap<Outcome, u64>,
    pub(crate) faults: Done,
    pub(crate) bytes: u64,
    pub(crate) packets: u64,
    pub(crate) datagrams: u64,
    pub(crate) replies: u64,
    pub(crate) timed_out: u64,
    pub(crate) refused: u64,
    pub(crate) evicted: u64,
}

/// Runs a scenario to its end, checks what has to hold, and returns the clients' outcomes.
pub(crate) fn run(scenario: &Scenario) -> Tally {
    run_with(Uppercase, scenario, None).0
}

/// The same, with this handler, and with a look at the clients' pauses: returns those that nothing explains.
pub(crate) fn run_with<H: Handler<State = ()>>(
    handler: H,
    scenario: &Scenario,
    pauses: Option<Pauses>,
) -> (Tally, Vec<Pause>) {
    let mut server_memory =
        ServerMemory::new(scenario.slots, scenario.buffer, if scenario.delay.is_some() { 256 } else { 0 });
    let mut memory: Vec<_> = scenario.tcp_clients.iter().map(client_memory).collect();
    let mut network = Network::with_handler(handler, scenario.clone(), &mut server_memory);
    network.pauses = pauses;
    for (client, memory) in scenario.tcp_clients.iter().zip(&mut memory) {
        network.add_tcp_client(client, memory.as_mut());
    }
    for udp_client in &scenario.udp_clients {
        network.add_udp_client(udp_client);
    }
    network.trace = seeds::trace();
    network.link.trace = network.trace;
    network.run();
    let pauses = network.pauses.take().map_or_else(Vec::new, |pauses| pauses.found);
    network.pass(ALL_OVER);
    check(scenario, &network);
    let tally = tally(&network);
    if scenario.shutdown.is_none() {
        all_slots_are_free(scenario, &mut network);
    }
    (tally, pauses)
}

fn client_memory<'a>(spec: &TcpClientSpec) -> Option<ClientMemory<'a>> {
    match spec.tcp {
        Tcp::Smoltcp { buffers: (rx, tx), .. } => Some(ClientMemory::new(rx, tx)),
        Tcp::Plain(_) => None,
    }
}

fn check<H: Handler<State = ()>>(scenario: &Scenario, network: &Network<'_, H>) {
    let stats = network.stats();
    assert_eq!(stats.live, 0, "connections are left, and their clients are gone:\n{stats}");
    assert_eq!(network.server.is_shut_down(), scenario.shutdown.is_some());

    // A connection that the server counts as closed has ended for its client with the server's FIN.
    let finished = network.apps().filter(|app| app.server_finished()).count() as u64;
    // If there are evictions, a duplicate of an old ACK may open a connection again, by SYN cookie, for a moment.
    let ghosts = stats.revived;
    assert!(
        stats.closed <= finished + ghosts,
        "{finished} clients have seen the end of their stream:\n{stats}"
    );
    let served = network.apps().filter(|app| app.outcome == Some(Outcome::Served)).count() as u64;
    let last_word_lost = stats.reset + stats.timed_out + stats.aborted;
    assert!(served <= stats.closed + last_word_lost, "{served} clients were served:\n{stats}");
    let sent: u64 = network.apps().map(|app| u64::from(app.written)).sum();
    let back: u64 = network.apps().map(|app| u64::from(app.echoed)).sum();
    let most = sent * (1 + ghosts);
    assert!(back <= stats.bytes_out && stats.bytes_in <= most, "{sent} sent, {back} back:\n{stats}");

    for (app, TcpClientSpec { tcp, .. }) in network.apps().zip(&scenario.tcp_clients) {
        let (outcome, ending) = (app.outcome.unwrap(), app.behaviour.ending);
        let polite = !matches!(ending, Ending::Abort(_) | Ending::Vanish(_));
        if outcome == Outcome::CutShort {
            let reason = scenario.shutdown.is_some() || scenario.idle_timeout.is_some();
            let (written, echoed) = (app.written, app.echoed);
            assert!(reason, "{written} bytes written, {echoed} back, and cut short:\n{:?}", app.behaviour);
        }
        // Clients with smoltcp's TCP are left out: smoltcp may never retransmit its FIN after a fast retransmission, for
        // which reordering is enough. The server repairs that for itself, and these clients do not.
        if polite && matches!(tcp, Tcp::Plain(_)) && is_gentle(scenario) {
            assert_eq!(outcome, Outcome::Served, "{:?}\n{stats}", app.behaviour);
        }
    }
    check_datagrams(scenario, network);
    // The server's deadline is a lower bound, which may be early once after a packet, but not again and again.
    let packets = stats.packets_in + stats.packets_out;
    assert!(network.idle_polls <= packets + 10, "polled {} times for nothing:\n{stats}", network.idle_polls);
}

/// True if every client that does not abort has to be served: there are slots for all, and so few faults that no
/// segment is lost six times in a row.
fn is_gentle(scenario: &Scenario) -> bool {
    let Faults { lose, corrupt, .. } = scenario.faults;
    scenario.slots >= scenario.tcp_clients.len()
        && scenario.tcp_clients.iter().all(|client| client.replaces.is_none())
        && lose + corrupt <= 10
        && scenario.shutdown.is_none()
        && scenario.idle_timeout.is_none()
}

fn check_datagrams<H: Handler<State = ()>>(scenario: &Scenario, network: &Network<'_, H>) {
    let stats = network.stats();
    assert!(stats.datagrams_out <= stats.datagrams_in, "{stats}");
    let lost = [DropReason::ReplyQueue, DropReason::Neighbour, DropReason::EchoLimit]
        .map(|reason| stats.dropped(reason));
    if scenario.shutdown.is_none() && scenario.medium == Medium::Ip {
        assert_eq!(stats.datagrams_in, stats.datagrams_out + lost.iter().sum::<u64>(), "{stats}");
    }
    let faults = &network.link.done;
    for request in network.udp_clients().flat_map(|udp_client| &udp_client.requests) {
        assert!(request.replies <= 1 || faults.duplicated > 0, "a datagram was answered twice");
        let no_loss =
            (faults.lost, faults.corrupted) == (0, 0) && lost == [0, 0, 0] && scenario.shutdown.is_none();
        // Fragments may be lost: only four datagrams are reassembled at the same time.
        let whole = request.payload.len() + 48 <= scenario.mtu;
        assert!(request.replies >= 1 || !no_loss || !whole, "a datagram was lost in the server:\n{stats}");
    }
}

/// As many clients as there are slots connect at the same time, and all are served.
pub(crate) fn all_slots_are_free<H: Handler<State = ()>>(scenario: &Scenario, network: &mut Network<'_, H>) {
    network.link.faults = Faults::none();
    network.scenario.refusal = None;
    let (before, first) = (*network.stats(), network.hosts.len());
    for index in 0..scenario.slots {
        let mut client = TcpClientSpec::new(network.now, 60);
        client.ipv6 = scenario.mtu >= 1280 && index % 2 == 0;
        // No client is done before all are connected.
        client.behaviour.writes = Pace { bytes: 5, pause: Duration::from_millis(400), pauses: u32::MAX };
        client.behaviour.ending = Ending::AfterEcho;
        network.add_tcp_client(&client, None);
    }
    network.pass(Duration::from_millis(500));
    let stats = network.stats();
    assert_eq!(stats.live, scenario.slots as u64, "slots are missing:\n{stats}");
    assert_eq!((stats.evicted, stats.refused), (before.evicted, before.refused));
    network.run();
    assert!(
        network
            .apps()
            .skip(first - scenario.udp_clients.len())
            .all(|app| app.outcome == Some(Outcome::Served))
    );
}

fn tally<H: Handler<State = ()>>(network: &Network<'_, H>) -> Tally {
    let stats = network.stats();
    let mut tally = Tally {
        faults: network.link.done,
        bytes: stats.bytes_in,
        packets: stats.packets_in + stats.packets_out,
        timed_out: stats.timed_out,
        refused: stats.refused,
        evicted: stats.evicted,
        ..Tally::default()
    };
    for app in network.apps() {
        *tally.outcomes.entry(app.outcome.unwrap()).or_default() += 1;
    }
    for request in network.udp_clients().flat_map(|udp_client| &udp_client.requests) {
        tally.datagrams += 1;
        tally.replies += u64::from(request.replies);
    }
    tally
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Tally) {
        for (outcome, count) in &other.outcomes {
            *self.outcomes.entry(*outcome).or_default() += count;
        }
        self.faults.lost += other.faults.lost;
        self.faults.duplicated += other.faults.duplicated;
        self.faults.corrupted += other.faults.corrupted;
        self.bytes += other.bytes;
        self.packets += other.packets;
        self.datagrams += other.datagrams;
        self.replies += other.replies;
        self.timed_out += other.timed_out;
        self.refused += other.refused;
        self.evicted += other.evicted;
    }
}
