//! smoltcp takes the window of its SYN|ACK to be scaled, so that it accepts more than it offered: an overrun, or a panic.
//!
//! RFC 7323, section 2.2: the window in a SYN is never scaled. Until another segment has advertised the window, what
//! overruns it is refused.
//! Upstream: none. xarxa audit 002.
//! Shown by: core/tests/smoltcp.rs, `the_window_of_the_syn_ack_is_scaled`
//! Kept by: core/src/tests/segments.rs

use crate::tcp::segment::Segment;
use crate::tcp::socket::arrival::Verdict;
use crate::tcp::socket::cut_fin;
use crate::tcp::socket::tcb::Tcb;

/// A challenge ACK for a segment that overruns the window while smoltcp believes it to be larger than it is.
pub(crate) fn judge(tcb: &Tcb, segment: &Segment<'_>) -> Option<Verdict> {
    (!tcb.rcv_edge_agreed && cut_fin::overruns(tcb, tcb.rcv_edge, segment)).then_some(Verdict::Challenge)
}
