//! smoltcp opens its window byte by byte, as the application reads.
//!
//! RFC 9293, section 3.8.6.2.2: the right edge of a small window stays where it is until it can move by half a buffer. A peer
//! that fills small windows sends small segments, for ever.
//! Upstream: <https://github.com/smoltcp-rs/smoltcp/pull/1111> (open). xarxa audit 089.
//! Shown by: core/tests/smoltcp.rs, `the_window_opens_by_one_byte`
//! Kept by: core/src/tests/handlers.rs

use crate::tcp::segment::SentSegment;
use crate::tcp::seq::wrapped;
use crate::tcp::socket::tcb::{Tcb, window_to};

/// How far the right edge of a small window has to move before it is advertised: half of the largest window that there can
/// be, with a buffer of this capacity and a window scale of `shift`. A peer whose segments are smaller may wait for that, too.
pub(crate) fn step(capacity: usize, shift: u8) -> u32 {
    wrapped(capacity).min(u32::from(u16::MAX) << shift) / 2
}

/// Advertises the edge that was advertised before, if the window is small and the new edge is not far enough to the right.
#[inline]
pub(crate) fn limit(tcb: &Tcb, packet: &mut [u8], segment: &mut SentSegment) {
    if !tcb.rcv_edge_agreed {
        return;
    }
    let edge = tcb.edge_of(segment);
    // A window that is smaller than a step does not move by one either.
    let is_large = edge.ahead_of(segment.ack) >= tcb.edge_step.cast_signed();
    if is_large || !edge.is_after(tcb.rcv_edge) {
        return;
    }
    segment.rewrite_window(packet, window_to(tcb.rcv_edge, segment.ack, tcb.rcv_shift));
}
