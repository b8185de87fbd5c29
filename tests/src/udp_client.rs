//! A UDP client: sends each datagram once, from a port of its own, and checks every reply.

use core::net::{IpAddr, SocketAddr};
use std::collections::HashMap;

use shout_core::BUFFER_SIZE;
use smoltcp::time::Instant;

use crate::content::uppercase;
use crate::wire::{Datagram, Ip, UDP};

/// The port of the first request; each further one has the next.
const FIRST_PORT: u16 = 20_000;

/// One datagram, its time, and how often it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// When it is sent.
    pub at: Instant,
    /// Its payload.
    pub payload: Vec<u8>,
    /// Replies to it that arrived.
    pub replies: u32,
}

/// The client.
#[derive(Debug)]
pub struct UdpClient {
    /// In the order of their times.
    pub requests: Vec<Request>,
    address: IpAddr,
    server: SocketAddr,
    mtu: usize,
    sent: usize,
    reassembly: Reassembly,
}

impl UdpClient {
    /// A client that has sent nothing yet; the requests must be in the order of their times.
    pub fn new(address: IpAddr, server: SocketAddr, mtu: usize, requests: Vec<Request>) -> UdpClient {
        UdpClient { requests, address, server, mtu, sent: 0, reassembly: Reassembly::default() }
    }

    /// True if all has been sent.
    pub fn is_done(&self) -> bool {
        self.sent == self.requests.len()
    }

    /// An IP packet has arrived.
    pub fn receive(&mut self, packet: &[u8]) {
        let Some(ip) = Ip::read(packet).filter(|ip| ip.protocol == UDP && ip.to == self.address) else {
            return;
        };
        let Some(udp) = self.reassembly.add(&ip) else { return };
        let Some(reply) = Datagram::read(ip.from, ip.to, &udp) else { return };
        assert_eq!(reply.from, self.server, "a reply from somewhere else");
        let index = reply.to.port().checked_sub(FIRST_PORT);
        let request = index.and_then(|index| self.requests[..self.sent].get_mut(usize::from(index)));
        let request = request.expect("a reply to a request that was never sent");
        assert_eq!(reply.payload, reply_to(&request.payload));
        request.replies += 1;
    }

    /// Adds the packets to be sent to `out`.
    pub fn act(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        while let Some(request) = self.requests.get(self.sent).filter(|request| request.at <= now) {
            let index = u16::try_from(self.sent).expect("fewer requests than ports");
            let from = SocketAddr::new(self.address, FIRST_PORT + index);
            let datagram = Datagram { from, to: self.server, payload: request.payload.clone() };
            out.extend(datagram.to_packets(self.mtu, index));
            self.sent += 1;
        }
    }

    /// When the next datagram is sent.
    pub fn deadline(&self) -> Option<Instant> {
        self.requests.get(self.sent).map(|request| request.at)
    }
}

/// The right reply to a request.
pub fn reply_to(request: &[u8]) -> Vec<u8> {
    request.iter().take(BUFFER_SIZE).copied().map(uppercase).collect()
}

/// Reassembles IPv4 fragments, which must not overlap. Incomplete packets are kept for ever.
#[derive(Debug, Default)]
pub struct Reassembly {
    parts: HashMap<(IpAddr, u16), Parts>,
}

#[derive(Debug, Default)]
struct Parts {
    bytes: Vec<u8>,
    known: usize,
    places: Vec<usize>,
    whole: Option<usize>,
}

impl Reassembly {
    /// Discards the incomplete packets from this host.
    pub fn forget(&mut self, from: IpAddr) {
        self.parts.retain(|(other, _), _| *other != from);
    }

    /// Adds a packet. Returns the payload if it is complete now.
    pub fn add(&mut self, ip: &Ip<'_>) -> Option<Vec<u8>> {
        let part = ip.fragment;
        if part.offset == 0 && !part.more {
            return Some(ip.payload.to_vec());
        }
        let parts = self.parts.entry((ip.from, part.identification)).or_default();
        let end = part.offset + ip.payload.len();
        if parts.places.contains(&part.offset) {
            return None;
        }
        parts.bytes.resize(parts.bytes.len().max(end), 0);
        parts.bytes[part.offset..end].copy_from_slice(ip.payload);
        parts.places.push(part.offset);
        parts.known += ip.payload.len();
        if !part.more {
            parts.whole = Some(end);
        }
        if parts.whole != Some(parts.known) {
            return None;
        }
        self.parts.remove(&(ip.from, part.identification)).map(|parts| parts.bytes)
    }
}
