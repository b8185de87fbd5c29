//! One server without a link: a test hands it packets one by one, also such as no client sends.

use core::net::{IpAddr, SocketAddr};
use std::collections::HashMap;

use shout_core::{Config, Server, Stats};
use smoltcp::phy::Medium;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::IpCidr;

use crate::device::{Device, Passed};
use crate::ethernet::{Arrived, HEADER, Neighbour, SERVER_MAC};
use crate::invariants::Invariants;
use crate::memory::ServerMemory;
use crate::network::hardware_addr;
use crate::scenario::{BEGIN, PORT, Scenario};
use crate::trace::OneLine;
use crate::wire::{ACK, Ip, SYN, Segment};

/// The server's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerSetup {
    /// Ethernet, or IP without frames.
    pub medium: Medium,
    /// The number of slots.
    pub slots: usize,
    /// The size of each of a slot's two buffers, in bytes.
    pub buffer: usize,
    /// The idle timeout.
    pub idle_timeout: Option<Duration>,
    /// The device claims that all checksums are right. So damaged payload is echoed, and the echo cannot be checked.
    pub trusting: bool,
}

impl ServerSetup {
    /// Default settings, and IP without frames.
    pub const USUAL: ServerSetup =
        ServerSetup { medium: Medium::Ip, slots: 4, buffer: 1024, idle_timeout: None, trusting: false };
}

/// A peer's connection, as the last segment from the server has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct View {
    /// Both initial sequence numbers, the peer's and the server's.
    pub initial: (u32, u32),
    /// The server's RCV.NXT.
    pub expected: u32,
    /// The server's window, as in the header.
    pub window: u16,
    /// The number after the last byte that the server has sent.
    pub sent: u32,
}

/// The server, its device, and what its peers have seen.
pub struct SingleServer<'a> {
    /// The server.
    pub server: Server<'a>,
    /// Its device.
    pub device: Device,
    /// The time.
    pub now: Instant,
    /// TCP segments that the server has sent, until a test takes them.
    pub sent: Vec<Segment>,
    /// Each peer's connection.
    pub views: HashMap<SocketAddr, View>,
    /// Checks what the server does.
    pub invariants: Invariants,
    /// Peers that answer ARP requests and neighbour solicitations.
    pub neighbours: Vec<Neighbour>,
    /// How many of the server's next packets are lost.
    pub lose: usize,
    /// The invariants are checked. They are not if checksums are not verified.
    pub watch: bool,
    /// Prints every packet.
    pub trace: bool,
    setup: ServerSetup,
    due: Option<Instant>,
    blocked: bool,
    /// Packets that passed the device, in and out.
    passed: (u64, u64),
}

