//! Scenarios drawn at random.

use fastrand::Rng;
use shout_tests::app::{Behaviour, Ending, Pace};
use shout_tests::content::Content;
use shout_tests::link::Faults;
use shout_tests::scenario::{
    BEGIN, Refusal, Resends, Scenario, Tcp, TcpClientSpec, TcpConfig, UdpClientSpec,
};
use shout_tests::udp_client::Request;
use smoltcp::phy::Medium;
use smoltcp::time::Duration;

/// Clients connect within this time.
const COME_WITHIN: Duration = Duration::from_secs(3);

/// The scenario of this seed.
pub(crate) fn scenario(seed: u64) -> Scenario {
    let random = &mut Rng::with_seed(seed);
    let medium = if random.u8(..4) == 0 { Medium::Ethernet } else { Medium::Ip };
    let mtu = pick(random, &[576, 1280, 1500, 1500, 1500, 9000]);
    let buffer = pick(random, &[64, 100, 1024, 1024, 1024, 4096, 65535, 1 << 20]);
    let slots = random.usize(1..=if buffer > 65535 { 2 } else { 10 });
    let idle_timeout = sometimes(random, 15, |random| seconds(random, 1, 30));
    let delay = sometimes(random, 25, |random| seconds(random, 0, 10));
    let faults = faults(random);
    let refusal = sometimes(random, 40, |random| Refusal {
        room: pick(random, &[1, 2, 8, 100]),
        lasts: Duration::from_micros(random.u64(1..20_000)),
        deaf: random.bool(),
    });
    let shutdown = sometimes(random, 10, |random| BEGIN + seconds(random, 0, 6));
    let (tcp_clients, udp_clients) = (random.usize(1..=12), random.usize(0..=3));
    let mut scenario = Scenario {
        seed,
        medium,
        mtu,
        slots,
        buffer,
        idle_timeout,
        delay,
        faults,
        refusal,
        shutdown,
        ..Scenario::new(seed)
    };
    for index in 0..tcp_clients {
        let client = tcp_client(random, &scenario, index);
        scenario.tcp_clients.push(client);
    }
    scenario.udp_clients = (0..udp_clients).map(|_| udp_client(random, mtu)).collect();
    add(seed, &mut scenario);
    scenario
}

/// What peers and networks do beyond the rest of the scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Addition {
    /// Peers that send whole segments again, as lwIP does ([`Resends::WholeSegments`]).
    WholeSegments,
    /// Peers whose data carries an old acknowledgement ([`TcpConfig::old_acks`]).
    OldAcks,
    /// Packets that arrive again up to 30 s later ([`Faults::duplicate_later`]).
    OldDuplicates,
}

/// The additions that are drawn in every run. `SHOUT_SIM_ADD=` with their names, separated by commas, draws others too.
const ALWAYS: &[Addition] = &[Addition::WholeSegments, Addition::OldAcks, Addition::OldDuplicates];

impl Addition {
    fn is_drawn(self) -> bool {
        let named = std::env::var("SHOUT_SIM_ADD").unwrap_or_default();
        let name = format!("{self:?}");
        ALWAYS.contains(&self) || named.split(',').any(|other| other == name)
    }
}

/// Draws the additions, with a generator of their own: the rest of a seed's scenario does not depend on them.
fn add(seed: u64, scenario: &mut Scenario) {
    let random = &mut Rng::with_seed(!seed);
    // Each is drawn whether it is wanted or not, so that one does not depend on another either.
    for spec in &mut scenario.tcp_clients {
        add_to_client(random, spec);
    }
    let old = old_duplicates(random);
    // The next connection of a 4-tuple may have the same sequence numbers, and then only timestamps (RFC 7323, section 5)
    // could tell it from its predecessor's segments.
    let is_alone = |spec: &TcpClientSpec| spec.replaces.is_none();
    if scenario.tcp_clients.iter().all(is_alone) {
        scenario.faults.duplicate_later = old;
    }
}

/// The chance of old duplicates, in a thousand, and how old they may be.
pub(crate) fn old_duplicates(random: &mut Rng) -> (u32, Duration) {
    let drawn = (random.u8(..5) == 0, random.u32(0..=50), seconds(random, 1, 30));
    match drawn {
        (true, chance, latest) if Addition::OldDuplicates.is_drawn() => (chance, latest),
        _ => (0, Duration::ZERO),
    }
}

/// Draws what one client does beyond the rest.
pub(crate) fn add_to_client(random: &mut Rng, spec: &mut TcpClientSpec) {
    let (whole, old) = (random.u8(..3) == 0, random.u8(..5) == 0);
    if let Tcp::Plain(config) = &mut spec.tcp {
        if whole && Addition::WholeSegments.is_drawn() {
            config.resends = Resends::WholeSegments;
        }
        config.old_acks = old && Addition::OldAcks.is_drawn();
    }
}

fn faults(random: &mut Rng) -> Faults {
    // Chances in a thousand: none; few, which every connection has to survive; many.
    let most = pick(random, &[0, 5, 5, 100, 250]);
    let slowest = pick(random, &[100, 1000, 50_000, 200_000]);
    Faults {
        lose: random.u32(0..=most),
        duplicate: random.u32(0..=most),
        duplicate_later: (0, Duration::ZERO),
        corrupt: random.u32(0..=most),
        hold_up: (random.u32(0..=most), Duration::from_micros(random.u64(0..=400_000))),
        delay: slowest / random.u64(1..=10)..=slowest,
    }
}

