//! smoltcp does not look at the acknowledgement and the window of a segment that stands outside its closed window.
//!
//! RFC 9293, section 3.10.7.4, has a "special allowance" for these. Without it, neither side may notice for a minute that the
//! other one has room again: their probes are such segments.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `the_ack_of_a_segment_at_a_closed_window_is_ignored`,
//! `the_window_of_a_keep_alive_is_ignored`
//! Kept by: core/src/tests/back_pressure.rs

use crate::tcp::segment::{Segment, bare_ack};
use crate::tcp::seq::Seq;
use crate::tcp::socket::Socket;

impl Socket<'_> {
    /// What a segment acknowledges, if smoltcp will not look at that, and if that or the window is another one than before:
    /// as our window is closed and has no room for the segment's data, or as the segment is an empty probe that stands
    /// behind the window and says that the peer's has opened.
    pub(super) fn news_at_closed_window(&self, segment: &Segment<'_>) -> Option<Seq> {
        let tcb = &self.tcb;
        let ahead = segment.seq().ahead_of(tcb.rcv_nxt);
        let closed = tcb.smoltcp_edge == tcb.rcv_nxt;
        if ahead == 0 && !closed {
            return None;
        }
        let refused = if segment.tcp.payload.is_empty() {
            ahead == -1 && tcb.peer_window == 0 && segment.tcp.window_len > 0
        } else {
            ahead >= 0 && closed
        };
        let news = |ack: &Seq| segment.tcp.window_len != tcb.peer_window || *ack != tcb.snd_una;
        segment.ack().filter(|_| refused && self.is_synchronized()).filter(news)
    }

    /// The segment that tells smoltcp the news.
    pub(super) fn window_update(
        &self,
        segment: &Segment<'_>,
        ack: Seq,
        window: u16,
    ) -> crate::tcp::segment::Built {
        let ports = (segment.tcp.src_port, segment.tcp.dst_port);
        crate::tcp::segment::build(segment, &bare_ack(ports, self.tcb.rcv_nxt, ack, window))
    }
}
