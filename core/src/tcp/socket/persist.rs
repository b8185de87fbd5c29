//! smoltcp probes a closed window after a second at least, or its backed off timeout, and once a minute in the end: too late for a
//! window update that was lost, and to tell a living peer from a dead one.
//!
//! RFC 9293, section 3.8.6.1: the first probe is sent when the window has been closed for the retransmission timeout, and the
//! interval grows with each. As in Linux, one timer does for both: it runs while anything in the send queue waits, and what is done
//! when it fires depends on whether the window has room. A window that opens ends the back-off. A silent peer is probed every 5
//! seconds ([`policy`](crate::tcp::policy)); behind a closed window, this probe is the one.
//!
//! The probe is smoltcp's, which is told a time at which it is due, and its next one not before ours. Where the window has
//! closed over what is in flight, smoltcp's retransmission timer fires first. smoltcp goes back to SND.UNA then, and sends nothing.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `probes_of_a_closed_window_back_off_to_a_minute`
//! Kept by: core/src/tests/deadlines.rs, core/src/tests/persist.rs

use smoltcp::phy::Device;
use smoltcp::time::Instant;

use crate::cx::Cx;
use crate::ip::device::{Discard, as_room};
use crate::tcp::demux::Tuple;
use crate::tcp::segment::{Segment, SentSegment};
use crate::tcp::seq::Seq;
use crate::tcp::socket::Socket;
use crate::tcp::socket::fast_recovery::Phase;
use crate::tcp::socket::recovery::{Numbers, Recovery};
use crate::tcp::socket::retransmit::LONGEST;
use crate::tcp::socket::tcb::Tcb;
use crate::tcp::timers::NEVER;

impl Recovery {
    /// True if nothing is in flight, or nothing but the byte of a probe of the closed window, which smoltcp sends again.
    #[inline]
    pub(super) fn is_idle(&self, snd_una: Seq) -> bool {
        !self.back && !self.snd_nxt.is_after(snd_una)
    }

    /// The timer has fired: the next time, it runs for twice as long.
    pub(super) fn backs_off(&mut self) {
        self.troubled = true;
        self.timer.backoff = self.timer.backoff.saturating_add(1);
    }

    /// The closed window has opened: what leaves now is not timed by the persist timer, nor backed off as the probes were.
    #[cold]
    pub(super) fn window_opens(&mut self) {
        self.probes_window = false;
        self.timer.backoff = 0;
        self.timer.stop();
    }

    /// smoltcp has gone back to SND.UNA behind a closed window: what is in flight is taken to be lost, as after a timeout.
    pub(super) fn goes_back(&mut self, numbers: Numbers) {
        self.times_out(numbers);
        (self.resume, self.high_rxt) = (numbers.snd_una, numbers.snd_una);
        self.snd_nxt = numbers.snd_una;
        self.back = self.snd_nxt.is_before(numbers.snd_max);
    }

    /// An acknowledgement of what was acknowledged before, that closes the window, finds it closed, or opens it; `window`: before.
    ///
    /// What comes to a closed window is thrown away, as Linux does when its memory is full, and answered at once. So when the window
    /// opens, the first segment is lost if it was answered, or has been under way for two round trips. Otherwise it may come yet, and
    /// be taken: it is sent again after the timeout, as Linux does with all that a window has closed over.
    pub(super) fn stands_still_at_closed_window(
        &mut self,
        now: Instant,
        segment: &Segment<'_>,
        numbers: Numbers,
        window: u16,
    ) {
        self.troubled = true;
        self.hears_blocks(now, segment, numbers);
        if segment.tcp.window_len == 0 {
            self.fast.duplicates = self.fast.duplicates.saturating_add(u8::from(segment.is_bare()));
            if window > 0 {
                self.timer.heard();
            }
            return;
        }
        // These do not tell of a hole: what was thrown away may be all that was in flight.
        let answered = core::mem::take(&mut self.fast.duplicates) > 0;
        let was_ordered = self.fast.phase != Phase::Open || self.probe.was_sent();
        // What was answered may be what left before the retransmission, if that has left.
        let is_lost = if was_ordered { !self.high_rxt.is_after(numbers.snd_una) } else { answered };
        let is_due = is_lost || self.timer.runs_for(now) >= self.timer.two_round_trips(0);
        // More than a probe's byte.
        if numbers.in_flight() > 1 && is_due {
            if self.fast.phase == Phase::Open {
                // What is heard of all this from now on draws no other retransmission of the first segment.
                self.fast.begin(Phase::Recovery, numbers.snd_max);
            }
            self.order(now, numbers);
        } else {
            self.timer.resume();
        }
    }
}

