//! Draws packets near the edges of what is acceptable on a live connection, and half the number space away from them.

use core::net::SocketAddr;

use fastrand::Rng;

use crate::content::Content;
use crate::ethernet::{Mac, Neighbour, SERVER_MAC};
use crate::scenario::{PORT, Scenario};
use crate::single_server::View;
use crate::tcp_options::SynOptions;
use crate::wire::{ACK, Datagram, FIN, PSH, RST, SYN, Segment, icmp_packet};

/// A host, and the one port that its packets come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attacker {
    /// Its addresses.
    pub neighbour: Neighbour,
    /// Its port.
    pub port: u16,
    /// The payload at each sequence number, the same in every segment.
    pub content: Content,
}

impl Attacker {
    /// The attacker with this index.
    pub fn new(index: usize, ipv6: bool, random: &mut Rng) -> Attacker {
        let mac: Mac = crate::network::mac(index);
        let neighbour = Neighbour { mac, address: Scenario::address(index, ipv6) };
        Attacker { neighbour, port: random.u16(1024..), content: Content(random.u32(..)) }
    }

    /// Its end of its connection.
    pub fn from(&self) -> SocketAddr {
        SocketAddr::new(self.neighbour.address, self.port)
    }

    fn to(&self) -> SocketAddr {
        SocketAddr::new(Scenario::server(self.neighbour.address.is_ipv6()), PORT)
    }

    /// A segment as a correct client sends it next.
    pub fn polite(&self, view: &View, random: &mut Rng) -> Segment {
        let length = pick(random, &[0, 1, 10, 100, usize::from(view.window), 1400]);
        let window = pick(random, &[0, 0, 1, 100, 1024, 65535]);
        self.segment(view.expected, view.sent, ACK | PSH, window, length)
    }

    /// A SYN.
    pub fn syn(&self, random: &mut Rng) -> Segment {
        let seq = pick(random, &[0, u32::MAX, u32::MAX - 500, 1 << 31, random.clone().u32(..)]);
        let length = pick(random, &[0, 0, 0, 100]);
        let mut syn = self.segment(seq, 0, SYN, pick(random, &[0, 1, 64, 1024, 65535]), length);
        let mss = pick(random, &[None, Some(0), Some(1), Some(48), Some(536), Some(1460), Some(65535)]);
        let scale = pick(random, &[None, Some(0), Some(7), Some(14), Some(15), Some(255)]);
        syn.options = SynOptions::new(mss, scale).to_bytes();
        syn
    }

    /// Any segment. Most are near what the server expects, or as far away from it as possible.
    pub fn hostile(&self, view: &View, random: &mut Rng) -> Segment {
        let edge = view.expected.wrapping_add(u32::from(view.window));
        let seq = pick(random, &[view.expected, view.expected, view.expected, edge, view.initial.0])
            .wrapping_add(pick(random, &[0, 0, 0, 1 << 30, 1 << 31, 1 << 31, u32::MAX - (1 << 30)]))
            .wrapping_add(small(random));
        let ack = pick(random, &[view.sent, view.sent, view.sent, view.initial.1])
            .wrapping_add(pick(random, &[0, 0, 0, 0, 1 << 31]))
            .wrapping_add(small(random));
        let flags = match random.u8(..20) {
            0..8 => ACK,
            8..11 => ACK | PSH,
            11..15 => ACK | FIN,
            15 => RST,
            16 => RST | ACK,
            17 => SYN,
            18 => SYN | ACK,
            _ => random.u8(..),
        };
        let window = pick(random, &[0, 0, 1, 63, 64, 1024, 65535, random.clone().u16(..)]);
        let full = usize::from(view.window);
        let length = pick(random, &[0, 0, 1, 2, 100, full, full + 1, full.saturating_sub(1), 1400]);
        let mut segment = self.segment(seq, ack, flags, window, length);
        if random.u8(..8) == 0 {
            let bytes = 4 * random.usize(..=10);
            segment.options = (0..bytes).map(|_| pick(random, &[0, 1, 2, 3, 4, 5, 8, 255, 10])).collect();
        }
        segment
    }

