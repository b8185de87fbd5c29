//! A client's TCP, written for these tests without smoltcp: RFC 9293 in its plainest form. After a timeout it goes back
//! and sends everything again that was not acknowledged.

use core::net::SocketAddr;
use std::collections::VecDeque;

use smoltcp::time::{Duration, Instant};

use crate::scenario::{Resends, TcpConfig};
use crate::transport::{Status, Transport};
use crate::wire::{ACK, FIN, PSH, RST, SYN, Segment, ahead, syn_options};

/// The longest retransmission timeout.
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// The most out-of-order segments that it keeps.
const MOST_EARLY: usize = 100;

/// The connection.
#[derive(Debug)]
pub struct TcpClient {
    local: SocketAddr,
    remote: SocketAddr,
    config: TcpConfig,
    state: State,
    /// What was written and is not acknowledged: the bytes from `unacknowledged` (SND.UNA) on.
    queue: VecDeque<u8>,
    unacknowledged: u32,
    /// SND.NXT, which goes back for a retransmission.
    next: u32,
    /// SND.MAX: one past the highest number sent so far.
    farthest: u32,
    closing: bool,
    /// The server has acknowledged the FIN.
    finished: bool,
    /// SND.UNA + SND.WND, and SND.WL1 and SND.WL2, the segment that it is from.
    send_edge: u32,
    edge_from: (u32, u32),
    send_mss: usize,
    send_shift: u8,
    wait: Duration,
    again_at: Option<Instant>,
    /// What has arrived and was not read, up to `expected` (RCV.NXT).
    arrived: VecDeque<u8>,
    expected: u32,
    /// Out-of-order segments.
    early: Vec<Segment>,
    server_finished: bool,
    /// RCV.NXT + RCV.WND as advertised.
    receive_edge: u32,
    ack_at: Option<Instant>,
    /// Number and window of the last two acknowledgements that were sent on their own, the older one first.
    acks: [Option<(u32, u16)>; 2],
    /// With [`Resends::WholeSegments`], what was sent and is not acknowledged to its end.
    sent: VecDeque<Segment>,
    answers: Vec<Segment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    SynSent,
    /// From ESTABLISHED to TIME-WAIT, which lasts for ever here.
    Open,
    Reset,
}

impl TcpClient {
    /// A connection that begins with the first `transmit`.
    pub fn new(local: SocketAddr, remote: SocketAddr, config: TcpConfig) -> TcpClient {
        TcpClient {
            local,
            remote,
            config,
            state: State::SynSent,
            queue: VecDeque::new(),
            unacknowledged: config.iss,
            next: config.iss,
            farthest: config.iss,
            closing: false,
            finished: false,
            send_edge: 0,
            edge_from: (0, 0),
            send_mss: 0,
            send_shift: 0,
            wait: config.rto,
            again_at: Some(Instant::ZERO),
            arrived: VecDeque::new(),
            expected: 0,
            early: Vec::new(),
            server_finished: false,
            receive_edge: 0,
            ack_at: None,
            acks: [None; 2],
            sent: VecDeque::new(),
            answers: Vec::new(),
        }
    }

    fn segment(&self, seq: u32, flags: u8, payload: Vec<u8>) -> Segment {
        let shift = if flags & SYN == 0 && self.scales() { self.config.scale.unwrap_or(0) } else { 0 };
        let window = ahead(self.receive_edge, self.expected).max(0).unsigned_abs() >> shift;
        Segment {
            from: self.local,
            to: self.remote,
            seq,
            ack: if flags & ACK == 0 { 0 } else { self.expected },
            flags,
            window: u16::try_from(window).unwrap_or(u16::MAX),
            options: Vec::new(),
            payload,
        }
    }

    /// True if both ends scale their windows.
    fn scales(&self) -> bool {
        self.state == State::Open && self.send_shift != u8::MAX
    }

    /// The number of an empty segment: SND.MAX, or the right edge of the server's window if that is before it.
    fn acceptable(&self) -> u32 {
        if ahead(self.send_edge, self.farthest) < 0 { self.send_edge } else { self.farthest }
    }

