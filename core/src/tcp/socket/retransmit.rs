//! How smoltcp is made to send again what [`recovery`](super::recovery) has found to be lost.
//!
//! smoltcp's own timer is made to fire in two ways only. Three duplicate acknowledgements, made up, have it send the segment
//! at SND.UNA, at any time, and go on where it was. For more than that segment, and where that is not possible, as in LAST-ACK
//! or for a FIN alone, smoltcp is called with the time at which its timer fires, and goes back to SND.UNA
//! ([`holes`](super::holes)). Otherwise that timer is kept from firing before ours: a retransmission leaves at a time so
//! far ahead that smoltcp's next one comes later.

use smoltcp::phy::Device;
use smoltcp::socket::tcp::State;
use smoltcp::time::{Duration, Instant};

use crate::cx::Cx;
use crate::ip::device::{Room, as_room};
use crate::ip::interface::Sent;
use crate::tcp::segment::Segment;
use crate::tcp::seq::wrapped;
use crate::tcp::socket::Socket;
use crate::tcp::timers::NEVER;

/// smoltcp's timer runs for this long at least, and for that long at most.
const SHORTEST: Duration = Duration::from_secs(1);
pub(super) const LONGEST: Duration = Duration::from_secs(60);
/// On Ethernet, smoltcp is told no time farther ahead than this: it would forget the neighbours, which are
/// renewed every half a minute and kept for a minute.
const NEIGHBOURS: Duration = Duration::from_secs(24);

impl Socket<'_> {
    /// When [`retransmission_due`](Self::retransmission_due) has something to do.
    #[inline]
    pub(crate) fn retransmits_at(&self) -> Instant {
        self.tcb.recovery.timer.at()
    }

    /// The timer has fired. True if the closed window is to be probed.
    pub(crate) fn retransmission_due(&mut self, now: Instant) -> bool {
        if self.is_persisting() {
            return self.persist_timer_fires(now);
        }
        let numbers = self.tcb.numbers();
        self.tcb.recovery.fires(now, numbers);
        false
    }

    /// Sends again what is lost, if that was ordered. None if there is nothing that keeps the rest from being sent.
    #[inline]
    pub(super) fn send_again<H, D: Device + ?Sized>(
        &mut self,
        cx: &mut Cx<'_, H>,
        device: &mut D,
    ) -> Option<Sent> {
        let recovery = &self.tcb.recovery;
        if recovery.ordered || recovery.back { self.retransmit(cx, device) } else { None }
    }

    #[cold]
    #[inline(never)]
    fn retransmit<H, D: Device + ?Sized>(&mut self, cx: &mut Cx<'_, H>, device: &mut D) -> Option<Sent> {
        let numbers = self.tcb.numbers();
        // A FIN alone needs no window.
        let has_room = self.tcb.peer_window > 0 || self.send_queue() == 0;
        let is_due = numbers.in_flight() > 0 && has_room && self.is_synchronized();
        if !is_due {
            self.tcb.recovery.ordered = false;
            return None;
        }
        if self.tcb.recovery.ordered {
            let Some(token) = device.transmit(cx.now) else {
                return Some(Sent::Blocked);
            };
            self.tcb.recovery.ordered = false;
            let first = self.tcb.recovery.repeats_first(numbers) || !self.can_skip();
            if first && self.can_repeat() {
                self.repeat_first(cx, as_room(&mut Some(token)));
            } else {
                let has_gone_back = self.go_back(cx, as_room(&mut Some(token)));
                if !has_gone_back
                    && self.can_repeat()
                    && let Some(token) = device.transmit(cx.now)
                {
                    self.repeat_first(cx, as_room(&mut Some(token)));
                }
            }
        }
        if self.tcb.recovery.back { self.fill_holes(cx, device) } else { None }
    }

    /// Has smoltcp send the segment at SND.UNA, and go on where it was.
    fn repeat_first<H>(&mut self, cx: &mut Cx<'_, H>, tx: &mut (impl Room + ?Sized)) {
        let Some(tuple) = self.tuple() else {
            return;
        };
        self.restart_timer(cx, tuple);
        self.tcb.recovery.under_way = true;
        // smoltcp's timer is started when the segment leaves.
        let ours = self.tcb.recovery.timer.interval().total_micros();
        let ahead = Duration::from_micros(ours.saturating_sub(SHORTEST.total_micros()));
        let at = self.tell(cx, cx.now + ahead);
        self.send_one(cx, at, tx);
    }

    /// The time at which smoltcp's timer fires, or what comes nearest to it.
    pub(super) fn timeout<H>(&mut self, cx: &mut Cx<'_, H>) -> Instant {
        // Where smoltcp has nothing to send, it tells when its timer fires.
        match cx.interface.poll_at(cx.now, self.sockets()) {
            at if at > cx.now && at != NEVER => at,
            _ => self.tcb.recovery.told.max(cx.now) + LONGEST,
        }
    }

    /// True if smoltcp, which is told this time, may have forgotten the neighbour.
    pub(super) fn is_out_of_reach<H>(&self, cx: &Cx<'_, H>, at: Instant) -> bool {
        cx.interface.has_frames() && at > cx.now + NEIGHBOURS
    }

    /// The time that smoltcp is told in place of `at`.
    pub(super) fn tell<H>(&mut self, cx: &Cx<'_, H>, at: Instant) -> Instant {
        let at = if self.is_out_of_reach(cx, at) { cx.now + NEIGHBOURS } else { at };
        self.tcb.recovery.told = self.tcb.recovery.told.max(at);
        at
    }

    /// Sends one packet. True if it has data, or a FIN.
    pub(super) fn send_one<H>(
        &mut self,
        cx: &mut Cx<'_, H>,
        at: Instant,
        tx: &mut (impl Room + ?Sized),
    ) -> bool {
        let (sockets, mut departures) = self.departures(cx);
        cx.interface.send_one(at, tx, sockets, &mut departures);
        let last = departures.last;
        self.note(last);
        self.look();
        last.is_some_and(|last| last.end != last.seq)
    }

    /// Sends the acknowledgement or the window that is due while the congestion window holds back the data that it would ride
    /// on: smoltcp answers a byte to the left of the window with it.
    #[cold]
    pub(super) fn acknowledge<H, D: Device + ?Sized>(
        &mut self,
        cx: &mut Cx<'_, H>,
        device: &mut D,
    ) -> Option<Sent> {
        let tcb = &self.tcb;
        let room = wrapped(self.socket().recv_capacity() - self.recv_queue());
        let opens = (tcb.rcv_nxt + room).ahead_of(tcb.rcv_edge) >= tcb.edge_step.cast_signed();
        if tcb.recovery.last_ack_sent == tcb.rcv_nxt && !opens {
            return None;
        }
        let tuple = self.tuple()?;
        let Some(token) = device.transmit(cx.now) else {
            return Some(Sent::Blocked);
        };
        let link_header = cx.interface.link_header(tuple.local);
        let way = Segment { packet: &[], link_header: &link_header, tuple, tcp: self.last_ack(tuple) };
        let byte = self.old_byte(&way, self.tcb.snd_una, self.tcb.peer_window);
        self.feed_apart(cx, &byte, as_room(&mut Some(token)));
        None
    }

    /// True if smoltcp sends the segment at SND.UNA alone for three duplicates: not in LAST-ACK, where it answers
    /// them; not a FIN alone; and not if the window has no room for the segment, which smoltcp ignores.
    fn can_repeat(&self) -> bool {
        let longest = usize::from(self.tcb.recovery.smss).min(self.send_queue());
        longest > 0 && longest <= self.tcb.snd_wnd() && self.state() != State::LastAck
    }
}
