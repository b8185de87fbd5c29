//! TCP: many connections, each in a slot of its own.
//!
//! A segment finds its slot ([`ingress`], [`demux`]) and is processed by the slot's [`socket`]; then the handler has its turn
//! ([`turn`]), what there is to send leaves, and the slot's next deadline is noted ([`timers`], [`policy`]). A segment without a
//! slot goes to the [`backlog`].

mod backlog;
pub(crate) mod demux;
mod end;
mod ingress;
mod isn;
pub(crate) mod malformed;
#[cfg_attr(not(feature = "per-source"), path = "without/per_source.rs")]
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
use smoltcp::phy::Device;
use smoltcp::time::{Duration, Instant};

use self::demux::Demux;
use self::end::Why;
use self::per_source::Sources;
use self::policy::Expiry;
use self::slots::{Phase, SlotId, Slots};
use self::timers::{NEVER, Timers};
use crate::cx::Cx;
use crate::events::Events;
use crate::handler::{End, Handler};
use crate::ip::interface::Sent;

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
    /// buffer with one segment, as that leaves the peer a window with which to acknowledge it
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
        let (snd_max, send_queue) = (slot.socket.snd_max(), slot.socket.send_queue());
        if slot.phase() == Phase::Open && !slot.turn(cx, &tuple.remote, self.draining) {
            return self.abort(cx, device, id, End::Aborted);
        }
        let known_end = slot.socket.known_end(send_queue);
        let sent = slot.socket.send(cx, device, known_end);
        if H::PASSES && slot.socket.waits_for_each_other() && slot.socket.snd_max() != snd_max {
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
                    slot.socket.end_stall(cx, device, tuple);
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
