//! smoltcp drops a segment whose acknowledgement is older than SND.UNA, with its data.
//!
//! RFC 9293, section 3.10.7.4: "If the ACK is a duplicate (SEG.ACK =< SND.UNA), it can be ignored", and the data is taken;
//! else the peer's user waits for its retransmission. A segment that a newer one has overtaken on the way has such an
//! acknowledgement. smoltcp is shown it with the present acknowledgement and window. An acknowledgement older than what can
//! be under way is refused ([`rfc5961`](super::rfc5961)).
//!
//! The window of such a segment is counted from its own acknowledgement: do not be tempted to take it.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `data_with_an_ack_older_than_snd_una_is_dropped`
//! Kept by: core/src/tests/acknowledgements.rs, core/src/tests/stalls.rs

use smoltcp::socket::tcp::State;
use smoltcp::wire::TcpControl;

use crate::tcp::segment::Segment;
use crate::tcp::socket::Socket;

impl Socket<'_> {
    /// True if a newer acknowledgement than the segment's has come.
    #[inline]
    pub(super) fn is_overtaken(&self, segment: &Segment<'_>) -> bool {
        segment.ack().is_some_and(|ack| ack.is_before(self.tcb.snd_una)) && self.state() != State::SynReceived
    }

    /// Gives the segment the present acknowledgement and window.
    pub(super) fn give_present_ack(&self, segment: &mut Segment<'_>) {
        segment.packet = &[];
        segment.tcp.ack_number = Some(self.tcb.snd_una.into());
        segment.tcp.window_len = self.tcb.peer_window;
        segment.tcp.sack_ranges = [None; 3];
    }

    /// True if there is nothing in the segment but its old acknowledgement. Do not be tempted to show it to smoltcp, which
    /// would count it as a duplicate of the present one.
    #[cold]
    pub(super) fn says_nothing(&self, segment: &Segment<'_>) -> bool {
        segment.tcp.payload.is_empty() && segment.tcp.control != TcpControl::Fin && !self.is_outside(segment)
    }
}
