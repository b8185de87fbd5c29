//! What must hold whatever happens: checks every packet that the server receives and sends, in order.
//!
//! - Every echoed byte is the upper case of one that has come, in order, and within the client's window and MSS.
//! - Nothing is acknowledged that has not come, and no acknowledgement is taken back.
//! - The window never shrinks (RFC 9293, section 3.8.6.2.2), but for what its scale cannot express.
//! - Every datagram is the only reply to a request, with its content, not before its delay.
//!
//! It knows only packets. What an evicted client's ACK brings back (a SYN cookie) it learns from the server's counter,
//! and finds out which connection it was from the numbers.

use core::net::{IpAddr, SocketAddr};
use std::collections::HashMap;

use smoltcp::time::{Duration, Instant};

use self::connection::Connection;
use crate::content::Content;
use crate::udp_client::{Reassembly, reply_to};
use crate::wire::{ACK, Datagram, FIN, Ip, RST, SYN, Segment, UDP, ahead};

mod connection;

/// The invariants of one server.
#[derive(Debug)]
pub struct Invariants {
    /// The server's port.
    port: u16,
    mtu: usize,
    delay: Duration,
    /// Connections that the server has counted as let in by SYN cookie, minus those that were recognised here.
    revivals: u64,
    revived: u64,
    /// The server has counted one among the packets that are checked now.
    revives: bool,
    flows: HashMap<SocketAddr, Flow>,
    /// Requests without a reply yet, and when they came.
    asked: HashMap<SocketAddr, Vec<(Instant, Vec<u8>)>>,
    reassembly: [Reassembly; 2],
    /// Segments with data in which the sequence number wrapped, from clients and from the server.
    pub wrapped: (u64, u64),
}

/// The connections of one client's address and port.
#[derive(Debug)]
struct Flow {
    content: Content,
    /// The sequence number at which the content begins. None: at each connection's first byte.
    origin: Option<u32>,
    /// The SYNs that came, any of which the server may have taken: sequence number, MSS and window scale.
    syns: Vec<(u32, Option<u16>, Option<u8>)>,
    /// Connections that had a SYN|ACK before the newest one. A SYN cookie may bring back any of them.
    earlier: Vec<Connection>,
    /// The numbers, as in [`Connection::first`], of connections that the client may have made up since the last SYN|ACK.
    made_up: Vec<(u32, u32)>,
    /// An attacker has made up an ACK that brings back a connection which is not known here: nothing can be checked.
    astray: bool,
    /// The newest connection. None if the server has only sent a challenge ACK on it.
    connection: Option<Connection>,
    unannounced: bool,
}

impl Invariants {
    /// For a server with this port, MTU of IP, and delay of UDP replies.
    pub fn new(port: u16, mtu: usize, delay: Duration) -> Invariants {
        let (flows, asked, reassembly, wrapped) = Default::default();
        let (revivals, revived, revives) = Default::default();
        Invariants { port, mtu, delay, revivals, revived, revives, flows, asked, reassembly, wrapped }
    }

    /// Tells what a client's port will send. With `origin`, the content begins at that sequence number.
    pub fn expect(&mut self, client: SocketAddr, content: Content, origin: Option<u32>) {
        self.flows.insert(
            client,
            Flow {
                content,
                origin,
                syns: Vec::new(),
                earlier: Vec::new(),
                made_up: Vec::new(),
                astray: false,
                connection: None,
                unannounced: false,
            },
        );
    }

    /// Tells the server's counter of connections let in by SYN cookie, before the packets that it has counted them in.
    pub fn revived(&mut self, count: u64) {
        self.revives = count > self.revived;
        self.revivals += count - self.revived;
        self.revived = count;
    }

