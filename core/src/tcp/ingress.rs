//! A segment's way to its connection.

use crate::cx::Cx;
use crate::handler::{End, Handler};
use crate::ip::device::Room;
use crate::ip::neighbours::Evidence;
use crate::stats::DropReason;
use crate::tcp::Connections;
use crate::tcp::backlog::Found;
use crate::tcp::end::Why;
use crate::tcp::segment::Segment;
use crate::tcp::slots::{Phase, SlotId};
use crate::tcp::socket::Standing;
use crate::tcp::socket::arrival::{Arrival, Progress};
use crate::tcp::socket::path_mtu::TooBig;

impl<S> Connections<'_, S> {
    /// Hands a segment to its connection; returns the slot whose turn it is then.
    #[cfg_attr(feature = "fast", inline(always))]
    pub(crate) fn segment<H: Handler<State = S>>(
        &mut self,
        cx: &mut Cx<'_, H>,
        segment: &Segment<'_>,
        tx: &mut (impl Room + ?Sized),
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
        tx: &mut (impl Room + ?Sized),
    ) -> Option<SlotId> {
        let id = match found {
            Some(id) if self.slots[id].phase() != Phase::HalfOpen => id,
            found => match self.arrives_at_listener(cx, found, segment, hash) {
                Found::Connection(id) => id,
                Found::New(id) => {
                    cx.learn_from(segment, Evidence::Claimed);
                    return Some(id);
                }
                Found::Dropped => return None,
                Found::Nothing => {
                    segment.refuse(cx, tx.erased());
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
        tx: &mut (impl Room + ?Sized),
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
            Arrival::RepeatSynAck if self.began_with(cx, id, segment) => {
                return self.repeat_syn_ack(cx, id, segment);
            }
            Arrival::RepeatSynAck | Arrival::Reopen if self.draining => {
                cx.stats.drop(DropReason::ShuttingDown);
            }
            arrival @ (Arrival::RepeatSynAck | Arrival::Reopen) => {
                // Behind a SYN|ACK alone, the number of another kind of SYN need not stand.
                let previous = (arrival == Arrival::Reopen).then(|| self.slots[id].socket.snd_max());
                self.release(cx, id, Why::Over);
                if !self.admits(cx, &segment.tuple) {
                    return None;
                }
                cx.learn_from(segment, Evidence::Claimed);
                return self.begin(cx, id, segment, hash, previous);
            }
        }
        None
    }

    /// Acts on an ICMP error which says that a packet is too big for its path; returns the slot whose turn it is then.
    #[cold]
    #[inline(never)]
    pub(crate) fn too_big<H>(&mut self, cx: &mut Cx<'_, H>, received: &[u8]) -> Option<SlotId> {
        let error = TooBig::read(cx.interface.ip_packet(received)?)?;
        let id = self.demux.find(&error.tuple, self.demux.hash(&error.tuple))?;
        let slot = &mut self.slots[id];
        (slot.phase() == Phase::Open && slot.socket.too_big(cx.now, &error)).then_some(id)
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
    #[cfg_attr(feature = "fast", inline(always))]
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
}
