//! A server, its device, a link, and the hosts on it, in virtual time.

use core::net::SocketAddr;

use fastrand::Rng;
use shout_core::{Config, Handler, Server, Stats, Uppercase};
use smoltcp::phy::Medium;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr};

use crate::app::App;
use crate::device::{Device, Passed};
use crate::ethernet::{HEADER, Neighbour, SERVER_MAC};
use crate::host::{Client, Framing, Host};
use crate::invariants::Invariants;
use crate::link::{End, Link};
use crate::memory::{ClientMemory, ServerMemory};
use crate::pauses::Pauses;
use crate::scenario::{PORT, Refusal, Scenario, Tcp, TcpClientSpec, UdpClientSpec};
use crate::smol_client::{Setup, SmolClient};
use crate::tcp_client::TcpClient;
use crate::trace::OneLine;
use crate::transport::Transport;
use crate::udp_client::UdpClient;

/// The whole network. `H` is the server's handler.
pub struct Network<'a, H: Handler<State = ()> = Uppercase> {
    /// The scenario that it runs.
    pub scenario: Scenario,
    /// The time, the same for all.
    pub now: Instant,
    /// The server.
    pub server: Server<'a, H>,
    /// The link between the server and the hosts.
    pub link: Link,
    /// The hosts, those of TCP clients first.
    pub hosts: Vec<Host<'a>>,
    /// Checks what the server does.
    pub invariants: Invariants,
    /// Looks for pauses that nothing explains, if that is wanted.
    pub pauses: Option<Pauses>,
    /// How often the server's deadline came, and it had nothing to do.
    pub idle_polls: u64,
    /// Prints every packet that passes the server.
    pub trace: bool,
    device: Device,
    /// The server's deadline.
    server_due: Option<Instant>,
    /// The server waits for room in the device.
    blocked: bool,
    /// When the device has room again, if it has none.
    room_at: Option<Instant>,
    random: Rng,
}

impl<'a> Network<'a> {
    /// A new network, without the clients of the scenario.
    pub fn new(scenario: Scenario, memory: &'a mut ServerMemory<'a>) -> Network<'a> {
        Network::with_handler(Uppercase, scenario, memory)
    }
}

