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

use crate::content::Content;
use crate::udp_client::{Reassembly, reply_to};
use crate::wire::{ACK, Datagram, FIN, Ip, RST, SYN, Segment, UDP, ahead};

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
    /// An attacker has made up an ACK that brings back a connection which is not known here: nothing can be checked.
    astray: bool,
    /// The newest connection. None if the server has only sent a challenge ACK on it.
    connection: Option<Connection>,
    unannounced: bool,
}

/// A connection, from the server's SYN|ACK on.
#[derive(Debug, Clone)]
struct Connection {
    /// The sequence number of the first byte from the client, and from the server.
    first: (u32, u32),
    /// Bytes from the client that reached the server without a gap; and ranges beyond gaps.
    heard: u32,
    islands: Vec<(u32, u32)>,
    /// Offsets of the client's FINs; and that of the FIN that the server has acknowledged.
    fins: Vec<u32>,
    finished: Option<u32>,
    /// SND.MAX of the server.
    sent: u32,
    /// The server's RCV.NXT as acknowledged, and the right edge of its window.
    acknowledged: u32,
    edge: u32,
    /// The client's RCV.NXT as acknowledged, and the right edge of its window.
    client_acknowledged: u32,
    client_edge: u32,
    client_mss: u16,
    shifts: Option<(u8, u8)>,
}

