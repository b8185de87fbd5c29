//! What of all that was sent is lost, how much is in the network, and what may leave (RFC 6675, section 4).

use crate::tcp::seq::Seq;
use crate::tcp::socket::fast_recovery::Phase;
use crate::tcp::socket::recovery::Recovery;

/// What is to be done with the segment that smoltcp would send next, where it has gone back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is lost, and there is room for it.
    Send,
    /// It has arrived, or is under way.
    Skip,
    /// It is lost, and there is no room for it yet.
    Wait,
}

/// The numbers of a connection that a recovery goes by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    pub(super) snd_una: Seq,
    pub(super) snd_max: Seq,
}

impl Numbers {
    pub(super) fn in_flight(self) -> u32 {
        self.snd_max.ahead_of(self.snd_una).max(0).unsigned_abs()
    }
}

impl Recovery {
    /// One past the last byte that is lost unless it has arrived.
    fn lost_to(&self, numbers: Numbers) -> Seq {
        match self.fast.phase {
            Phase::Open => numbers.snd_una,
            Phase::Recovery => self.sack.highest(numbers.snd_una),
            Phase::Loss => self.fast.recover(),
        }
    }

    /// One past the last byte that was sent again or acknowledged: HighRxt, or SND.UNA where that is ahead of it.
    pub(super) fn repeated_to(&self, snd_una: Seq) -> Seq {
        self.high_rxt.max(snd_una)
    }

    /// How much is in the network (RFC 6675, section 4): what was sent, less what has arrived, and less what is lost and was not sent again.
    fn pipe(&self, numbers: Numbers) -> u32 {
        let Numbers { snd_una, snd_max } = numbers;
        let repeated = self.repeated_to(snd_una);
        let lost = match self.fast.phase {
            Phase::Open => 0,
            Phase::Recovery | Phase::Loss => {
                let to = self.lost_to(numbers).max(repeated);
                let distance = to.ahead_of(repeated).unsigned_abs();
                distance - (self.sack.bytes_before(to) - self.sack.bytes_before(repeated)).min(distance)
            }
        };
        let arrived = match self.sack_permitted {
            true => self.sack.bytes(),
            false => u32::from(self.fast.duplicates) * u32::from(self.smss),
        };
        Numbers { snd_una, snd_max }.in_flight().saturating_sub(arrived + lost)
    }

    /// What is to be done with the segment that begins at `at`.
    pub(super) fn step(&self, numbers: Numbers, at: Seq) -> Step {
        if at.is_before(self.resume)
            || !at.is_before(self.lost_to(numbers))
            || self.sack.end_of_block(at).is_some()
        {
            Step::Skip
        } else if self.window.permits(self.pipe(numbers), self.smss) {
            Step::Send
        } else {
            Step::Wait
        }
    }

    /// Where that ends which is not to be sent from `at` on.
    pub(super) fn skip_to(&self, numbers: Numbers, at: Seq) -> Seq {
        let block_end = self.sack.end_of_block(at);
        if at.is_before(self.resume) {
            block_end.unwrap_or(self.resume).max(self.resume)
        } else if at.is_before(self.lost_to(numbers)) {
            block_end.unwrap_or(at)
        } else {
            numbers.snd_max
        }
    }

    /// True if what is to be sent again is the segment at SND.UNA and nothing behind it.
    pub(super) fn repeats_first(&self, numbers: Numbers) -> bool {
        let first = numbers.snd_una + u32::from(self.smss);
        !self.resume.is_after(numbers.snd_una) && !self.sack.has_hole(first, self.lost_to(numbers))
    }

    /// True if another segment with data may leave, if there is any that the peer's window has room for; `end`: of all that
    /// there is to send and has room. A probe's byte that is in flight takes no room, as it leaves again with what is behind it.
    #[inline]
    pub(super) fn permits(&self, numbers: Numbers, end: Seq) -> bool {
        !end.is_after(self.snd_nxt)
            || self.is_idle(numbers.snd_una)
            || self.window.permits(self.pipe(numbers), self.smss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// smoltcp's SND.NXT is SND.UNA then. If nothing left, nothing would ever be acknowledged.
    #[test]
    fn where_nothing_but_a_probes_byte_is_in_flight_a_segment_may_leave() {
        let mut recovery = Recovery::new(1000, 1000, false);
        recovery.window.collapse(1, 1000, true);
        let numbers = Numbers { snd_una: Seq(1), snd_max: Seq(2) };
        for (snd_nxt, permits) in [(2, false), (1, true)] {
            recovery.snd_nxt = Seq(snd_nxt);
            assert_eq!(recovery.permits(numbers, Seq(1001)), permits);
        }
    }
}
