//! A client on the link.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::phy::Medium;
use smoltcp::time::{Duration, Instant};

use crate::app::{App, Outcome};
use crate::ethernet::{Arrived, HEADER, Neighbour};
use crate::udp_client::UdpClient;

/// A client and its place on the link.
pub struct Host<'a> {
    /// What is there.
    pub client: Client<'a>,
    /// Where.
    pub neighbour: Neighbour,
    /// When it has something to do.
    pub due: Option<Instant>,
    /// When it goes away, and another one has its place.
    pub until: Option<Instant>,
    framing: Framing,
}

/// A client.
pub enum Client<'a> {
    /// Of TCP.
    Tcp(App<'a>),
    /// Of UDP.
    Udp(UdpClient),
}

/// Who makes and takes the frames of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There are none.
    None,
    /// Its stack.
    Own,
    /// Its [`Neighbour`].
    Neighbour,
}

impl<'a> Host<'a> {
    /// A client that begins by itself.
    pub fn new(client: Client<'a>, neighbour: Neighbour, framing: Framing) -> Host<'a> {
        Host { client, neighbour, due: Some(Instant::ZERO), until: None, framing }
    }

    /// True if its user waits for nothing any more.
    pub fn is_done(&self) -> bool {
        match &self.client {
            Client::Tcp(app) => app.outcome.is_some(),
            Client::Udp(client) => client.is_done(),
        }
    }

    /// True if the packet, or frame, is for this client.
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

    /// Does what is due, and gives what is to be sent.
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

/// Where an IP packet goes.
fn destination(packet: &[u8]) -> Option<IpAddr> {
    match packet.first()? >> 4 {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(16..20)?).ok()?).into()),
        _ => Some(Ipv6Addr::from(<[u8; 16]>::try_from(packet.get(24..40)?).ok()?).into()),
    }
}
