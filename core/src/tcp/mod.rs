//! All connections: which slot a segment goes to, and what becomes of the slots.

mod backlog;
pub(crate) mod demux;
pub(crate) mod isn;
pub(crate) mod policy;
pub(crate) mod segment;
pub(crate) mod slots;
pub(crate) mod socket;
pub(crate) mod syn_cookie;
pub(crate) mod timers;

use siphasher::sip::SipHasher13;
use smoltcp::iface::SocketSet;
use smoltcp::phy::{Device, TxToken};
use smoltcp::socket::tcp::State;
use smoltcp::time::{Duration, Instant};

use self::backlog::Whose;
use self::socket::rfc5961::{self, Judgement};
use crate::events::Journal;
use crate::ip::filter::Segment;
use crate::ip::interface::{Next, Stack};
use crate::stats::{DropReason, Stats};
use crate::tcp::demux::{Flow, Flows, Queue, SlotId};
use crate::tcp::slots::{Expiry, Phase, Slot};
use crate::tcp::timers::{NEVER, Timers};

#[derive(Debug)]
pub(crate) struct Connections<'a> {
    slots: &'a mut [Slot<'a>],
    flows: Flows<'a>,
    timers: Timers<'a>,
    journal: Journal,
    /// For segments that are nobody's.
    nobody: SocketSet<'a>,
    idle_timeout: Option<Duration>,
    sequence_hasher: SipHasher13,
    largest_segment: u16,
    /// Windows may be larger than those without a scale.
    scales: bool,
    /// Until then, there may be clients whose half-open slot has given way.
    evicted_until: Instant,
    /// No new connections, and those that there are end.
    draining: bool,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Closed,
    Reset,
    TimedOut,
    Aborted,
}

/// What the device made of a slot's turn.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Egress {
    Done,
    /// It refused a packet; the slot stays due.
    Blocked,
}