impl<'a> SingleServer<'a> {
    /// A new server. `change` is for further settings.
    pub fn new(
        setup: ServerSetup,
        memory: &'a mut ServerMemory<'a>,
        change: impl FnOnce(&mut Config),
    ) -> SingleServer<'a> {
        let mut device = Device::new(setup.medium, 1500);
        if setup.trusting {
            device.trust_checksums();
        }
        device.deaf_when_full = false;
        let mut config = Config::new(hardware_addr(setup.medium, SERVER_MAC), *b"0123456789abcdef");
        config.addresses.push(IpCidr::new(Scenario::server(false).into(), 16)).unwrap();
        config.addresses.push(IpCidr::new(Scenario::server(true).into(), 64)).unwrap();
        config.idle_timeout = setup.idle_timeout;
        change(&mut config);
        let server = Server::new(&config, memory.storage(), &mut device, BEGIN).unwrap();
        SingleServer {
            server,
            device,
            now: BEGIN,
            sent: Vec::new(),
            views: HashMap::new(),
            invariants: Invariants::new(PORT, 1500, Duration::ZERO),
            neighbours: Vec::new(),
            lose: 0,
            watch: !setup.trusting,
            trace: false,
            setup,
            due: None,
            blocked: false,
            passed: (0, 0),
        }
    }

    /// The server's counters.
    pub fn stats(&self) -> &Stats {
        self.server.stats()
    }

    /// True if the server waits for room in the device.
    pub fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Puts a packet, or a frame, into the device.
    pub fn arrive(&mut self, packet: Vec<u8>) {
        self.device.arriving.push_back(packet);
    }

    /// Puts an IP packet from this peer into the device.
    pub fn arrive_from(&mut self, peer: &Neighbour, packet: &[u8]) {
        let packet = if self.setup.medium == Medium::Ethernet { peer.frame(packet) } else { packet.to_vec() };
        self.arrive(packet);
    }

    /// Polls the server until it has nothing to do at this time.
    pub fn poll(&mut self) {
        let packets = self.device.arriving.len();
        for polls in 0.. {
            let most = 4 + packets / 64;
            assert!(polls <= most, "polled {polls} times at one instant for {packets} packets");
            let next = self.server.poll(self.now, &mut self.device);
            (self.due, self.blocked) = (next.deadline, next.blocked);
            self.check();
            let deaf = self.blocked || self.device.room == 0 && self.device.deaf_when_full;
            let waits = deaf || self.device.arriving.is_empty();
            if waits && self.due.is_none_or(|at| at > self.now) || self.server.is_shut_down() {
                break;
            }
        }
        self.look();
    }

    /// Advances the time from deadline to deadline, until `duration` is over.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.poll();
        while let Some(at) = self.due.filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.poll();
        }
        self.now = end;
        self.poll();
    }

    /// Connects a peer as anybody would; false if there is no answer.
    pub fn connect(&mut self, peer: &Neighbour, port: u16, iss: u32) -> bool {
        let from = SocketAddr::new(peer.address, port);
        let mut segment = self.segment(from, iss, SYN);
        self.arrive_from(peer, &segment.to_packet());
        self.poll();
        self.poll(); // for the answer to a question about the peer
        let Some(view) = self.views.get(&from).filter(|view| view.expected == iss.wrapping_add(1)) else {
            return false;
        };
        (segment.seq, segment.ack, segment.flags) = (view.expected, view.sent, ACK);
        self.arrive_from(peer, &segment.to_packet());
        self.poll();
        true
    }

    /// A segment to the server, without data.
    pub fn segment(&self, from: SocketAddr, seq: u32, flags: u8) -> Segment {
        Segment {
            from,
            to: SocketAddr::new(Scenario::server(from.is_ipv6()), PORT),
            seq,
            ack: self.views.get(&from).map_or(0, |view| view.sent),
            flags,
            window: 60_000,
            options: Vec::new(),
            payload: Vec::new(),
        }
    }

    /// Everybody is gone, and time passes: all slots are free again.
    pub fn assert_slots_are_free(&mut self) {
        self.device.room = usize::MAX;
        self.neighbours.clear();
        self.pass(Duration::from_secs(130));
        let before = *self.stats();
        assert_eq!(before.live, 0, "connections are left, and their peers are gone:\n{before}");
        for index in 0..self.setup.slots {
            let peer = Neighbour {
                mac: [2, 0, 0, 1, 0, 0],
                address: Scenario::address(1000 + index, index % 2 == 0),
            };
            self.neighbours = vec![peer];
            assert!(self.connect(&peer, 1024, 7), "a slot is missing:\n{}", self.stats());
        }
        let stats = self.stats();
        assert_eq!(
            (stats.live, stats.evicted),
            (self.setup.slots as u64, before.evicted),
            "slots are missing:\n{stats}"
        );
    }

    fn check(&self) {
        let stats = self.server.stats();
        let ended = stats.closed + stats.reset + stats.timed_out + stats.aborted;
        assert_eq!(stats.opened, ended + stats.live, "connections do not add up:\n{stats}");
        assert_eq!(stats.bytes_in, stats.bytes_out, "bytes do not add up:\n{stats}");
        assert!(stats.live <= stats.most_live && stats.most_live <= self.setup.slots as u64, "{stats}");
    }

    /// Checks what has passed the device.
    fn look(&mut self) {
        let header = if self.setup.medium == Medium::Ethernet { HEADER } else { 0 };
        self.invariants.revived(self.server.stats().revived);
        for passed in self.device.journal.split_off(0) {
            let (way, Passed::In(frame) | Passed::Out(frame)) = match &passed {
                Passed::In(_) => ("in ", &passed),
                Passed::Out(_) => ("out", &passed),
            };
            let packet = frame.get(header..).unwrap_or_default();
            if self.trace {
                println!("{} {way} {}", self.now, OneLine(packet));
            }
            if way == "in " {
                self.passed.0 += 1;
                if self.watch {
                    self.invariants.heard(self.now, packet);
                }
                continue;
            }
            self.passed.1 += 1;
            let is_ip = header == 0 || frame[12..14] != [8, 6];
            if is_ip {
                assert_decent(packet);
            }
            if is_ip && self.watch {
                self.invariants.said(self.now, packet);
            }
            if self.lose > 0 {
                self.lose -= 1;
                continue;
            }
            if let Some(segment) = Segment::read(packet).filter(|_| is_ip) {
                self.views.entry(segment.to).or_default().update(&segment);
                self.sent.push(segment);
            }
            if header > 0 {
                self.device.arriving.extend(self.neighbours.iter().filter_map(
                    |peer| match peer.receive(frame) {
                        Arrived::Question(answer) => Some(answer),
                        Arrived::Packet(_) | Arrived::Nothing => None,
                    },
                ));
            }
        }
        let stats = self.server.stats();
        assert_eq!((stats.packets_in, stats.packets_out), self.passed, "packets do not add up:\n{stats}");
    }
}

