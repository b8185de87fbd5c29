//! smoltcp does not probe for the loss of a last segment: it waits for its retransmission timer, a second at least.
//!
//! RFC 8985, section 7: a probe comes before the first timeout, and leaves the congestion window and the timeout as they
//! are. It waits for the longest delay of an acknowledgement, as it cannot be told from the loss of what is probed for;
//! so it comes when Linux's does, which is capped by the timeout (section 7.2, `TLP_calc_PTO`). What is sent is the first
//! segment that was not acknowledged: where the last one was lost, that is it.
//!
//! Where SACK or duplicates have told of a hole, no acknowledgement is delayed (RFC 5681, section 4.2): whoever fills the hole
//! and hears nothing fills it again after a few milliseconds. Neither is that of several whole segments (RFC 9293, section
//! 3.8.6.3: every second one is acknowledged at once), and Linux probes for the loss of their last one after two round trips. But some
//! peers do delay it, who shall be sent nothing twice where nothing is lost: so this is for connections on which something has
//! been lost.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `a_lost_last_segment_waits_for_a_second`
//! Kept by: core/src/tests/retransmission_timer.rs, core/src/tests/loss.rs, core/src/tests/longer_round_trips.rs

use smoltcp::time::Instant;

use crate::tcp::segment::Segment;
use crate::tcp::seq::Seq;
use crate::tcp::socket::fast_recovery::Phase;
use crate::tcp::socket::recovery::{Numbers, Recovery};
use crate::tcp::socket::retransmission_timer::RetransmissionTimer;

/// The shortest time, in microseconds, in which an immediate acknowledgement is missed.
const HOLE: u32 = 5_000;
/// The shortest time in which the acknowledgement of several segments is missed that the peer does not delay.
const SEVERAL: u32 = 10_000;
/// The shortest time for which a segment may be overtaken by others.
const REORDERING: u32 = 1_000;

/// The probes since SND.UNA advanced.
#[derive(Debug)]
pub(crate) struct TailLossProbe {
    /// A probe was sent.
    sent: bool,
    /// How often the first segment was sent again before the timeout, without that probe.
    fillings: u8,
}

impl TailLossProbe {
    pub(crate) const NEW: TailLossProbe = TailLossProbe { sent: false, fillings: 0 };

    /// True if a probe was sent.
    pub(super) fn was_sent(&self) -> bool {
        self.sent || self.fillings > 0
    }

    /// True if a probe is to be sent in place of a timeout.
    pub(super) fn takes(&mut self, timer: &RetransmissionTimer) -> bool {
        let takes = !self.sent && timer.backoff == 0;
        self.sent = true;
        takes
    }

    /// How long to wait, in microseconds, for the acknowledgement of a segment that fills a hole; None: as long as the
    /// timeout.
    pub(super) fn patience(&self, timer: &RetransmissionTimer) -> Option<u32> {
        self.patience_of(timer, HOLE)
    }

    /// The same for the acknowledgement of several segments.
    pub(super) fn patience_without_hole(&self, timer: &RetransmissionTimer) -> Option<u32> {
        self.patience_of(timer, SEVERAL)
    }

    fn patience_of(&self, timer: &RetransmissionTimer, least: u32) -> Option<u32> {
        let patience = self.doubled(timer.two_round_trips(least));
        (patience < timer.backed_off()).then_some(patience)
    }

    /// The first segment is sent again before the timeout.
    pub(super) fn fills_again(&mut self) {
        self.fillings = self.fillings.saturating_add(1);
    }

    /// How long to wait, in microseconds, for a segment that others have overtaken: a quarter of a round trip (RFC 8985, section 6.2).
    pub(super) fn reordering(timer: &RetransmissionTimer) -> u32 {
        (timer.shortest / 4).max(REORDERING)
    }

    /// The same for a segment that was sent again. Each time longer, or else a peer could draw it with each byte that it says to have.
    pub(super) fn reordering_again(&self, timer: &RetransmissionTimer) -> u32 {
        self.doubled(TailLossProbe::reordering(timer))
    }

