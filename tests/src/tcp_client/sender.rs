//! What is sent to the server: until it is acknowledged, within the server's window, in segments of any size.

use std::collections::VecDeque;

use smoltcp::time::{Duration, Instant};

use crate::scenario::{Probes, Resends, TcpConfig};
use crate::wire::{ACK, FIN, PSH, Segment, ahead};

/// The longest retransmission timeout.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// The sending half of a connection.
#[derive(Debug)]
pub(super) struct Sender {
    config: TcpConfig,
    /// What was written and is not acknowledged: the bytes from `unacknowledged` (SND.UNA) on.
    queue: VecDeque<u8>,
    unacknowledged: u32,
    /// SND.NXT, which goes back for a retransmission.
    next: u32,
    /// SND.MAX: one past the highest number sent so far.
    pub(super) farthest: u32,
    pub(super) closing: bool,
    /// The server has acknowledged the FIN.
    pub(super) finished: bool,
    /// SND.UNA + SND.WND, and SND.WL1 and SND.WL2, the segment that it is from.
    edge: u32,
    edge_from: (u32, u32),
    /// The largest window so far.
    largest_window: usize,
    pub(super) mss: usize,
    /// Of the server's windows, if windows are scaled.
    shift: Option<u8>,
    wait: Duration,
    pub(super) again_at: Option<Instant>,
    /// Duplicate acknowledgements since SND.UNA has moved.
    duplicates: u32,
    /// With [`Resends::WholeSegments`], what was sent and is not acknowledged to its end.
    sent: VecDeque<Piece>,
}

/// What becomes a segment.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) seq: u32,
    pub(super) flags: u8,
    pub(super) payload: Vec<u8>,
    /// It is sent although the server's window is closed.
    pub(super) is_probe: bool,
}

impl Sender {
    pub(super) fn new(config: TcpConfig) -> Sender {
        Sender {
            config,
            queue: VecDeque::new(),
            unacknowledged: config.iss,
            next: config.iss,
            farthest: config.iss,
            closing: false,
            finished: false,
            edge: 0,
            edge_from: (0, 0),
            largest_window: 0,
            mss: 0,
            shift: None,
            wait: config.rto,
            again_at: Some(Instant::ZERO),
            duplicates: 0,
            sent: VecDeque::new(),
        }
    }

    /// The SYN|ACK has come.
    pub(super) fn begin(&mut self, syn_ack: &Segment, mss: Option<u16>, shift: Option<u8>) {
        (self.mss, self.shift) = (usize::from(mss.unwrap_or(536)), shift);
        (self.unacknowledged, self.next) = (syn_ack.ack, syn_ack.ack);
        self.edge = syn_ack.ack.wrapping_add(u32::from(syn_ack.window));
        self.edge_from = (syn_ack.seq, syn_ack.ack);
        self.largest_window = usize::from(syn_ack.window);
        (self.wait, self.again_at) = (self.config.rto, None);
    }

    /// The number of an empty segment: SND.MAX, or the right edge of the server's window if that is before it.
    pub(super) fn acceptable(&self) -> u32 {
        if ahead(self.edge, self.farthest) < 0 { self.edge } else { self.farthest }
    }

    /// True if an acknowledgement is above SND.UNA.
    pub(super) fn is_new(&self, ack: u32) -> bool {
        ahead(ack, self.unacknowledged) > 0
    }

