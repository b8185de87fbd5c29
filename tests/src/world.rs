//! A server, its device, the link, and everybody on it.

use core::net::SocketAddr;

use fastrand::Rng;
use shout_core::{Config, Server, Stats};
use smoltcp::phy::Medium;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr};

use crate::asker::Asker;
use crate::caller::Caller;
use crate::device::{Device, Passed};
use crate::ethernet::{HEADER, Neighbour, SERVER_MAC};
use crate::link::{End, Link};
use crate::memory::{ClientMemory, ServerMemory};
use crate::node::{Client, Framing, Node};
use crate::plan::{AskerPlan, CallerPlan, PORT, Plan, Refusal, Tcp};
use crate::smol_client::{Setup, SmolClient};
use crate::tcp_client::TcpClient;
use crate::trace::InWords;
use crate::transport::Transport;
use crate::witness::Witness;

/// Everything that there is.
pub struct World<'a> {
    /// What happens.
    pub plan: Plan,
    /// The time, which nobody's clock differs from.
    pub now: Instant,
    /// The server.
    pub server: Server<'a>,
    /// What the server and the clients are on.
    pub link: Link,
    /// The clients; callers come first.
    pub nodes: Vec<Node<'a>>,
    /// What the server did.
    pub witness: Witness,
    /// Times that the server asked to be polled, and then had nothing to do.
    pub idle_polls: u64,
    /// Prints every packet that passes the server.
    pub trace: bool,
    device: Device,
    /// When the server is to be polled next.
    server_due: Option<Instant>,
    /// The server waits for room in the device.
    blocked: bool,
    /// When the device has room again, if it has none.
    room_at: Option<Instant>,
    random: Rng,
}

