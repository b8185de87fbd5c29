//! The backlog: how connections begin, which slot a client gets, and who is evicted for it.

use smoltcp::time::Instant;
use smoltcp::wire::{TcpControl, TcpRepr};

use crate::cx::Cx;
use crate::handler::{End, Handler};
use crate::stats::DropReason;
use crate::tcp::Connections;
use crate::tcp::demux::Tuple;
use crate::tcp::end::Why;
use crate::tcp::isn::Origin;
use crate::tcp::policy::{COOKIE_AGE, Deadlines};
use crate::tcp::segment::{self, Built, Segment};
use crate::tcp::seq::Seq;
use crate::tcp::slots::{Phase, SlotId};
use crate::tcp::syn_cookie::{self, CookieKind, Recognition};

/// What was found for a segment that is to no open connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A connection, which is to process it.
    Connection(SlotId),
    /// It was a SYN: half a connection has been opened, its SYN|ACK is due.
    New(SlotId),
    /// It has been dropped and counted.
    Dropped,
    /// Nothing: smoltcp answers it with a RST if one is due.
    Nothing,
}

/// A SYN that opens half a connection in a slot.
struct Opening<'s, 'p> {
    syn: &'s Segment<'p>,
    hash: u32,
    iss: Seq,
}

impl<S> Connections<'_, S> {
    /// SEGMENT ARRIVES (RFC 9293, section 3.10.7) without a connection, or on one that is half-open: a SYN, the acknowledgement
    /// of a handshake, that of an evicted client ([`syn_cookie`]), or a segment that belongs to no connection.
    ///
    /// Do not be tempted to let it be inlined: every segment would pay.
    #[inline(never)]
    pub(super) fn arrives_at_listener<H: Handler<State = S>>(
        &mut self,
        cx: &mut Cx<'_, H>,
        found: Option<SlotId>,
        segment: &Segment<'_>,
        hash: u32,
    ) -> Found {
        let has_ack = segment.tcp.ack_number.is_some();
        match found {
            Some(id) if !self.slots[id].socket.is_doubtful(segment) => Found::Connection(id),
            None if !has_ack && segment.tcp.control == TcpControl::Syn => {
                let free = self.allocate(cx, &segment.tuple);
                let begun = free.and_then(|id| self.begin(cx, id, segment, hash, None));
                begun.map_or(Found::Dropped, Found::New)
            }
            // RFC 9293, section 3.10.7.2: LISTEN drops what is neither RST, ACK nor SYN.
            None if !has_ack => {
                cx.stats.drop(DropReason::Unacceptable);
                Found::Dropped
            }
            _ => match self.recognise(cx.now, segment) {
                // In place of a half-open connection with the same SYN only.
                Recognition::First(kind) if found.is_none_or(|id| self.expects(id, segment)) => {
                    found.into_iter().for_each(|id| self.release(cx, id, Why::Over));
                    let free = self.allocate(cx, &segment.tuple);
                    let revived = free.and_then(|id| self.reconstruct(cx, id, segment, hash, kind));
                    revived.map_or(Found::Dropped, Found::Connection)
                }
                Recognition::Later => {
                    cx.stats.drop(DropReason::Unacceptable);
                    Found::Dropped
                }
                Recognition::First(_) | Recognition::Unknown => {
                    found.map_or(Found::Nothing, Found::Connection)
                }
            },
        }
    }

    /// True if the source of a SYN may have one more connection; otherwise the SYN is dropped, as by a full backlog.
    pub(super) fn admits<H>(&mut self, cx: &mut Cx<'_, H>, tuple: &Tuple) -> bool {
        let refused = self.sources.refuses(tuple.remote.addr);
        if let Some(limit) = refused {
            cx.stats.drop(DropReason::PerSource);
            self.events.limited(cx.now, tuple.remote, limit);
        }
        refused.is_none()
    }

    /// A free slot, or else the one longest in TIME-WAIT, or else the one that has been silent for longest since it was closed
    /// for its idleness, or else the oldest half-open one, which is evicted. None if all are open, or if the source has as many
    /// as it may.
    fn allocate<H: Handler<State = S>>(&mut self, cx: &mut Cx<'_, H>, tuple: &Tuple) -> Option<SlotId> {
        if self.draining {
            cx.stats.drop(DropReason::ShuttingDown);
            return None;
        }
        if !self.admits(cx, tuple) {
            return None;
        }
        if let Some(id) = self.slots.first(Phase::Free) {
            return Some(id);
        }
        if let Some(id) = self.slots.first(Phase::TimeWait) {
            self.release(cx, id, Why::Evicted);
            return Some(id);
        }
        if let Some(id) = self.slots.first_silent() {
            self.end(cx, id, End::TimedOut);
            return Some(id);
        }
        if let Some(id) = self.slots.first(Phase::HalfOpen) {
            self.release(cx, id, Why::Evicted);
            self.evicted_until = cx.now + COOKIE_AGE;
            return Some(id);
        }
        // As a full backlog of Linux does: the peer tries again, and may find a slot then.
        cx.stats.refused += 1;
        cx.stats.drop(DropReason::NoSlot);
        self.events.refused(cx.now, tuple.remote);
        None
    }

    /// Begins a connection in a free slot; `previous`: SND.MAX of the one that had the same 4-tuple.
    pub(super) fn begin<H: Handler<State = S>>(
        &mut self,
        cx: &mut Cx<'_, H>,
        id: SlotId,
        segment: &Segment<'_>,
        hash: u32,
        previous: Option<Seq>,
    ) -> Option<SlotId> {
        let syn = self.syn(segment, &segment.tcp);
        let kind = CookieKind::of(&syn.tcp, segment::default_size(self.largest_segment));
        let origin = Origin::new(&self.isn_hasher, &segment.tuple);
        let iss = origin.initial(kind as u32, cx.now, syn.seq(), previous);
        self.open(cx, id, &Opening { syn: &syn, hash, iss }, &[segment::build(&syn, &syn.tcp)])
    }

    /// True if a SYN with the number of this half-open connection's asks for the same as that. Another one begins the connection
    /// anew, with another number: the number is what an evicted client's options are known by ([`syn_cookie`]).
    #[cold]
    pub(super) fn began_with<H>(&self, cx: &Cx<'_, H>, id: SlotId, segment: &Segment<'_>) -> bool {
        self.slots[id].socket.began_with(cx, &self.syn(segment, &segment.tcp))
    }

    /// Has smoltcp send the SYN|ACK of a half-open connection again, whose SYN this is: the socket is opened anew with the same
    /// numbers. The connection's deadline stays.
    #[cold]
    pub(super) fn repeat_syn_ack<H: Handler<State = S>>(
        &mut self,
        cx: &mut Cx<'_, H>,
        id: SlotId,
        segment: &Segment<'_>,
    ) -> Option<SlotId> {
        let syn = self.syn(segment, &segment.tcp);
        let socket = &mut self.slots[id].socket;
        let iss = socket.iss();
        // Cannot fail: smoltcp took the same SYN before. Were it to, the socket would be closed, and its slot free at the deadline.
        let _ = socket.open(cx, &syn, iss, &[segment::build(&syn, &syn.tcp)]);
        Some(id)
    }

    /// Whether this can be a segment of an evicted client.
    fn recognise(&self, now: Instant, segment: &Segment<'_>) -> Recognition {
        if now >= self.evicted_until || self.draining {
            return Recognition::Unknown;
        }
        let origin = Origin::new(&self.isn_hasher, &segment.tuple);
        syn_cookie::recognise(origin, now, segment, self.scales)
    }

    /// True if the segment comes next on this slot's connection.
    fn expects(&self, id: SlotId, segment: &Segment<'_>) -> bool {
        self.slots[id].socket.rcv_nxt() == segment.seq()
    }

    /// Begins a connection in a free slot with its client's first segment, which remains to be processed.
    fn reconstruct<H: Handler<State = S>>(
        &mut self,
        cx: &mut Cx<'_, H>,
        id: SlotId,
        segment: &Segment<'_>,
        hash: u32,
        kind: CookieKind,
    ) -> Option<SlotId> {
        let syn = self.syn(segment, &kind.syn(segment));
        let ack = segment.ack()?;
        // smoltcp has not sent the SYN|ACK. An answer to a probe, which has the SYN's number, has it offer its window all the same.
        let ports = (segment.tcp.src_port, segment.tcp.dst_port);
        let probe = segment::bare_ack(ports, syn.seq(), ack, segment.tcp.window_len);
        let packets: [Built; 2] = [segment::build(&syn, &syn.tcp), segment::build(segment, &probe)];
        self.open(cx, id, &Opening { syn: &syn, hash, iss: ack - 1 }, &packets)?;
        let slot = &mut self.slots[id];
        slot.socket.has_sent_syn_ack();
        self.timers.schedule(id, slot.deadline(self.idle_timeout));
        cx.stats.revived += 1;
        Some(id)
    }

    /// The SYN as smoltcp is shown it.
    fn syn<'p>(&self, segment: &Segment<'p>, tcp: &TcpRepr<'p>) -> Segment<'p> {
        let segment_size = segment::segment_size(tcp, self.largest_segment);
        Segment { tcp: segment::syn(tcp, segment_size, self.scales), ..*segment }
    }

    /// Opens half a connection in a free slot; the first of these packets is its SYN.
    fn open<H: Handler<State = S>>(
        &mut self,
        cx: &mut Cx<'_, H>,
        id: SlotId,
        opening: &Opening<'_, '_>,
        packets: &[Built],
    ) -> Option<SlotId> {
        let Opening { syn, hash, iss } = *opening;
        let slot = &mut self.slots[id];
        if !slot.socket.open(cx, syn, iss, packets) {
            // smoltcp saw something in it that the filter did not.
            slot.socket.forget();
            cx.stats.drop(DropReason::Malformed);
            return None;
        }
        slot.deadlines = Deadlines::begin(cx.now);
        (slot.state, slot.has_more, slot.finished) = (None, false, false);
        self.slots.move_to(id, Phase::HalfOpen, cx.stats);
        self.demux.insert(id, syn.tuple, hash);
        self.sources.add(id, syn.tuple.remote.addr);
        Some(id)
    }
}
