//! The log. Lines about connections, and about clients of UDP, come at most so many a second: a flood of clients must not
//! become a flood of lines. Lines about each dropped packet are for whoever looks for a fault.

use core::fmt;

use log::{Level, debug, info, log_enabled, trace, warn};
use smoltcp::time::{Duration, Instant};
#[cfg(feature = "ipv6")]
use smoltcp::wire::Ipv6Packet;
use smoltcp::wire::{EthernetFrame, IpAddress, IpEndpoint, IpProtocol, Ipv4Packet};

use crate::handler::peer_address;
use crate::stats::{DropReason, Drops, Stats};
use crate::tcp::timers::NEVER;

/// The most lines about connections in a second; the same of those about UDP clients.
const LINES: u32 = 20;

/// What has been logged about connections lately.
#[derive(Debug)]
pub(crate) struct Events {
    second_ends: Instant,
    /// Lines in this second.
    written: u32,
    /// Events in this second that got no line.
    left_out: u32,
    /// No line that all slots are in use before this time.
    quiet_until: Instant,
    /// No line that a source has too many connections before this time.
    quiet_about_sources_until: Instant,
}

impl Events {
    pub(crate) const fn new() -> Events {
        Events {
            second_ends: Instant::ZERO,
            written: 0,
            left_out: 0,
            quiet_until: Instant::ZERO,
            quiet_about_sources_until: Instant::ZERO,
        }
    }

    /// Logs that something happened to the connection of this peer, unless too much happens.
    pub(crate) fn connection(&mut self, now: Instant, peer: IpEndpoint, what: &str) {
        if now >= self.second_ends {
            self.end_second();
            self.second_ends = now + Duration::from_secs(1);
        }
        if self.written < LINES {
            self.written += 1;
            info!("{} {what}", peer_address(peer));
        } else {
            self.left_out += 1;
        }
    }

    /// Logs that a SYN found no slot, once a second at most.
    pub(crate) fn refused(&mut self, now: Instant, peer: IpEndpoint) {
        if now >= self.quiet_until {
            self.quiet_until = now + Duration::from_secs(1);
            warn!("every slot is in use: {} gets no answer until one is free", peer_address(peer));
        }
    }

    /// Logs that a SYN was dropped for the number of connections that its source has, once a second at most.
    pub(crate) fn limited(&mut self, now: Instant, peer: IpEndpoint, limit: u16) {
        if now >= self.quiet_about_sources_until {
            self.quiet_about_sources_until = now + Duration::from_secs(1);
            warn!("{} gets no answer: its source has {limit} connections already", peer_address(peer));
        }
    }

    /// When [`poll`](Self::poll) has a line to write.
    pub(crate) fn deadline(&self) -> Instant {
        if self.left_out > 0 { self.second_ends } else { NEVER }
    }

    /// Logs how many events got no line, once the second is over.
    pub(crate) fn poll(&mut self, now: Instant) {
        if self.left_out > 0 && now >= self.second_ends {
            self.end_second();
        }
    }

    fn end_second(&mut self) {
        if self.left_out > 0 {
            info!("{} more events of connections within a second", self.left_out);
        }
        (self.written, self.left_out) = (0, 0);
    }
}

/// Clients of UDP that have been logged lately.
#[derive(Debug)]
pub(crate) struct Clients {
    known: [Option<(IpEndpoint, Instant)>; KNOWN],
    oldest: usize,
    second_ends: Instant,
    written: u32,
}

/// How many clients are remembered. Of more clients than that, some are logged more often.
const KNOWN: usize = 8;

/// How long a client is not logged again.
const A_WHILE: Duration = Duration::from_secs(60);

impl Clients {
    pub(crate) const fn new() -> Clients {
        Clients { known: [None; KNOWN], oldest: 0, second_ends: Instant::ZERO, written: 0 }
    }

    /// Logs that a datagram came from this client, once in a while.
    pub(crate) fn asked(&mut self, now: Instant, client: IpEndpoint) {
        if log_enabled!(Level::Debug) && self.is_news(now, client) {
            debug!("{} asks over UDP", peer_address(client));
        }
    }

