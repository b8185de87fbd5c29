//! A SYN flood from forged addresses: real clients are served at once, and none is reset. Ten seconds later all slots are
//! free.
//!
//! A flood takes all that the machine has, so there is one at a time ([`ALONE`]). The ten seconds after it need
//! nothing, so that the tests wait at the same time.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::forged::{self, Forger};
use crate::program::LIMIT;
use crate::server::{Server, V4, V6};
use crate::sockets::{assert_echo, connect};

tests![
    with_8_slots_all_are_served_during_20_000_syns_a_second,
    with_64_slots_all_are_served_during_20_000_syns_a_second,
    with_1024_slots_all_are_served_during_20_000_syns_a_second,
    with_8_slots_almost_all_are_served_during_as_many_syns_as_the_device_carries,
    with_64_slots_almost_all_are_served_during_as_many_syns_as_the_device_carries,
    with_1024_slots_almost_all_are_served_during_as_many_syns_as_the_device_carries,
];

/// Held during a flood, and while the slots are counted after it.
static ALONE: Mutex<()> = Mutex::new(());

/// A client that comes during the flood is served within this.
const AT_ONCE: Duration = Duration::from_secs(1);

/// The most SYNs of a flood, and the longest that it lasts. It ends when the last client has been served.
const MOST: u64 = 3_000_000;
const LONGEST: Duration = Duration::from_secs(20);

/// The most packets that the flood lets wait in the device's queue, which has room for 500 and drops what is beyond.
const WAITING: u64 = 250;

/// The clients that come during a flood, one after the other from each thread.
const THREADS: usize = 2;
const CLIENTS: usize = 50;

fn with_8_slots_all_are_served_during_20_000_syns_a_second() {
    assert_all_are_served(8);
}

fn with_64_slots_all_are_served_during_20_000_syns_a_second() {
    assert_all_are_served(64);
}

fn with_1024_slots_all_are_served_during_20_000_syns_a_second() {
    assert_all_are_served(1024);
}

fn with_8_slots_almost_all_are_served_during_as_many_syns_as_the_device_carries() {
    assert_almost_all_are_served(8);
}

fn with_64_slots_almost_all_are_served_during_as_many_syns_as_the_device_carries() {
    assert_almost_all_are_served(64);
}

fn with_1024_slots_almost_all_are_served_during_as_many_syns_as_the_device_carries() {
    assert_almost_all_are_served(1024);
}

#[track_caller]
fn assert_all_are_served(slots: usize) {
    // A busy machine does not carry as many SYNs, and such a flood proves nothing: it is tried again.
    let outcome = (0..5).map(|_| flood(slots, Some(20_000))).find(|outcome| outcome.rate > 18_000);
    let Outcome { late, reset, .. } = outcome.expect("this machine is too busy for 20,000 SYNs a second");
    assert_eq!((late, reset), (0, 0), "of {} clients", THREADS * CLIENTS);
}

#[track_caller]
fn assert_almost_all_are_served(slots: usize) {
    let Outcome { late, reset, .. } = flood(slots, None);
    assert!(late <= THREADS * CLIENTS / 50, "{late} were not served");
    assert_eq!(reset, 0);
}

fn alone() -> MutexGuard<'static, ()> {
    // It guards no data, so that a test that failed leaves nothing wrong behind.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Outcome {
    /// Clients that were not served within [`AT_ONCE`].
    late: usize,
    /// Clients that were reset.
    reset: usize,
    /// SYNs a second.
    rate: u64,
}

/// Floods a server with this many slots while clients come and go. All slots must be free ten seconds later.
fn flood(slots: usize, syns_a_second: Option<u32>) -> Outcome {
    let alone_during_the_flood = alone();
    let server = Server::start(&["--connections", &slots.to_string()]);
    // Two clients are connected before the flood, and stay.
    let mut early = [connect(V4), connect(V6)];
    early.iter_mut().for_each(assert_echo);

    let (over, legitimate) = (AtomicBool::new(false), AtomicU64::new(0));
    let (rate, results) = thread::scope(|scope| {
        let flood = scope.spawn(|| Flood::new().run(syns_a_second, &over, &legitimate));
        let clients: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| come_and_go(&legitimate))).collect();
        let results: Vec<_> = clients.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        over.store(true, Ordering::Release);
        (flood.join().unwrap(), results)
    });
    let ended = Instant::now();
    early.iter_mut().for_each(assert_echo);
    drop(early);
    drop(alone_during_the_flood);
    let before = Counters::of(&server);
    assert!(before.evicted > 10_000, "that was no flood: {before:?}");
    assert!(slots > 8 || before.revived > 0, "{before:?}");

    let mut late: Vec<_> =
        results.iter().filter(|(took, result)| result.is_err() || *took > AT_ONCE).collect();
    late.sort_by_key(|(took, _)| *took);
    let reset =
        results.iter().filter(|(_, result)| matches!(result, Err(ErrorKind::ConnectionReset))).count();
    let longest = results.iter().map(|(took, _)| *took).max().unwrap();
    println!(
        "{slots} slots, {rate} SYN/s, {} clients, at most {longest:?}: {late:?}; {before:?}",
        results.len()
    );
    thread::sleep((ended + Duration::from_secs(10)).saturating_duration_since(Instant::now()));
    let _alone = alone();
    let mut all: Vec<_> = (0..slots).map(|index| connect([V4, V6][index % 2])).collect();
    all.iter_mut().for_each(assert_echo);
    let after = Counters::of(&server);
    assert_eq!(after.refused, before.refused, "not all slots were free");
    // A half-open connection that the flood has left keeps its slot until somebody wants it, and gives way once.
    assert!(after.evicted - before.evicted <= u64::try_from(slots).unwrap(), "more gave way than there were");
    Outcome { late: late.len(), reset, rate }
}

