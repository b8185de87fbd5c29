//! smoltcp takes bytes that stand after the peer's FIN for data.
//!
//! RFC 9293, section 3.10.7.4: "This should not occur since a FIN has been received from the remote side. Ignore the segment
//! text."
//! Upstream: none. xarxa audit 084.
//! Shown by: core/tests/smoltcp.rs, `text_after_a_fin_is_taken`
//! Kept by: core/src/tests/half_close.rs

use smoltcp::socket::tcp::State;

use crate::tcp::segment::Segment;
use crate::tcp::socket::arrival::Verdict;
use crate::tcp::socket::tcb::Tcb;

/// A challenge ACK for a segment with bytes after the FIN.
pub(crate) fn judge(state: State, tcb: &Tcb, segment: &Segment<'_>) -> Option<Verdict> {
    let finished = matches!(state, State::CloseWait | State::LastAck | State::Closing | State::TimeWait);
    let after = finished && !segment.tcp.payload.is_empty() && segment.end().is_after(tcb.rcv_nxt);
    after.then_some(Verdict::Challenge)
}
