//! A SYN flood from forged addresses: real clients with round trips of 0.2 to 100 ms are served at once.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::collections::BTreeMap;

use fastrand::Rng;
use shout_core::{Config, Server};
use shout_tests::device::{Device, Passed};
use shout_tests::memory::ServerMemory;
use shout_tests::scenario::{BEGIN, PORT, Scenario, TcpConfig};
use shout_tests::tcp_client::TcpClient;
use shout_tests::tcp_options::SynOptions;
use shout_tests::transport::{Status, Transport};
use shout_tests::wire::{SYN, Segment};
use smoltcp::phy::Medium;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{HardwareAddress, IpCidr};

use crate::seeds::for_each_seed;

/// The flood begins after this, and lasts as long as this.
const BEFORE: Duration = Duration::from_secs(1);
const LASTS: Duration = Duration::from_secs(3);
/// A client that stays sends this often.
const BETWEEN: Duration = Duration::from_millis(200);
/// A client is served within this.
const AT_ONCE: Duration = Duration::from_secs(1);

#[test]
fn with_8_slots() {
    for_each_seed(4, |seed| flood(seed, 8, 1024, 20_000));
}

#[test]
fn with_64_slots() {
    for_each_seed(4, |seed| flood(seed, 64, 1024, 20_000));
}

#[test]
fn with_1024_slots() {
    for_each_seed(2, |seed| flood(seed, 1024, 1024, 20_000));
}

#[test]
fn ten_times_as_many() {
    for_each_seed(1, |seed| flood(seed, 8, 1024, 200_000));
}

#[test]
fn with_buffers_that_need_a_window_scale() {
    for_each_seed(2, |seed| flood(seed, 16, 1 << 18, 20_000));
}

/// An event of the simulation.
enum Event {
    Forged,
    ToServer(Vec<u8>),
    ToClient(usize, Vec<u8>),
    Act(usize),
}

/// A client that connects, sends, waits for the echo and closes; or one that stays, and sends again and again.
struct Client {
    address: SocketAddr,
    tcp: TcpClient,
    begins: Instant,
    stays_until: Instant,
    speaks_at: Instant,
    /// The delay of a packet, in each direction.
    latency: Duration,
    written: usize,
    echo: Vec<u8>,
    first_echo: Option<Instant>,
}

struct Scene<'a> {
    now: Instant,
    server: Server<'a>,
    device: Device,
    due: Option<Instant>,
    clients: Vec<Client>,
    events: BTreeMap<(Instant, u64), Event>,
    count: u64,
    random: Rng,
    ends: Instant,
    gap: Duration,
}

fn flood(seed: u64, slots: usize, buffer: usize, syns_a_second: u64) {
    let mut memory = ServerMemory::new(slots, buffer, 0);
    let mut device = Device::new(Medium::Ip, 1500);
    let mut config = Config::new(HardwareAddress::Ip, *b"0123456789abcdef");
    config.addresses.push(IpCidr::new(Scenario::server(false).into(), 16)).unwrap();
    config.addresses.push(IpCidr::new(Scenario::server(true).into(), 64)).unwrap();
    let server = Server::new(&config, memory.storage(), &mut device, BEGIN).unwrap();
    let mut scene = Scene {
        now: BEGIN,
        server,
        device,
        due: None,
        clients: Vec::new(),
        events: BTreeMap::new(),
        count: 0,
        random: Rng::with_seed(seed),
        ends: BEGIN + BEFORE + LASTS,
        gap: Duration::from_micros(1_000_000 / syns_a_second),
    };
    // A quarter of the slots is taken by clients that stay. Half of the others are enough for those that come and go,
    // each of which needs a slot for at most 3 round trips.
    let stay = slots / 4;
    for _ in 0..stay {
        let begins = BEGIN + Duration::from_micros(scene.random.u64(..500_000));
        scene.add(begins, scene.ends);
    }
    let spacing = Duration::from_micros(300_000 * 8 / (3 * slots as u64)).max(Duration::from_millis(4));
    let mut begins = BEGIN + BEFORE;
    while begins < scene.ends {
        scene.add(begins, begins);
        begins += spacing;
    }
    scene.schedule(BEGIN + BEFORE, Event::Forged);
    scene.run_until(scene.ends + AT_ONCE);

    let stats = *scene.server.stats();
    let forged = LASTS.total_micros() / scene.gap.total_micros();
    assert!(stats.packets_in > forged && stats.evicted > forged / 2, "that is no flood:\n{stats}");
    for Client { address, begins, first_echo, written, echo, latency, tcp, .. } in &scene.clients {
        assert_ne!(tcp.status(), Status::Reset, "{address} at {latency} was reset:\n{stats}");
        let served = first_echo.is_some_and(|at| at <= *begins + AT_ONCE);
        assert!(served, "{address} came at {begins} and was served at {first_echo:?}:\n{stats}");
        assert_eq!(echo.len(), *written, "{address} at {latency} lacks a part:\n{stats}");
        assert_eq!(tcp.status(), Status::Finished, "{address} at {latency}:\n{stats}");
    }
    assert_eq!((stats.opened, stats.closed), (scene.clients.len() as u64, scene.clients.len() as u64));
    assert!(stats.revived > 0);

    // The half-open deadline later, all slots are free.
    scene.run_until(scene.ends + Duration::from_secs(80));
    assert_eq!((scene.server.stats().live, scene.due), (0, None), "{}", scene.server.stats());
    let (before, clients) = (*scene.server.stats(), scene.clients.len());
    for _ in 0..slots {
        scene.add(scene.now, scene.now + AT_ONCE * 2);
    }
    scene.run_until(scene.now + AT_ONCE);
    let stats = scene.server.stats();
    assert_eq!((stats.live, stats.evicted), (slots as u64, before.evicted), "slots are missing:\n{stats}");
    assert!(scene.clients[clients..].iter().all(|client| client.first_echo.is_some()));
}

