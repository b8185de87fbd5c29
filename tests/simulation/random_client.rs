//! One client that is correct, with any buffers, windows, segments and habits: it gets its echo without a pause that nothing
//! explains, over a perfect link and over a lossy one.
//!
//! The server's handler is the uppercase one, or one that copies the bytes piece by piece.

use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use fastrand::Rng;
use shout_core::{Handler, Next, Stream, Uppercase};
use shout_tests::app::{Behaviour, Ending, Outcome, Pace};
use shout_tests::content::{Content, uppercase};
use shout_tests::link::Faults;
use shout_tests::pauses::Pauses;
use shout_tests::scenario::{BEGIN, Probes, Resends, Scenario, Tcp, TcpClientSpec, TcpConfig};
use smoltcp::time::Duration;

use crate::random_scenario::{pick, seconds, sometimes};
use crate::run::run_with;
use crate::seeds::for_each_seed;

/// Reads and writes by itself, in pieces of this many bytes at most, and does not pass bytes.
struct Copies {
    most: usize,
}

impl Handler for Copies {
    type State = ();

    fn open(&mut self, _peer: core::net::SocketAddr) -> Option<()> {
        Some(())
    }

    fn stream(&mut self, (): &mut (), stream: &mut Stream<'_, '_>) -> Next {
        let most = self.most.min(stream.room());
        let piece = stream.read(|bytes| {
            let piece: Vec<u8> = bytes.iter().take(most).map(|&byte| uppercase(byte)).collect();
            (piece.len(), piece)
        });
        let piece = piece.unwrap_or_default();
        assert_eq!(stream.write(&piece), piece.len(), "there was room");
        if stream.readable() > 0 { Next::More } else { Next::Continue }
    }
}

#[test]
fn a_random_client_never_waits_for_nothing_over_a_perfect_link() {
    for_all(|random| Faults { delay: latency(random), ..Faults::none() });
}

#[test]
fn a_random_client_waits_for_no_longer_than_what_is_lost_over_a_lossy_link() {
    for_all(|random| Faults {
        lose: random.u32(0..=30),
        duplicate: random.u32(0..=30),
        corrupt: random.u32(0..=10),
        hold_up: (random.u32(0..=30), Duration::from_millis(random.u64(0..=50))),
        delay: latency(random),
        ..Faults::none()
    });
}

/// The same for all packets of a run, so that they stay in order.
fn latency(random: &mut Rng) -> core::ops::RangeInclusive<u64> {
    let micros = pick(random, &[100, 1000, 10_000, 50_000]);
    micros..=micros
}

/// Runs all seeds, and names all of those that fail.
fn for_all(faults: impl Fn(&mut Rng) -> Faults) {
    let mut failed = Vec::new();
    for_each_seed(1000, |seed| {
        let result = catch_unwind(AssertUnwindSafe(|| one_run(seed, &faults)));
        match result {
            Ok(None) => {}
            Ok(Some(pause)) => failed.push((seed, pause)),
            Err(_) => failed.push((seed, String::from("panicked"))),
        }
    });
    for (seed, why) in &failed {
        println!("seed {seed}: {why}");
    }
    assert!(failed.is_empty(), "{} runs failed; SHOUT_SIM_SEED=N runs one again", failed.len());
}

/// Runs one scenario. Returns a pause that nothing explains.
fn one_run(seed: u64, faults: &impl Fn(&mut Rng) -> Faults) -> Option<String> {
    let random = &mut Rng::with_seed(seed);
    let faults = faults(random);
    let mut scenario = Scenario {
        faults,
        mtu: pick(random, &[576, 1280, 1500, 1500, 9000]),
        buffer: pick(random, &[64, 536, 1024, 1024, 1024, 4096, 65535, 1 << 18]),
        slots: 2,
        ..Scenario::new(seed)
    };
    let copies = sometimes(random, 33, |random| pick(random, &[1, 10, 100, 1000, 65536]));
    let client = client(random, &scenario);
    scenario.tcp_clients.push(client);
    if crate::seeds::trace() {
        println!("{copies:?} {scenario:#?}");
    }
    let pauses = Some(Pauses::default());
    let (tally, pauses) = match copies {
        Some(most) => run_with(Copies { most }, &scenario, pauses),
        None => run_with(Uppercase, &scenario, pauses),
    };
    assert_eq!(tally.outcomes.get(&Outcome::Served), Some(&1), "{tally:?}");
    let pause = pauses.first()?;
    Some(format!("{pause:?} of {} in all; {copies:?}", pauses.len()))
}