    /// Twice as long for each time that the first segment was sent again.
    fn doubled(&self, micros: u32) -> u32 {
        micros.saturating_mul(1 << self.fillings.min(16))
    }
}

impl Recovery {
    /// How long the acknowledgement of the first segment may take, in microseconds, if the peer does not delay it. None: as long as the
    /// timeout.
    pub(super) fn patience(&self, numbers: Numbers) -> Option<u32> {
        if self.tells_of_hole(numbers) {
            self.probe.patience(&self.timer)
        } else if self.lossy && self.are_several(numbers) {
            self.probe.patience_without_hole(&self.timer)
        } else {
            None
        }
    }

    /// SND.UNA has advanced. True if a probe was sent, nothing is known to be lost, and the answer to the probe can be here already:
    /// as BSD has it, after half a round trip.
    pub(super) fn was_probe_needed(&mut self, now: Instant) -> bool {
        let probed = self.probe.was_sent() && self.fast.phase == Phase::Open;
        let is_needless = probed && self.timer.runs_for(now) < self.timer.shortest / 2;
        // Without SACK, no peer says that something has come twice.
        if is_needless || !self.sack_permitted && (probed || self.timer.backoff > 0) {
            self.timer.postpone();
        }
        probed && !is_needless
    }

    /// Takes note of a D-SACK (RFC 2883) of what was acknowledged before: it was sent again too early, as round trips have become
    /// longer. Where a first acknowledgement was lost, it comes with the D-SACK. A single byte is what the peer is asked with.
    #[cold]
    #[inline(never)]
    pub(super) fn hears_twice(&mut self, segment: &Segment<'_>, before: Seq) {
        if let Some((left, right)) = segment.tcp.sack_ranges[0]
            && !Seq(right).is_after(before)
            && Seq(right).ahead_of(Seq(left)) > 1
        {
            self.timer.postpone();
        }
    }

    /// A segment leaves while nothing is known to be lost: brings the tail loss probe forward.
    #[cold]
    #[inline(never)]
    pub(super) fn hasten_probe(&mut self, now: Instant, numbers: Numbers) {
        if let Some(patience) = self.patience(numbers) {
            self.timer.hasten(now, patience);
        }
    }

    /// True if the peer has something behind a hole.
    /// Without SACK, something has to be in flight behind the first segment.
    pub(super) fn tells_of_hole(&self, numbers: Numbers) -> bool {
        self.fast.duplicates > 0 && numbers.in_flight() > u32::from(self.smss) || !self.sack.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That of a connection whose round trips all took so long.
    fn timer(round_trip: u32) -> RetransmissionTimer {
        let mut timer = RetransmissionTimer::NEW;
        for _ in 0..100 {
            timer.time(Instant::ZERO, Seq(1));
            timer.measure(Instant::from_micros(round_trip), Seq(1));
        }
        timer
    }

    #[test]
    fn a_wait_is_two_round_trips_and_doubles_until_the_timeout_is_not_longer() {
        let (mut probe, timer) = (TailLossProbe::NEW, timer(20_000));
        assert_eq!(timer.backed_off(), 226_000);
        for patience in [Some(40_000), Some(80_000), Some(160_000), None] {
            assert_eq!(probe.patience(&timer), patience);
            assert_eq!(probe.patience_without_hole(&timer), patience);
            probe.fills_again();
        }
        let timer = self::timer(206_000);
        assert_eq!((timer.two_round_trips(0), timer.backed_off()), (412_000, 412_000));
        assert_eq!(TailLossProbe::NEW.patience(&timer), None);
    }

    #[test]
    fn each_retransmission_may_be_overtaken_for_twice_as_long() {
        let (mut probe, timer) = (TailLossProbe::NEW, timer(20_000));
        for wait in [5000, 10_000, 20_000, 40_000] {
            assert_eq!(probe.reordering_again(&timer), wait);
            assert_eq!(TailLossProbe::reordering(&timer), 5000);
            assert_eq!(TailLossProbe::reordering(&self::timer(1000)), 1000);
            probe.fills_again();
        }
    }
}
