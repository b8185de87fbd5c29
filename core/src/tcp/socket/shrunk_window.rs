//! smoltcp has no retransmission timer any more after an acknowledgement of a part of what is in flight that closes the window: the
//! probes of the window take its place. They stand at SND.NXT, and where all has been sent, they are empty. A peer whose window has
//! opened again does not answer those; and nothing is sent again then.
//!
//! RFC 6298, section 5: the timer runs while anything is in flight. RFC 9293, section 3.8.6: a sender is robust against a window that
//! shrinks. So smoltcp is shown the acknowledgement with an open window first.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `data_in_flight_when_the_window_shrank_is_never_sent_again`,
//! `a_window_that_shrank_with_an_ack_is_probed_without_data`
//! Kept by: core/src/tests/stalls.rs

use smoltcp::socket::tcp::State;

use crate::cx::Cx;
use crate::tcp::segment::Segment;
use crate::tcp::socket::Socket;

impl Socket<'_> {
    /// Shows smoltcp what the segment acknowledges, if that is a part of what is in flight, and the window closes over the rest. Not in
    /// LAST-ACK, where it closes over our FIN at most ([`last_ack`](super::last_ack)), and smoltcp answers what comes again.
    #[inline]
    pub(super) fn acknowledge_before_window_closes<H>(&mut self, cx: &mut Cx<'_, H>, segment: &Segment<'_>) {
        let tcb = &self.tcb;
        if segment.tcp.window_len == 0
            && let Some(ack) = segment.ack()
            && ack.is_after(tcb.snd_una)
            && ack.is_before(tcb.snd_max)
            && self.state() != State::LastAck
            && self.is_proof(segment)
        {
            let open = self.window_update(segment, ack, 1);
            self.inject(cx, &open);
        }
    }
}
