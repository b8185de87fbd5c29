//! One server for a long time: clients of all kinds come and go, the link has good hours and bad ones, and attackers come by.
//! `SHOUT_SIM_HOURS` says how long; a week is 168.

use core::net::SocketAddr;
use std::collections::HashMap;

use fastrand::Rng;
use shout_tests::asker::Request;
use shout_tests::attacker::{Attacker, garbage};
use shout_tests::caller::{Ending, Manners, Outcome, Pace};
use shout_tests::link::Faults;
use shout_tests::memory::ServerMemory;
use shout_tests::node::{Client, Node};
use shout_tests::plan::{AskerPlan, BEGIN, CallerPlan, Plan, Refusal, Tcp};
use shout_tests::siege::View;
use shout_tests::world::World;
use smoltcp::phy::Medium;
use smoltcp::time::{Duration, Instant};

use crate::draw;
use crate::run::{ALL_OVER, all_slots_are_free};
use crate::seeds::{are_long, hours, trace};

/// TCP clients at once, those that are gone and may still have something to answer among them.
const CALLERS: usize = 120;
const ASKERS: usize = 6;
/// The first of the callers come when the server's sequence numbers for them are about to wrap.
const PUNCTUAL: usize = 4;
/// The next ones stay for days.
const PATIENT: usize = 4;
const SLOTS: usize = 32;

/// 2^32 milliseconds: a clock of 32 bits passes its end on the first afternoon.
const CLOCK_ENDS: Instant = Instant::from_micros_const(4_294_967_296_000);
/// The clock of initial sequence numbers goes round in this time: 2^32 ticks of 4 µs (RFC 6528).
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
    world: World<'a>,
    random: Rng,
    weather: Weather,
    /// When each host's client was done, and may be followed by another one.
    free_at: Vec<Option<Instant>>,
    ports: Vec<u16>,
    tally: HashMap<Outcome, u64>,
    clients: u64,
    /// Those who could not but be served.
    sure: u64,
}

/// What an hour is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Weather {
    since: Instant,
    until: Instant,
    /// Whoever comes and goes in this hour is served.
    fair: bool,
    attack: bool,
}

