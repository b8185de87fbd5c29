//! The core allocates nothing, whatever comes: a global allocator counts what `Server::poll` asks for. The test's
//! device and its clients use the same allocator, and are not counted.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is how a test fails")]

mod counting;

use core::net::SocketAddr;

use fastrand::Rng;
use shout_core::{Config, Poll, Server, Stats};
use shout_tests::attacker::{Attacker, garbage, odd_frame};
use shout_tests::content::Content;
use shout_tests::device::{Device, Passed};
use shout_tests::ethernet::{Arrived, Neighbour, SERVER_MAC};
use shout_tests::memory::ServerMemory;
use shout_tests::network::{hardware_addr, mac};
use shout_tests::scenario::{BEGIN, PORT, Scenario, Tcp, TcpClientSpec};
use shout_tests::single_server::View;
use shout_tests::tcp_client::TcpClient;
use shout_tests::transport::Transport;
use shout_tests::wire::Datagram;
use smoltcp::phy::Medium;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::IpCidr;

use counting::{Apart, allocations, counted};

/// More than there are slots.
const CLIENTS: usize = 12;
const SLOTS: usize = 8;
const ROUNDS: u64 = 300;

#[test]
fn what_is_asked_for_is_counted() {
    let before = allocations();
    drop(counted(true, || core::hint::black_box(Box::new(1))));
    assert_eq!(allocations() - before, 1);
    drop(core::hint::black_box(Box::new(1)));
    assert_eq!(allocations() - before, 1);
}

#[test]
fn an_ip_device() {
    serve(Medium::Ip);
}

#[test]
fn an_ethernet_device() {
    serve(Medium::Ethernet);
}

fn serve(medium: Medium) {
    let mut memory = ServerMemory::new(SLOTS, 1024, 64);
    let mut device = Device::new(medium, 1500);
    let mut config = Config::new(hardware_addr(medium, SERVER_MAC), *b"0123456789abcdef");
    config.addresses.push(IpCidr::new(Scenario::server(false).into(), 16)).unwrap();
    config.addresses.push(IpCidr::new(Scenario::server(true).into(), 64)).unwrap();
    (config.delay, config.idle_timeout) = (Some(Duration::from_millis(20)), Some(Duration::from_secs(10)));
    let server = Server::new(&config, memory.storage(), &mut device, BEGIN).unwrap();
    let mut net = Net { server, device, now: BEGIN, medium, clients: Vec::new(), random: Rng::with_seed(1) };
    let before = allocations();
    for round in 0..ROUNDS {
        net.round(round);
    }
    net.device.room = usize::MAX;
    net.server.shutdown(net.now);
    for _ in 0..400 {
        net.step();
    }
    assert_eq!(allocations() - before, 0, "the core asked for memory");
    // The run must have had traffic, or it would prove little.
    let stats: &Stats = net.server.stats();
    assert!(stats.opened > 4 * ROUNDS && stats.closed > 2 * ROUNDS, "{stats}");
    assert!(stats.timed_out > 0 && stats.reset > 0 && stats.abandoned > 0, "{stats}");
    assert!(stats.bytes_out > 1_000_000 && stats.datagrams_out > ROUNDS, "{stats}");
    assert!(net.server.is_shut_down());
}

struct Net<'a> {
    server: Server<'a>,
    device: Device,
    now: Instant,
    medium: Medium,
    clients: Vec<(Neighbour, TcpClient)>,
    random: Rng,
}

