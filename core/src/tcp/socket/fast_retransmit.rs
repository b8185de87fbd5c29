//! smoltcp's fast retransmission ignores the window, and counts what exceeds it as in flight for ever. Where only our FIN
//! is in flight, it stops the timer and sends nothing.
//!
//! RFC 5681, section 3.2: the segment that is retransmitted is the one that was sent. So all duplicate acknowledgements are
//! hidden from smoltcp, and counted in [`fast_recovery`](super::fast_recovery).
//! Upstream: none. xarxa audit 091.
//! Shown by: core/tests/smoltcp.rs, `a_fast_retransmission_ignores_the_window`,
//! `a_fast_retransmission_of_a_fin_alone_is_never_sent`
//! Kept by: core/src/tests/back_pressure.rs, core/src/tests/fast_recovery.rs, core/src/tests/half_close.rs

use crate::tcp::segment::Segment;
use crate::tcp::socket::Socket;

impl Socket<'_> {
    /// True if smoltcp must not see this segment, which says nothing new.
    pub(super) fn hides(&self, segment: &Segment<'_>) -> bool {
        let (tcb, tcp) = (&self.tcb, &segment.tcp);
        self.has_timer
            && segment.is_bare()
            && tcp.window_len == tcb.peer_window
            && segment.ack() == Some(tcb.snd_una)
            && tcb.snd_una.is_before(tcb.snd_max)
            // A segment to the left of RCV.NXT is a probe, which wants an answer.
            && !segment.seq().is_before(tcb.rcv_nxt)
    }
}