impl Socket<'_> {
    /// After egress: has the timer run while anything waits for an acknowledgement or for the window. `had_timer`: smoltcp
    /// had one before.
    #[inline]
    pub(super) fn ensure_timer(&mut self, now: Instant, had_timer: bool) {
        let in_flight = self.tcb.snd_una.is_before(self.tcb.snd_max);
        if self.send_queue() > 0 || in_flight {
            self.tcb.recovery.timer.ensure(now);
            if self.tcb.peer_window == 0 && in_flight && had_timer && !self.has_timer {
                self.has_gone_back();
            }
        }
    }

    /// True if the timer is the persist timer: there is something to send, and the window is closed, or nothing is in flight as
    /// the window has no room for a whole segment ([`small_segments`](super::small_segments)).
    pub(super) fn is_persisting(&self) -> bool {
        let idle = self.tcb.recovery.is_idle(self.tcb.snd_una);
        self.send_queue() > 0 && (self.tcb.peer_window == 0 || idle)
    }

    /// The persist timer has fired. True if the closed window is to be probed; otherwise what was withheld leaves.
    pub(super) fn persist_timer_fires(&mut self, now: Instant) -> bool {
        let Tcb { recovery, peer_window, .. } = &mut self.tcb;
        recovery.probes_window = *peer_window == 0;
        if recovery.probes_window {
            recovery.backs_off();
        }
        recovery.timer.restart(now);
        recovery.probes_window
    }

    /// True if the closed window is to be probed. There is no other stall: the timer runs for whatever waits, and smoltcp is made
    /// to send when it fires.
    pub(crate) fn is_stalled(&self) -> bool {
        self.tcb.recovery.probes_window && self.send_queue() > 0
    }

    /// True if the closed window is to be probed, as the peer is silent.
    pub(crate) fn restarts_persist(&mut self) -> bool {
        self.tcb.recovery.probes_window = self.tcb.peer_window == 0;
        self.is_stalled()
    }

    /// Has smoltcp send the probe of the closed window now that is to be sent; if the device has no room, that is tried again
    /// ([`stall`](super::stall)).
    #[cold]
    pub(super) fn probe_at_once<H, D: Device + ?Sized>(
        &mut self,
        cx: &mut Cx<'_, H>,
        device: &mut D,
        tuple: Tuple,
    ) {
        if !self.tcb.recovery.probes_window {
            return;
        }
        // The first time, it may be smoltcp's retransmission timer that fires.
        for _ in 0..2 {
            let mut due = cx.interface.poll_at(cx.now, self.sockets());
            if due == NEVER {
                break;
            }
            let Some(token) = device.transmit(cx.now) else {
                return;
            };
            if self.is_out_of_reach(cx, due) {
                self.bring_probe_forward(cx, tuple, due);
                due = cx.now;
            }
            let next = cx.now + self.tcb.recovery.timer.interval();
            let at = self.tell(cx, next).max(due);
            self.tcb.recovery.told = self.tcb.recovery.told.max(at);
            if self.send_one(cx, at, as_room(&mut Some(token))) {
                break;
            }
            if cx.interface.poll_at(cx.now, self.sockets()) == NEVER {
                self.has_gone_back();
            }
            self.restart_timer(cx, tuple);
        }
        self.tcb.recovery.probes_window = false;
    }

    /// On Ethernet, where smoltcp's timer fires so late that it would have forgotten the neighbour, has it probe now. If it is its
    /// retransmission timer, that fires without room, for which smoltcp looks for no neighbour. The timer of the probes is started
    /// at a time so long ago that it has fired.
    #[cold]
    fn bring_probe_forward<H>(&mut self, cx: &mut Cx<'_, H>, tuple: Tuple, due: Instant) {
        self.send_one(cx, due, as_room(&mut Discard));
        if cx.interface.poll_at(cx.now, self.sockets()) == NEVER {
            self.has_gone_back();
        }
        self.restart_timer_at(cx, tuple, cx.now - LONGEST);
    }

    /// smoltcp has gone back to SND.UNA behind a closed window, and sent nothing.
    #[cold]
    fn has_gone_back(&mut self) {
        let numbers = self.tcb.numbers();
        self.tcb.recovery.goes_back(numbers);
    }

    /// There is nothing to note of the last segment of a turn.
    #[inline]
    pub(super) fn note(&mut self, _last: Option<SentSegment>) {}
}