impl Net<'_> {
    /// New clients replace those before, which may have vanished, reset their connections, or been served.
    fn round(&mut self, round: u64) {
        let port = 1024 + u16::try_from(round).unwrap();
        self.clients = (0..CLIENTS).map(|index| client(index, port)).collect();
        for _ in 0..200 {
            if self.random.u8(..4) == 0 {
                self.attack();
            }
            let (random, now) = (&mut self.random, self.now);
            if let Some((_, client)) = self.clients.get_mut(random.usize(..100))
                && round.is_multiple_of(3)
            {
                client.abort();
                client.transmit(now, &mut Vec::new());
            }
            self.device.room = [0, 1, 5, usize::MAX, usize::MAX][random.usize(..5)];
            self.step();
        }
        if round.is_multiple_of(10) {
            // The remaining clients vanish.
            self.clients.clear();
            self.device.room = usize::MAX;
            for _ in 0..30 {
                self.now += Duration::from_secs(3);
                self.step();
            }
        }
    }

    fn attack(&mut self) {
        let random = &mut self.random;
        let attacker = Attacker::new(random.usize(1000..2000), random.bool(), random);
        let packet = match random.u8(..8) {
            0..2 => attacker.syn(random).to_packet(),
            2 => attacker.hostile(&View::default(), random).to_packet(),
            3 => attacker.icmp(&View::default(), random),
            4 => garbage(&attacker.syn(random).to_packet(), 1, random),
            5 => return self.device.arriving.push_back(odd_frame(attacker.neighbour.mac, random)),
            6 => attacker.datagram(random),
            _ => {
                let to = SocketAddr::new(Scenario::server(false), PORT);
                let from = SocketAddr::new(Scenario::address(7, false), 20_000);
                let whole = Datagram { from, to, payload: Content(1).part(0, random.usize(..3000)) };
                for part in whole.to_packets(576, random.u16(..)) {
                    self.arrive(&attacker.neighbour, &part);
                }
                return;
            }
        };
        self.arrive(&attacker.neighbour, &packet);
    }

    fn arrive(&mut self, from: &Neighbour, packet: &[u8]) {
        let frame = if self.medium == Medium::Ethernet { from.frame(packet) } else { packet.to_vec() };
        self.device.arriving.push_back(frame);
    }

    /// A few milliseconds: clients send, the server runs, and clients read.
    fn step(&mut self) {
        self.now += Duration::from_millis(3);
        let mut out = Vec::new();
        for index in 0..self.clients.len() {
            let (neighbour, client) = &mut self.clients[index];
            client.transmit(self.now, &mut out);
            let neighbour = *neighbour;
            for packet in out.drain(..) {
                self.arrive(&neighbour, &packet);
            }
        }
        for _ in 0..100 {
            let Poll { deadline, blocked, .. } = self.poll();
            if blocked || deadline.is_none_or(|at| at > self.now) {
                break;
            }
        }
        self.deliver();
    }

    /// `Server::poll`, with the counting on.
    fn poll(&mut self) -> Poll {
        let (server, now) = (&mut self.server, self.now);
        let mut device = Apart(&mut self.device);
        counted(true, || server.poll(now, &mut device))
    }

    fn deliver(&mut self) {
        for passed in self.device.journal.split_off(0) {
            let Passed::Out(frame) = passed else { continue };
            for (neighbour, client) in &mut self.clients {
                match self.medium {
                    Medium::Ip => client.receive(self.now, &frame),
                    Medium::Ethernet => match neighbour.receive(&frame) {
                        Arrived::Packet(packet) => client.receive(self.now, packet),
                        Arrived::Question(answer) => self.device.arriving.push_back(answer),
                        Arrived::Nothing => {}
                    },
                }
            }
        }
        for (_, client) in &mut self.clients {
            let mut echo = [0; 4096];
            while client.read(&mut echo) > 0 {}
        }
    }
}

/// A client that sends, and closes when everything is sent.
fn client(index: usize, port: u16) -> (Neighbour, TcpClient) {
    let neighbour = Neighbour { mac: mac(index), address: Scenario::address(index, index % 2 == 1) };
    let Tcp::Plain(config) = TcpClientSpec::new(BEGIN, 0).tcp else { panic!("another TCP by default") };
    let server = SocketAddr::new(Scenario::server(neighbour.address.is_ipv6()), PORT);
    let mut client = TcpClient::new(SocketAddr::new(neighbour.address, port), server, config);
    client.write(&Content(0).part(0, 700 * index));
    if index != 3 {
        client.close();
    }
    (neighbour, client)
}
