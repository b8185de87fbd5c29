//! TCP: many connections, each in a slot of its own.
//!
//! A segment finds its slot ([`demux`]), changes its [`socket`], gives the handler a turn, and what there is to send leaves in
//! one segment; then the slot's next deadline is noted ([`timers`], [`policy`]). A segment that finds no slot goes to the
//! [`backlog`].

mod backlog;
pub(crate) mod demux;
mod end;
mod isn;
pub(crate) mod malformed;
pub(crate) mod per_source;
mod policy;
pub(crate) mod segment;
mod seq;
pub(crate) mod slots;
pub(crate) mod socket;
mod syn_cookie;
pub(crate) mod timers;
mod turn;

use siphasher::sip::SipHasher13;
use smoltcp::phy::{Device, TxToken};
use smoltcp::time::{Duration, Instant};

use self::backlog::Found;
use self::demux::Demux;
use self::end::Why;
use self::per_source::Sources;
use self::policy::Expiry;
use self::segment::Segment;
use self::slots::{Phase, SlotId, Slots};
use self::socket::Standing;
use self::socket::arrival::{Arrival, Progress};
use self::socket::path_mtu::TooBig;
use self::timers::{NEVER, Timers};
use self::turn::Turn;
use crate::cx::Cx;
use crate::events::Events;
use crate::handler::{End, Handler};
use crate::ip::interface::Sent;
use crate::ip::neighbours::Evidence;
use crate::stats::DropReason;

/// All connections. `S` is what the handler keeps of each.
#[derive(Debug)]
pub(crate) struct Connections<'a, S> {
    slots: Slots<'a, S>,
    demux: Demux<'a>,
    sources: Sources<'a>,
    timers: Timers<'a>,
    events: Events,
    idle_timeout: Option<Duration>,
    isn_hasher: SipHasher13,
    largest_segment: u16,
    /// Windows may be larger than those without a scale.
    scales: bool,
    /// Until then, there may be clients whose half-open slot was evicted.
    evicted_until: Instant,
    /// No new connections, and those that there are end.
    draining: bool,
}

/// The sizes of a socket's buffers and of the segments that it sends at most, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    buffer: usize,
    segment: usize,
}

impl Sizes {
    /// Those of buffers of this size, for a handler that `passes` bytes or not.
    ///
    /// No segment fills more than half a buffer: Linux acknowledges two segments at once, and one that is smaller than its
    /// estimate of our segment size after 40 ms, for which both sides would wait. A handler that passes bytes may fill a whole
    /// buffer with one segment, since the connection tells a conversation from a stream
    /// ([`echo_window`](socket::echo_window)).
    pub(crate) fn of(buffer: usize, passes: bool) -> Sizes {
        Sizes { buffer, segment: if passes { buffer } else { buffer / 2 } }
    }
}

/// What is kept of all connections, in the caller's memory.
#[derive(Debug)]
pub(crate) struct Tables<'a, S> {
    pub(crate) slots: Slots<'a, S>,
    pub(crate) demux: Demux<'a>,
    pub(crate) sources: Sources<'a>,
    pub(crate) timers: Timers<'a>,
}

