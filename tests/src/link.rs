//! A link that loses, duplicates, delays, reorders and corrupts what is sent over it.

use core::cmp::Reverse;
use core::ops::RangeInclusive;
use std::collections::BinaryHeap;

use fastrand::Rng;
use smoltcp::time::{Duration, Instant};

use crate::trace::OneLine;
use crate::wire::{Fragment, Ip, TCP};

/// What the link does to packets. Chances are in a thousand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    /// The packet is lost.
    pub lose: u32,
    /// It arrives twice.
    pub duplicate: u32,
    /// It arrives a second time, up to this much later: an old duplicate.
    pub duplicate_later: (u32, Duration),
    /// A bit is flipped, or the packet is truncated.
    pub corrupt: u32,
    /// It takes this much longer, so that others overtake it.
    pub hold_up: (u32, Duration),
    /// The delay of every packet, in microseconds.
    pub delay: RangeInclusive<u64>,
}

impl Faults {
    /// A link without faults; every packet takes one millisecond.
    pub fn none() -> Faults {
        Faults {
            lose: 0,
            duplicate: 0,
            duplicate_later: (0, Duration::ZERO),
            corrupt: 0,
            hold_up: (0, Duration::ZERO),
            delay: 1000..=1000,
        }
    }

    /// Only this chance, in a thousand, that a packet is lost.
    pub fn loss(lose: u32) -> Faults {
        Faults { lose, ..Faults::none() }
    }
}

/// An end of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// The server's.
    Server,
    /// That of one client.
    Client(usize),
}

/// Time of arrival, order among those of the same time, destination, packet.
type InFlight = (Instant, u64, End, Vec<u8>);

/// A link between a server and its clients.
#[derive(Debug)]
pub struct Link {
    /// The faults from now on.
    pub faults: Faults,
    /// The faults so far.
    pub done: Done,
    /// Prints what is lost.
    pub trace: bool,
    /// When a packet was lost or damaged last.
    pub last_loss: Option<Instant>,
    /// By time of arrival; those of one time in the order in which they were sent.
    in_flight: BinaryHeap<Reverse<InFlight>>,
    sent: u64,
    random: Rng,
}

/// How often each fault has occurred.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Packets lost.
    pub lost: u64,
    /// Packets that arrived twice.
    pub duplicated: u64,
    /// Packets damaged.
    pub corrupted: u64,
}

impl Link {
    /// A link without packets in flight.
    pub fn new(faults: Faults, random: Rng) -> Link {
        Link {
            faults,
            done: Done::default(),
            trace: false,
            last_loss: None,
            in_flight: BinaryHeap::new(),
            sent: 0,
            random,
        }
    }

    /// Sends a packet: of IP, or a frame of Ethernet with this many bytes before the packet.
    pub fn send(&mut self, now: Instant, to: End, packet: Vec<u8>, link_header: usize) {
        if self.happens(self.faults.lose) {
            self.done.lost += 1;
            self.last_loss = Some(now);
            if self.trace {
                println!("{now} lost {}", OneLine(packet.get(link_header..).unwrap_or_default()));
            }
            return;
        }
        if self.happens(self.faults.duplicate) {
            self.done.duplicated += 1;
            self.carry(now, to, packet.clone(), link_header);
        }
        let (chance, latest) = self.faults.duplicate_later;
        if self.happens(chance) {
            self.done.duplicated += 1;
            let later = Duration::from_micros(self.random.u64(0..=latest.total_micros()));
            self.carry(now + later, to, packet.clone(), link_header);
        }
        self.carry(now, to, packet, link_header);
    }

    /// When the next packet arrives.
    pub fn next(&self) -> Option<Instant> {
        self.in_flight.peek().map(|Reverse((at, ..))| *at)
    }

    /// A packet that has arrived by now.
    pub fn arrive(&mut self, now: Instant) -> Option<(End, Vec<u8>)> {
        if self.next()? > now {
            return None;
        }
        self.in_flight.pop().map(|Reverse((_, _, to, packet))| (to, packet))
    }

    fn carry(&mut self, now: Instant, to: End, mut packet: Vec<u8>, link_header: usize) {
        if self.happens(self.faults.corrupt) && self.corrupt(&mut packet, link_header) {
            self.done.corrupted += 1;
            self.last_loss = Some(now);
        }
        let mut takes = Duration::from_micros(self.random.u64(self.faults.delay.clone()).max(1));
        if self.happens(self.faults.hold_up.0) {
            takes += self.faults.hold_up.1;
        }
        self.sent += 1;
        self.in_flight.push(Reverse((now + takes, self.sent, to, packet)));
    }

    /// Damages a packet, if a checksum is sure to detect that; returns whether it did. Only the packet is damaged, as a
    /// router might: the check sequence of a frame detects every error of this kind.
    fn corrupt(&mut self, frame: &mut Vec<u8>, link_header: usize) -> bool {
        let Some(ip) = frame.get(link_header..).and_then(Ip::read) else {
            return false;
        };
        if ip.fragment != Fragment::default() {
            // Only the reassembled packet has a checksum, and with duplicates it is open which fragments make it up.
            return false;
        }
        // A damaged length field of UDP or IPv6 may cut the datagram so that the checksum is right by chance.
        let transport = frame.len() - ip.payload.len();
        let lengths = if ip.protocol == TCP { 0..0 } else { transport + 4..transport + 6 };
        let packet_length = if ip.from.is_ipv4() { 0..0 } else { link_header + 4..link_header + 6 };
        if self.random.u32(..8) == 0 {
            frame.truncate(self.random.usize(link_header..frame.len()));
            return true;
        }
        let at = self.random.usize(link_header..frame.len());
        let noticed = !lengths.contains(&at) && !packet_length.contains(&at);
        if noticed {
            frame[at] ^= 1 << self.random.u32(..8);
        }
        noticed
    }

    fn happens(&mut self, chance: u32) -> bool {
        chance > 0 && self.random.u32(..1000) < chance
    }
}