    fn is_news(&mut self, now: Instant, client: IpEndpoint) -> bool {
        let place = self.known.iter().position(|known| known.is_some_and(|(known, _)| known == client));
        if place.and_then(|place| self.known[place]).is_some_and(|(_, since)| now < since + A_WHILE) {
            return false;
        }
        if now >= self.second_ends {
            (self.second_ends, self.written) = (now + Duration::from_secs(1), 0);
        }
        if self.written == LINES {
            return false;
        }
        self.written += 1;
        let place = place.unwrap_or_else(|| {
            self.oldest = (self.oldest + 1) % KNOWN;
            self.oldest
        });
        self.known[place] = Some((client, now));
        true
    }
}

/// The drops so far, if each is to be logged; [`dropped`] wants them after the packet.
pub(crate) fn drops(stats: &Stats) -> Option<Drops> {
    log_enabled!(Level::Trace).then(|| stats.drops())
}

/// Logs that this packet was dropped, if it was.
pub(crate) fn dropped(before: Option<Drops>, stats: &Stats, packet: &[u8], has_frames: bool) {
    let Some(before) = before else { return };
    for (reason, before) in DropReason::ALL.into_iter().zip(before) {
        if stats.dropped(reason) != before {
            trace!("dropped: {}: {}", reason.name(), Described { packet, has_frames });
        }
    }
}

/// Logs that a datagram got no reply.
pub(crate) fn dropped_datagram(client: IpEndpoint, reason: DropReason) {
    trace!("dropped: {}: a datagram of {}", reason.name(), peer_address(client));
}

/// Logs that a reply did not leave.
pub(crate) fn dropped_reply() {
    trace!("dropped: {}: a reply over UDP", DropReason::Neighbour.name());
}

/// Logs that the link went down or up.
#[cfg(feature = "embassy")]
pub(crate) fn link(is_up: bool) {
    info!("the link is {}", if is_up { "up" } else { "down" });
}

/// A packet in a few words, as far as it can be understood.
struct Described<'a> {
    packet: &'a [u8],
    has_frames: bool,
}

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.packet.len();
        let mut packet = self.packet;
        if self.has_frames {
            let Ok(frame) = EthernetFrame::new_checked(self.packet) else {
                return write!(f, "{length} bytes");
            };
            write!(f, "{} > {}, ", frame.src_addr(), frame.dst_addr())?;
            packet = frame.payload();
        }
        match packet.first().map(|first| first >> 4) {
            Some(4) => {
                if let Ok(packet) = Ipv4Packet::new_checked(packet) {
                    let (source, destination) = (packet.src_addr().into(), packet.dst_addr().into());
                    // Only the first fragment has ports.
                    let payload = if packet.frag_offset() == 0 { packet.payload() } else { &[] };
                    describe(f, source, destination, packet.next_header(), payload)?;
                }
            }
            #[cfg(feature = "ipv6")]
            Some(6) => {
                if let Ok(packet) = Ipv6Packet::new_checked(packet) {
                    let (source, destination) = (packet.src_addr().into(), packet.dst_addr().into());
                    describe(f, source, destination, packet.next_header(), packet.payload())?;
                }
            }
            _ => {}
        }
        write!(f, "{length} bytes")
    }
}

fn describe(
    f: &mut fmt::Formatter<'_>,
    source: IpAddress,
    destination: IpAddress,
    protocol: IpProtocol,
    payload: &[u8],
) -> fmt::Result {
    match (protocol, payload) {
        (IpProtocol::Tcp | IpProtocol::Udp, &[a, b, c, d, ..]) => {
            let [source, destination] = [(source, [a, b]), (destination, [c, d])]
                .map(|(address, port)| peer_address(IpEndpoint::new(address, u16::from_be_bytes(port))));
            write!(f, "{source} > {destination}, {protocol}, ")
        }
        _ => write!(f, "{source} > {destination}, {protocol}, "),
    }
}