impl<'a> World<'a> {
    /// A world in which nothing has happened yet, without the clients of the plan.
    pub fn new(plan: Plan, memory: &'a mut ServerMemory<'a>) -> World<'a> {
        let mut random = Rng::with_seed(plan.seed);
        let mut device = Device::new(plan.medium, plan.mtu);
        let mut config = Config::new(hardware_addr(plan.medium, SERVER_MAC), entropy(&mut random));
        config.addresses.push(IpCidr::new(Plan::server(false).into(), 16)).unwrap();
        if plan.mtu >= 1280 {
            config.addresses.push(IpCidr::new(Plan::server(true).into(), 64)).unwrap();
        }
        (config.port, config.idle_timeout, config.delay) = (PORT, plan.idle_timeout, plan.delay);
        let server = Server::new(&config, memory.storage(), &mut device, plan.begin).unwrap();
        let mut world = World {
            now: plan.begin,
            server,
            link: Link::new(plan.faults.clone(), random.fork()),
            nodes: Vec::new(),
            witness: Witness::new(PORT, plan.mtu, plan.delay.unwrap_or(Duration::ZERO)),
            idle_polls: 0,
            trace: false,
            device,
            server_due: None,
            blocked: false,
            room_at: None,
            random,
            plan,
        };
        world.refill();
        world
    }

    /// Adds a TCP client; with smoltcp's TCP, it needs memory.
    pub fn add_caller(&mut self, plan: &CallerPlan, memory: Option<&'a mut ClientMemory<'a>>) {
        let node = self.caller(plan.replaces.unwrap_or(self.nodes.len()), plan, memory);
        if let Some(before) = plan.replaces {
            self.nodes[before].until = Some(plan.manners.begin);
        }
        self.nodes.push(node);
    }

    /// Puts a TCP client in the place of one that is over, on the same host.
    pub fn renew_caller(&mut self, index: usize, plan: &CallerPlan) {
        self.nodes[index] = self.caller(index, plan, None);
    }

    fn caller(
        &mut self,
        index: usize,
        plan: &CallerPlan,
        memory: Option<&'a mut ClientMemory<'a>>,
    ) -> Node<'a> {
        let neighbour = Neighbour { mac: mac(index), address: Plan::address(index, plan.ipv6) };
        let local = SocketAddr::new(neighbour.address, plan.port);
        let remote = SocketAddr::new(Plan::server(plan.ipv6), PORT);
        let frames = self.plan.medium == Medium::Ethernet;
        let (framing, transport): (_, Box<dyn Transport + 'a>) = match (plan.tcp, memory) {
            (Tcp::Smoltcp { nagle, ack_delay, .. }, Some(memory)) => {
                let hardware_addr = hardware_addr(self.plan.medium, neighbour.mac);
                let setup =
                    Setup { seed: self.random.u64(..), hardware_addr, mtu: self.plan.mtu, nagle, ack_delay };
                (Framing::Own, Box::new(SmolClient::new(local, remote, setup, memory)))
            }
            (Tcp::Smoltcp { .. }, None) => panic!("smoltcp's sockets need memory"),
            (Tcp::Plain(habits), _) => {
                let framing = if frames { Framing::Neighbour } else { Framing::None };
                (framing, Box::new(TcpClient::new(local, remote, habits)))
            }
        };
        self.witness.expect(local, plan.manners.content, None);
        let caller = Caller::new(plan.manners, transport, self.random.fork());
        Node::new(Client::Caller(caller), neighbour, framing)
    }

    /// Adds a UDP client.
    pub fn add_asker(&mut self, plan: &AskerPlan) {
        let node = self.asker(self.nodes.len(), plan);
        self.nodes.push(node);
    }

    /// Puts a UDP client in the place of one that is over, on the same host.
    pub fn renew_asker(&mut self, index: usize, plan: &AskerPlan) {
        self.nodes[index] = self.asker(index, plan);
        self.witness.expect_other_fragments(self.nodes[index].neighbour.address);
    }

    fn asker(&self, index: usize, plan: &AskerPlan) -> Node<'a> {
        let neighbour = Neighbour { mac: mac(index), address: Plan::address(index, plan.ipv6) };
        let framing = if self.plan.medium == Medium::Ethernet { Framing::Neighbour } else { Framing::None };
        let server = SocketAddr::new(Plan::server(plan.ipv6), PORT);
        let asker = Asker::new(neighbour.address, server, self.plan.mtu, plan.requests.clone());
        Node::new(Client::Asker(asker), neighbour, framing)
    }

    /// Somebody who is no client sends an IP packet to the server.
    pub fn intrude(&mut self, from: &Neighbour, packet: Vec<u8>) {
        let packet = if self.plan.medium == Medium::Ethernet { from.frame(&packet) } else { packet };
        let header = self.link_header();
        self.link.send(self.now, End::Server, packet, header);
    }

    /// The TCP clients.
    pub fn callers(&self) -> impl Iterator<Item = &Caller<'a>> {
        self.nodes.iter().filter_map(|node| match &node.client {
            Client::Caller(caller) => Some(caller),
            Client::Asker(_) => None,
        })
    }

    /// The UDP clients.
    pub fn askers(&self) -> impl Iterator<Item = &Asker> {
        self.nodes.iter().filter_map(|node| match &node.client {
            Client::Caller(_) => None,
            Client::Asker(asker) => Some(asker),
        })
    }

    /// The server's counters.
    pub fn stats(&self) -> &Stats {
        self.server.stats()
    }

    /// Runs until all clients know what has become of them.
    pub fn run(&mut self) {
        let end = self.now + Duration::from_secs(3600);
        while !self.nodes.iter().all(Node::is_done) {
            assert!(self.now < end, "an hour is over, and there are clients who still wait");
            let next = self.next().expect("there are clients who wait, and nothing will ever happen");
            self.advance(next);
        }
    }

    /// Runs for so long, whatever happens.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(next) = self.next().filter(|&next| next <= end) {
            self.advance(next);
        }
        self.advance(end);
    }

    /// When the next thing happens.
    fn next(&self) -> Option<Instant> {
        let nodes = self.nodes.iter().filter_map(|node| node.due).min();
        let shutdown = self.plan.shutdown.filter(|&at| at > self.now);
        [self.server_due, nodes, shutdown, self.link.next(), self.room_at].into_iter().flatten().min()
    }

    fn advance(&mut self, to: Instant) {
        let before = self.now;
        self.now = before.max(to);
        if self.plan.shutdown.is_some_and(|at| before < at && at <= self.now) {
            self.server.shutdown(self.now);
        }
        let mut out = Vec::new();
        while let Some((end, packet)) = self.link.arrive(self.now) {
            match end {
                End::Server => self.device.arriving.push_back(packet),
                End::Client(index) => {
                    self.nodes[index].receive(self.now, &packet, &mut out);
                }
            }
        }
        for node in self.nodes.iter_mut().filter(|node| node.due.is_some_and(|at| at <= self.now)) {
            node.act(self.now, &mut out);
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
            // Nothing depends on it, but it may be polled at any time.
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
            // It takes 64 packets a poll, and may find out once that there are no more.
            let most = 3 + packets / 64;
            assert!(polls <= most, "polled {polls} times at one instant for {packets} packets");
        }
        if due && polls > 0 && packets == 0 && self.device.journal.is_empty() {
            self.idle_polls += 1;
        }
        self.deliver();
        if self.device.room == 0 && self.room_at.is_none() {
            let lasts = self.plan.refusal.map_or(Duration::ZERO, |refusal| refusal.lasts);
            let lasts = self.random.u64(1..=lasts.total_micros().max(1));
            self.room_at = Some(self.now + Duration::from_micros(lasts));
        }
    }

    fn poll(&mut self) {
        let next = self.server.poll(self.now, &mut self.device);
        self.server_due = next.deadline;
        self.blocked = next.blocked;
        assert!(!self.blocked || self.device.room == 0, "it says that the device is full, which has room");
        let (stats, plan) = (self.server.stats(), &self.plan);
        let ended = stats.closed + stats.reset + stats.timed_out + stats.aborted;
        assert_eq!(stats.opened, ended + stats.live, "connections do not add up:\n{stats}");
        assert_eq!(stats.octets_in, stats.octets_out, "octets do not add up:\n{stats}");
        assert!(stats.live <= stats.most_live && stats.most_live <= plan.slots as u64, "too many:\n{stats}");
    }

    /// Takes to the link what the server has sent, before the eyes of the witness.
    fn deliver(&mut self) {
        let (header, medium) = (self.link_header(), self.plan.medium);
        self.witness.revived(self.server.stats().revived);
        for passed in self.device.journal.split_off(0) {
            if self.trace {
                let (way, Passed::In(frame) | Passed::Out(frame)) = match &passed {
                    Passed::In(_) => ("in ", &passed),
                    Passed::Out(_) => ("out", &passed),
                };
                println!("{} {way} {}", self.now, InWords(frame.get(header..).unwrap_or_default()));
            }
            match passed {
                Passed::In(frame) => {
                    if let Some(packet) = frame.get(header..) {
                        self.witness.heard(self.now, packet);
                    }
                }
                Passed::Out(frame) => {
                    if header == 0 || frame[12] == 0x86 || frame[12..14] == [8, 0] {
                        self.witness.said(self.now, &frame[header..]);
                    }
                    for (index, _) in
                        self.nodes.iter().enumerate().filter(|(_, node)| node.is_for(&frame, medium))
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
        if let Some(Refusal { room, deaf, .. }) = self.plan.refusal {
            self.device.room = self.random.usize(1..=room);
            self.device.deaf_when_full = deaf;
        }
    }

    fn link_header(&self) -> usize {
        if self.plan.medium == Medium::Ethernet { HEADER } else { 0 }
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
