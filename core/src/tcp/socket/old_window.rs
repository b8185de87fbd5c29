//! smoltcp keeps neither SND.WL1 nor SND.WL2: an old segment that comes late changes the window.
//!
//! RFC 9293, section 3.10.7.4: the window is taken from segments that are not older than the one that it was last taken
//! from. What such a segment does to smoltcp is undone by [`stall`](super::stall); our own SND.WND does not follow it.
//! Upstream: none. xarxa audit 090.
//! Shown by: core/tests/smoltcp.rs, `an_old_segment_closes_the_window`
//! Kept by: core/src/tests/stalls.rs

use crate::tcp::segment::Segment;
use crate::tcp::seq::Seq;

/// True if everything in the segment came before, so that smoltcp looks no further than its acknowledgement; `rcv_nxt`:
/// before the segment was processed.
pub(crate) fn is_old(rcv_nxt: Seq, segment: &Segment<'_>) -> bool {
    let end = segment.end().ahead_of(rcv_nxt);
    end < 0 || end == 0 && !segment.tcp.payload.is_empty()
}