    fn answer(&mut self, flags: u8, seq: u32) {
        let answer = self.segment(seq, flags, Vec::new());
        self.answers.push(answer);
    }

    fn connecting(&mut self, segment: &Segment) {
        let acceptable = segment.has(ACK) && segment.ack == self.config.iss.wrapping_add(1);
        if segment.has(RST) {
            if acceptable {
                self.state = State::Reset;
            }
        } else if segment.has(ACK) && !acceptable {
            // The server still knows an old connection of these ports (RFC 9293, section 3.5.1).
            self.answer(RST, segment.ack);
        } else if segment.has(SYN | ACK) {
            let (mss, scale) = segment.mss_and_scale();
            self.state = State::Open;
            self.send_mss = usize::from(mss.unwrap_or(536));
            self.send_shift = match (self.config.scale, scale) {
                (Some(_), Some(scale)) => scale,
                _ => u8::MAX,
            };
            self.unacknowledged = segment.ack;
            self.next = segment.ack;
            self.expected = segment.seq.wrapping_add(1);
            self.receive_edge = self.expected;
            self.send_edge = segment.ack.wrapping_add(u32::from(segment.window));
            self.edge_from = (segment.seq, segment.ack);
            (self.wait, self.again_at) = (self.config.rto, None);
            self.offer();
            self.ack_at = Some(Instant::ZERO);
        }
    }

    fn open(&mut self, now: Instant, segment: &Segment) {
        let length = u32::try_from(segment.payload.len()).expect("a packet's payload");
        let offset = ahead(segment.seq, self.expected);
        let edge = ahead(self.receive_edge, self.expected);
        if segment.has(RST) {
            // RFC 5961, section 3.2. In TIME-WAIT a RST is ignored (RFC 1337).
            match offset {
                _ if self.status() == Status::Finished => {}
                0 => self.state = State::Reset,
                1.. if offset < edge => self.answer(ACK, self.acceptable()),
                _ => {}
            }
            return;
        }
        if segment.has(SYN) || !segment.has(ACK) {
            if segment.has(SYN) {
                self.answer(ACK, self.acceptable());
            }
            return;
        }
        // Not acceptable: wholly before RCV.NXT, or beyond the window.
        let empty = length == 0 && !segment.has(FIN);
        if offset < 0 && (empty || ahead(segment.seq.wrapping_add(length), self.expected) < 0)
            || offset > edge
        {
            self.answer(ACK, self.acceptable());
            if ahead(segment.ack, self.unacknowledged) <= 0 {
                return;
            }
        }
        if ahead(segment.ack, self.farthest) > 0 {
            self.answer(ACK, self.acceptable());
            return;
        }
        self.acknowledged(now, segment.ack);
        let (seq, ack) = self.edge_from;
        if ahead(segment.seq, seq) > 0 || segment.seq == seq && ahead(segment.ack, ack) >= 0 {
            let shift = if self.scales() { self.send_shift } else { 0 };
            self.edge_from = (segment.seq, segment.ack);
            self.send_edge = segment.ack.wrapping_add(u32::from(segment.window) << shift);
        }
        if !empty {
            self.take(now, segment, offset);
        }
    }

    fn acknowledged(&mut self, now: Instant, ack: u32) {
        let newly = ahead(ack, self.unacknowledged);
        if newly <= 0 {
            return;
        }
        let newly = newly.unsigned_abs() as usize;
        self.finished = newly > self.queue.len();
        self.queue.drain(..newly.min(self.queue.len()));
        self.unacknowledged = ack;
        while self.sent.front().is_some_and(|first| ahead(end(first), ack) <= 0) {
            self.sent.pop_front();
        }
        if ahead(self.next, ack) < 0 {
            self.next = ack;
        }
        self.wait = self.config.rto;
        self.again_at = (self.farthest != ack).then(|| now + self.wait);
    }

