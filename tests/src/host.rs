//! A client on the link.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::phy::Medium;
use smoltcp::time::{Duration, Instant};

use crate::app::{App, Outcome};
use crate::ethernet::{Arrived, HEADER, Neighbour};
use crate::udp_client::UdpClient;

/// A client, with its place on the link.
pub struct Host<'a> {
    /// Its client.
    pub client: Client<'a>,
    /// Its addresses.
    pub neighbour: Neighbour,
    /// When `act` has something to do.
    pub due: Option<Instant>,
    /// When it vanishes, and another host gets its address.
    pub until: Option<Instant>,
    framing: Framing,
}

/// A client.
pub enum Client<'a> {
    /// A TCP client.
    Tcp(App<'a>),
    /// A UDP client.
    Udp(UdpClient),
}

/// What adds the Ethernet header to a client's packets, and removes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Nothing: the link has no frames.
    None,
    /// The client's own stack.
    Own,
    /// Its [`Neighbour`].
    Neighbour,
}

impl<'a> Host<'a> {
    /// A host whose client begins at its own time.
    pub fn new(client: Client<'a>, neighbour: Neighbour, framing: Framing) -> Host<'a> {
        Host { client, neighbour, due: Some(Instant::ZERO), until: None, framing }
    }

    /// True if the client's outcome is known, or all its datagrams are sent.
    pub fn is_done(&self) -> bool {
        match &self.client {
            Client::Tcp(app) => app.outcome.is_some(),
            Client::Udp(client) => client.is_done(),
        }
    }

    /// True if the packet, or frame, is for this host.
    pub fn is_for(&self, packet: &[u8], medium: Medium) -> bool {
        match medium {
            Medium::Ethernet => packet[..6] == self.neighbour.mac || packet[0] & 1 != 0,
            Medium::Ip => destination(packet) == Some(self.neighbour.address),
        }
    }

    /// A packet has arrived, or a frame.
    pub fn receive(&mut self, now: Instant, packet: &[u8], out: &mut Vec<Vec<u8>>) {
        if self.is_gone(now) {
            return;
        }
        self.due = Some(now);
        let packet = match (self.framing, packet.get(HEADER..)) {
            (Framing::None | Framing::Own, _) | (_, None) => packet,
            (Framing::Neighbour, Some(_)) => match self.neighbour.receive(packet) {
                Arrived::Packet(packet) => packet,
                Arrived::Question(answer) => return out.push(answer),
                Arrived::Nothing => return,
            },
        };
        match &mut self.client {
            Client::Tcp(app) => app.receive(now, packet),
            Client::Udp(client) => client.receive(packet),
        }
    }

    /// Does what is due, and adds the packets to be sent to `out`.
    pub fn act(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        let first = out.len();
        if self.is_gone(now) {
            if let Client::Tcp(app) = &mut self.client {
                app.outcome.get_or_insert(Outcome::Vanished);
            }
            self.due = None;
            return;
        }
        let due = match &mut self.client {
            Client::Tcp(app) => {
                app.act(now, out);
                app.deadline(now)
            }
            Client::Udp(client) => {
                client.act(now, out);
                client.deadline()
            }
        };
        self.due =
            [due, self.until].into_iter().flatten().min().map(|at| at.max(now + Duration::from_micros(1)));
        if self.framing == Framing::Neighbour {
            for packet in &mut out[first..] {
                *packet = self.neighbour.frame(packet);
            }
        }
    }

    fn is_gone(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now >= until)
    }
}

/// The destination of an IP packet.
fn destination(packet: &[u8]) -> Option<IpAddr> {
    match packet.first()? >> 4 {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(16..20)?).ok()?).into()),
        _ => Some(Ipv6Addr::from(<[u8; 16]>::try_from(packet.get(24..40)?).ok()?).into()),
    }
}
