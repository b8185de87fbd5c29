//! Hostile packets, and a device that is full now and then: the server does not panic, loses no slot, and keeps the
//! invariants.

use fastrand::Rng;
use shout_tests::attacker::{Attacker, garbage, odd_frame};
use shout_tests::ethernet::Neighbour;
use shout_tests::memory::ServerMemory;
use shout_tests::single_server::{ServerSetup, SingleServer, View};
use smoltcp::phy::Medium;
use smoltcp::time::Duration;

use crate::seeds::{for_each_seed, trace};

/// The number of actions in one run.
const ACTIONS: u32 = 250;

/// When the device is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Never,
    /// Now and then; it delivers packets nevertheless.
    Sending,
    /// Now and then; it delivers none then.
    Both,
}

#[test]
fn a_device_that_refuses_nothing() {
    for_each_seed(500, |seed| assault(seed, Refusal::Never, false));
}

#[test]
fn a_device_that_refuses_to_send_and_goes_on_receiving() {
    for_each_seed(1000, |seed| assault(seed, Refusal::Sending, false));
}

#[test]
fn a_device_that_refuses_to_send_and_to_receive() {
    for_each_seed(500, |seed| assault(seed, Refusal::Both, false));
}

#[test]
fn a_device_that_vouches_for_wrong_checksums() {
    for_each_seed(1000, |seed| assault(seed, Refusal::Sending, true));
}

fn assault(seed: u64, refusal: Refusal, trusting: bool) {
    let random = &mut Rng::with_seed(seed);
    let setup = ServerSetup {
        medium: if random.bool() { Medium::Ip } else { Medium::Ethernet },
        slots: random.usize(1..=4),
        buffer: [64, 1024, 1024, 4096, 70_000][random.usize(..5)],
        idle_timeout: (random.u8(..4) == 0).then(|| Duration::from_secs(10)),
        trusting,
    };
    let mut memory = ServerMemory::new(setup.slots, setup.buffer, 0);
    let mut single = SingleServer::new(setup, &mut memory, |config| {
        config.gateways.push(router().address.into()).unwrap();
    });
    single.trace = trace();
    single.device.deaf_when_full = refusal == Refusal::Both;
    let mut attackers: Vec<_> =
        (0..random.usize(1..=5)).map(|index| Attacker::new(index, index % 2 == 1, random)).collect();
    // One is behind a router. The server learns the router's hardware address only by asking for it.
    attackers[0].neighbour = Neighbour { address: [203, 0, 113, 5].into(), ..router() };
    for attacker in &attackers {
        single.invariants.expect(attacker.from(), attacker.content, Some(0));
    }
    for _ in 0..ACTIONS {
        // Now and then, one does not answer when the server asks for its hardware address.
        let at_home = attackers.iter().filter(|_| random.u8(..8) > 0);
        single.neighbours = at_home.map(|attacker| attacker.neighbour).collect();
        if random.u8(..4) == 0 {
            single.neighbours.push(router());
        }
        act(&mut single, &attackers, refusal, random);
        if random.u8(..4) > 0 {
            single.poll();
        }
    }
    single.assert_slots_are_free();
}

fn router() -> Neighbour {
    Neighbour { mac: [2, 0, 0, 2, 0, 0], address: [10, 69, 0, 254].into() }
}

/// One action: a packet, a change of the device's room, or time.
fn act(single: &mut SingleServer<'_>, attackers: &[Attacker], refusal: Refusal, random: &mut Rng) {
    let attacker = &attackers[random.usize(..attackers.len())];
    let view = single.views.get(&attacker.from()).copied().unwrap_or_default();
    let peer = &attacker.neighbour;
    match random.u8(..100) {
        0..8 => single.arrive_from(peer, &attacker.syn(random).to_packet()),
        8..12 => {
            single.connect(peer, attacker.port, random.u32(..));
        }
        12..34 => single.arrive_from(peer, &attacker.polite(&view, random).to_packet()),
        34..70 => single.arrive_from(peer, &attacker.hostile(&view, random).to_packet()),
        70..74 => single.arrive_from(peer, &attacker.datagram(random)),
        74..77 => single.arrive_from(peer, &attacker.icmp(&view, random)),
        77..83 => disguise(single, attacker, &view, random),
        83..92 => {
            let magnitude = 10_u64.pow(random.u32(3..=8));
            single.pass(Duration::from_micros(random.u64(..magnitude)));
        }
        _ => {
            single.device.room = match refusal {
                Refusal::Never => usize::MAX,
                Refusal::Sending | Refusal::Both => [0, 0, 1, 2, usize::MAX][random.usize(..5)],
            };
        }
    }
}

/// Sends a damaged packet, or random bytes.
fn disguise(single: &mut SingleServer<'_>, attacker: &Attacker, view: &View, random: &mut Rng) {
    let packet = match random.u8(..4) {
        0 => attacker.datagram(random),
        1 => attacker.syn(random).to_packet(),
        _ => attacker.polite(view, random).to_packet(),
    };
    if random.u8(..4) == 0 {
        single.arrive(odd_frame(attacker.neighbour.mac, random));
        return;
    }
    single.arrive_from(&attacker.neighbour, &garbage(&packet, 1, random));
}