    fn take(&mut self, now: Instant, segment: &Segment, offset: i32) {
        let gap = !self.early.is_empty();
        if offset > 0 && self.early.len() < MOST_EARLY {
            self.early.push(segment.clone());
        }
        let before = self.expected;
        self.take_in_order(segment);
        while let Some(index) = self.early.iter().position(|early| ahead(early.seq, self.expected) <= 0) {
            let early = self.early.swap_remove(index);
            self.take_in_order(&early);
        }
        // Only an ACK of a segment in order may be delayed (RFC 5681, section 4.2).
        let as_expected = self.expected != before && !gap && !self.server_finished && self.ack_at.is_none();
        self.ack_at = Some(if as_expected { now + self.config.ack_delay } else { now });
    }

    /// Accepts the new part of a segment that leaves no gap.
    fn take_in_order(&mut self, segment: &Segment) {
        let known = self.expected.wrapping_sub(segment.seq) as usize;
        if known > segment.payload.len() || self.server_finished {
            return;
        }
        let new = &segment.payload[known..];
        let room = new.len().min(ahead(self.receive_edge, self.expected).max(0).unsigned_abs() as usize);
        self.arrived.extend(&new[..room]);
        self.expected = self.expected.wrapping_add(u32::try_from(room).expect("a packet's payload"));
        if segment.has(FIN) && room == new.len() {
            self.expected = self.expected.wrapping_add(1);
            // Nothing comes after the FIN: the window stays closed.
            self.receive_edge = self.expected;
            self.server_finished = true;
        }
    }

    /// Advances the window, but not by small steps (silly window syndrome, RFC 9293, section 3.8.6.2.2). Returns
    /// whether it did.
    fn offer(&mut self) -> bool {
        let offered = ahead(self.receive_edge, self.expected).max(0).unsigned_abs() as usize;
        let most = usize::from(u16::MAX) << if self.scales() { self.config.scale.unwrap_or(0) } else { 0 };
        let room = (self.config.buffer - self.arrived.len()).min(most);
        let worthwhile =
            room >= offered + (self.config.buffer / 2).min(self.send_mss) && !self.server_finished;
        if worthwhile {
            self.receive_edge = self.expected.wrapping_add(u32::try_from(room).expect("at most 1 GiB"));
        }
        worthwhile
    }

    fn transmit_syn(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        if self.again_at.is_some_and(|at| at <= now) {
            let mut syn = self.segment(self.config.iss, SYN, Vec::new());
            syn.options = syn_options(self.config.mss, self.config.scale);
            syn.window = u16::try_from(self.config.buffer).unwrap_or(u16::MAX);
            out.push(syn.to_packet());
            self.farthest = self.config.iss.wrapping_add(1);
            self.back_off(now);
        }
    }

    fn back_off(&mut self, now: Instant) {
        self.again_at = Some(now + self.wait);
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
    }

    /// Sends the segments again that are not acknowledged, as they were, as far as the window allows. Returns false if it
    /// allows none.
    fn resend_whole_segments(&mut self, out: &mut Vec<Vec<u8>>) -> bool {
        let allowed = self.sent.iter().take_while(|segment| ahead(end(segment), self.send_edge) <= 0);
        let again: Vec<Vec<u8>> = allowed
            .map(|old| {
                let segment = self.segment(old.seq, old.flags, old.payload.clone());
                self.with_ack(segment).to_packet()
            })
            .collect();
        let resent = !again.is_empty();
        out.extend(again);
        resent
    }

    /// The same segment with an old acknowledgement, if this client sends them.
    fn with_ack(&self, segment: Segment) -> Segment {
        match self.acks[0].or(self.acks[1]).filter(|_| self.config.old_acks) {
            Some((ack, window)) => Segment { ack, window, ..segment },
            None => segment,
        }
    }