/// Connects, has a line echoed and leaves, again and again. Returns how long each time took, and its result.
fn come_and_go(legitimate: &AtomicU64) -> Vec<(Duration, Result<(), ErrorKind>)> {
    let once = |server: &str| -> io::Result<()> {
        let address: SocketAddr = server.parse().unwrap();
        let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.write_all(b"let me in")?;
        let mut echo = [0; 9];
        stream.read_exact(&mut echo)?;
        assert_eq!(&echo, b"LET ME IN");
        Ok(())
    };
    let mut results = Vec::new();
    for index in 0..CLIENTS {
        let begin = Instant::now();
        let result = once([V4, V6][index % 2]).map_err(|error| error.kind());
        results.push((begin.elapsed(), result));
        // 6 packets: SYN, ACK of the SYN|ACK, data, ACK of the echo, FIN, ACK of the server's FIN.
        legitimate.fetch_add(6, Ordering::Relaxed);
        // Spread over the flood.
        thread::sleep(Duration::from_millis(15));
    }
    results
}

/// The server's counters of half-open connections.
#[derive(Debug)]
struct Counters {
    refused: u64,
    evicted: u64,
    revived: u64,
}

impl Counters {
    fn of(server: &Server) -> Self {
        const HEAD: &str = "half-open    ";
        let reports = |text: &str| text.lines().filter(|line| line.starts_with(HEAD)).count();
        let known = reports(&server.log().text());
        server.signal(Signal::SIGUSR1);
        let whole = |text: &str| reports(text) > known && text.ends_with('\n');
        let text = server.log().wait_until("the counters", whole);
        let line = text.lines().rfind(|line| line.starts_with(HEAD)).unwrap();
        let mut numbers = line.split_whitespace().filter_map(|word| word.parse().ok());
        let mut next = || numbers.next().unwrap();
        Self { refused: next(), evicted: next(), revived: next() }
    }
}

/// SYNs with whatever source address.
struct Flood {
    forger: Forger,
    random: fastrand::Rng,
}

impl Flood {
    fn new() -> Self {
        Self { forger: Forger::new(), random: fastrand::Rng::with_seed(1) }
    }

    /// Sends SYNs at this rate, or as fast as the server empties the device. Returns the SYNs sent per second.
    fn run(&mut self, syns_a_second: Option<u32>, over: &AtomicBool, legitimate: &AtomicU64) -> u64 {
        let (begin, first) = (Instant::now(), taken_from_the_device());
        let mut sent = 0;
        while sent < MOST && begin.elapsed() < LONGEST && !over.load(Ordering::Acquire) {
            let elapsed = u64::try_from(begin.elapsed().as_micros()).unwrap();
            let due = syns_a_second.map_or(MOST, |rate| elapsed * u64::from(rate) / 1_000_000);
            let taken = taken_from_the_device() - first;
            let room = (taken + WAITING).saturating_sub(sent + legitimate.load(Ordering::Relaxed));
            let now = room.min(due.saturating_sub(sent));
            for _ in 0..now {
                self.send();
            }
            sent += now;
            if now == 0 {
                thread::sleep(Duration::from_micros(100));
            }
        }
        sent * 1000 / u64::try_from(begin.elapsed().as_millis()).unwrap()
    }

    fn send(&mut self) {
        let [a, b, c] = [[192, 0, 2], [198, 51, 100], [203, 0, 113]][self.random.usize(..3)];
        let source = Ipv4Addr::new(a, b, c, self.random.u8(1..255)).octets();
        let source = SocketAddrV4::new(source.into(), self.random.u16(1024..));
        let destination = SocketAddrV4::new(Ipv4Addr::new(192, 168, 69, 1), 8080);
        self.forger.send(&forged::syn(source, destination, self.random.u32(..)), *destination.ip());
    }
}

/// How many packets the server has taken from its device.
fn taken_from_the_device() -> u64 {
    let devices = fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    let shout = devices.lines().find_map(|line| line.trim().strip_prefix("shout0:")).unwrap();
    // Seen from the kernel: 8 columns of what came from the server, then those of what went to it.
    shout.split_whitespace().nth(9).unwrap().parse().unwrap()
}
