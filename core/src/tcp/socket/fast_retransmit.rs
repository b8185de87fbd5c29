//! smoltcp's fast retransmission ignores the window, and counts what exceeds it as in flight for ever.
//!
//! RFC 5681, section 3.2: the segment that is retransmitted is the one that was sent. So duplicate acknowledgements are
//! hidden from smoltcp while SND.WND is smaller than a segment.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `a_fast_retransmission_ignores_the_window`
//! Kept by: core/src/tests/back_pressure.rs

use smoltcp::wire::TcpControl;

use crate::tcp::segment::Segment;
use crate::tcp::socket::Socket;

impl Socket<'_> {
    /// True if smoltcp must not see this segment, which says nothing new.
    pub(super) fn hides(&self, segment: &Segment<'_>) -> bool {
        let (tcb, tcp) = (&self.tcb, &segment.tcp);
        self.has_timer
            && tcp.payload.is_empty()
            && tcp.control == TcpControl::None
            && tcp.window_len == tcb.peer_window
            && tcb.snd_wnd() < usize::from(tcb.mss)
            && self.send_queue() > 0
            && segment.ack() == Some(tcb.snd_una)
            // A segment to the left of RCV.NXT is a probe, which wants an answer.
            && !segment.seq().is_before(tcb.rcv_nxt)
    }
}