impl Invariants {
    /// For a server with this port, MTU of IP, and delay of UDP replies.
    pub fn new(port: u16, mtu: usize, delay: Duration) -> Invariants {
        let (flows, asked, reassembly, wrapped) = Default::default();
        Invariants { port, mtu, delay, revivals: 0, revived: 0, flows, asked, reassembly, wrapped }
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
                astray: false,
                connection: None,
                unannounced: false,
            },
        );
    }

    /// Tells the server's counter of connections let in by SYN cookie.
    pub fn revived(&mut self, count: u64) {
        self.revivals += count - self.revived;
        self.revived = count;
    }

    /// The server receives an IP packet.
    pub fn heard(&mut self, now: Instant, packet: &[u8]) {
        if let Some(segment) = Segment::read(packet).filter(|segment| segment.to.port() == self.port) {
            if let Some(flow) = self.flows.get_mut(&segment.from) {
                self.wrapped.0 += u64::from(wraps(&segment));
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
            return;
        }
        // A connection that its client has reset, and that was brought back, has the same numbers and its first window.
        let shrinks = |connection: &Connection| *revivals > 0 && connection.shrinks_by(segment).is_some();
        let goes_on = self
            .connection
            .as_ref()
            .is_some_and(|connection| connection.fits(segment) && !shrinks(connection));
        let mut all = self.earlier.iter().chain(&self.connection).map(Connection::again);
        if *revivals > 0
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

    fn begin(&self, segment: &Segment) -> Connection {
        let (first, scale) = ((segment.ack, segment.seq.wrapping_add(1)), segment.mss_and_scale().1);
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
        Connection {
            first,
            heard: 0,
            islands: Vec::new(),
            fins: Vec::new(),
            finished: None,
            sent: first.1,
            acknowledged: first.0,
            edge: first.0.wrapping_add(u32::from(segment.window)),
            client_acknowledged: first.1,
            client_edge: first.1,
            client_mss,
            shifts: offered.zip(scale),
        }
    }
}

impl Connection {
    /// True if the server may send this segment next. Nothing is acknowledged beyond a FIN that was. A keep-alive may have SEG.SEQ = SND.UNA - 1.
    fn fits(&self, segment: &Segment) -> bool {
        let most = self.heard.cast_signed().saturating_add(1);
        let (given, taken) = (ahead(segment.seq, self.first.1), ahead(segment.ack, self.first.0));
        let all = self.finished.map_or(most, |bytes| bytes.cast_signed().saturating_add(1));
        (-1..=most).contains(&given)
            && (0..=all).contains(&taken)
            && ahead(segment.ack, self.acknowledged) >= 0
    }

    /// The same connection, as before the server's first segment after the SYN|ACK.
    fn again(&self) -> Connection {
        let (sent, acknowledged) = (self.first.1, self.first.0);
        Connection { finished: None, sent, acknowledged, edge: acknowledged, ..self.clone() }
    }

    fn heard(&mut self, segment: &Segment) {
        let from = ahead(segment.seq, self.first.0);
        let to = from.saturating_add(i32::try_from(segment.payload.len()).expect("a packet's payload"));
        // Data on a SYN is not accepted.
        if to > 0 && !segment.has(SYN) {
            self.islands.push((from.max(0).unsigned_abs(), to.unsigned_abs()));
        }
        if segment.has(FIN) && to >= 0 {
            self.fins.push(to.unsigned_abs());
        }
        while let Some(index) = self.islands.iter().position(|&(from, _)| from <= self.heard) {
            let (_, to) = self.islands.swap_remove(index);
            self.heard = self.heard.max(to);
        }
        let shift = self.shifts.filter(|_| !segment.has(SYN)).map_or(0, |(client, _)| client);
        let edge = segment.ack.wrapping_add(u32::from(segment.window) << shift);
        let possible = (0..=self.heard + 1).contains(&segment.ack.wrapping_sub(self.first.1));
        if segment.has(ACK) && possible {
            self.client_edge = farther(self.client_edge, edge);
            self.client_acknowledged = farther(self.client_acknowledged, segment.ack);
        }
    }

    fn said(&mut self, segment: &Segment, content: Content, origin: Option<u32>) {
        self.acknowledge(segment);
        let length = u32::try_from(segment.payload.len()).expect("a packet's payload");
        let end = segment.seq.wrapping_add(length);
        // A keep-alive with a garbage byte that the client has acknowledged already (RFC 9293, section 3.8.4). An
        // attacker may have acknowledged bytes that were not sent yet.
        let known = ahead(end, self.client_acknowledged) <= 0 && ahead(end, self.sent) <= 0;
        let keep_alive = segment.payload == [0] && known;
        if length == 0 && !segment.has(FIN) || keep_alive {
            return;
        }
        let from = ahead(segment.seq, self.first.1);
        assert!(from >= 0, "a segment before the first");
        let from = from.unsigned_abs();
        let (echoed, most) = (from + length, self.finished.unwrap_or(self.heard));
        assert!(echoed <= most, "{echoed} bytes echoed, and only {most} have come");
        let shift = self.first.0.wrapping_sub(origin.unwrap_or(self.first.0));
        content.assert_echo(shift.wrapping_add(from), &segment.payload);
        assert!(segment.payload.len() <= usize::from(self.client_mss), "longer than the client's segments");
        // A zero-window probe has one byte beyond the window. A retransmission may be beyond a window that has shrunk.
        let (again, beyond) = (ahead(segment.seq, self.sent) < 0, ahead(end, self.client_edge));
        assert!(ahead(segment.seq, self.sent) <= 0, "bytes are left out");
        assert!(again || beyond <= 1, "{beyond} bytes outside the client's window");

        self.sent = farther(self.sent, end.wrapping_add(u32::from(segment.has(FIN))));
    }

    fn acknowledge(&mut self, segment: &Segment) {
        let acknowledged = ahead(segment.ack, self.first.0);
        assert!(acknowledged >= 0, "it acknowledges what was before the connection");
        let acknowledged = acknowledged.unsigned_abs();
        // An attacker may have sent bytes beyond its FIN.
        if acknowledged == self.heard + 1 && self.fins.iter().any(|&fin| fin <= self.heard) {
            self.finished = Some(self.heard);
        }
        let most = self.finished.map_or(self.heard, |bytes| bytes + 1);
        assert!(acknowledged <= most, "{acknowledged} bytes acknowledged, and only {most} have come");

        assert!(ahead(segment.ack, self.acknowledged) >= 0, "an acknowledgement is taken back");
        self.acknowledged = segment.ack;
        assert_eq!(self.shrinks_by(segment), None, "the window shrinks by so many bytes");
        self.edge = farther(self.edge, self.edge_of(segment));
    }

    /// The right edge of the server's window.
    fn edge_of(&self, segment: &Segment) -> u32 {
        segment.ack.wrapping_add(u32::from(segment.window) << self.server_shift(segment))
    }

    fn server_shift(&self, segment: &Segment) -> u8 {
        self.shifts.filter(|_| !segment.has(SYN)).map_or(0, |(_, server)| server)
    }

    /// RFC 7323, section 2.4: the edge may move left by less than one unit of the scaled window.
    fn shrinks_by(&self, segment: &Segment) -> Option<i32> {
        let back = ahead(self.edge, self.edge_of(segment));
        (back >= 1 << self.server_shift(segment)).then_some(back)
    }
}

fn wraps(segment: &Segment) -> bool {
    segment.seq.checked_add(u32::try_from(segment.payload.len()).expect("a packet's payload")).is_none()
}

fn farther(a: u32, b: u32) -> u32 {
    if ahead(b, a) > 0 { b } else { a }
}