    fn segment(&self, seq: u32, ack: u32, flags: u8, window: u16, length: usize) -> Segment {
        // SYN has the first sequence number of a segment, and the payload begins after it.
        let first = seq.wrapping_add(u32::from(flags & SYN != 0));
        let payload = self.content.part(first, length.min(1400));
        let options = Vec::new();
        Segment { from: self.from(), to: self.to(), seq, ack, flags, window, options, payload }
    }

    /// A datagram that has to be answered, in one packet.
    pub fn datagram(&self, random: &mut Rng) -> Vec<u8> {
        let length = pick(random, &[0, 1, 100, 1024, 1400]);
        let payload = self.content.part(random.u32(..), length);
        Datagram { from: self.from(), to: self.to(), payload }.to_packets(1500, 1).remove(0)
    }

    /// An ICMP message: a ping, or an error that quotes a segment of the server's.
    pub fn icmp(&self, view: &View, random: &mut Rng) -> Vec<u8> {
        let mut quoted = self.segment(view.sent, view.expected, ACK, 1000, 0);
        (quoted.from, quoted.to) = (quoted.to, quoted.from);
        let ipv6 = self.neighbour.address.is_ipv6();
        let kinds = if ipv6 { [1, 2, 3, 4, 128] } else { [3, 4, 5, 11, 8] };
        let mut message = vec![pick(random, &kinds), random.u8(..16), 0, 0, 0, 0, 5, 0xdc];
        message.extend(quoted.to_packet());
        message.truncate(random.usize(..=message.len()));
        icmp_packet(self.from().ip(), self.to().ip(), message)
    }
}

/// Random bytes, a truncated packet, one with trailing bytes, or one with flipped bits. A checksum is sure to find a
/// single flip; several may cancel each other.
pub fn garbage(packet: &[u8], flips: usize, random: &mut Rng) -> Vec<u8> {
    let mut garbage = packet.to_vec();
    match random.u8(..4) {
        0 => {
            garbage = (0..random.usize(..200)).map(|_| random.u8(..)).collect();
            if let Some(first) = garbage.first_mut() {
                *first = pick(random, &[0x45, 0x46, 0x4f, 0x60, *first]);
            }
        }
        1 => garbage.truncate(random.usize(..=packet.len())),
        2 => garbage.extend((0..random.usize(..50)).map(|_| random.u8(..))),
        _ if packet.is_empty() => {}
        _ => {
            for _ in 0..random.usize(1..=flips) {
                // Most flips are in the headers.
                let at = random.usize(..garbage.len()).min(random.usize(..80));
                garbage[at] ^= 1 << random.u32(..8);
            }
        }
    }
    garbage
}

/// A malformed ARP frame, or a frame of another protocol.
pub fn odd_frame(from: Mac, random: &mut Rng) -> Vec<u8> {
    let kind = pick(random, &[[8, 6], [8, 6], [8, 6], [8, 0], [0x86, 0xdd], [0x81, 0x00], [0, 46]]);
    let to = pick(random, &[SERVER_MAC, [0xff; 6], [0x33, 0x33, 0xff, 0, 0, 1], from]);
    let mut body = vec![0, 1, 8, 0, 6, 4, 0, random.u8(..4)];
    body.extend((0..20).map(|_| pick(random, &[10, 69, 0, 1, 2, 255, 0])));
    body.truncate(random.usize(..=28));
    [&to[..], &pick(random, &[from, from, [0xff; 6], [0; 6]]), &kind, &body].concat()
}

fn small(random: &mut Rng) -> u32 {
    let near = random.u32(..2000);
    pick(random, &[0, 0, 0, 0, 1, u32::MAX, 2, u32::MAX - 1, near, near.wrapping_neg()])
}

fn pick<T: Copy>(random: &mut Rng, choices: &[T]) -> T {
    choices[random.usize(..choices.len())]
}
