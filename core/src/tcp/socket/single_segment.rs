//! What tells of a loss where one segment is in flight, as with buffers that one segment fills. No later segment can: there
//! are no duplicates (RFC 5681) and no SACK blocks, and the timer waits for longer than any peer delays its acknowledgement.
//!
//! But the peer has a timer, too, and in an echo the acknowledgement of what it sent rides on the segment that is in flight.
//! If that is lost, it sends again what has arrived, or probes; and as this acknowledges everything that has come, it does not
//! have to be guessed what is missing.
//!
//! Once something has been lost, what one segment would carry is sent in two, which tell of each other's loss: one that comes
//! behind a hole draws a duplicate at once, and two are acknowledged at once ([`tail_loss_probe`](super::tail_loss_probe)). On
//! a link that loses nothing, it would be a second packet for nothing.

use smoltcp::time::Instant;

use crate::tcp::segment::Segment;
use crate::tcp::socket::recovery::Recovery;

impl Recovery {
    /// True if a segment that acknowledges nothing new begins before what was acknowledged with what is in flight, and comes so
    /// long after the first segment of that left that it would have acknowledged it. Each time it has to be longer, or else a
    /// peer could draw the segment as often as it likes.
    pub(super) fn misses_answer(&self, now: Instant, segment: &Segment<'_>) -> bool {
        segment.seq().is_before(self.answered)
            && self.probe.patience(&self.timer).is_some_and(|patience| self.timer.runs_for(now) >= patience)
    }

    /// True if two segments do not fit into the send buffer.
    pub(super) fn has_room_for_one(&self) -> bool {
        self.half < self.smss
    }

    /// All is acknowledged: if something has been lost, no segment fills more than half of such a buffer from now on.
    pub(super) fn divide(&mut self) {
        if self.lossy && self.has_room_for_one() {
            (self.narrow, self.smss) = (true, self.half);
        }
    }
}
