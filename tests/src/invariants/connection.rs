//! A connection as packets show it.

use crate::content::Content;
use crate::wire::{ACK, FIN, SYN, Segment, ahead};

/// A connection, from the server's SYN|ACK on.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    /// The sequence number of the first byte from the client, and from the server.
    pub(super) first: (u32, u32),
    /// Bytes from the client that reached the server without a gap; and ranges beyond gaps.
    pub(super) heard: u32,
    islands: Vec<(u32, u32)>,
    /// Offsets of the client's FINs; and that of the FIN that the server has acknowledged.
    pub(super) fins: Vec<u32>,
    finished: Option<u32>,
    /// SND.MAX of the server.
    pub(super) sent: u32,
    /// The server's RCV.NXT as acknowledged, and the right edge of its window.
    pub(super) acknowledged: u32,
    edge: u32,
    /// The client's RCV.NXT as acknowledged, and the right edge of its window.
    client_acknowledged: u32,
    client_edge: u32,
    client_mss: u16,
    shifts: Option<(u8, u8)>,
}

impl Connection {
    /// One that begins with this SYN|ACK, for a client with this MSS and, if scales were agreed on, these of client and server.
    pub(super) fn new(segment: &Segment, client_mss: u16, shifts: Option<(u8, u8)>) -> Connection {
        let first = (segment.ack, segment.seq.wrapping_add(1));
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
            shifts,
        }
    }

    /// True if the server may send this segment next. Nothing is acknowledged beyond a FIN that was. A keep-alive may have SEG.SEQ = SND.UNA - 1.
    pub(super) fn fits(&self, segment: &Segment) -> bool {
        let most = self.heard.cast_signed().saturating_add(1);
        let (given, taken) = (ahead(segment.seq, self.first.1), ahead(segment.ack, self.first.0));
        let all = self.finished.map_or(most, |bytes| bytes.cast_signed().saturating_add(1));
        (-1..=most).contains(&given)
            && (0..=all).contains(&taken)
            && ahead(segment.ack, self.acknowledged) >= 0
    }

    /// The same connection, as before the server's first segment after the SYN|ACK.
    pub(super) fn again(&self) -> Connection {
        let (sent, acknowledged) = (self.first.1, self.first.0);
        Connection { finished: None, sent, acknowledged, edge: acknowledged, ..self.clone() }
    }

    pub(super) fn heard(&mut self, segment: &Segment) {
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

    pub(super) fn said(&mut self, segment: &Segment, content: Content, origin: Option<u32>) {
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
    pub(super) fn shrinks_by(&self, segment: &Segment) -> Option<i32> {
        let back = ahead(self.edge, self.edge_of(segment));
        (back >= 1 << self.server_shift(segment)).then_some(back)
    }
}

fn farther(a: u32, b: u32) -> u32 {
    if ahead(b, a) > 0 { b } else { a }
}