    fn transmit_data(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        let again = self.again_at.is_some_and(|at| at <= now);
        let resent = again && self.resend_whole_segments(out);
        if again {
            self.back_off(now);
        }
        if again && !resent {
            self.next = self.unacknowledged;
            self.sent.clear();
        }
        // A zero-window probe has one byte (RFC 9293, section 3.8.6.1).
        let mut probe = usize::from(again && !resent);
        loop {
            let in_flight = ahead(self.next, self.unacknowledged).unsigned_abs() as usize;
            let window = ahead(self.send_edge, self.next).max(0).unsigned_abs() as usize;
            let left = self.queue.len().saturating_sub(in_flight);
            let length = left.min(self.send_mss).min(window.max(probe));
            let unfinished = self.closing && !self.finished && in_flight <= self.queue.len();
            let fin = unfinished && length == left && window.max(probe) > length;
            if length == 0 && !fin {
                // Nothing is in flight, so that only a probe finds out that the window has opened.
                if (left > 0 || unfinished) && self.again_at.is_none() {
                    self.again_at = Some(now + self.wait);
                }
                return;
            }
            probe = 0;
            let payload = self.queue.range(in_flight..in_flight + length).copied().collect();
            let flags = ACK | if fin { FIN } else { 0 } | if length == left { PSH } else { 0 };
            let segment = self.segment(self.next, flags, payload);
            // A probe has the newest acknowledgement: the server may have refused the segment that had it first.
            let is_probe = window == 0;
            out.push(if is_probe { segment.to_packet() } else { self.with_ack(segment.clone()).to_packet() });
            if self.config.resends == Resends::WholeSegments {
                self.sent.push_back(segment);
            }
            let advance = u32::try_from(length + usize::from(fin)).expect("a segment");
            self.next = self.next.wrapping_add(advance);
            if ahead(self.next, self.farthest) > 0 {
                self.farthest = self.next;
            }
            if !self.config.old_acks {
                self.ack_at = None;
            }
            if self.again_at.is_none() {
                self.again_at = Some(now + self.wait);
            }
        }
    }
}

/// SEG.SEQ + SEG.LEN, with the FIN.
fn end(segment: &Segment) -> u32 {
    let length = u32::try_from(segment.payload.len()).expect("a packet's payload");
    segment.seq.wrapping_add(length + u32::from(segment.has(FIN)))
}

impl Transport for TcpClient {
    fn receive(&mut self, now: Instant, packet: &[u8]) {
        let Some(segment) = Segment::read(packet) else { return };
        if (segment.from, segment.to) != (self.remote, self.local) {
            return;
        }
        match self.state {
            State::SynSent => self.connecting(&segment),
            State::Open => self.open(now, &segment),
            State::Reset if segment.has(RST) => {}
            State::Reset => self.answer(RST, segment.ack),
        }
    }

    fn transmit(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        out.extend(self.answers.drain(..).map(|answer| answer.to_packet()));
        match self.state {
            State::SynSent => self.transmit_syn(now, out),
            State::Open => {
                self.transmit_data(now, out);
                if self.ack_at.is_some_and(|at| at <= now) {
                    self.ack_at = None;
                    let ack = self.segment(self.acceptable(), ACK, Vec::new());
                    self.acks = [self.acks[1], Some((ack.ack, ack.window))];
                    out.push(ack.to_packet());
                }
            }
            State::Reset => {}
        }
    }

    fn deadline(&mut self, now: Instant) -> Option<Instant> {
        if !self.answers.is_empty() {
            return Some(now);
        }
        match self.state {
            State::SynSent => self.again_at,
            State::Open => [self.again_at, self.ack_at].into_iter().flatten().min(),
            State::Reset => None,
        }
    }

    fn room(&mut self) -> usize {
        if self.closing { 0 } else { self.config.queue - self.queue.len() }
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        let taken = self.room().min(bytes.len());
        self.queue.extend(&bytes[..taken]);
        taken
    }

    fn read(&mut self, bytes: &mut [u8]) -> usize {
        let given = bytes.len().min(self.arrived.len());
        for (byte, arrived) in bytes.iter_mut().zip(self.arrived.drain(..given)) {
            *byte = arrived;
        }
        if self.state == State::Open && self.offer() {
            self.ack_at = Some(Instant::ZERO);
        }
        given
    }

    fn close(&mut self) {
        self.closing = true;
    }

    fn abort(&mut self) {
        if self.state == State::Open {
            self.answer(RST | ACK, self.acceptable());
        }
        self.state = State::Reset;
    }

    fn status(&self) -> Status {
        match self.state {
            State::SynSent => Status::Connecting,
            State::Open if self.finished && self.server_finished => Status::Finished,
            State::Open => Status::Open,
            State::Reset => Status::Reset,
        }
    }

    fn server_finished(&self) -> bool {
        self.server_finished
    }
}