impl<'a> Connections<'a> {
    /// The slots must be furnished, all slices but the buckets of one length.
    pub(crate) fn new(
        slots: &'a mut [Slot<'a>],
        flows: Flows<'a>,
        timers: Timers<'a>,
        idle_timeout: Option<Duration>,
        sequence_hasher: SipHasher13,
        buffer_size: usize,
    ) -> Connections<'a> {
        Connections {
            slots,
            flows,
            timers,
            journal: Journal::new(),
            nobody: SocketSet::new(&mut [][..]),
            idle_timeout,
            sequence_hasher,
            largest_segment: u16::try_from(buffer_size / 2).unwrap_or(u16::MAX),
            scales: buffer_size > usize::from(u16::MAX),
            evicted_until: Instant::ZERO,
            draining: false,
        }
    }

    /// Hands a segment to the connection that it is for; returns the slot whose turn it is then.
    pub(crate) fn segment(
        &mut self,
        now: Instant,
        packet: &[u8],
        segment: &Segment<'_>,
        tx: impl TxToken,
        stack: &mut Stack,
        stats: &mut Stats,
    ) -> Option<SlotId> {
        let hash = self.flows.hash(&segment.flow);
        let id = match self.flows.find(&segment.flow, hash) {
            Some(id) if self.slots[id.index()].phase != Phase::HalfOpen => id,
            found => match self.meet(now, found, segment, hash, stack, stats) {
                Whose::Connection(id) => id,
                Whose::Begun(id) => return Some(id),
                Whose::Dropped => return None,
                Whose::Nobody => {
                    stack.feed(now, packet, tx, &mut self.nobody);
                    return None;
                }
            },
        };
        let slot = &mut self.slots[id.index()];
        let expected = slot.expected();
        match rfc5961::judge(&expected, &segment.tcp) {
            Judgement::Accept => {
                if slot.is_harmful_duplicate(&segment.tcp) && !slot.probes_rarely(now, &segment.tcp) {
                    slot.heard(now, &segment.tcp, false);
                    return Some(id);
                }
                if slot.probes_rarely(now, &segment.tcp) {
                    // The closed window too, as smoltcp may refuse the segment itself.
                    for window in [1, 0] {
                        let (next, unacknowledged) = (slot.receive_next(), slot.send_unacknowledged());
                        let update = segment::window_update(segment, next, unacknowledged, window);
                        stack.tell(now, &update, slot.sockets());
                    }
                }
                let in_order = segment.tcp.seq_number == expected.next;
                let closed = expected.edge == expected.next;
                let ordinary = in_order && !closed;
                let news = if ordinary { None } else { slot.news_at_closed_window(&segment.tcp, closed) };
                if let Some(acknowledgement) = news {
                    let (next, window) = (expected.next, segment.tcp.window_len);
                    let update = segment::window_update(segment, next, acknowledgement, window);
                    stack.tell(now, &update, slot.sockets());
                }
                let answer = stack.feed(now, packet, tx, slot.sockets());
                if slot.probes_for_ever(&segment.tcp) {
                    let update =
                        segment::window_update(segment, slot.receive_next(), slot.send_unacknowledged(), 1);
                    stack.tell(now, &update, slot.sockets());
                }
                let old = !in_order && news.is_none() && rfc5961::is_old(&expected, &segment.tcp);
                let at_rest = slot.heard(now, &segment.tcp, old);
                slot.sent(answer);
                if !slot.is_established() {
                    if !slot.has_lost_data() {
                        self.settle(now, id, End::Closed, stats);
                    }
                    return Some(id);
                }
                if at_rest && in_order && !self.draining {
                    // An acknowledgement of everything, which smoltcp has looked at: do not ask it what it has to send.
                    // The answer is known, and costs a tenth of an echo. Out of order, its probes may go on.
                    debug_assert!(stack.has_nothing_for(now, slot.sockets()));
                    slot.rests(now);
                    self.timers.schedule(id, slot.deadline(self.idle_timeout));
                    return None;
                }
                return Some(id);
            }
            Judgement::Challenge => {
                let probe = segment::probe(segment, slot.receive_next(), slot.send_unacknowledged());
                let answer = stack.feed(now, &probe, tx, slot.sockets());
                slot.sent(answer);
                stats.drop(DropReason::Unacceptable);
            }
            Judgement::Reset => {
                if slot.phase == Phase::Open {
                    self.ended(now, id, End::Reset, stats);
                }
                self.release(id, stats);
            }
            Judgement::Ignore => stats.drop(DropReason::Unacceptable),
            Judgement::Reopen if self.draining => stats.drop(DropReason::ShuttingDown),
            Judgement::Reopen => {
                self.release(id, stats);
                return self.begin(now, id, segment, hash, Some(expected.send_next), stack, stats);
            }
        }
        None
    }

    /// Runs the service on a slot, sends what there is to send, and notes the slot's next deadline.
    pub(crate) fn serve<D: Device + ?Sized>(
        &mut self,
        id: SlotId,
        now: Instant,
        device: &mut D,
        stack: &mut Stack,
        stats: &mut Stats,
    ) -> Egress {
        let slot = &mut self.slots[id.index()];
        let mut end = None;
        if slot.phase == Phase::Open {
            if slot.has_lost_data() {
                return self.abort(id, now, device, End::Aborted, stack, stats);
            }
            let served = slot.serve(self.draining);
            stats.octets_in += served.taken as u64;
            stats.octets_out += served.given as u64;
            end = served.end;
        }
        if slot.phase == Phase::Free {
            return Egress::Done;
        }
        let (next, last) = stack.send(now, device, slot.sockets(), end);
        slot.sent(last);
        slot.waits(now, next != Next::At(NEVER));
        if slot.phase == Phase::TimeWait {
            // It ends while smoltcp sends.
            self.settle(now, id, End::Closed, stats);
        }
        let slot = &self.slots[id.index()];
        if slot.phase != Phase::Free {
            let at = match next {
                Next::Refused => now,
                Next::At(at) => at.min(slot.deadline(self.idle_timeout)),
            };
            self.timers.schedule(id, at);
        }
        if next == Next::Refused { Egress::Blocked } else { Egress::Done }
    }

    /// Runs all deadlines that have come, until the device refuses what they send.
    pub(crate) fn run_due<D: Device + ?Sized>(
        &mut self,
        now: Instant,
        device: &mut D,
        stack: &mut Stack,
        stats: &mut Stats,
    ) -> Egress {
        self.journal.poll(now);
        if !self.timers.begin_scan(now) {
            return Egress::Done;
        }
        let mut egress = Egress::Done;
        let mut from = 0;
        while let Some(id) = self.timers.next_due(from, now) {
            from = id.index() + 1;
            match egress {
                Egress::Done => egress = self.expire(id, now, device, stack, stats),
                Egress::Blocked => self.timers.schedule(id, now),
            }
        }
        egress
    }

    /// Lets whoever waits for a neighbour look whether it is known: smoltcp would wait out its second.
    pub(crate) fn look_for_neighbours(&mut self, now: Instant) {
        self.timers.hasten(now, now + Duration::from_secs(1));
    }

    /// From now on, no connection begins, and those that there are end.
    pub(crate) fn drain(&mut self, now: Instant) {
        self.draining = true;
        for id in (0..self.slots.len()).filter_map(SlotId::new) {
            if matches!(self.slots[id.index()].phase, Phase::HalfOpen | Phase::Open) {
                self.timers.schedule(id, now);
            }
        }
    }

    /// Aborts all connections, whether or not the device takes their RSTs.
    pub(crate) fn abort_all<D: Device + ?Sized>(
        &mut self,
        now: Instant,
        device: &mut D,
        stack: &mut Stack,
        stats: &mut Stats,
    ) {
        for id in (0..self.slots.len()).filter_map(SlotId::new) {
            if matches!(self.slots[id.index()].phase, Phase::HalfOpen | Phase::Open) {
                let _refused = self.abort(id, now, device, End::Aborted, stack, stats);
            }
        }
    }

    /// True if no slot has a connection, though some may be in TIME-WAIT.
    pub(crate) fn is_empty(&self, stats: &Stats) -> bool {
        stats.live == 0 && self.flows.first(Queue::HalfOpen).is_none()
    }

    /// When [`run_due`](Self::run_due) has something to do, or earlier.
    pub(crate) fn deadline(&self) -> Instant {
        self.timers.earliest().min(self.journal.deadline())
    }

    /// Does what a slot's deadline asks for, its own or smoltcp's.
    fn expire<D: Device + ?Sized>(
        &mut self,
        id: SlotId,
        now: Instant,
        device: &mut D,
        stack: &mut Stack,
        stats: &mut Stats,
    ) -> Egress {
        let slot = &mut self.slots[id.index()];
        if slot.phase == Phase::HalfOpen && self.draining {
            return self.abort(id, now, device, End::Aborted, stack, stats);
        }
        match slot.expire(now, self.idle_timeout) {
            Expiry::Nothing | Expiry::Closing => self.serve(id, now, device, stack, stats),
            Expiry::Probe => {
                slot.arm_probe();
                self.serve(id, now, device, stack, stats)
            }
            Expiry::Nudge => {
                self.nudge(id, now, stack);
                self.serve(id, now, device, stack, stats)
            }
            Expiry::Abandoned => {
                self.release(id, stats);
                Egress::Done
            }
            Expiry::Dead => self.abort(id, now, device, End::TimedOut, stack, stats),
        }
    }

    /// Gets smoltcp out of a state in which it has data to send and waits for nothing. It comes there when a window
    /// shrinks, or when an old acknowledgement overtakes a newer one and closes the window (smoltcp keeps neither SND.WL1
    /// nor SND.WL2: RFC 9293, section 3.10.7.4).
    fn nudge(&mut self, id: SlotId, now: Instant, stack: &mut Stack) {
        let Some(&flow) = self.flows.flow(id) else {
            return;
        };
        let slot = &mut self.slots[id.index()];
        let mut tcp = slot.acknowledgement(&flow);
        let link_header = stack.link_header(flow.local);
        let window = tcp.window_len;
        // A window that closes starts the probes of it; the third duplicate sends the first segment again.
        let (closed, open) = ([1, 0], [window ^ 1, window, window, window, window]);
        for &window in if window == 0 { &closed[..] } else { &open[..] } {
            tcp.window_len = window;
            let segment = segment::segment(&Segment { flow, tcp, link_header: &link_header });
            stack.tell(now, &segment, slot.sockets());
        }
    }

    /// Ends a connection with a RST, if the device takes it.
    fn abort<D: Device + ?Sized>(
        &mut self,
        id: SlotId,
        now: Instant,
        device: &mut D,
        end: End,
        stack: &mut Stack,
        stats: &mut Stats,
    ) -> Egress {
        let slot = &mut self.slots[id.index()];
        let next = match self.flows.flow(id) {
            // The peer accepts a RST only with the number that it expects (RFC 5961, section 3.2). smoltcp's has SND.NXT,
            // but behind a closed window the peer expects SND.UNA: so does the RST that answers an acknowledgement
            // which is nobody's.
            Some(&flow) if slot.is_shut_out() => device.transmit(now).map_or(Next::Refused, |token| {
                let (tcp, link_header) = (slot.acknowledgement(&flow), stack.link_header(flow.local));
                let acknowledgement = segment::segment(&Segment { flow, tcp, link_header: &link_header });
                stack.feed(now, &acknowledgement, token, &mut self.nobody);
                Next::At(NEVER)
            }),
            _ => {
                slot.abort();
                stack.send(now, device, slot.sockets(), None).0
            }
        };
        slot.abort();
        self.settle(now, id, end, stats);
        if next == Next::Refused { Egress::Blocked } else { Egress::Done }
    }

    /// Brings the books up to what smoltcp made of a slot; `end`: why, should the connection have ended.
    fn settle(&mut self, now: Instant, id: SlotId, end: End, stats: &mut Stats) {
        let slot = &mut self.slots[id.index()];
        let state = slot.state();
        let over = matches!(state, State::Listen | State::Closed);
        match slot.phase {
            Phase::HalfOpen if !over && state != State::SynReceived => {
                slot.phase = Phase::Open;
                self.flows.unlink(Queue::HalfOpen, id);
                stats.opened += 1;
                stats.live += 1;
                stats.most_live = stats.most_live.max(stats.live);
                self.log(now, id, "connected");
            }
            Phase::Open if over => {
                self.ended(now, id, end, stats);
                self.release(id, stats);
            }
            Phase::Open if state == State::TimeWait => {
                slot.phase = Phase::TimeWait;
                self.flows.push(Queue::TimeWait, id);
                self.ended(now, id, end, stats);
            }
            Phase::HalfOpen | Phase::TimeWait if over => self.release(id, stats),
            Phase::Free | Phase::HalfOpen | Phase::Open | Phase::TimeWait => {}
        }
    }

    /// Counts and logs the end of an open connection.
    fn ended(&mut self, now: Instant, id: SlotId, end: End, stats: &mut Stats) {
        let (counter, what) = match end {
            End::Closed => (&mut stats.closed, "closed"),
            End::Reset => (&mut stats.reset, "reset by the peer"),
            End::TimedOut => (&mut stats.timed_out, "timed out"),
            End::Aborted => (&mut stats.aborted, "aborted"),
        };
        *counter += 1;
        stats.live -= 1;
        self.log(now, id, what);
    }

    /// Makes a slot free, without a word to its peer.
    fn release(&mut self, id: SlotId, stats: &mut Stats) {
        let slot = &mut self.slots[id.index()];
        match slot.phase {
            Phase::Free => return,
            Phase::HalfOpen => {
                stats.abandoned += 1;
                self.flows.unlink(Queue::HalfOpen, id);
            }
            Phase::TimeWait => self.flows.unlink(Queue::TimeWait, id),
            Phase::Open => {}
        }
        slot.forget();
        self.flows.remove(id);
        self.flows.push(Queue::Free, id);
        self.timers.schedule(id, NEVER);
    }

    fn log(&mut self, now: Instant, id: SlotId, what: &str) {
        if let Some(&Flow { remote, .. }) = self.flows.flow(id) {
            self.journal.connection(now, remote, what);
        }
    }
}