pub(crate) fn tcp_client(random: &mut Rng, scenario: &Scenario, index: usize) -> TcpClientSpec {
    let most =
        pick(random, &[0, 1, 10, 1024, 2048, 5000, 40_000]).min(u32::try_from(scenario.buffer).unwrap() * 15);
    let ending = match random.u8(..10) {
        0 => Ending::Abort(seconds(random, 0, 4)),
        1 => Ending::Vanish(seconds(random, 0, 4)),
        2..6 => Ending::AfterEcho,
        _ => Ending::HalfClose,
    };
    let replaced = (index > 0 && random.u8(..8) == 0).then(|| random.usize(..index));
    let replaced =
        replaced.filter(|&other| scenario.tcp_clients.iter().all(|client| client.replaces != Some(other)));
    if let Some((other, before)) = replaced.and_then(|other| Some((other, scenario.tcp_clients.get(other)?)))
        && before.replaces.is_none()
    {
        let begin = before.behaviour.begin + seconds(random, 0, 8);
        let behaviour = Behaviour { begin, bytes: random.u32(0..=most), ..before.behaviour };
        return TcpClientSpec {
            replaces: Some(other),
            behaviour,
            tcp: tcp(random, behaviour.bytes),
            ..*before
        };
    }
    let bytes = random.u32(0..=most);
    TcpClientSpec {
        ipv6: scenario.mtu >= 1280 && random.bool(),
        port: random.u16(1024..),
        replaces: None,
        behaviour: Behaviour {
            begin: BEGIN + Duration::from_micros(random.u64(0..COME_WITHIN.total_micros())),
            content: Content(random.u32(..)),
            bytes,
            writes: pace(random, bytes),
            reads: pace(random, bytes),
            ending,
        },
        tcp: tcp(random, bytes),
    }
}

/// Some are fast, some slow, and some pause for longer than the dead peer deadline.
fn pace(random: &mut Rng, bytes: u32) -> Pace {
    let (pause, pauses) = match random.u8(..20) {
        0 => (Duration::from_secs(100), 4),
        1..4 => (Duration::from_secs(5), 10),
        4..10 => (Duration::from_millis(200), 100),
        _ => (Duration::ZERO, 0),
    };
    let most = random.usize(1..=3000).max(bytes as usize / 20);
    Pace { bytes: most, pause, pauses }
}

fn tcp(random: &mut Rng, bytes: u32) -> Tcp {
    let ack_delay = pick(random, &[0, 10, 40, 200]);
    if random.bool() {
        let size = |random: &mut Rng| pick(random, &[64, 500, 1024, 4096, 65535, 100_000]);
        return Tcp::Smoltcp {
            buffers: (size(random), size(random)),
            nagle: random.bool(),
            ack_delay: (ack_delay > 0).then(|| Duration::from_millis(ack_delay)),
        };
    }
    let buffer: usize = pick(random, &[64, 500, 1024, 4096, 65535, 1 << 20]);
    // With a send buffer of one byte, each segment of one byte waits for the ACK of the one before.
    let least_queue = if bytes < 300 { 1 } else { 100 };
    Tcp::Plain(TcpConfig {
        mss: pick(
            random,
            &[None, Some(0), Some(48), Some(536), Some(1220), Some(1460), Some(8960), Some(65535)],
        ),
        // The window is rounded down to a multiple of 2^scale: with a small buffer, it would look closed.
        scale: pick(random, &[None, None, Some(0), Some(3), Some(14)]).filter(|scale| buffer >> scale > 50),
        buffer,
        queue: pick(random, &[least_queue, 200, 2000, 65536]),
        ack_delay: Duration::from_millis(ack_delay),
        rto: Duration::from_millis(random.u64(200..1500)),
        iss: pick(random, &[random.clone().u32(..), u32::MAX, 0, 0x7fff_ffff]),
        ..TcpConfig::PLAIN
    })
}

pub(crate) fn udp_client(random: &mut Rng, mtu: usize) -> UdpClientSpec {
    let ipv6 = mtu >= 1280 && random.bool();
    let longest = if ipv6 { mtu - 48 } else { (mtu - 28).max(2048 - 8) };
    let mut requests: Vec<Request> = (0..random.usize(1..=20))
        .map(|_| {
            let any = random.usize(0..=longest);
            let length = pick(random, &[0, 1, 1023, 1024, 1025, longest, any]).min(longest);
            let at = BEGIN + Duration::from_micros(random.u64(0..COME_WITHIN.total_micros()));
            Request { at, payload: Content(random.u32(..)).part(0, length), replies: 0 }
        })
        .collect();
    requests.sort_by_key(|request| request.at);
    UdpClientSpec { ipv6, requests }
}

pub(crate) fn pick<T: Copy>(random: &mut Rng, choices: &[T]) -> T {
    choices[random.usize(..choices.len())]
}

/// Draws with this chance in a hundred.
pub(crate) fn sometimes<T>(random: &mut Rng, chance: u8, draw: impl FnOnce(&mut Rng) -> T) -> Option<T> {
    (random.u8(..100) < chance).then(|| draw(random))
}

pub(crate) fn seconds(random: &mut Rng, least: u64, most: u64) -> Duration {
    Duration::from_micros(random.u64(least * 1_000_000..=most * 1_000_000))
}
