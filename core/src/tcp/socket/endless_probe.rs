//! smoltcp probes a closed window in FIN-WAIT-2 with a timer that is never rearmed, and sends without end.
//!
//! RFC 9293, section 3.8.6.1: with our FIN acknowledged, there is nothing left to probe for. smoltcp is told that the window
//! is open.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `a_closed_window_is_probed_without_end_in_fin_wait_2`
//! Kept by: core/src/tests/half_close.rs

use smoltcp::socket::tcp::State;

use crate::tcp::segment::Segment;
use crate::tcp::socket::Socket;

impl Socket<'_> {
    /// True if smoltcp would probe without end after this segment.
    pub(super) fn probes_without_end(&self, segment: &Segment<'_>) -> bool {
        segment.tcp.window_len == 0 && self.state() == State::FinWait2
    }
}
