//! When smoltcp needs help with a segment, as it would overlook something in it, or do harm with it.

use smoltcp::socket::tcp::State;
use smoltcp::time::Instant;
use smoltcp::wire::{TcpControl, TcpRepr, TcpSeqNumber};

use crate::tcp::slots::{Phase, Slot};
use crate::tcp::socket::rfc5961;

impl Slot<'_> {
    /// True if smoltcp should begin anew to probe the peer's closed window. It doubles the time between two probes up to
    /// a minute, which is too long to tell a living peer from a dead one.
    pub(crate) fn probes_rarely(&self, now: Instant, segment: &TcpRepr<'_>) -> bool {
        segment.window_len == 0 && self.deadlines.silent(now) && self.socket().may_send()
    }

    /// What a segment acknowledges, if smoltcp will not look at that, and if that or the peer's window is another one than
    /// before: as our window is `closed` and has no room for the segment's data, or as the segment is an empty probe that
    /// stands behind the window, and says that the peer's has opened. Without this "special allowance" (RFC 9293, section
    /// 3.10.7.4), neither side may notice for a minute that the other one has room again: their probes are such segments.
    pub(crate) fn news_at_closed_window(&self, segment: &TcpRepr<'_>, closed: bool) -> Option<TcpSeqNumber> {
        let ahead = rfc5961::distance(segment.seq_number, self.receive_next());
        let refused = if segment.payload.is_empty() {
            ahead == -1 && self.peer_window == 0 && segment.window_len > 0
        } else {
            ahead >= 0 && closed
        };
        let news = |&number: &TcpSeqNumber| {
            segment.window_len != self.peer_window || number != self.send_unacknowledged()
        };
        segment.ack_number.filter(|_| refused && self.phase == Phase::Open).filter(news)
    }

    /// True if smoltcp has to be told that the window is open: its probes of a closed one do not end with the
    /// acknowledgement of our FIN, and then nothing winds their timer up. It would send without end.
    pub(crate) fn probes_for_ever(&self, segment: &TcpRepr<'_>) -> bool {
        segment.window_len == 0 && self.state() == State::FinWait2
    }

    /// True if smoltcp must not see this segment, which says nothing new: three of them, and it sends a whole
    /// segment again, whatever the peer's window, and then believes the excess to be in flight for ever.
    pub(crate) fn is_harmful_duplicate(&self, segment: &TcpRepr<'_>) -> bool {
        self.timed
            && segment.payload.is_empty()
            && segment.control == TcpControl::None
            && segment.window_len == self.peer_window
            && self.peer_window() < usize::from(self.segment_size)
            && self.socket().send_queue() > 0
            && segment.ack_number == Some(self.send_unacknowledged())
            // What is behind wants an answer: it is a probe.
            && rfc5961::distance(segment.seq_number, self.receive_next()) >= 0
    }
}