impl<'a, S> Connections<'a, S> {
    /// The slots must be furnished; demux and timers have as many entries.
    pub(crate) fn new(tables: Tables<'a, S>, isn_hasher: SipHasher13, sizes: Sizes) -> Connections<'a, S> {
        let Tables { slots, demux, sources, timers } = tables;
        Connections {
            slots,
            demux,
            sources,
            timers,
            events: Events::new(),
            idle_timeout: None,
            isn_hasher,
            largest_segment: u16::try_from(sizes.segment).unwrap_or(u16::MAX),
            scales: sizes.buffer > usize::from(u16::MAX),
            evicted_until: Instant::ZERO,
            draining: false,
        }
    }

    /// From now on, a connection that carries no payload for this long is closed.
    pub(crate) fn set_idle_timeout(&mut self, idle_timeout: Option<Duration>) {
        self.idle_timeout = idle_timeout;
    }

    /// Hands a segment to its connection; returns the slot whose turn it is then.
    #[inline(always)]
    pub(crate) fn segment<H: Handler<State = S>>(
        &mut self,
        cx: &mut Cx<'_, H>,
        segment: &Segment<'_>,
        tx: impl TxToken,
    ) -> Option<SlotId> {
        let hash = self.demux.hash(&segment.tuple);
        let found = self.demux.find(&segment.tuple, hash);
        if let Some(id) = found
            && let slot = &mut self.slots[id]
            && slot.socket.is_predicted(segment)
        {
            debug_assert!(slot.phase() == Phase::Open && !slot.is_silent());
            let progress = slot.socket.arrives_as_predicted(cx, segment, tx);
            slot.deadlines.heard(cx.now, progress);
            return self.goes_on(cx, id, progress);
        }
        self.unpredicted(cx, found, segment, hash, tx)
    }

    /// The same for a segment that is to be looked at in full.
    ///
    /// Do not be tempted to let it be inlined: every segment would pay.
    #[inline(never)]
    fn unpredicted<H: Handler<State = S>>(
        &mut self,
        cx: &mut Cx<'_, H>,
        found: Option<SlotId>,
        segment: &Segment<'_>,
        hash: u32,
        tx: impl TxToken,
    ) -> Option<SlotId> {
        let id = match found {
            Some(id) if self.slots[id].phase() != Phase::HalfOpen => id,
            found => match self.meet(cx, found, segment, hash) {
                Found::Connection(id) => id,
                Found::New(id) => {
                    cx.learn_from(segment, Evidence::Claimed);
                    return Some(id);
                }
                Found::Dropped => return None,
                Found::Nothing => {
                    segment.refuse(cx, tx);
                    return None;
                }
            },
        };
        self.arrives(cx, id, segment, hash, tx)
    }

    /// SEGMENT ARRIVES on a connection (RFC 9293, section 3.10.7).
    fn arrives<H: Handler<State = S>>(
        &mut self,
        cx: &mut Cx<'_, H>,
        id: SlotId,
        segment: &Segment<'_>,
        hash: u32,
        tx: impl TxToken,
    ) -> Option<SlotId> {
        if self.slots[id].socket.needs_room(segment) {
            self.make_room(cx, id, segment);
        }
        let slot = &mut self.slots[id];
        match slot.socket.arrives(cx, segment, tx) {
            Arrival::Processed(progress) => {
                slot.deadlines.heard(cx.now, progress);
                return self.processed(cx, id, progress);
            }
            Arrival::Refused => cx.stats.drop(DropReason::Unacceptable),
            Arrival::Reset => self.end(cx, id, End::Reset),
            Arrival::RepeatSynAck => return self.repeat_syn_ack(cx, id, segment),
            Arrival::Reopen if self.draining => cx.stats.drop(DropReason::ShuttingDown),
            Arrival::Reopen => {
                let previous = slot.socket.snd_max();
                self.release(cx, id, Why::Over);
                if !self.admits(cx, &segment.tuple) {
                    return None;
                }
                cx.learn_from(segment, Evidence::Claimed);
                return self.begin(cx, id, segment, hash, Some(previous));
            }
        }
        None
    }

    /// Acts on an ICMP error which says that a packet is too big for its path; returns the slot whose turn it is then.
    #[cold]
    #[inline(never)]
    pub(crate) fn too_big<H>(&mut self, cx: &mut Cx<'_, H>, packet: &[u8]) -> Option<SlotId> {
        if cx.interface.has_frames() {
            return None; // see `path_mtu`
        }
        let error = TooBig::read(packet)?;
        let id = self.demux.find(&error.tuple, self.demux.hash(&error.tuple))?;
        let slot = &mut self.slots[id];
        (slot.phase() == Phase::Open && slot.socket.too_big(cx, &error)).then_some(id)
    }

    /// What follows from a segment that was processed; returns the slot if its turn is due.
    fn processed<H: Handler<State = S>>(
        &mut self,
        cx: &mut Cx<'_, H>,
        id: SlotId,
        progress: Progress,
    ) -> Option<SlotId> {
        if self.slots[id].is_silent() {
            self.slots.set_silent(id, false);
        }
        let slot = &mut self.slots[id];
        if slot.phase() != Phase::Open || slot.socket.standing() != Standing::Established {
            if slot.finished || !slot.socket.has_lost_data() {
                self.settle(cx, id, End::Closed);
            }
            return Some(id);
        }
        self.goes_on(cx, id, progress)
    }

    /// The same for a connection that is established, and was before.
    #[inline(always)]
    fn goes_on<H: Handler<State = S>>(
        &mut self,
        cx: &mut Cx<'_, H>,
        id: SlotId,
        progress: Progress,
    ) -> Option<SlotId> {
        let slot = &mut self.slots[id];
        if progress.at_rest && !self.draining && !slot.has_more {
            // An acknowledgement of everything: there is nothing to do for the handler, nor to send.
            slot.socket.rests(cx);
            slot.deadlines.sent(cx.now, false, false);
            self.timers.schedule(id, slot.deadline_at_rest(self.idle_timeout));
            return None;
        }
        Some(id)
    }

    /// Gives the handler its turn on a slot, sends what there is to send, and notes the slot's next deadline.
    pub(crate) fn serve<H: Handler<State = S>, D: Device + ?Sized>(
        &mut self,
        cx: &mut Cx<'_, H>,
        device: &mut D,
        id: SlotId,
    ) -> Sent {
        // A free slot has no tuple.
        let Some(tuple) = self.demux.tuple(id) else {
            return Sent::All(NEVER);
        };
        let slot = &mut self.slots[id];
        let before = slot.socket.snd_max();
        let sent = loop {
            let turn = if slot.phase() == Phase::Open {
                match slot.turn(cx, &tuple.remote, self.draining) {
                    Some(turn) => turn,
                    None => return self.abort(cx, device, id, End::Aborted),
                }
            } else {
                Turn::NONE
            };
            let sent = slot.socket.send(cx, device, turn.known_end);
            if !turn.again || sent == Sent::Blocked {
                break sent;
            }
        };
        if H::PASSES && slot.socket.waits_for_each_other() && slot.socket.snd_max() != before {
            slot.socket.ask_after_egress(cx, device, *tuple);
        }
        slot.deadlines.sent(cx.now, slot.socket.is_stalled(), slot.socket.is_window_closed());
        if slot.phase() == Phase::TimeWait {
            // It ends while smoltcp sends.
            self.settle(cx, id, End::Closed);
        }
        let slot = &self.slots[id];
        if slot.phase() != Phase::Free {
            let at = match sent {
                Sent::Blocked => cx.now,
                Sent::Held => slot.deadline(self.idle_timeout),
                Sent::All(at) => at.min(slot.deadline(self.idle_timeout)),
            };
            self.timers.schedule(id, at);
        }
        sent
    }

    /// Runs all deadlines that have come, until the device refuses what they send.
    pub(crate) fn run_due<H: Handler<State = S>, D: Device + ?Sized>(
        &mut self,
        cx: &mut Cx<'_, H>,
        device: &mut D,
    ) -> Sent {
        self.events.poll(cx.now);
        let mut sent = Sent::All(NEVER);
        if !self.timers.begin_scan(cx.now) {
            return sent;
        }
        let mut from = 0;
        while let Some(id) = self.timers.next_due(from, cx.now) {
            from = id.index() + 1;
            if sent == Sent::Blocked {
                self.timers.schedule(id, cx.now);
            } else {
                sent = self.expire(cx, device, id);
            }
        }
        sent
    }

    /// Does what a slot's deadline asks for, its own or smoltcp's.
    fn expire<H: Handler<State = S>, D: Device + ?Sized>(
        &mut self,
        cx: &mut Cx<'_, H>,
        device: &mut D,
        id: SlotId,
    ) -> Sent {
        let scarce = self.slots.first(Phase::Free).is_none();
        let slot = &mut self.slots[id];
        if slot.phase() == Phase::HalfOpen && self.draining {
            return self.abort(cx, device, id, End::Aborted);
        }
        match slot.expire(cx.now, self.idle_timeout, scarce) {
            Expiry::Egress => {}
            Expiry::Close => {
                slot.socket.close();
                self.slots.set_silent(id, true);
                self.log(cx.now, id, "has been idle for too long: closing");
            }
            Expiry::Probe => slot.socket.arm_keep_alive(),
            Expiry::Stalled => {
                if let Some(&tuple) = self.demux.tuple(id) {
                    let stalled = slot.socket.is_stalled();
                    slot.socket.restart_timer(cx, tuple);
                    if stalled {
                        slot.socket.probe_at_once(cx, device);
                    }
                }
            }
            Expiry::Release => {
                self.release(cx, id, Why::Over);
                return Sent::All(NEVER);
            }
            Expiry::Dead => return self.abort(cx, device, id, End::TimedOut),
        }
        self.serve(cx, device, id)
    }

    /// Lets whoever waits for a neighbour look whether it is known: smoltcp would wait out its second.
    pub(crate) fn look_for_neighbours(&mut self, now: Instant) {
        self.timers.hasten(now, now + Duration::from_secs(1));
    }

    /// When [`run_due`](Self::run_due) has something to do, or earlier.
    pub(crate) fn deadline(&self) -> Instant {
        self.timers.earliest().min(self.events.deadline())
    }

    fn log(&mut self, now: Instant, id: SlotId, what: &str) {
        if let Some(tuple) = self.demux.tuple(id) {
            self.events.connection(now, tuple.remote, what);
        }
    }
}
