//! smoltcp takes the FIN of a segment whose tail it cuts off at the edge of the window: the bytes between are lost.
//!
//! RFC 9293, section 3.10.7.4: segments are trimmed to the window, the FIN with the rest.
//! Upstream: none (#977 and #1079 left it). xarxa audit 003.
//! Shown by: core/tests/smoltcp.rs, `the_fin_of_a_segment_that_is_cut_is_taken`
//! Kept by: core/src/tests/segments.rs

use smoltcp::wire::TcpControl;

use crate::tcp::segment::Segment;
use crate::tcp::seq::Seq;
use crate::tcp::socket::arrival::Verdict;
use crate::tcp::socket::tcb::Tcb;

/// A challenge ACK for a segment with a FIN that overruns the window. The peer sends what fits again.
pub(crate) fn judge(tcb: &Tcb, segment: &Segment<'_>) -> Option<Verdict> {
    (segment.tcp.control == TcpControl::Fin && overruns(tcb, tcb.smoltcp_edge, segment))
        .then_some(Verdict::Challenge)
}

/// True if the segment has bytes to the right of this edge of the window.
pub(crate) fn overruns(tcb: &Tcb, edge: Seq, segment: &Segment<'_>) -> bool {
    let room = edge.ahead_of(tcb.rcv_nxt).max(0);
    !segment.tcp.payload.is_empty() && segment.end().ahead_of(tcb.rcv_nxt) > room
}
