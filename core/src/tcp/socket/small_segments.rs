//! smoltcp fills a window that opens in drips with segments of the size of the drips.
//!
//! RFC 9293, section 3.8.6.2.1 (MUST-38): of more data than the window has room for, the sender sends whole segments, or half of
//! the largest window, or else waits for its timer. Linux waits for the persist timer. So smoltcp is shown a window that ends
//! with the last segment that may leave, and the true one after the wait. What smoltcp is told is not noted in the TCB: the next
//! acknowledgement tells it the true window again.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `a_window_that_opens_in_drips_draws_small_segments`
//! Kept by: core/src/tests/back_pressure.rs

use smoltcp::time::{Duration, Instant};

use crate::cx::Cx;
use crate::tcp::segment::{Built, Segment, build};
use crate::tcp::seq::{Seq, wrapped};
use crate::tcp::socket::Socket;
use crate::tcp::timers::NEVER;

/// A small segment waits for this long at least, and then until the persist timer fires, or something comes.
const PATIENCE: Duration = Duration::from_millis(200);

/// When the wait for room is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SmallSegment {
    /// The first byte that waits.
    first: Seq,
    wait_until: Instant,
    /// smoltcp has been shown a smaller window since the last segment of the peer's. It is not shown that again, which would
    /// restart its timer.
    is_shown: bool,
}

impl SmallSegment {
    pub(super) const NONE: SmallSegment = SmallSegment { first: Seq(0), wait_until: NEVER, is_shown: false };

    /// smoltcp was shown a segment of the peer's, and with it the true window.
    #[inline]
    pub(super) fn forget_shown(&mut self) {
        self.is_shown = false;
    }
}

impl Socket<'_> {
    /// Before anything is sent: hides from smoltcp what of the window is too small for a segment.
    #[inline]
    pub(super) fn withhold_small_segment<H>(&mut self, cx: &mut Cx<'_, H>) {
        if self.send_queue() > self.tcb.snd_wnd() && self.may_send() {
            self.hide_rest_of_window(cx);
        }
    }

    #[cold]
    #[inline(never)]
    fn hide_rest_of_window<H>(&mut self, cx: &mut Cx<'_, H>) {
        let tcb = &self.tcb;
        // A stream is passed on in pieces of half a buffer: that is no small segment.
        let half = tcb.both.map_or(u32::MAX, |both| both / 4);
        let (window, mss) = (wrapped(tcb.snd_wnd()), u32::from(tcb.recovery.smss).min(half).max(1));
        let in_flight = tcb.snd_max.ahead_of(tcb.snd_una).max(0).unsigned_abs();
        // A single byte is that of a probe, which is sent again with the rest.
        let in_flight = if in_flight == 1 { 0 } else { in_flight };
        let usable = window.saturating_sub(in_flight);
        let rest = usable % mss;
        if rest == 0 || rest >= tcb.max_snd_wnd() / 2 {
            self.small_segment = SmallSegment::NONE;
            return;
        }
        let whole = window - rest;
        let first = tcb.snd_una + whole;
        if self.small_segment.first != first {
            self.small_segment = SmallSegment::NONE;
        }
        let SmallSegment { wait_until, is_shown, .. } = self.small_segment;
        let shown = if cx.now >= wait_until {
            self.small_segment = SmallSegment::NONE;
            window
        } else if is_shown {
            return;
        } else {
            let wait_until = wait_until.min(cx.now + PATIENCE);
            self.small_segment = SmallSegment { first, wait_until, is_shown: true };
            whole
        };
        self.show_window(cx, shown);
    }

    /// Has smoltcp believe that SND.WND is this.
    pub(super) fn show_window<H>(&mut self, cx: &mut Cx<'_, H>, shown: u32) {
        let Some(tuple) = self.tuple() else {
            return;
        };
        let mut tcp = self.last_ack(tuple);
        let shown = u16::try_from(shown >> self.tcb.snd_shift).unwrap_or(u16::MAX);
        let link_header = cx.interface.link_header(tuple.local);
        // Of two windows, one is another than before. Do not be tempted to show one: the third acknowledgement with the window
        // that smoltcp has is a duplicate to it, and it retransmits.
        for window in [!shown, shown] {
            tcp.window_len = window;
            let ack: Built = build(&Segment { packet: &[], link_header: &link_header, tuple, tcp }, &tcp);
            self.inject(cx, &ack);
        }
    }
}