    /// What an acceptable segment acknowledges, and its window.
    pub(super) fn hears(&mut self, now: Instant, segment: &Segment) {
        let before = self.edge;
        self.acknowledged(now, segment.ack);
        let (seq, ack) = self.edge_from;
        if ahead(segment.seq, seq) > 0 || segment.seq == seq && ahead(segment.ack, ack) >= 0 {
            let window = u32::from(segment.window) << self.shift.unwrap_or(0);
            self.edge_from = (segment.seq, segment.ack);
            self.edge = segment.ack.wrapping_add(window);
            self.largest_window = self.largest_window.max(window as usize);
        }
        if self.edge != before && self.next == self.unacknowledged {
            // What waited for the window does not wait for the back-off of its probes.
            (self.wait, self.again_at) = (self.config.rto, None);
        }
        // RFC 5681, section 2: a duplicate has no data and the same window, and there is something to acknowledge.
        let in_flight = ahead(self.farthest, self.unacknowledged) > 0;
        let same = segment.ack == self.unacknowledged && self.edge == before;
        if same && in_flight && segment.payload.is_empty() && !segment.has(FIN) {
            self.duplicates += 1;
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
        self.duplicates = 0;
        while self.sent.front().is_some_and(|first| ahead(end(first), ack) <= 0) {
            self.sent.pop_front();
        }
        if ahead(self.next, ack) < 0 {
            self.next = ack;
        }
        self.wait = self.config.rto;
        self.again_at = (self.farthest != ack).then(|| now + self.wait);
    }

    pub(super) fn back_off(&mut self, now: Instant) {
        self.again_at = Some(now + self.wait);
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
    }

    pub(super) fn room(&self) -> usize {
        if self.closing { 0 } else { self.config.queue - self.queue.len() }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> usize {
        let taken = self.room().min(bytes.len());
        self.queue.extend(&bytes[..taken]);
        taken
    }

    /// What leaves now. `options`: the bytes that options take of each segment.
    pub(super) fn transmit(&mut self, now: Instant, options: usize) -> Vec<Piece> {
        let mut out = Vec::new();
        let again = self.again_at.is_some_and(|at| at <= now);
        let resent = again && self.resend_whole_segments(&mut out);
        if again {
            self.back_off(now);
        }
        if again && !resent {
            self.next = self.unacknowledged;
            self.sent.clear();
        }
        if again && self.probes_empty() {
            out.push(self.piece(self.unacknowledged.wrapping_sub(1), ACK, Vec::new(), true));
            return out;
        }
        if self.config.fast_retransmit && self.duplicates == 3 {
            self.duplicates += 1;
            out.extend(self.first_again(options));
        }
        self.transmit_new(now, options, again && !resent, &mut out);
        out
    }

    /// Sends from SND.NXT on. `forced`: a timer has run out, and something has to leave.
    fn transmit_new(&mut self, now: Instant, options: usize, forced: bool, out: &mut Vec<Piece>) {
        // A zero-window probe has one byte (RFC 9293, section 3.8.6.1).
        let (mut probe, mut forced) = (usize::from(forced), forced);
        loop {
            let in_flight = ahead(self.next, self.unacknowledged).unsigned_abs() as usize;
            let window = ahead(self.edge, self.next).max(0).unsigned_abs() as usize;
            let left = self.queue.len().saturating_sub(in_flight);
            let longest = self.longest_segment(options);
            let length = left.min(longest).min(window.max(probe));
            let unfinished = self.closing && !self.finished && in_flight <= self.queue.len();
            let fin = unfinished && length == left && window.max(probe) > length;
            let withheld = !forced && !fin && length > 0 && self.withholds(length, left, longest);
            if length == 0 && !fin || withheld {
                // Nothing is in flight, so that only a probe finds out that the window has opened.
                if (left > 0 || unfinished) && self.again_at.is_none() {
                    self.again_at = Some(now + self.wait);
                }
                return;
            }
            (probe, forced) = (0, false);
            let payload = self.queue.range(in_flight..in_flight + length).copied().collect();
            let flags = ACK | if fin { FIN } else { 0 } | if length == left { PSH } else { 0 };
            let piece = self.piece(self.next, flags, payload, window == 0);
            let end = end(&piece);
            if ahead(end, self.farthest) > 0 {
                self.farthest = end;
            }
            if self.again_at.is_none() {
                self.again_at = Some(now + self.wait);
            }
            if piece.is_probe {
                // The server need not take the byte, which comes again with what follows it.
                out.push(piece);
                return;
            }
            if self.config.resends == Resends::WholeSegments {
                self.sent.push_back(piece.clone());
            }
            self.next = end;
            out.push(piece);
        }
    }

    /// RFC 9293, section 3.8.6.2.1, with Nagle's algorithm (section 3.7.4): a segment that is not a whole one waits until
    /// everything is acknowledged, and then for all that there is to send, or half of the largest window.
    fn withholds(&self, length: usize, left: usize, longest: usize) -> bool {
        let idle = self.next == self.unacknowledged;
        let worthwhile = length == left || length >= self.largest_window / 2;
        self.config.nagle && length < longest && !(idle && worthwhile)
    }

    fn longest_segment(&self, options: usize) -> usize {
        self.mss.saturating_sub(options).min(self.config.segment).max(1)
    }

    fn piece(&self, seq: u32, flags: u8, payload: Vec<u8>, is_probe: bool) -> Piece {
        Piece { seq, flags, payload, is_probe }
    }

    /// True if the server's window is closed, and the probes of it have no byte.
    fn probes_empty(&self) -> bool {
        self.config.probes == Probes::Empty
            && self.edge == self.unacknowledged
            && self.farthest == self.unacknowledged
    }

    /// The first segment that is not acknowledged.
    fn first_again(&self, options: usize) -> Option<Piece> {
        let in_flight = ahead(self.next, self.unacknowledged).max(0).unsigned_abs() as usize;
        let length = in_flight.min(self.queue.len()).min(self.longest_segment(options));
        let payload: Vec<u8> = self.queue.range(..length).copied().collect();
        (length > 0).then(|| self.piece(self.unacknowledged, ACK | PSH, payload, false))
    }

    /// Sends the segments again that are not acknowledged, as they were, as far as the window allows. Returns false if it
    /// allows none.
    fn resend_whole_segments(&self, out: &mut Vec<Piece>) -> bool {
        let allowed = self.sent.iter().take_while(|piece| ahead(end(piece), self.edge) <= 0);
        let before = out.len();
        out.extend(allowed.map(|old| Piece { is_probe: false, ..old.clone() }));
        out.len() > before
    }
}

/// SEG.SEQ + SEG.LEN, with the FIN.
fn end(piece: &Piece) -> u32 {
    let length = u32::try_from(piece.payload.len()).expect("a packet's payload");
    piece.seq.wrapping_add(length + u32::from(piece.flags & FIN != 0))
}
