//! smoltcp opens its window byte by byte, as the application reads.
//!
//! RFC 9293, section 3.8.6.2.2: the right edge of a small window stays where it is until it can move by half a buffer. A peer
//! that fills small windows sends small segments, for ever.
//! Upstream: <https://github.com/smoltcp-rs/smoltcp/pull/1111> (open). xarxa audit 089.
//! Shown by: core/tests/smoltcp.rs, `the_window_opens_by_one_byte`
//! Kept by: core/src/tests/handlers.rs

use crate::tcp::segment::SentSegment;
use crate::tcp::seq::wrapped;
use crate::tcp::socket::tcb::Tcb;

/// How far the right edge of a small window has to move before it is advertised: half of the largest window that there can
/// be, with a buffer of this capacity and a window scale of `shift`. A peer whose segments are smaller may wait for that, too.
pub(crate) fn step(capacity: usize, shift: u8) -> u32 {
    wrapped(capacity).min(u32::from(u16::MAX) << shift) / 2
}

/// Advertises the edge that was advertised before, if the window is small and the new edge is not far enough to the right.
#[inline]
pub(crate) fn limit(tcb: &Tcb, packet: &mut [u8], segment: &mut SentSegment) {
    if segment.syn || segment.rst || tcb.rcv_shift > 0 && !tcb.rcv_edge_agreed {
        return;
    }
    let window = u32::from(segment.window) << tcb.rcv_shift;
    let ahead = (segment.ack + window).ahead_of(tcb.rcv_edge);
    if window >= tcb.edge_step || ahead <= 0 || ahead.cast_unsigned() >= tcb.edge_step {
        return;
    }
    let window = tcb.rcv_edge.ahead_of(segment.ack).max(0).cast_unsigned() >> tcb.rcv_shift;
    if let Ok(window) = u16::try_from(window) {
        segment.rewrite_window(packet, window);
    }
}
