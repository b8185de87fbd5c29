//! A client's TCP, written for these tests without smoltcp: RFC 9293 in its plainest form. After a timeout it goes back
//! and sends everything again that was not acknowledged.
//!
//! [`TcpConfig`] has what clients may do in different ways, all of them correct.

mod handshake;
mod receiver;
mod sender;

use core::net::SocketAddr;

use smoltcp::time::Instant;

use self::receiver::Receiver;
use self::sender::Sender;
use crate::scenario::TcpConfig;
use crate::tcp_options::sack_option;
use crate::transport::{Status, Transport};
use crate::wire::{ACK, FIN, RST, SYN, Segment, ahead};

/// The connection.
#[derive(Debug)]
pub struct TcpClient {
    local: SocketAddr,
    remote: SocketAddr,
    config: TcpConfig,
    state: State,
    sender: Sender,
    receiver: Receiver,
    /// Number and window of the last two acknowledgements that were sent on their own, the older one first.
    acks: [Option<(u32, u16)>; 2],
    answers: Vec<Segment>,
    /// When RCV.NXT advanced last.
    heard_at: Instant,
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
            sender: Sender::new(config),
            receiver: Receiver::new(config),
            acks: [None; 2],
            answers: Vec::new(),
            heard_at: Instant::ZERO,
        }
    }

    fn segment(&self, seq: u32, flags: u8, payload: Vec<u8>) -> Segment {
        let acknowledges = flags & ACK != 0;
        Segment {
            from: self.local,
            to: self.remote,
            seq,
            ack: if acknowledges { self.receiver.expected } else { 0 },
            flags,
            window: self.receiver.window(),
            options: if acknowledges { sack_option(&self.receiver.sack_blocks()) } else { Vec::new() },
            payload,
        }
    }

    fn answer(&mut self, flags: u8, seq: u32) {
        let answer = self.segment(seq, flags, Vec::new());
        self.answers.push(answer);
    }

    fn open(&mut self, now: Instant, segment: &Segment) {
        let length = u32::try_from(segment.payload.len()).expect("a packet's payload");
        let (offset, edge) = (self.receiver.offset(segment.seq), self.receiver.room());
        if segment.has(RST) {
            // RFC 5961, section 3.2. In TIME-WAIT a RST is ignored (RFC 1337).
            match offset {
                _ if self.status() == Status::Finished => {}
                0 => self.state = State::Reset,
                1.. if offset < edge => self.answer(ACK, self.sender.acceptable()),
                _ => {}
            }
            return;
        }
        if segment.has(SYN) || !segment.has(ACK) {
            if segment.has(SYN) {
                self.answer(ACK, self.sender.acceptable());
            }
            return;
        }
        // Not acceptable: wholly before RCV.NXT, or beyond the window.
        let empty = length == 0 && !segment.has(FIN);
        let before = self.receiver.offset(segment.seq.wrapping_add(length)) < 0;
        if offset < 0 && (empty || before) || offset > edge {
            self.answer(ACK, self.sender.acceptable());
            if !self.sender.is_new(segment.ack) {
                return;
            }
        }
        if ahead(segment.ack, self.sender.farthest) > 0 {
            self.answer(ACK, self.sender.acceptable());
            return;
        }
        let before = self.receiver.expected;
        self.sender.hears(now, segment);
        if !empty {
            self.receiver.take(now, segment, offset);
        }
        if self.receiver.expected != before {
            self.heard_at = now;
        }
    }

    /// The same segment with an old acknowledgement, if this client sends them.
    fn with_ack(&self, segment: Segment) -> Segment {
        match self.acks[0].or(self.acks[1]).filter(|_| self.config.old_acks) {
            Some((ack, window)) => Segment { ack, window, options: Vec::new(), ..segment },
            None => segment,
        }
    }

    fn transmit_data(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        for piece in self.sender.transmit(now, self.receiver.option_length()) {
            let segment = self.segment(piece.seq, piece.flags, piece.payload);
            // A probe has the newest acknowledgement: the server may have refused the segment that had it first.
            let segment = if piece.is_probe { segment } else { self.with_ack(segment) };
            out.push(segment.to_packet());
            if !self.config.old_acks {
                self.receiver.ack_at = None;
            }
        }
    }

    fn transmit_ack(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        if self.receiver.ack_at.is_some_and(|at| at <= now) {
            self.receiver.ack_at = None;
            let ack = self.segment(self.sender.acceptable(), ACK, Vec::new());
            self.acks = [self.acks[1], Some((ack.ack, ack.window))];
            out.push(ack.to_packet());
        }
    }
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
                self.receiver.update_window(now);
                self.transmit_data(now, out);
                self.transmit_ack(now, out);
            }
            State::Reset => {}
        }
    }

    fn deadline(&mut self, now: Instant) -> Option<Instant> {
        if !self.answers.is_empty() {
            return Some(now);
        }
        match self.state {
            State::SynSent => self.sender.again_at,
            State::Open => {
                let Receiver { ack_at, update_at, .. } = self.receiver;
                [self.sender.again_at, ack_at, update_at].into_iter().flatten().min()
            }
            State::Reset => None,
        }
    }

    fn room(&mut self) -> usize {
        self.sender.room()
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        self.sender.write(bytes)
    }

    fn read(&mut self, bytes: &mut [u8]) -> usize {
        self.receiver.read(bytes)
    }

    fn close(&mut self) {
        self.sender.closing = true;
    }

    fn abort(&mut self) {
        if self.state == State::Open {
            self.answer(RST | ACK, self.sender.acceptable());
        }
        self.state = State::Reset;
    }

    fn status(&self) -> Status {
        match self.state {
            State::SynSent => Status::Connecting,
            State::Open if self.sender.finished && self.server_finished() => Status::Finished,
            State::Open => Status::Open,
            State::Reset => Status::Reset,
        }
    }

    fn server_finished(&self) -> bool {
        self.receiver.server_finished
    }

    fn heard_at(&self) -> Instant {
        self.heard_at
    }

    fn held_until(&self, now: Instant) -> Instant {
        self.receiver.held_until(now)
    }
}