    /// The server receives an IP packet.
    pub fn heard(&mut self, now: Instant, packet: &[u8]) {
        if let Some(segment) = Segment::read(packet).filter(|segment| segment.to.port() == self.port) {
            if let Some(flow) = self.flows.get_mut(&segment.from) {
                self.wrapped.0 += u64::from(wraps(&segment));
                if self.revives && flow.is_made_up(&segment) {
                    flow.made_up.push((segment.seq, segment.ack));
                }
                flow.heard(&segment);
            }
        } else if let Some(request) =
            self.datagram(0, packet).filter(|request| request.to.port() == self.port)
        {
            self.asked.entry(request.from).or_default().push((now, reply_to(&request.payload)));
        }
    }

    /// The server sends an IP packet.
    pub fn said(&mut self, now: Instant, packet: &[u8]) {
        assert!(packet.len() <= self.mtu, "a packet of {} bytes, and the MTU is {}", packet.len(), self.mtu);
        assert!(Ip::read(packet).is_some(), "a malformed packet");
        if let Some(segment) = Segment::read(packet) {
            if segment.from.port() == self.port
                && let Some(flow) = self.flows.get_mut(&segment.to)
            {
                self.wrapped.1 += u64::from(wraps(&segment));
                flow.said(&segment, &mut self.revivals);
            }
        } else if let Some(reply) = self.datagram(1, packet) {
            assert_eq!(reply.from.port(), self.port);
            let asked = self.asked.get_mut(&reply.to).expect("a datagram to somebody who asked nothing");
            let due = |(at, due): &(Instant, Vec<u8>)| *at + self.delay <= now && *due == reply.payload;
            let index = asked.iter().position(due).expect("a reply that nobody waits for");
            asked.remove(index);
        }
    }

    /// A new UDP client has this address, whose fragments have the same identifications as its predecessor's.
    pub fn expect_other_fragments(&mut self, from: IpAddr) {
        self.reassembly[0].forget(from);
    }

    /// The server's initial sequence number in the newest connection of a client's port.
    pub fn initial(&self, client: SocketAddr) -> Option<u32> {
        Some(self.flows.get(&client)?.connection.as_ref()?.first.1.wrapping_sub(1))
    }

    /// The number of requests without a reply.
    pub fn unanswered(&self) -> usize {
        self.asked.values().map(Vec::len).sum()
    }

    fn datagram(&mut self, way: usize, packet: &[u8]) -> Option<Datagram> {
        let ip = Ip::read(packet).filter(|ip| ip.protocol == UDP)?;
        let udp = self.reassembly[way].add(&ip)?;
        Datagram::read(ip.from, ip.to, &udp)
    }
}

impl Flow {
    fn heard(&mut self, segment: &Segment) {
        if segment.has(SYN) {
            let (mss, scale) = segment.mss_and_scale();
            self.syns.push((segment.seq, mss, scale));
        }
        for connection in self.earlier.iter_mut().chain(&mut self.connection) {
            connection.heard(segment);
        }
    }

