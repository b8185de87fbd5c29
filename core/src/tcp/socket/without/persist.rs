//! In place of a persist timer beside smoltcp's, whose probes of a closed window are up to a minute apart: that is restarted to
//! probe a silent peer.

use smoltcp::phy::Device;
use smoltcp::time::Instant;

use crate::cx::Cx;
use crate::ip::device::as_room;
use crate::tcp::demux::Tuple;
use crate::tcp::segment::SentSegment;
use crate::tcp::socket::Socket;
use crate::tcp::timers::NEVER;

impl Socket<'_> {
    pub(super) fn ensure_timer(&mut self, _now: Instant, _had_timer: bool) {}

    /// True if smoltcp has something to send and waits for nothing.
    pub(crate) fn is_stalled(&self) -> bool {
        !self.has_timer && self.send_queue() > 0
    }

    /// True if the timer of the probes is to be restarted to probe a silent peer. smoltcp's first probe comes no sooner
    /// than a retransmission would: do not be tempted to restart the timer again before it has fired.
    pub(crate) fn restarts_persist(&mut self) -> bool {
        let closed = self.send_queue() > 0 && self.tcb.peer_window == 0;
        let restarts = closed && !self.tcb.recovery.persist_restarted;
        self.tcb.recovery.persist_restarted |= restarts;
        restarts
    }

    /// Takes note of the last segment of a turn.
    pub(super) fn note(&mut self, last: Option<SentSegment>) {
        if let Some(last) = last {
            self.tcb.recovery.persist_restarted &= last.end == last.seq;
        }
    }

    /// Has smoltcp send the first probe of a closed window now, and not after a retransmission timeout: that has passed before
    /// the stall. smoltcp is told the time at which the probe would be due; or its retransmission timer, which keeps the probe
    /// from being due.
    #[cold]
    pub(super) fn probe_at_once<H, D: Device + ?Sized>(
        &mut self,
        cx: &mut Cx<'_, H>,
        device: &mut D,
        _tuple: Tuple,
    ) {
        let due = cx.interface.poll_at(cx.now, self.sockets());
        if due == NEVER || self.tcb.peer_window > 0 {
            return;
        }
        let Some(token) = device.transmit(cx.now) else {
            return;
        };
        self.send_one(cx, due, as_room(&mut Some(token)));
    }
}