impl LongRun<'_> {
    fn of(medium: Medium, seed: u64) {
        let plan = Plan {
            medium,
            begin: CLOCK_ENDS - Duration::from_secs(2 * 3600),
            slots: SLOTS,
            ..Plan::new(seed)
        };
        let mut memory = ServerMemory::new(SLOTS, plan.buffer, 0);
        let begin = plan.begin;
        let mut run = LongRun {
            world: World::new(plan, &mut memory),
            random: Rng::with_seed(seed),
            weather: Weather { since: begin, until: begin, fair: true, attack: false },
            free_at: Vec::new(),
            ports: vec![1024; CALLERS],
            tally: HashMap::new(),
            clients: 0,
            sure: 0,
        };
        run.world.trace = trace();
        run.begin();
        let end = begin + Duration::from_secs(3600 * hours());
        while run.world.now < end {
            run.step();
        }
        run.end(begin);
    }

    fn begin(&mut self) {
        for index in 0..CALLERS {
            let plan = self.caller(index);
            self.world.add_caller(&plan, None);
        }
        for _ in 0..ASKERS {
            self.world.add_asker(&AskerPlan { ipv6: false, requests: Vec::new() });
        }
        self.free_at = vec![None; CALLERS + ASKERS];
    }

    /// A few seconds pass, and then those who are over are followed by others.
    fn step(&mut self) {
        if self.world.now >= self.weather.until {
            self.change_the_weather();
        }
        if self.weather.attack {
            self.attack();
        }
        let pause = Duration::from_micros(self.random.u64(1..10_000_000));
        self.world.pass(pause);
        for index in 0..CALLERS + ASKERS {
            self.look_after(index);
        }
    }

    fn change_the_weather(&mut self) {
        let now = self.world.now;
        let kind = self.random.u8(..10);
        // Per mille; the last is an hour in which nothing arrives at all, or a few minutes.
        let most = [0, 0, 5, 5, 5, 5, 50, 100, 250, 1000][usize::from(kind)];
        let minutes = if kind == 9 { self.random.u64(1..10) } else { self.random.u64(20..60) };
        let mut part = |most: u32| self.random.u32(0..=most);
        self.world.link.faults = Faults {
            lose: if kind == 9 { 1000 } else { part(most) },
            duplicate: part(most),
            corrupt: part(most),
            hold_up: (part(most), Duration::from_millis(400)),
            delay: 100..=10_000,
        };
        self.world.plan.refusal = (kind >= 4).then(|| Refusal {
            room: self.random.usize(1..20),
            lasts: Duration::from_micros(self.random.u64(1..20_000)),
            deaf: self.random.bool(),
        });
        let attack = self.random.u8(..4) == 0;
        let until = now + Duration::from_secs(60 * minutes);
        self.weather = Weather { since: now, until, fair: kind < 6 && !attack, attack };
    }

    /// SYNs from everywhere, and what else does harm.
    fn attack(&mut self) {
        for _ in 0..self.random.usize(1..100) {
            // None of them is a client: those have the first addresses.
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
            self.world.intrude(&attacker.neighbour, packet);
        }
    }

    /// Lets another client come where one is over.
    fn look_after(&mut self, index: usize) {
        let now = self.world.now;
        let Some(at) = self.free_at[index] else {
            if self.world.nodes[index].is_done() {
                self.note(index);
                // The server may have something to ask yet.
                self.free_at[index] = Some(now + ALL_OVER);
            }
            return;
        };
        if now < at {
            return;
        }
        self.free_at[index] = None;
        if index < CALLERS {
            let plan = self.caller(index);
            self.world.renew_caller(index, &plan);
        } else {
            let plan = self.asker();
            self.world.renew_asker(index, &plan);
        }
    }

    /// What became of a client.
    fn note(&mut self, index: usize) {
        let Client::Caller(caller) = &self.world.nodes[index].client else { return };
        let outcome = caller.outcome.expect("he is done");
        *self.tally.entry(outcome).or_default() += 1;
        self.clients += 1;
        let polite = matches!(caller.manners.ending, Ending::HalfClose | Ending::AfterEcho);
        if polite && self.weather.fair && caller.manners.begin >= self.weather.since {
            let stats = self.world.stats();
            assert_eq!(
                outcome,
                Outcome::Served,
                "client {index} in a fair hour: {:?}\n{stats}",
                caller.manners
            );
            self.sure += 1;
        }
    }

    fn caller(&mut self, index: usize) -> CallerPlan {
        let ipv6 = index % 2 == 1;
        let address = SocketAddr::new(Plan::address(index, ipv6), self.ports[index]);
        let now = self.world.now.max(self.world.plan.begin);
        if index < PUNCTUAL {
            let begin = self.before_the_wrap(address).unwrap_or(now);
            return CallerPlan { ipv6, port: address.port(), ..CallerPlan::new(begin, 5000) };
        }
        // A port is not used again before the others have been.
        let next = self.ports[index].checked_add(1).unwrap_or(1024);
        self.ports[index] = next;
        let begin = now + Duration::from_micros(self.random.u64(0..900_000_000));
        let mut plan = loop {
            let plan = draw::caller(&mut self.random, &self.world.plan, 0);
            if matches!(plan.tcp, Tcp::Plain(_)) {
                break plan;
            }
        };
        plan = CallerPlan { ipv6, port: next, manners: Manners { begin, ..plan.manners }, ..plan };
        if index < PUNCTUAL + PATIENT {
            // A few octets every other minute, for days.
            let pace = Pace { octets: 100, pause: Duration::from_secs(300), pauses: u32::MAX };
            plan.manners = Manners {
                octets: 100_000,
                writes: pace,
                reads: Pace::FAST,
                ending: Ending::AfterEcho,
                ..plan.manners
            };
        }
        plan
    }

    /// When the server's sequence numbers for this client will be just before their end, if it has had one already.
    fn before_the_wrap(&self, client: SocketAddr) -> Option<Instant> {
        let number = self.world.witness.initial(client)?;
        let ticks = u64::from((u32::MAX - 2500).wrapping_sub(number));
        let Client::Caller(caller) = &self.world.nodes[self.index_of(client)].client else { return None };
        let mut begin = caller.manners.begin + Duration::from_micros(4 * ticks);
        while begin <= self.world.now {
            begin += ROUND;
        }
        Some(begin)
    }

    fn index_of(&self, client: SocketAddr) -> usize {
        let is_there = |node: &Node<'_>| node.neighbour.address == client.ip();
        self.world.nodes.iter().position(is_there).expect("a client")
    }

    fn asker(&mut self) -> AskerPlan {
        let plan = draw::asker(&mut self.random, self.world.plan.mtu);
        let later = self.world.now - BEGIN;
        let request = |request: Request| Request { at: request.at + later, ..request };
        AskerPlan { requests: plan.requests.into_iter().map(request).collect(), ..plan }
    }

    /// Everybody goes away without a word, and what is left has to go too.
    fn end(mut self, begin: Instant) {
        let world = &mut self.world;
        let wrapped = world.witness.wrapped;
        for node in &mut world.nodes {
            node.until = Some(world.now);
            node.due = Some(world.now);
        }
        world.link.faults = Faults::none();
        world.plan.refusal = None;
        world.pass(ALL_OVER);
        let stats = *world.stats();
        assert_eq!(stats.live, 0, "connections are left, and their clients are gone:\n{stats}");
        let packets = stats.packets_in + stats.packets_out;
        assert!(world.idle_polls <= packets + 10, "polled {} times for nothing:\n{stats}", world.idle_polls);
        println!(
            "{} hours, {} clients ({} of them in a fair hour), wraps {wrapped:?}, {:?}, {:?}\n{stats}",
            (world.now - begin).secs() / 3600,
            self.clients,
            self.sure,
            self.tally,
            world.link.done,
        );
        let plan = world.plan.clone();
        world.nodes.clear();
        all_slots_are_free(&plan, world);
        if are_long(6) {
            let served = self.tally[&Outcome::Served];
            assert!(served > self.clients / 3 && self.sure > served / 10, "{served} were served");
            let enough = wrapped.0 >= 2 * PUNCTUAL as u64 && wrapped.1 >= PUNCTUAL as u64 / 2;
            assert!(enough, "hardly any number wrapped: {wrapped:?}");
            assert!(stats.timed_out > 0 && stats.reset > 0, "{stats}");
        }
    }
}
