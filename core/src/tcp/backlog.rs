//! How connections begin: which slot a client gets, and who gives way to it.

use smoltcp::socket::tcp::State;
use smoltcp::time::Instant;
use smoltcp::wire::{TcpControl, TcpRepr, TcpSeqNumber};

use super::Connections;
use crate::ip::filter::Segment;
use crate::ip::interface::Stack;
use crate::stats::{DropReason, Stats};
use crate::tcp::demux::{Flow, Queue, SlotId};
use crate::tcp::isn::Origin;
use crate::tcp::policy::HALF_OPEN;
use crate::tcp::segment::{self, Crafted};
use crate::tcp::syn_cookie::{self, Stray, Terms};

/// Whose a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// It is to be processed.
    Connection(SlotId),
    /// It was a SYN, and has been.
    Begun(SlotId),
    /// It has been dropped and counted.
    Dropped,
    /// smoltcp answers it.
    Nobody,
}

impl Connections<'_> {
    /// Finds out whose a segment is that is for no connection yet, or for one that is half-open.
    ///
    /// Do not be tempted to let it be inlined: every segment would pay.
    #[inline(never)]
    pub(super) fn meet(
        &mut self,
        now: Instant,
        found: Option<SlotId>,
        segment: &Segment<'_>,
        hash: u32,
        stack: &mut Stack,
        stats: &mut Stats,
    ) -> Whose {
        let opens = segment.tcp.control == TcpControl::Syn && segment.tcp.ack_number.is_none();
        let begun = match found {
            Some(id) if !self.slots[id.index()].is_doubtful(&segment.tcp) => return Whose::Connection(id),
            None if opens => {
                let free = self.vacate(now, &segment.flow, stats);
                free.and_then(|id| self.begin(now, id, segment, hash, None, stack, stats)).map(Whose::Begun)
            }
            _ => match self.recognise(now, segment) {
                // In place of a half-open connection with the same SYN only.
                Stray::First(terms) if found.is_none_or(|id| self.expects(id, &segment.tcp)) => {
                    found.into_iter().for_each(|id| self.release(id, stats));
                    let free = self.vacate(now, &segment.flow, stats);
                    free.and_then(|id| self.revive(now, id, segment, hash, terms, stack, stats))
                        .map(Whose::Connection)
                }
                Stray::Later => {
                    stats.drop(DropReason::Unacceptable);
                    None
                }
                Stray::First(_) | Stray::Foreign => return found.map_or(Whose::Nobody, Whose::Connection),
            },
        };
        begun.unwrap_or(Whose::Dropped)
    }

    /// Makes a slot free for a client, at the cost of whoever needs it least.
    fn vacate(&mut self, now: Instant, flow: &Flow, stats: &mut Stats) -> Option<SlotId> {
        if self.draining {
            stats.drop(DropReason::ShuttingDown);
            return None;
        }
        if let Some(id) = self.flows.first(Queue::Free) {
            return Some(id);
        }
        if let Some(id) = self.flows.first(Queue::TimeWait) {
            self.release(id, stats);
            return Some(id);
        }
        if let Some(id) = self.flows.first(Queue::HalfOpen) {
            self.release(id, stats);
            // Not one that gave up by itself.
            stats.abandoned -= 1;
            stats.evicted += 1;
            self.evicted_until = now + HALF_OPEN;
            return Some(id);
        }
        // As a full backlog of Linux does: the peer tries again, and may find a slot then.
        stats.refused += 1;
        stats.drop(DropReason::NoSlot);
        self.journal.refused(now, flow.remote);
        None
    }

    /// Begins a connection in a free slot.
    #[expect(clippy::too_many_arguments, reason = "a SYN, what is known of it, and who deals with it")]
    pub(super) fn begin(
        &mut self,
        now: Instant,
        id: SlotId,
        segment: &Segment<'_>,
        hash: u32,
        previous: Option<TcpSeqNumber>,
        stack: &mut Stack,
        stats: &mut Stats,
    ) -> Option<SlotId> {
        let syn = self.syn(segment, &segment.tcp);
        let terms = Terms::of(&syn.tcp, segment::ordinary_size(self.largest_segment));
        let origin = Origin::new(&self.sequence_hasher, &segment.flow);
        let initial = origin.initial(terms as u32, now, syn.tcp.seq_number, previous);
        self.open(now, id, &syn, hash, initial, &[segment::segment(&syn)], stack, stats)
    }

    /// Whose segment this can be, if it is for no connection that there is.
    fn recognise(&self, now: Instant, segment: &Segment<'_>) -> Stray {
        if now >= self.evicted_until || self.draining {
            return Stray::Foreign;
        }
        let origin = Origin::new(&self.sequence_hasher, &segment.flow);
        syn_cookie::recognise(origin, now, &segment.tcp, self.scales)
    }

    /// True if the segment comes next on this slot's connection.
    fn expects(&self, id: SlotId, segment: &TcpRepr<'_>) -> bool {
        self.slots[id.index()].receive_next() == segment.seq_number
    }

    /// Begins a connection in a free slot with its client's first segment, which remains to be processed.
    #[expect(clippy::too_many_arguments, reason = "a segment, what is known of it, and who deals with it")]
    fn revive(
        &mut self,
        now: Instant,
        id: SlotId,
        segment: &Segment<'_>,
        hash: u32,
        terms: Terms,
        stack: &mut Stack,
        stats: &mut Stats,
    ) -> Option<SlotId> {
        let syn = self.syn(segment, &terms.syn(&segment.tcp));
        let acknowledgement = segment.tcp.ack_number?;
        // smoltcp has not sent the SYN|ACK. An answer to a probe has it offer its window all the same.
        let probe = segment::probe(segment, segment.tcp.seq_number, acknowledgement);
        let packets = [segment::segment(&syn), probe];
        self.open(now, id, &syn, hash, syn_cookie::before(acknowledgement), &packets, stack, stats)?;
        let slot = &mut self.slots[id.index()];
        slot.answered();
        self.timers.schedule(id, slot.deadline(self.idle_timeout));
        stats.revived += 1;
        Some(id)
    }

    /// What smoltcp is to be told of a SYN in place of it.
    fn syn<'p>(&self, segment: &Segment<'p>, tcp: &TcpRepr<'p>) -> Segment<'p> {
        let segment_size = segment::segment_size(tcp, self.largest_segment);
        Segment { tcp: segment::syn(tcp, segment_size, self.scales), ..*segment }
    }

    /// Opens half a connection in a free slot; the first of these packets is its SYN.
    #[expect(clippy::too_many_arguments, reason = "a SYN, what is known of it, and who deals with it")]
    fn open(
        &mut self,
        now: Instant,
        id: SlotId,
        syn: &Segment<'_>,
        hash: u32,
        initial: TcpSeqNumber,
        packets: &[Crafted],
        stack: &mut Stack,
        stats: &mut Stats,
    ) -> Option<SlotId> {
        let slot = &mut self.slots[id.index()];
        slot.listen(now, &syn.tcp, initial);
        stack.begin(now, packets, slot.sockets(), initial);
        if slot.state() != State::SynReceived {
            // smoltcp saw something in it that the door did not.
            slot.forget();
            stats.drop(DropReason::Malformed);
            return None;
        }
        self.flows.unlink(Queue::Free, id);
        self.flows.insert(id, syn.flow, hash);
        self.flows.push(Queue::HalfOpen, id);
        Some(id)
    }
}
