//! How connections end, one or all of them.

use smoltcp::phy::Device;
use smoltcp::time::Instant;

use crate::cx::Cx;
use crate::handler::{End, Handler};
use crate::ip::interface::Sent;
use crate::stats::Stats;
use crate::tcp::Connections;
use crate::tcp::slots::{Phase, SlotId};
use crate::tcp::socket::Standing;
use crate::tcp::timers::NEVER;

/// Why a slot becomes free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Its connection is over, or was never established.
    Over,
    /// A new connection takes it.
    Evicted,
}

impl<S> Connections<'_, S> {
    /// From now on, no connection begins, and those that there are end.
    pub(crate) fn drain(&mut self, now: Instant) {
        self.draining = true;
        for id in self.slots.ids() {
            if self.is_connection(id) {
                self.timers.schedule(id, now);
            }
        }
    }

    /// Aborts all connections, whether or not the device takes their RSTs.
    pub(crate) fn abort_all<H: Handler<State = S>, D: Device + ?Sized>(
        &mut self,
        cx: &mut Cx<'_, H>,
        device: &mut D,
    ) {
        for id in self.slots.ids() {
            if self.is_connection(id) {
                let _refused = self.abort(cx, device, id, End::Aborted);
            }
        }
    }

    fn is_connection(&self, id: SlotId) -> bool {
        matches!(self.slots[id].phase(), Phase::HalfOpen | Phase::Open)
    }

    /// True if no slot has a connection, though some may be in TIME-WAIT.
    pub(crate) fn is_empty(&self, stats: &Stats) -> bool {
        stats.live == 0 && self.slots.first(Phase::HalfOpen).is_none()
    }

    /// Ends a connection with a RST, if the device takes it.
    pub(super) fn abort<H: Handler<State = S>, D: Device + ?Sized>(
        &mut self,
        cx: &mut Cx<'_, H>,
        device: &mut D,
        id: SlotId,
        end: End,
    ) -> Sent {
        let Some(&tuple) = self.demux.tuple(id) else {
            return Sent::All(NEVER);
        };
        let sent = self.slots[id].socket.abort(cx, device, tuple);
        self.end(cx, id, end);
        sent
    }

    /// Brings a slot's phase up to what has become of its socket; `end`: why, should the connection have ended.
    pub(super) fn settle<H: Handler<State = S>>(&mut self, cx: &mut Cx<'_, H>, id: SlotId, end: End) {
        let slot = &self.slots[id];
        match (slot.phase(), slot.socket.standing()) {
            (Phase::Free, _) | (_, Standing::HalfOpen) => {}
            (_, Standing::Closed) => self.end(cx, id, end),
            (Phase::HalfOpen, _) => self.establish(cx, id),
            (Phase::Open, Standing::TimeWait) => {
                self.conclude(cx, id, end);
                self.slots.move_to(id, Phase::TimeWait, cx.stats);
                self.sources.remove(id);
            }
            (Phase::Open | Phase::TimeWait, _) => {}
        }
    }

    /// Ends whatever is in the slot, and makes it free.
    pub(super) fn end<H: Handler<State = S>>(&mut self, cx: &mut Cx<'_, H>, id: SlotId, end: End) {
        if self.slots[id].phase() == Phase::Open {
            self.conclude(cx, id, end);
        }
        self.release(cx, id, Why::Over);
    }

    /// Counts and logs the end of an open connection, and gives its state back to the handler.
    pub(super) fn conclude<H: Handler<State = S>>(&mut self, cx: &mut Cx<'_, H>, id: SlotId, end: End) {
        let (counter, what) = match end {
            End::Closed => (&mut cx.stats.closed, "closed"),
            End::Reset => (&mut cx.stats.reset, "reset by the peer"),
            End::TimedOut => (&mut cx.stats.timed_out, "timed out"),
            End::Aborted => (&mut cx.stats.aborted, "aborted"),
        };
        *counter += 1;
        self.log(cx.now, id, what);
        if let Some(state) = self.slots[id].state.take() {
            cx.handler.ended(state, end);
        }
    }

    /// Makes a slot free, without a word to its peer. A connection that was open has been concluded.
    pub(super) fn release<H>(&mut self, cx: &mut Cx<'_, H>, id: SlotId, why: Why) {
        match (self.slots[id].phase(), why) {
            (Phase::Free, _) => return,
            (Phase::HalfOpen, Why::Over) => cx.stats.abandoned += 1,
            (Phase::HalfOpen, Why::Evicted) => cx.stats.evicted += 1,
            (Phase::Open | Phase::TimeWait, _) => {}
        }
        self.slots[id].socket.forget();
        self.slots.move_to(id, Phase::Free, cx.stats);
        self.demux.remove(id);
        self.sources.remove(id);
        self.timers.schedule(id, NEVER);
    }
}
