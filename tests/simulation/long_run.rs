//! One server for a long time: clients of all kinds come and go, the link's faults change from hour to hour, and there
//! are attacks. `SHOUT_SIM_HOURS` says how long; a week is 168.

use core::net::SocketAddr;
use std::collections::HashMap;

use fastrand::Rng;
use shout_tests::app::{Behaviour, Ending, Outcome, Pace};
use shout_tests::attacker::{Attacker, garbage};
use shout_tests::host::{Client, Host};
use shout_tests::link::Faults;
use shout_tests::memory::ServerMemory;
use shout_tests::network::Network;
use shout_tests::scenario::{BEGIN, Refusal, Scenario, Tcp, TcpClientSpec, UdpClientSpec};
use shout_tests::single_server::View;
use shout_tests::udp_client::Request;
use smoltcp::phy::Medium;
use smoltcp::time::{Duration, Instant};

use crate::random_scenario;
use crate::run::{ALL_OVER, all_slots_are_free};
use crate::seeds::{are_long, hours, trace};

/// Hosts with a TCP client. Some clients have ended, and their TCP still answers.
const TCP_CLIENTS: usize = 120;
const UDP_CLIENTS: usize = 6;
/// The first of them connect when the server's sequence numbers for them are about to wrap.
/// The tick of these numbers is longer than what they send, so that a part of them does wrap.
const WRAPPING: usize = 8;
/// The next ones stay connected for days.
const LONG_LIVED: usize = 4;
const SLOTS: usize = 32;

/// 2^32 ms: a 32-bit clock of milliseconds wraps two hours after the beginning.
const CLOCK_ENDS: Instant = Instant::from_micros_const(4_294_967_296_000);
/// The period of the clock of initial sequence numbers: 2^32 ticks of 4 µs (RFC 6528).
const ROUND: Duration = Duration::from_micros(1 << 34);

#[test]
fn a_week_on_an_ip_device() {
    LongRun::of(Medium::Ip, 1);
}

#[test]
fn a_week_on_an_ethernet_device() {
    LongRun::of(Medium::Ethernet, 2);
}

struct LongRun<'a> {
    network: Network<'a>,
    random: Rng,
    /// For [`Conditions`]: what the server does has no say in how many good hours there are.
    hours: Rng,
    /// For [`random_scenario::Addition`].
    additions: Rng,
    conditions: Conditions,
    /// When the next client may start on a host whose client is done.
    free_at: Vec<Option<Instant>>,
    ports: Vec<u16>,
    tally: HashMap<Outcome, u64>,
    clients: u64,
    /// Clients that had to be served.
    had_to_be_served: u64,
}

/// The faults of an hour, and whether there is an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Conditions {
    since: Instant,
    until: Instant,
    /// Every client that begins and ends in this hour has to be served.
    good: bool,
    attack: bool,
}

