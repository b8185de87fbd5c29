//! smoltcp panics over a segment about 2^31 away from RCV.NXT.
//!
//! RFC 9293, section 3.4: numbers are compared modulo 2^32, and no window is larger than 2^30 (RFC 7323, section 2.3). A
//! segment that is farther away draws an acknowledgement.
//! Upstream: <https://github.com/smoltcp-rs/smoltcp/issues/1048> and <https://github.com/smoltcp-rs/smoltcp/issues/1051>
//! (closed; what <https://github.com/smoltcp-rs/smoltcp/pull/1079> left of them).
//! Shown by: core/tests/smoltcp.rs, `a_segment_two_to_the_31_away_panics`
//! Kept by: core/src/tests/segments.rs

use crate::tcp::segment::Segment;
use crate::tcp::socket::arrival::Verdict;
use crate::tcp::socket::tcb::Tcb;

/// The largest window (RFC 7323, section 2.3).
const REACH: u32 = 1 << 30;

/// A challenge ACK for a segment that no window reaches.
pub(crate) fn judge(tcb: &Tcb, segment: &Segment<'_>) -> Option<Verdict> {
    (segment.seq().ahead_of(tcb.rcv_nxt).unsigned_abs() > REACH).then_some(Verdict::Challenge)
}