    fn said(&mut self, segment: &Segment, revivals: &mut u64) {
        if segment.has(RST) {
            assert!(segment.payload.is_empty());
            return;
        }
        assert!(segment.has(ACK), "a segment without an acknowledgement: {segment:?}");
        if segment.has(SYN) {
            // A retransmitted SYN|ACK too: nothing has happened on its connection yet.
            let begun = self.begin(segment);
            let before = self.connection.take().filter(|before| before.first != begun.first);
            self.earlier.extend(before);
            (self.connection, self.astray) = (Some(begun), false);
            self.made_up.clear();
            return;
        }
        // A connection that its client has reset, and that was brought back, has the same numbers and its first window.
        let shrinks = |connection: &Connection| *revivals > 0 && connection.shrinks_by(segment).is_some();
        let goes_on = self
            .connection
            .as_ref()
            .is_some_and(|connection| connection.fits(segment) && !shrinks(connection));
        let mut all = self.earlier.iter().chain(&self.connection).map(Connection::again);
        // A connection that was made up may fit the numbers of the one known connection as well, being so close to it.
        let may_be_made_up = self.made_up.iter().any(|&(client, server)| {
            // A keep-alive may have SEG.SEQ = SND.UNA - 1.
            ahead(segment.seq, server) >= -1 && ahead(segment.ack, client) >= 0
        });
        if may_be_made_up
            || *revivals > 0
                && self.origin.is_some()
                && all.clone().filter(|connection| connection.fits(segment)).count() != 1
        {
            // An attacker that has seen one ISS of the server's can compute others, and so open a connection without a
            // SYN. Or two of its connections have numbers so close to each other that it may be either.
            self.astray = true;
        } else if !goes_on
            && *revivals > 0
            && let Some(revived) = all.rfind(|connection| connection.fits(segment))
        {
            // An attacker can bring back one of its connections any number of times.
            *revivals -= u64::from(self.origin.is_none());
            self.earlier.retain(|before| before.first != revived.first);
            let before = self.connection.take().filter(|before| before.first != revived.first);
            self.earlier.extend(before);
            self.connection = Some(revived);
        }
        if self.astray {
            return;
        }
        let is_new = self.connection.as_ref().is_none_or(|connection| {
            let (given, taken) =
                (segment.seq.wrapping_sub(connection.first.1), segment.ack.wrapping_sub(connection.first.0));
            // A challenge ACK with the numbers of the previous connection.
            let again = ahead(segment.ack, connection.acknowledged) < 0 && segment.seq != connection.sent;
            let fin = u32::from(!connection.fins.is_empty());
            given > connection.heard + 1 || taken > connection.heard + fin || again
        });
        let challenge = segment.payload.is_empty() && !segment.has(FIN);
        if is_new && challenge && self.syns.iter().any(|syn| syn.0 == segment.ack.wrapping_sub(1)) {
            // The SYN|ACK still waits for room. The client may do without it: this segment has told it the numbers.
            (self.connection, self.unannounced) = (None, true);
        }
        match &mut self.connection {
            Some(connection) => connection.said(segment, self.content, self.origin),
            None => assert!(self.unannounced, "a segment before any SYN|ACK"),
        }
    }

    /// True if an attacker's segment has numbers that the server takes for a SYN cookie, and that no SYN|ACK has shown.
    ///
    /// They can be computed from those of a SYN|ACK: the ISSs of one client's port are multiples of 2^13 apart, but for a tag
    /// that is computed from the IRS. So where IRS and ISS are valid, most often IRS + 1 and ISS + 2 are, too. The server
    /// cannot tell, as it keeps nothing of a SYN. Without a SYN|ACK of this port's, nobody can compute them.
    fn is_made_up(&self, segment: &Segment) -> bool {
        let made_up = (segment.seq, segment.ack);
        let untagged = |(client, server): (u32, u32)| {
            let tag = client.wrapping_sub(1) % 8191 * 2 % 8191;
            server.wrapping_sub(tag) % 8192
        };
        let mut firsts = self.earlier.iter().chain(&self.connection).map(|connection| connection.first);
        self.origin.is_some()
            && segment.has(ACK)
            && !segment.has(SYN)
            && !segment.has(RST)
            && firsts.clone().all(|first| first != made_up)
            && firsts.any(|first| untagged(first) == untagged(made_up))
    }

    fn begin(&self, segment: &Segment) -> Connection {
        let scale = segment.mss_and_scale().1;
        // If several SYNs have different options, the largest are assumed. Without the option the MSS is 536 (RFC 9293,
        // section 3.7.1). smoltcp uses no MSS below 48.
        let meant = self.syns.iter().filter(|(seq, _, offered)| {
            // The server may leave out the option that the client sent (RFC 7323, section 2.2).
            *seq == segment.ack.wrapping_sub(1) && (offered.is_some() || scale.is_none())
        });
        let options =
            meant.map(|&(_, mss, offered)| (mss.filter(|&mss| mss > 0).unwrap_or(536).max(48), offered));
        let (client_mss, offered) = options
            .reduce(|(mss, scale), (other, another)| (mss.max(other), scale.max(another)))
            .expect("a SYN|ACK to a SYN that never came");
        Connection::new(segment, client_mss, offered.zip(scale))
    }
}

fn wraps(segment: &Segment) -> bool {
    segment.seq.checked_add(u32::try_from(segment.payload.len()).expect("a packet's payload")).is_none()
}
