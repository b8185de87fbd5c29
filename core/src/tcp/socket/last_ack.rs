//! smoltcp takes no window update in LAST-ACK, and answers it.
//!
//! RFC 9293, section 3.10.7.4: in LAST-ACK, an acknowledgement is processed as in ESTABLISHED. So our FIN waits until what
//! is left to send fits into the window. If the window shrinks after that, it still covers what is in flight, for smoltcp and for
//! us: section 3.8.6 has that sent again, beyond the right edge, too (MAY-7), and as in Linux, this is the probe of the window.
//! What has not left waits for a window (SHLD-15), which the answer to a probe tells.
//! Upstream: <https://github.com/smoltcp-rs/smoltcp/pull/1126> brought it. xarxa audit 085.
//! Shown by: core/tests/smoltcp.rs, `last_ack_takes_no_window_update`, `last_ack_answers_a_window_update`
//! Kept by: core/src/tests/half_close.rs, core/src/tests/last_ack.rs

use smoltcp::socket::tcp::State;
use smoltcp::wire::TcpControl;

use crate::tcp::segment::Segment;
use crate::tcp::seq::wrapped;
use crate::tcp::socket::Socket;

impl Socket<'_> {
    /// True if the FIN can be sent without the need of another window update.
    pub(crate) fn can_finish(&self) -> bool {
        self.may_send() && self.send_queue() <= self.tcb.snd_wnd()
    }

    /// The window that stands in for the segment's, if that is not to be told to smoltcp as it is: as it does not cover the bytes
    /// that the segment leaves in flight, or as it has opened since nothing was in flight, and smoltcp would not hear of it. Then the
    /// next probe of the closed window asks for it.
    #[inline]
    pub(super) fn window_in_last_ack(&self, segment: &Segment<'_>) -> Option<u16> {
        if self.state() != State::LastAck {
            return None;
        }
        let tcb = &self.tcb;
        let acked = segment.ack()?.ahead_of(tcb.snd_una).max(0).unsigned_abs();
        let window = if tcb.peer_window == 0 && acked == 0 {
            0
        } else {
            // Without our FIN, which needs no room.
            let in_flight = tcb.snd_max.ahead_of(tcb.snd_una).unsigned_abs().min(wrapped(self.send_queue()));
            let covering = in_flight.saturating_sub(acked).div_ceil(1 << tcb.snd_shift);
            segment.tcp.window_len.max(u16::try_from(covering).unwrap_or(u16::MAX))
        };
        (segment.tcp.window_len != window).then_some(window)
    }

    /// True if the segment tells smoltcp nothing in LAST-ACK, but would be answered.
    pub(super) fn is_duplicate_in_last_ack(&self, segment: &Segment<'_>) -> bool {
        self.state() == State::LastAck
            && segment.seq() == self.tcb.rcv_nxt
            && segment.ack() == Some(self.tcb.snd_una)
            && segment.tcp.payload.is_empty()
            && segment.tcp.control == TcpControl::None
    }
}
