//! What tells of a loss where one segment is in flight, as with buffers that one segment fills. No later segment can: there
//! are no duplicates (RFC 5681) and no SACK blocks, and the timer waits for longer than any peer delays its acknowledgement.
//!
//! But the peer has a timer, too, and in an echo the acknowledgement of what it sent rides on the segment that is in flight.
//! If that is lost, it sends again what has arrived, or probes; and as this acknowledges everything that has come, it does not
//! have to be guessed what is missing.

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
}