fn client(random: &mut Rng, scenario: &Scenario) -> TcpClientSpec {
    let tcp = tcp(random);
    // Small windows and segments take long enough with few bytes.
    let slow = tcp.drip.or((tcp.window_delay > Duration::ZERO).then_some(tcp.buffer)).unwrap_or(usize::MAX);
    let least = tcp.segment.min(tcp.buffer).min(tcp.queue).min(scenario.buffer).min(slow);
    let most = (least * 100).min(60_000);
    let most = u32::try_from(pick(random, &[10, 100, 3000, 60_000]).min(most)).unwrap();
    let bytes = random.u32(0..=most);
    let ending = match random.u8(..4) {
        0 => Ending::HalfClose,
        1 => Ending::HalfCloseLater(seconds(random, 0, 5)),
        _ => Ending::AfterEcho,
    };
    let behaviour = Behaviour {
        begin: BEGIN,
        content: Content(random.u32(..)),
        bytes,
        writes: pace(random, bytes),
        reads: pace(random, bytes),
        ending,
    };
    let ipv6 = scenario.mtu >= 1280 && random.bool();
    TcpClientSpec { ipv6, behaviour, tcp: Tcp::Plain(tcp), ..TcpClientSpec::new(BEGIN, bytes) }
}

/// In bursts, or byte by byte; with and without pauses.
fn pace(random: &mut Rng, bytes: u32) -> Pace {
    let (pause, pauses) = match random.u8(..10) {
        0 => (Duration::from_secs(10), 3),
        1..3 => (Duration::from_secs(1), 10),
        3..6 => (Duration::from_millis(100), 100),
        _ => (Duration::ZERO, 0),
    };
    let bytes = bytes as usize;
    let size = pick(random, &[1, 10, 100, 536, 1460, 5000, 65536]).max(bytes / 200).max(1);
    Pace { bytes: size, pause, pauses }
}

fn tcp(random: &mut Rng) -> TcpConfig {
    let any = random.usize(1..5000);
    let buffer: usize = pick(random, &[1, 10, 64, 500, 536, 1024, 4096, 16384, 65535, 1 << 20, any]);
    let drip = sometimes(random, 15, |random| pick(random, &[1, 7, 20, 100, 536]));
    let late = drip.is_some() || random.u8(..5) == 0;
    TcpConfig {
        mss: pick(random, &[None, Some(48), Some(100), Some(536), Some(1220), Some(1460), Some(8960)]),
        // The window is rounded down to a multiple of 2^scale: with a small buffer, it would look closed.
        scale: pick(random, &[None, Some(0), Some(3), Some(7), Some(14)])
            .filter(|scale| buffer >> scale > 50 && drip.is_none()),
        buffer,
        queue: pick(random, &[1, 100, 1000, 4096, 65536]),
        ack_delay: Duration::from_millis(pick(random, &[0, 0, 10, 40, 100, 200])),
        rto: Duration::from_millis(random.u64(300..=1000)),
        iss: pick(random, &[random.clone().u32(..), u32::MAX, 0, 0x7fff_ffff]),
        resends: if random.u8(..3) == 0 { Resends::WholeSegments } else { Resends::FromUna },
        old_acks: random.u8(..10) == 0,
        sack: random.bool(),
        timestamps: random.bool(),
        segment: pick(random, &[1, 10, 100, 536, usize::MAX, usize::MAX, usize::MAX]),
        nagle: random.u8(..3) == 0,
        probes: if random.bool() { Probes::Empty } else { Probes::Byte },
        fast_retransmit: random.bool(),
        drip,
        window_delay: if late { Duration::from_millis(random.u64(10..=300)) } else { Duration::ZERO },
    }
}