/// Panics unless a packet is from one of the server's addresses to a single other host. To multicast groups go only
/// neighbour solicitations, the announcement of the server's own address, and the report of its groups, which comes from no
/// address (RFC 3810, section 5.2.13).
fn assert_decent(packet: &[u8]) {
    assert!(packet.len() <= 1500, "longer than the MTU");
    let ip = Ip::read(packet).expect("a malformed packet");
    let groups = packet[0] >> 4 == 6 && ip.protocol == 0 && ip.payload.get(8) == Some(&143);
    if groups && ip.from.is_unspecified() && ip.to == IpAddr::from([0xff02, 0, 0, 0, 0, 0, 0, 0x16]) {
        return;
    }
    assert!([false, true].map(Scenario::server).contains(&ip.from), "a packet from {}", ip.from);
    let neighbours = packet[0] >> 4 == 6 && matches!(ip.payload.first(), Some(135 | 136));
    assert!(is_host(ip.to) || ip.to.is_multicast() && neighbours, "a packet to {}", ip.to);
}

fn is_host(address: IpAddr) -> bool {
    let is_own_or_nobody = Scenario::server(address.is_ipv6()) == address || address.is_unspecified();
    let is_broadcast = match address {
        IpAddr::V4(address) => address.is_broadcast() || address.octets() == [10, 69, 255, 255],
        IpAddr::V6(_) => false,
    };
    !(is_own_or_nobody || is_broadcast || address.is_multicast() || address.is_loopback())
}

impl View {
    fn update(&mut self, segment: &Segment) {
        if !segment.has(ACK) {
            return;
        }
        if segment.has(SYN) {
            self.initial = (segment.ack.wrapping_sub(1), segment.seq);
        }
        let length = u32::try_from(segment.payload.len()).expect("a packet's payload");
        let controls = segment.flags & (SYN | crate::wire::FIN);
        self.sent = segment.seq.wrapping_add(length).wrapping_add(u32::from(controls != 0));
        (self.expected, self.window) = (segment.ack, segment.window);
    }
}