impl<'a, H: Handler<State = ()>> Network<'a, H> {
    /// A new network whose server has this handler. It must answer in upper case, as the clients check that.
    pub fn with_handler(handler: H, scenario: Scenario, memory: &'a mut ServerMemory<'a>) -> Network<'a, H> {
        let mut random = Rng::with_seed(scenario.seed);
        let mut device = Device::new(scenario.medium, scenario.mtu);
        let mut config = Config::new(hardware_addr(scenario.medium, SERVER_MAC), entropy(&mut random));
        config.addresses.push(IpCidr::new(Scenario::server(false).into(), 16)).unwrap();
        if scenario.mtu >= 1280 {
            config.addresses.push(IpCidr::new(Scenario::server(true).into(), 64)).unwrap();
        }
        (config.port, config.idle_timeout, config.delay) = (PORT, scenario.idle_timeout, scenario.delay);
        let server =
            Server::with_handler(handler, &config, memory.storage(), &mut device, scenario.begin).unwrap();
        let mut network = Network {
            now: scenario.begin,
            server,
            link: Link::new(scenario.faults.clone(), random.fork()),
            hosts: Vec::new(),
            invariants: Invariants::new(PORT, scenario.mtu, scenario.delay.unwrap_or(Duration::ZERO)),
            pauses: None,
            idle_polls: 0,
            trace: false,
            device,
            server_due: None,
            blocked: false,
            room_at: None,
            random,
            scenario,
        };
        network.refill();
        network
    }

    /// Adds a TCP client. One with smoltcp's TCP needs memory.
    pub fn add_tcp_client(&mut self, spec: &TcpClientSpec, memory: Option<&'a mut ClientMemory<'a>>) {
        let host = self.app(spec.replaces.unwrap_or(self.hosts.len()), spec, memory);
        if let Some(before) = spec.replaces {
            self.hosts[before].until = Some(spec.behaviour.begin);
        }
        self.hosts.push(host);
    }

    /// Replaces a TCP client that has ended by another one on the same host.
    pub fn replace_tcp_client(&mut self, index: usize, spec: &TcpClientSpec) {
        self.hosts[index] = self.app(index, spec, None);
    }

    fn app(
        &mut self,
        index: usize,
        spec: &TcpClientSpec,
        memory: Option<&'a mut ClientMemory<'a>>,
    ) -> Host<'a> {
        let neighbour = Neighbour { mac: mac(index), address: Scenario::address(index, spec.ipv6) };
        let local = SocketAddr::new(neighbour.address, spec.port);
        let remote = SocketAddr::new(Scenario::server(spec.ipv6), PORT);
        let frames = self.scenario.medium == Medium::Ethernet;
        let (framing, transport): (_, Box<dyn Transport + 'a>) = match (spec.tcp, memory) {
            (Tcp::Smoltcp { nagle, ack_delay, .. }, Some(memory)) => {
                let hardware_addr = hardware_addr(self.scenario.medium, neighbour.mac);
                let setup = Setup {
                    seed: self.random.u64(..),
                    hardware_addr,
                    mtu: self.scenario.mtu,
                    nagle,
                    ack_delay,
                };
                (Framing::Own, Box::new(SmolClient::new(local, remote, setup, memory)))
            }
            (Tcp::Smoltcp { .. }, None) => panic!("smoltcp's sockets need memory"),
            (Tcp::Plain(config), _) => {
                let framing = if frames { Framing::Neighbour } else { Framing::None };
                (framing, Box::new(TcpClient::new(local, remote, config)))
            }
        };
        self.invariants.expect(local, spec.behaviour.content, None);
        let app = App::new(spec.behaviour, transport, self.random.fork());
        Host::new(Client::Tcp(app), neighbour, framing)
    }

    /// Adds a UDP client.
    pub fn add_udp_client(&mut self, spec: &UdpClientSpec) {
        let host = self.udp_client(self.hosts.len(), spec);
        self.hosts.push(host);
    }

    /// Replaces a UDP client that has ended by another one on the same host.
    pub fn replace_udp_client(&mut self, index: usize, spec: &UdpClientSpec) {
        self.hosts[index] = self.udp_client(index, spec);
        self.invariants.expect_other_fragments(self.hosts[index].neighbour.address);
    }

    fn udp_client(&self, index: usize, spec: &UdpClientSpec) -> Host<'a> {
        let neighbour = Neighbour { mac: mac(index), address: Scenario::address(index, spec.ipv6) };
        let framing =
            if self.scenario.medium == Medium::Ethernet { Framing::Neighbour } else { Framing::None };
        let server = SocketAddr::new(Scenario::server(spec.ipv6), PORT);
        let udp_client = UdpClient::new(neighbour.address, server, self.scenario.mtu, spec.requests.clone());
        Host::new(Client::Udp(udp_client), neighbour, framing)
    }

    /// Sends an IP packet to the server that comes from no client.
    pub fn inject(&mut self, from: &Neighbour, packet: Vec<u8>) {
        let packet = if self.scenario.medium == Medium::Ethernet { from.frame(&packet) } else { packet };
        let header = self.link_header();
        self.link.send(self.now, End::Server, packet, header);
    }

    /// The TCP clients.
    pub fn apps(&self) -> impl Iterator<Item = &App<'a>> {
        self.hosts.iter().filter_map(|host| match &host.client {
            Client::Tcp(app) => Some(app),
            Client::Udp(_) => None,
        })
    }

    /// The UDP clients.
    pub fn udp_clients(&self) -> impl Iterator<Item = &UdpClient> {
        self.hosts.iter().filter_map(|host| match &host.client {
            Client::Tcp(_) => None,
            Client::Udp(client) => Some(client),
        })
    }

    /// The server's counters.
    pub fn stats(&self) -> &Stats {
        self.server.stats()
    }

    /// Runs until all clients are done.
    pub fn run(&mut self) {
        let end = self.now + Duration::from_secs(3600);
        while !self.hosts.iter().all(Host::is_done) {
            assert!(self.now < end, "after an hour there are clients that still wait");
            let next = self.next().expect("there are clients that wait, and no event is to come");
            self.advance(next);
        }
    }

    /// Runs for this long.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(next) = self.next().filter(|&next| next <= end) {
            self.advance(next);
        }
        self.advance(end);
    }

    /// The time of the next event.
    fn next(&self) -> Option<Instant> {
        let hosts = self.hosts.iter().filter_map(|host| host.due).min();
        let shutdown = self.scenario.shutdown.filter(|&at| at > self.now);
        [self.server_due, hosts, shutdown, self.link.next(), self.room_at].into_iter().flatten().min()
    }

    fn advance(&mut self, to: Instant) {
        let before = self.now;
        self.now = before.max(to);
        if let Some(pauses) = &mut self.pauses {
            pauses.look(self.now, self.link.last_loss, &self.hosts);
        }
        if self.scenario.shutdown.is_some_and(|at| before < at && at <= self.now) {
            self.server.shutdown(self.now);
        }
        let mut out = Vec::new();
        while let Some((end, packet)) = self.link.arrive(self.now) {
            match end {
                End::Server => self.device.arriving.push_back(packet),
                End::Client(index) => {
                    self.hosts[index].receive(self.now, &packet, &mut out);
                }
            }
        }
        for host in self.hosts.iter_mut().filter(|host| host.due.is_some_and(|at| at <= self.now)) {
            host.act(self.now, &mut out);
        }
        let header = self.link_header();
        for packet in out {
            self.link.send(self.now, End::Server, packet, header);
        }
        if self.room_at.is_some_and(|at| at <= self.now) {
            self.refill();
        }
        self.drive();
    }

    /// Polls the server until it has nothing to do at this time.
    fn drive(&mut self) {
        if self.server.is_shut_down() {
            self.server_due = None;
            self.device.arriving.clear();
            return;
        }
        let packets = self.device.arriving.len();
        let due = self.server_due.is_some_and(|at| at <= self.now);
        let mut polls = 0;
        loop {
            let can_proceed = self.device.room > 0 || !(self.blocked || self.device.deaf_when_full);
            let has_packets = can_proceed && !self.device.arriving.is_empty();
            // The server may be polled at any time, and that must change nothing.
            let on_a_whim = polls == 0 && self.random.u8(..16) == 0;
            let unblocked = self.blocked && self.device.room > 0;
            let overdue = self.server_due.is_some_and(|at| at <= self.now);
            if !(has_packets || on_a_whim || unblocked || overdue) {
                break;
            }
            self.poll();
            if self.server.is_shut_down() {
                break;
            }
            polls += 1;
            // A poll takes at most 64 packets; one further poll may find that there are no more.
            let most = 3 + packets / 64;
            assert!(polls <= most, "polled {polls} times at one instant for {packets} packets");
        }
        if due && polls > 0 && packets == 0 && self.device.journal.is_empty() {
            self.idle_polls += 1;
        }
        self.deliver();
        if self.device.room == 0 && self.room_at.is_none() {
            let lasts = self.scenario.refusal.map_or(Duration::ZERO, |refusal| refusal.lasts);
            let lasts = self.random.u64(1..=lasts.total_micros().max(1));
            self.room_at = Some(self.now + Duration::from_micros(lasts));
        }
    }

    fn poll(&mut self) {
        let next = self.server.poll(self.now, &mut self.device);
        self.server_due = next.deadline;
        self.blocked = next.blocked;
        assert!(!self.blocked || self.device.room == 0, "it says that the device is full, which has room");
        let (stats, scenario) = (self.server.stats(), &self.scenario);
        let ended = stats.closed + stats.reset + stats.timed_out + stats.aborted;
        assert_eq!(stats.opened, ended + stats.live, "connections do not add up:\n{stats}");
        assert_eq!(stats.bytes_in, stats.bytes_out, "bytes do not add up:\n{stats}");
        assert!(
            stats.live <= stats.most_live && stats.most_live <= scenario.slots as u64,
            "too many:\n{stats}"
        );
    }

    /// Checks what has passed the device, and sends the server's packets over the link.
    fn deliver(&mut self) {
        let (header, medium) = (self.link_header(), self.scenario.medium);
        self.invariants.revived(self.server.stats().revived);
        for passed in self.device.journal.split_off(0) {
            if self.trace {
                let (way, Passed::In(frame) | Passed::Out(frame)) = match &passed {
                    Passed::In(_) => ("in ", &passed),
                    Passed::Out(_) => ("out", &passed),
                };
                println!("{} {way} {}", self.now, OneLine(frame.get(header..).unwrap_or_default()));
            }
            match passed {
                Passed::In(frame) => {
                    if let Some(packet) = frame.get(header..) {
                        self.invariants.heard(self.now, packet);
                    }
                }
                Passed::Out(frame) => {
                    if header == 0 || frame[12] == 0x86 || frame[12..14] == [8, 0] {
                        self.invariants.said(self.now, &frame[header..]);
                    }
                    for (index, _) in
                        self.hosts.iter().enumerate().filter(|(_, host)| host.is_for(&frame, medium))
                    {
                        self.link.send(self.now, End::Client(index), frame.clone(), header);
                    }
                }
            }
        }
    }

    /// The device has room again.
    fn refill(&mut self) {
        self.room_at = None;
        self.device.room = usize::MAX;
        if let Some(Refusal { room, deaf, .. }) = self.scenario.refusal {
            self.device.room = self.random.usize(1..=room);
            self.device.deaf_when_full = deaf;
        }
    }

    fn link_header(&self) -> usize {
        if self.scenario.medium == Medium::Ethernet { HEADER } else { 0 }
    }
}

/// A hardware address for a medium that may have none.
pub fn hardware_addr(medium: Medium, mac: [u8; 6]) -> HardwareAddress {
    match medium {
        Medium::Ethernet => HardwareAddress::Ethernet(EthernetAddress(mac)),
        Medium::Ip => HardwareAddress::Ip,
    }
}

/// The hardware address of a client.
pub fn mac(index: usize) -> [u8; 6] {
    let [high, low] = u16::try_from(index).expect("fewer clients than addresses").to_be_bytes();
    [2, 0, 0, 0, high, low]
}

fn entropy(random: &mut Rng) -> [u8; 16] {
    let mut entropy = [0; 16];
    random.fill(&mut entropy);
    entropy
}
