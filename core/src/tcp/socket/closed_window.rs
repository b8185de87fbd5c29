//! smoltcp does not look at the acknowledgement and the window of some segments:
//!
//! 1. One that stands outside smoltcp's closed window. The probes of both sides are such segments: without their acknowledgement and
//!    window, neither side may notice for a minute that the other one has room again.
//! 2. An empty one at the right edge of smoltcp's window. It comes from a peer that has filled our window: when one of its segments
//!    is lost, all that it acknowledges until that is sent again stands at the edge.
//! 3. One that has come before. It comes from a peer that has got what we sent, but no acknowledgement of what it sent, and sends that
//!    again or probes. Where the peer's own acknowledgement was lost, this is the next one.
//!
//! RFC 9293, section 3.10.7.4, has a "special allowance" for the first kind. Linux accepts the second kind, and looks at the
//! acknowledgement of a segment of the third kind that ends at RCV.NXT.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `the_ack_of_a_segment_at_a_closed_window_is_ignored`,
//! `the_window_of_a_keep_alive_is_ignored`, `an_ack_at_the_right_edge_is_ignored`,
//! `the_new_ack_of_a_segment_that_comes_again_is_ignored`
//! Kept by: core/src/tests/back_pressure.rs, core/src/tests/retransmission_timer.rs,
//! core/src/tests/acknowledgements.rs

use smoltcp::socket::tcp::State;
use smoltcp::wire::TcpControl;

use crate::tcp::segment::{Built, Segment, bare_ack, build};
use crate::tcp::seq::Seq;
use crate::tcp::socket::{Socket, old_window};

impl Socket<'_> {
    /// What a segment acknowledges, if smoltcp will not look at that, and if that or the window is another one than before:
    /// as the segment's data begins where smoltcp's window ends, or as the segment is empty and stands there, or is an empty
    /// probe to the left of the window that says that the peer's has opened, or as all of the segment has come before.
    /// Nothing in LAST-ACK, which the news may end: what comes after it is answered with a RST.
    pub(super) fn news_at_closed_window(&self, segment: &Segment<'_>) -> Option<Seq> {
        let tcb = &self.tcb;
        let ahead = segment.seq().ahead_of(tcb.rcv_nxt);
        let outside = !segment.seq().is_before(tcb.smoltcp_edge);
        if ahead == 0 && !outside {
            return None;
        }
        let refused = if self.comes_again_with_new_ack(segment) {
            true
        } else if segment.tcp.payload.is_empty() {
            ahead == -1 && tcb.peer_window == 0 || self.is_at_edge(segment)
        } else {
            ahead >= 0 && outside
        };
        let news = |ack: &Seq| segment.tcp.window_len != tcb.peer_window || *ack != tcb.snd_una;
        let may_be_told = self.is_synchronized() && self.state() != State::LastAck;
        segment.ack().filter(|_| refused && may_be_told).filter(news)
    }

    /// True if all of the segment has come before, or it is a probe, and its acknowledgement is newer than any before.
    fn comes_again_with_new_ack(&self, segment: &Segment<'_>) -> bool {
        let tcb = &self.tcb;
        cfg!(feature = "recovery")
            && segment.ack().is_some_and(|ack| ack.is_after(tcb.snd_una))
            && old_window::is_old(tcb.rcv_nxt, segment)
            && self.is_proof(segment)
    }

    /// True if the segment is empty and stands where the peer's next byte will, to the right of what smoltcp looks at.
    #[inline]
    pub(super) fn is_at_edge(&self, segment: &Segment<'_>) -> bool {
        let (tcb, seq) = (&self.tcb, segment.seq());
        segment.tcp.payload.is_empty()
            && segment.tcp.control != TcpControl::Fin
            && seq.is_after(tcb.rcv_nxt)
            && !seq.is_before(tcb.smoltcp_edge)
            && !seq.is_after(tcb.rcv_edge)
    }

    /// The segment that tells smoltcp the news.
    pub(super) fn window_update(&self, segment: &Segment<'_>, ack: Seq, window: u16) -> Built {
        let ports = (segment.tcp.src_port, segment.tcp.dst_port);
        build(segment, &bare_ack(ports, self.tcb.rcv_nxt, ack, window))
    }
}