impl LongRun<'_> {
    fn of(medium: Medium, seed: u64) {
        let scenario = Scenario {
            medium,
            begin: CLOCK_ENDS - Duration::from_secs(2 * 3600),
            slots: SLOTS,
            ..Scenario::new(seed)
        };
        let mut memory = ServerMemory::new(SLOTS, scenario.buffer, 0);
        let begin = scenario.begin;
        let mut run = LongRun {
            network: Network::new(scenario, &mut memory),
            random: Rng::with_seed(seed),
            hours: Rng::with_seed(seed + 100),
            additions: Rng::with_seed(!seed),
            conditions: Conditions { since: begin, until: begin, good: true, attack: false },
            free_at: Vec::new(),
            ports: vec![1024; TCP_CLIENTS],
            tally: HashMap::new(),
            clients: 0,
            had_to_be_served: 0,
        };
        run.network.trace = trace();
        run.begin();
        let end = begin + Duration::from_secs(3600 * hours());
        while run.network.now < end {
            run.step();
        }
        run.end(begin);
    }

    fn begin(&mut self) {
        for index in 0..TCP_CLIENTS {
            let spec = self.tcp_client(index);
            self.network.add_tcp_client(&spec, None);
        }
        for _ in 0..UDP_CLIENTS {
            self.network.add_udp_client(&UdpClientSpec { ipv6: false, requests: Vec::new() });
        }
        self.free_at = vec![None; TCP_CLIENTS + UDP_CLIENTS];
    }

    /// A few seconds pass, and then new clients start where others are done.
    fn step(&mut self) {
        if self.network.now >= self.conditions.until {
            self.change_conditions();
        }
        if self.conditions.attack {
            self.attack();
        }
        let pause = Duration::from_micros(self.random.u64(1..10_000_000));
        self.network.pass(pause);
        for index in 0..TCP_CLIENTS + UDP_CLIENTS {
            self.look_after(index);
        }
    }

    fn change_conditions(&mut self) {
        let now = self.network.now;
        let kind = self.hours.u8(..10);
        // Chances in a thousand. The last one is some minutes in which nothing arrives.
        let most = [0, 0, 5, 5, 5, 5, 50, 100, 250, 1000][usize::from(kind)];
        let minutes = if kind == 9 { self.hours.u64(1..10) } else { self.hours.u64(20..60) };
        let mut part = |most: u32| self.hours.u32(0..=most);
        self.network.link.faults = Faults {
            lose: if kind == 9 { 1000 } else { part(most) },
            duplicate: part(most),
            duplicate_later: random_scenario::old_duplicates(&mut self.additions),
            corrupt: part(most),
            hold_up: (part(most), Duration::from_millis(400)),
            delay: 100..=10_000,
        };
        self.network.scenario.refusal = (kind >= 4).then(|| Refusal {
            room: self.hours.usize(1..20),
            lasts: Duration::from_micros(self.hours.u64(1..20_000)),
            deaf: self.hours.bool(),
        });
        let attack = self.hours.u8(..4) == 0;
        let until = now + Duration::from_secs(60 * minutes);
        self.conditions = Conditions { since: now, until, good: kind < 6 && !attack, attack };
    }

    /// A SYN flood, and other hostile packets.
    fn attack(&mut self) {
        for _ in 0..self.random.usize(1..100) {
            // The clients have lower addresses.
            let (index, ipv6) = (self.random.usize(1000..60_000), self.random.bool());
            let attacker = Attacker::new(index, ipv6, &mut self.random);
            let packet = match self.random.u8(..8) {
                0..4 => attacker.syn(&mut self.random).to_packet(),
                4 => attacker.hostile(&View::default(), &mut self.random).to_packet(),
                5 => attacker.datagram(&mut self.random),
                6 => attacker.icmp(&View::default(), &mut self.random),
                _ => {
                    let syn = attacker.syn(&mut self.random).to_packet();
                    garbage(&syn, 1, &mut self.random)
                }
            };
            self.network.inject(&attacker.neighbour, packet);
        }
    }

    /// Starts another client where one is done.
    fn look_after(&mut self, index: usize) {
        let now = self.network.now;
        let Some(at) = self.free_at[index] else {
            if self.network.hosts[index].is_done() {
                self.note(index);
                // The server may still send probes, which this client answers.
                self.free_at[index] = Some(now + ALL_OVER);
            }
            return;
        };
        if now < at {
            return;
        }
        self.free_at[index] = None;
        if index < TCP_CLIENTS {
            let spec = self.tcp_client(index);
            self.network.replace_tcp_client(index, &spec);
        } else {
            let spec = self.udp_client();
            self.network.replace_udp_client(index, &spec);
        }
    }

    /// Records the outcome of a client.
    fn note(&mut self, index: usize) {
        let Client::Tcp(app) = &self.network.hosts[index].client else { return };
        let outcome = app.outcome.expect("it is done");
        *self.tally.entry(outcome).or_default() += 1;
        self.clients += 1;
        let polite = matches!(app.behaviour.ending, Ending::HalfClose | Ending::AfterEcho);
        if polite && self.conditions.good && app.behaviour.begin >= self.conditions.since {
            let stats = self.network.stats();
            assert_eq!(
                outcome,
                Outcome::Served,
                "client {index} in a good hour: {:?}\n{stats}",
                app.behaviour
            );
            self.had_to_be_served += 1;
        }
    }

    fn tcp_client(&mut self, index: usize) -> TcpClientSpec {
        let ipv6 = index % 2 == 1;
        let address = SocketAddr::new(Scenario::address(index, ipv6), self.ports[index]);
        let now = self.network.now.max(self.network.scenario.begin);
        if index < WRAPPING {
            let begin = self.before_the_wrap(address).unwrap_or(now);
            return TcpClientSpec { ipv6, port: address.port(), ..TcpClientSpec::new(begin, 5000) };
        }
        // A port is used again only after all others.
        let next = self.ports[index].checked_add(1).unwrap_or(1024);
        self.ports[index] = next;
        let begin = now + Duration::from_micros(self.random.u64(0..900_000_000));
        let mut spec = loop {
            let spec = random_scenario::tcp_client(&mut self.random, &self.network.scenario, 0);
            if matches!(spec.tcp, Tcp::Plain(_)) {
                break spec;
            }
        };
        spec = TcpClientSpec { ipv6, port: next, behaviour: Behaviour { begin, ..spec.behaviour }, ..spec };
        random_scenario::add_to_client(&mut self.additions, &mut spec);
        if index < WRAPPING + LONG_LIVED {
            // A few bytes every other minute, for days.
            let pace = Pace { bytes: 100, pause: Duration::from_secs(300), pauses: u32::MAX };
            spec.behaviour = Behaviour {
                bytes: 100_000,
                writes: pace,
                reads: Pace::FAST,
                ending: Ending::AfterEcho,
                ..spec.behaviour
            };
        }
        spec
    }

    /// The next time at which the server's ISS for this client is just below 2^32, if the last one is known.
    fn before_the_wrap(&self, client: SocketAddr) -> Option<Instant> {
        let number = self.network.invariants.initial(client)?;
        let ticks = u64::from((u32::MAX - 2500).wrapping_sub(number));
        let Client::Tcp(app) = &self.network.hosts[self.index_of(client)].client else { return None };
        let mut begin = app.behaviour.begin + Duration::from_micros(4 * ticks);
        while begin <= self.network.now {
            begin += ROUND;
        }
        Some(begin)
    }

    fn index_of(&self, client: SocketAddr) -> usize {
        let is_there = |host: &Host<'_>| host.neighbour.address == client.ip();
        self.network.hosts.iter().position(is_there).expect("a client")
    }

    fn udp_client(&mut self) -> UdpClientSpec {
        let spec = random_scenario::udp_client(&mut self.random, self.network.scenario.mtu);
        let later = self.network.now - BEGIN;
        let request = |request: Request| Request { at: request.at + later, ..request };
        UdpClientSpec { requests: spec.requests.into_iter().map(request).collect(), ..spec }
    }

    /// All clients vanish. Then the server must end all connections.
    fn end(mut self, begin: Instant) {
        let network = &mut self.network;
        let wrapped = network.invariants.wrapped;
        for host in &mut network.hosts {
            host.until = Some(network.now);
            host.due = Some(network.now);
        }
        network.link.faults = Faults::none();
        network.scenario.refusal = None;
        network.pass(ALL_OVER);
        let stats = *network.stats();
        assert_eq!(stats.live, 0, "connections are left, and their clients are gone:\n{stats}");
        let packets = stats.packets_in + stats.packets_out;
        assert!(
            network.idle_polls <= packets + 10,
            "polled {} times for nothing:\n{stats}",
            network.idle_polls
        );
        println!(
            "{} hours, {} clients ({} of them in a good hour), wraps {wrapped:?}, {:?}, {:?}\n{stats}",
            (network.now - begin).secs() / 3600,
            self.clients,
            self.had_to_be_served,
            self.tally,
            network.link.done,
        );
        let scenario = network.scenario.clone();
        network.hosts.clear();
        all_slots_are_free(&scenario, network);
        if are_long(6) {
            let served = self.tally[&Outcome::Served];
            assert!(served > self.clients / 3 && self.had_to_be_served > served / 10, "{served} were served");
            let enough = wrapped.0 >= 8 && wrapped.1 >= 2;
            assert!(enough, "hardly any number wrapped: {wrapped:?}");
            assert!(stats.timed_out > 0 && stats.reset > 0, "{stats}");
        }
    }
}