impl Scene<'_> {
    fn add(&mut self, begins: Instant, stays_until: Instant) {
        let index = self.clients.len();
        let address = SocketAddr::new(Scenario::address(index, index % 2 == 1), 40_000);
        // Round trips of each order of magnitude, from 0.2 to 100 ms.
        let most = [200, 1000, 5000, 50_000][self.random.usize(..4)];
        let latency = Duration::from_micros(self.random.u64(100..=most));
        let config = TcpConfig {
            scale: [None, Some(0), Some(7), Some(14)][index % 4],
            buffer: 60_000,
            queue: 10_000,
            ack_delay: Duration::ZERO,
            iss: self.random.u32(..),
            ..TcpConfig::PLAIN
        };
        self.clients.push(Client {
            address,
            tcp: TcpClient::new(address, SocketAddr::new(Scenario::server(address.is_ipv6()), PORT), config),
            begins,
            stays_until,
            speaks_at: begins,
            latency,
            written: 0,
            echo: Vec::new(),
            first_echo: None,
        });
        self.schedule(begins, Event::Act(index));
    }

    fn schedule(&mut self, at: Instant, event: Event) {
        self.count += 1;
        self.events.insert((at, self.count), event);
    }

    fn run_until(&mut self, end: Instant) {
        loop {
            let next = self.events.first_key_value().map(|((at, _), _)| *at);
            let at = next.into_iter().chain(self.due).min().filter(|&at| at <= end);
            self.now = self.now.max(at.unwrap_or(end));
            while let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let event = entry.remove();
                self.happen(event);
            }
            if self.due.is_some_and(|at| at <= self.now) {
                self.poll();
            }
            if at.is_none() {
                return;
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Forged if self.now >= self.ends => {}
            Event::Forged => {
                let syn = self.forged().to_packet();
                self.schedule(self.now + self.gap, Event::Forged);
                self.arrive(syn);
            }
            Event::ToServer(packet) => self.arrive(packet),
            Event::ToClient(index, packet) => {
                self.clients[index].tcp.receive(self.now, &packet);
                self.act(index);
            }
            Event::Act(index) => self.act(index),
        }
    }

    /// A SYN from an address of the documentation ranges (RFC 5737, RFC 3849).
    fn forged(&mut self) -> Segment {
        let random = &mut self.random;
        let (ipv6, nets) = (random.bool(), [[192, 0, 2], [198, 51, 100], [203, 0, 113]]);
        let [a, b, c] = nets[random.usize(..3)];
        let address: IpAddr = match ipv6 {
            true => Ipv6Addr::from_bits(0x2001_0db8 << 96 | random.u128(..) >> 32).into(),
            false => Ipv4Addr::new(a, b, c, random.u8(1..255)).into(),
        };
        Segment {
            from: SocketAddr::new(address, random.u16(1024..)),
            to: SocketAddr::new(Scenario::server(ipv6), PORT),
            seq: random.u32(..),
            ack: 0,
            flags: SYN,
            window: 64_240,
            options: SynOptions::new(Some(1460), Some(7)).to_bytes(),
            payload: Vec::new(),
        }
    }

    fn act(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let mut bytes = [0; 100];
        while let read @ 1.. = client.tcp.read(&mut bytes) {
            assert!(bytes[..read].iter().all(|&byte| byte == b'X'));
            client.echo.extend(&bytes[..read]);
            client.first_echo.get_or_insert(self.now);
        }
        let speaks = client.written == 0 || self.now < client.stays_until;
        let mut again = None;
        if client.echo.len() == client.written && !speaks {
            client.tcp.close();
        } else if client.echo.len() == client.written && client.speaks_at <= self.now {
            client.written += client.tcp.write(&[b'x'; 100]);
            client.speaks_at = self.now + BETWEEN;
            again = Some(client.speaks_at);
        }
        let mut out = Vec::new();
        client.tcp.transmit(self.now, &mut out);
        let (at, due) = (self.now + client.latency, client.tcp.deadline(self.now));
        for packet in out {
            self.schedule(at, Event::ToServer(packet));
        }
        for due in due.into_iter().chain(again) {
            self.schedule(due.max(self.now + Duration::from_micros(1)), Event::Act(index));
        }
    }

    fn arrive(&mut self, packet: Vec<u8>) {
        self.device.arriving.push_back(packet);
        self.poll();
    }

    fn poll(&mut self) {
        loop {
            self.due = self.server.poll(self.now, &mut self.device).deadline;
            if self.due.is_none_or(|at| at > self.now) {
                break;
            }
        }
        for passed in self.device.journal.split_off(0) {
            let Passed::Out(packet) = passed else { continue };
            let to = Segment::read(&packet).expect("TCP, with right checksums").to;
            let address = |client: &Client| client.address == to;
            if let Some(index) = self.clients.iter().position(address) {
                self.schedule(self.now + self.clients[index].latency, Event::ToClient(index, packet));
            }
        }
    }
}
