//! smoltcp rounds the window that it offers down to what its scale can express, and accepts no more: as RCV.NXT moves, the right edge
//! moves left and right by nearly a step of the scale, and what a peer has sent up to an edge is cut off or dropped at the next one.
//!
//! RFC 7323, section 2.4: a receiver takes what was within the window that it offered before. Here, an edge is offered a step before
//! smoltcp's, so that smoltcp's is never before it, however it is rounded later. And RFC 9293, section 3.8.6: a receiver should not
//! shrink the window. So the edge is rounded up where it would move left, for which the last part of a buffer is set aside: each
//! rounding costs less than a step. If that is used up, as after very many small segments that nobody reads, the edge moves left by
//! less than a step after all. Whatever was offered is taken.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `the_right_edge_of_a_scaled_window_moves_left`
//! Kept by: core/src/tests/scaled_windows.rs

use crate::tcp::segment::SentSegment;
use crate::tcp::seq::Seq;
use crate::tcp::socket::tcb::Tcb;

/// The part of the largest window that is set aside.
const RESERVE: u32 = 32;

/// The window of a segment with this acknowledgement whose window would be `wanted`.
pub(super) fn settle(tcb: &Tcb, ack: Seq, wanted: u16) -> u16 {
    let ahead = |edge: Seq| edge.ahead_of(ack).max(0).unsigned_abs();
    let own = tcb.smoltcp_edge;
    let farthest = tcb.both.map_or(own, |both| tcb.edge_of_both(both).max(own));
    let most = (ahead(farthest) >> tcb.rcv_shift).saturating_sub(1);
    // A step of `silly_window` is half of the largest window.
    let reserve = (2 * tcb.edge_step / RESERVE) >> tcb.rcv_shift;
    let stays = ahead(tcb.rcv_edge).div_ceil(1 << tcb.rcv_shift).min(most);
    let window = u32::from(wanted).min(most.saturating_sub(reserve)).max(stays);
    u16::try_from(window).unwrap_or(u16::MAX)
}

/// Advertises that window, where windows are scaled.
#[cold]
pub(super) fn rewrite(tcb: &Tcb, packet: &mut [u8], segment: &mut SentSegment) {
    if !segment.syn && !segment.rst {
        let window = settle(tcb, segment.ack, segment.window);
        if window != segment.window {
            segment.rewrite_window(packet, window);
        }
    }
}

#[cfg(test)]
mod tests {
    use smoltcp::time::Instant;

    use super::*;

    /// A segment without data leaves, with this acknowledgement and this window.
    fn departs(tcb: &mut Tcb, ack: u32, window: u16) {
        let mut packet = [0; 40];
        (packet[0], packet[3], packet[9], packet[32], packet[33]) = (0x45, 40, 6, 0x50, 0x10);
        packet[28..32].copy_from_slice(&ack.to_be_bytes());
        packet[34..36].copy_from_slice(&window.to_be_bytes());
        tcb.departs(Instant::ZERO, &SentSegment::read(&packet).unwrap(), false);
    }

    #[test]
    fn the_farthest_edge_that_was_advertised_counts() {
        let mut tcb = Tcb { rcv_shift: 1, rcv_edge: Seq(1), ..Tcb::EMPTY };
        for (ack, window, edge) in [(10, 50, 110), (11, 49, 110), (12, 50, 112)] {
            departs(&mut tcb, ack, window);
            assert_eq!(tcb.rcv_edge, Seq(edge));
        }
    }
}
