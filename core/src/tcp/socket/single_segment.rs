//! What tells of a loss where one segment is in flight, as with buffers that one segment fills. No later segment can: there
//! are no duplicates (RFC 5681) and no SACK blocks, and the timer waits for longer than any peer delays its acknowledgement.
//!
//! But the peer has a timer, too, and in an echo the acknowledgement of what it sent rides on the segment that is in flight.
//! If that is lost, it sends again what has arrived, or probes; and as this acknowledges everything that has come, it does not
//! have to be guessed what is missing.
//!
//! Once something has been lost, what one segment would carry is sent in two, which tell of each other's loss: one that comes
//! behind a hole draws a duplicate at once, and two are acknowledged at once ([`tail_loss_probe`](super::tail_loss_probe)). On
//! a link that loses nothing, it would be a second packet for nothing. So this ends once a thousand buffers have been acknowledged
//! without a retransmission: by then the second packets have taken about as long as the one timeout that they may save.

use smoltcp::time::Instant;

use crate::tcp::segment::Segment;
use crate::tcp::socket::recovery::{Numbers, Recovery};

/// Segments are whole again after so many buffers without a retransmission. A timeout takes as long as 10,000 short round trips, or a few
/// long ones, in which a second packet takes no time.
const SOUND: u32 = 1024;

impl Recovery {
    /// True if a segment that acknowledges nothing new begins before what was acknowledged with what is in flight, and comes so
    /// long after the first segment of that left that it would have acknowledged it. Each time it has to be longer, or else a
    /// peer could draw the segment as often as it likes. Of many segments in flight, not all are lost: if nothing new is
    /// acknowledged, it was this server that did not run.
    pub(super) fn misses_answer(&self, now: Instant, segment: &Segment<'_>, numbers: Numbers) -> bool {
        numbers.in_flight() <= 2 * u32::from(self.smss)
            && segment.seq().is_before(self.last_ack_with_data)
            && self.probe.patience(&self.timer).is_some_and(|patience| self.timer.runs_for(now) >= patience)
    }

    /// Takes note of a segment that acknowledges everything after a tail loss probe: if it does not say that something has come
    /// twice (D-SACK, RFC 2883), the probe has repaired a loss (RFC 8985, section 7.4).
    pub(super) fn hears_of_probe(&mut self, segment: &Segment<'_>) {
        let is_repaired = self.sack_permitted && segment.tcp.sack_ranges[0].is_none();
        self.lossy |= is_repaired && self.has_room_for_one();
    }

    /// True if two segments do not fit into the send buffer.
    pub(super) fn has_room_for_one(&self) -> bool {
        self.buffer_half < self.smss
    }

    /// All is acknowledged: if something has been lost, no segment fills more than half of such a buffer from now on.
    pub(super) fn divide(&mut self) {
        if self.lossy && self.has_room_for_one() {
            self.smss = self.buffer_half;
        }
    }

    /// SND.UNA has advanced: if much was acknowledged since something was last sent again, segments are whole again.
    pub(super) fn unite_if_sound(&mut self, numbers: Numbers) {
        let buffer = 2 * u32::from(self.buffer_half);
        let sound = numbers.snd_una.ahead_of(self.fast.mark()).max(0).unsigned_abs();
        if self.is_divided() && sound >= SOUND * buffer {
            self.unite();
            self.lossy = false;
        }
    }

    /// True if the peer acknowledges at once what is in flight: two whole segments, or more than one of those that are
    /// divided, which Linux takes for whole ones.
    pub(super) fn are_several(&self, numbers: Numbers) -> bool {
        let least = if self.is_divided() { u32::from(self.smss) + 1 } else { 2 * u32::from(self.smss) };
        numbers.in_flight() >= least
    }

    /// Segments are not divided any more.
    fn unite(&mut self) {
        self.smss = self.whole_smss;
    }

    /// True if segments carry half of the send buffer.
    pub(super) fn is_divided(&self) -> bool {
        self.smss < self.whole_smss
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_that_are_whole_again_are_as_long_as_the_path_takes() {
        for path_is_narrow in [false, true] {
            let mut recovery = Recovery { path_is_narrow, lossy: true, ..Recovery::new(1260, 1000, true) };
            let whole = (path_is_narrow, 1260, 1000);
            recovery.unite();
            assert_eq!((recovery.is_narrow(), recovery.smss, recovery.buffer_half), whole);
            for _ in 0..2 {
                recovery.divide();
                assert_eq!((recovery.is_narrow(), recovery.smss), (true, 1000));
            }
            recovery.unite();
            assert_eq!((recovery.is_narrow(), recovery.smss, recovery.buffer_half), whole);
        }
    }
}
