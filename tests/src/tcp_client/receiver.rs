//! What the server sends: put in order, acknowledged, and read; and the window that is offered for it.

use std::collections::VecDeque;

use smoltcp::time::Instant;

use crate::scenario::TcpConfig;
use crate::wire::{FIN, Segment, ahead};

/// The most out-of-order segments that it keeps.
const MOST_EARLY: usize = 100;

/// The most SACK blocks that are told (RFC 2018, section 3, without timestamps).
const MOST_BLOCKS: usize = 4;

/// The receiving half of a connection.
#[derive(Debug)]
pub(super) struct Receiver {
    config: TcpConfig,
    /// What has arrived and was not read, up to `expected` (RCV.NXT).
    arrived: VecDeque<u8>,
    pub(super) expected: u32,
    /// Out-of-order segments, the newest last.
    early: Vec<Segment>,
    pub(super) server_finished: bool,
    /// RCV.NXT + RCV.WND as advertised.
    edge: u32,
    /// Of our own windows, if windows are scaled.
    shift: Option<u8>,
    /// The server's segment size: a step by which it is worthwhile to open the window.
    mss: usize,
    /// Both ends know of SACK.
    sack: bool,
    /// When an acknowledgement has to leave that nothing has carried.
    pub(super) ack_at: Option<Instant>,
    /// The window is to be opened then.
    pub(super) update_at: Option<Instant>,
    /// When a window opened last that had been closed for longer than there was no room.
    held_until: Instant,
}

impl Receiver {
    pub(super) fn new(config: TcpConfig) -> Receiver {
        Receiver {
            config,
            arrived: VecDeque::new(),
            expected: 0,
            early: Vec::new(),
            server_finished: false,
            edge: 0,
            shift: None,
            mss: 0,
            sack: false,
            ack_at: None,
            update_at: None,
            held_until: Instant::ZERO,
        }
    }

    /// The SYN|ACK has come.
    pub(super) fn begin(&mut self, syn_ack: &Segment, shift: Option<u8>, mss: usize, sack: bool) {
        self.expected = syn_ack.seq.wrapping_add(1);
        (self.shift, self.mss, self.sack) = (shift, mss, sack);
        // What the SYN offered at least.
        let offered = self.config.buffer.min(usize::from(u16::MAX));
        self.edge = self.expected.wrapping_add(u32::try_from(offered).expect("16 bits"));
        self.open(usize::MAX);
        self.ack_at = Some(Instant::ZERO);
    }

    /// How far a sequence number is ahead of RCV.NXT.
    pub(super) fn offset(&self, seq: u32) -> i32 {
        ahead(seq, self.expected)
    }

    /// RCV.WND.
    pub(super) fn room(&self) -> i32 {
        ahead(self.edge, self.expected)
    }

    /// The window as it is written into a header. What its scale cannot express is left out.
    pub(super) fn window(&self) -> u16 {
        u16::try_from(self.room().max(0).unsigned_abs() >> self.shift.unwrap_or(0)).unwrap_or(u16::MAX)
    }

    pub(super) fn take(&mut self, now: Instant, segment: &Segment, offset: i32) {
        let gap = !self.early.is_empty();
        if offset > 0 && self.early.len() < MOST_EARLY {
            self.early.push(segment.clone());
        }
        let before = self.expected;
        self.take_in_order(segment);
        while let Some(index) = self.early.iter().position(|early| ahead(early.seq, self.expected) <= 0) {
            let early = self.early.remove(index);
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
        let room = new.len().min(self.room().max(0).unsigned_abs() as usize);
        self.arrived.extend(&new[..room]);
        self.expected = self.expected.wrapping_add(u32::try_from(room).expect("a packet's payload"));
        if segment.has(FIN) && room == new.len() {
            self.expected = self.expected.wrapping_add(1);
            // Nothing comes after the FIN: the window stays closed.
            self.edge = self.expected;
            self.server_finished = true;
        }
    }

    /// What has come behind holes, as SACK blocks, that with the newest segment first (RFC 2018, section 4).
    pub(super) fn sack_blocks(&self) -> Vec<(u32, u32)> {
        let mut blocks: Vec<(u32, u32)> = Vec::new();
        if !self.sack {
            return blocks;
        }
        for early in self.early.iter().rev() {
            let mut block = (early.seq, end(early));
            // Of overlapping blocks one is made, which stands where the newest of them was.
            let mut place = blocks.len();
            while let Some(index) =
                blocks.iter().position(|other| ahead(other.0, block.1) <= 0 && ahead(block.0, other.1) <= 0)
            {
                let other = blocks.remove(index);
                let first = if ahead(other.0, block.0) < 0 { other.0 } else { block.0 };
                let last = if ahead(other.1, block.1) > 0 { other.1 } else { block.1 };
                (block, place) = ((first, last), place.min(index));
            }
            blocks.insert(place.min(blocks.len()), block);
        }
        blocks.truncate(MOST_BLOCKS);
        blocks
    }

    /// The bytes that options take of every segment.
    pub(super) fn option_length(&self) -> usize {
        match self.sack_blocks().len() {
            0 => 0,
            count => 4 + 8 * count,
        }
    }

    pub(super) fn read(&mut self, bytes: &mut [u8]) -> usize {
        let given = bytes.len().min(self.arrived.len());
        for (byte, arrived) in bytes.iter_mut().zip(self.arrived.drain(..given)) {
            *byte = arrived;
        }
        given
    }

    /// Opens the window if that is worthwhile and due.
    pub(super) fn update_window(&mut self, now: Instant) {
        let Some((step, late)) = self.step() else {
            self.update_at = None;
            return;
        };
        if late && self.update_at.is_none_or(|at| at > now) {
            self.update_at.get_or_insert(now + self.config.window_delay);
            return;
        }
        self.held_until = self.held_until(now);
        self.open(step);
        self.ack_at = Some(now);
        let more = self.step().is_some();
        self.update_at = more.then(|| now + self.config.window_delay);
    }

    /// Until when the window was, or is, closed although there is room.
    pub(super) fn held_until(&self, now: Instant) -> Instant {
        let holds = self.room() <= 0 && self.step().is_some_and(|(_, late)| late);
        if holds { self.update_at.unwrap_or(now) } else { self.held_until }
    }

    /// By how much the window is to be opened next, if it is, and whether that is to wait.
    fn step(&self) -> Option<(usize, bool)> {
        let room = self.most().saturating_sub(self.room().max(0).unsigned_abs() as usize);
        let late = self.config.window_delay.total_micros() > 0;
        match self.config.drip {
            _ if self.server_finished => None,
            Some(drip) => (room > 0).then_some((drip, late)),
            // Not by small steps (silly window syndrome, RFC 9293, section 3.8.6.2.2).
            None => (room >= (self.config.buffer / 2).min(self.mss).max(1)).then_some((usize::MAX, late)),
        }
    }

    /// The largest window that there is room for.
    fn most(&self) -> usize {
        let most = usize::from(u16::MAX) << self.shift.unwrap_or(0);
        (self.config.buffer - self.arrived.len()).min(most)
    }

    /// Moves the right edge of the window, by no more than this. It never moves left.
    fn open(&mut self, step: usize) {
        let offered = self.room().max(0).unsigned_abs() as usize;
        let room = self.most().min(offered.saturating_add(step)).max(offered);
        self.edge = self.expected.wrapping_add(u32::try_from(room).expect("at most 1 GiB"));
    }
}

fn end(segment: &Segment) -> u32 {
    segment.seq.wrapping_add(u32::try_from(segment.payload.len()).expect("a packet's payload"))
}
