//! smoltcp's retransmission timer starts at a second, doubles until a round trip is measured, however often SND.UNA advances
//! in between, and is brought forward by no sign of life.
//!
//! RFC 6298: the timeout follows the round trips, and the back-off is for a segment that is lost again and again; a segment
//! that was sent twice measures nothing. Linux starts at 200 ms, and takes the back-off back when SND.UNA advances. So
//! the timeouts are our own, and each orders a retransmission ([`recovery`](super::recovery)). Where a round trip takes nearly a
//! second or more, smoltcp's timer may fire before ours, as it does not allow for a delayed acknowledgement: what it sends again
//! is thrown away ([`holes`](super::holes)). The SYN|ACK is left to smoltcp's timer.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `the_retransmission_timer_doubles_without_end`,
//! `the_back_off_is_kept_when_snd_una_advances`, `a_peer_that_is_heard_again_waits_for_the_timer`
//! Kept by: core/src/tests/retransmission_timer.rs

use smoltcp::time::{Duration, Instant};

use crate::tcp::seq::Seq;
use crate::tcp::timers::NEVER;

/// Before a round trip has been measured, in microseconds (RFC 6298, section 2.1).
const INITIAL: u32 = 1_000_000;
/// What is added to the smoothed round trip at least: longer than the 200 ms for which peers delay an acknowledgement. Linux's 200 ms
/// are 204 to 208 where its ticks are 4 ms, as both are rounded up; what a peer's own ticks add to its delay is in between.
const MARGIN: u32 = 206_000;
/// The longest timeout (RFC 6298, section 2.5: 60 seconds at least).
const LONGEST: u32 = 60_000_000;
/// smoltcp's timer runs for this long at least.
const SMOLTCP: u32 = 1_000_000;
/// A peer that is heard, and acknowledges nothing, is sent the first segment again this often.
const HEARD: Duration = Duration::from_secs(1);
/// Waits are doubled this often at most for what was sent again too early.
const NEEDLESS: u8 = 2;

/// Round trips and the timeout. All times are in microseconds.
#[derive(Debug)]
pub(crate) struct RetransmissionTimer {
    /// SRTT; 0 before the first measurement.
    srtt: u32,
    /// RTTVAR.
    rttvar: u32,
    /// The shortest round trip of late: it follows shorter ones at once, and longer ones slowly.
    pub(super) shortest: u32,
    /// The time at which the segment left that is being timed, modulo 2^32, and where it ends.
    timed_at: u32,
    timed_end: Seq,
    timing: Timing,
    /// How often the timeout was doubled.
    pub(super) backoff: u8,
    /// How often something was sent again too early since a round trip was last measured, up to [`NEEDLESS`].
    needless: u8,
    /// How long it runs; 0: it does not run.
    interval: u32,
    started: Instant,
}

/// How the segment that is being timed may be acknowledged to measure a round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timing {
    /// None is being timed.
    Off,
    /// Anyhow.
    On,
    /// By SACK alone: SND.UNA waits for something else that was lost.
    Selective,
}

impl RetransmissionTimer {
    pub(crate) const NEW: RetransmissionTimer = RetransmissionTimer {
        srtt: 0,
        rttvar: 0,
        shortest: 0,
        timed_at: 0,
        timed_end: Seq(0),
        timing: Timing::Off,
        backoff: 0,
        needless: 0,
        interval: 0,
        started: Instant::ZERO,
    };

    /// Times the segment that ends here, unless another one is being timed. The SYN|ACK is the only one that comes here again.
    #[inline]
    pub(super) fn time(&mut self, now: Instant, end: Seq) {
        if self.timing == Timing::Off {
            (self.timing, self.timed_end, self.timed_at) = (Timing::On, end, micros(now));
        } else if self.timed_end == end {
            self.timing = Timing::Selective;
        }
    }

    /// A segment is sent again. Karn's algorithm: it measures nothing, and what is acknowledged with it neither.
    pub(super) fn repeats(&mut self, seq: Seq, end: Seq) {
        let is_timed = seq.is_before(self.timed_end) && !self.timed_end.is_after(end);
        self.timing = match self.timing {
            Timing::On | Timing::Selective if !is_timed => Timing::Selective,
            _ => Timing::Off,
        };
    }

    /// Takes the round trip of the segment that is being timed, if it has been acknowledged (RFC 6298, section 2).
    #[inline]
    pub(super) fn measure(&mut self, now: Instant, snd_una: Seq) {
        if self.timing != Timing::Off && !snd_una.is_before(self.timed_end) {
            if self.timing == Timing::On {
                self.take_round_trip(now);
            }
            self.timing = Timing::Off;
        }
    }

    /// The same if the segment has arrived, as SACK tells of this block.
    pub(super) fn measure_block(&mut self, now: Instant, (left, right): (Seq, Seq)) {
        if self.timing != Timing::Off && left.is_before(self.timed_end) && !right.is_before(self.timed_end) {
            self.take_round_trip(now);
            self.timing = Timing::Off;
        }
    }

    #[cfg_attr(feature = "fast", inline(always))]
    fn take_round_trip(&mut self, now: Instant) {
        let rtt = micros(now).wrapping_sub(self.timed_at).clamp(1, LONGEST);
        self.needless = 0;
        if self.srtt == 0 {
            (self.srtt, self.rttvar, self.shortest) = (rtt, rtt / 2, rtt);
        } else {
            // RTTVAR <- 3/4 RTTVAR + 1/4 |SRTT - R'|; SRTT <- 7/8 SRTT + 1/8 R'
            self.rttvar = (3 * self.rttvar + self.srtt.abs_diff(rtt)) / 4;
            self.srtt = (7 * self.srtt + rtt).div_ceil(8);
            self.shortest = rtt.min(self.shortest + rtt.saturating_sub(self.shortest) / 8);
        }
    }

    /// RTO, not backed off.
    #[inline]
    fn timeout(&self) -> u32 {
        match self.srtt {
            0 => INITIAL,
            srtt => (srtt + (4 * self.rttvar).max(MARGIN)).min(LONGEST),
        }
    }

    /// RTO, backed off.
    pub(super) fn backed_off(&self) -> u32 {
        self.timeout().saturating_mul(1 << (self.backoff + self.needless).min(8)).min(LONGEST)
    }

    /// Two round trips, in which an immediate acknowledgement comes (RFC 8985, section 7.2), `least` at least. Of the short
    /// ones: where acknowledgements get lost, SRTT is what the peer's timeouts make of it.
    pub(super) fn two_round_trips(&self, least: u32) -> u32 {
        match self.shortest {
            0 => INITIAL,
            shortest => ((2 * shortest) << self.needless).max(least),
        }
    }

    /// Something was sent again too early: waits are doubled until a round trip is measured, which Karn's algorithm does not allow of
    /// what comes again.
    pub(super) fn postpone(&mut self) {
        self.needless = (self.needless + 1).min(NEEDLESS);
    }

    /// Starts the timer, unless it runs (RFC 6298, section 5.1).
    #[inline]
    pub(super) fn ensure(&mut self, now: Instant) {
        if self.interval == 0 {
            self.restart(now);
        }
    }

    /// Starts the timer anew.
    #[inline]
    pub(super) fn restart(&mut self, now: Instant) {
        self.start(now, self.backed_off());
    }

    pub(super) fn start(&mut self, now: Instant, interval: u32) {
        (self.started, self.interval) = (now, interval);
    }

    /// Has the timer run on after it was stopped, for the retransmission timeout.
    pub(super) fn resume(&mut self) {
        self.interval = self.backed_off();
    }

    /// True if smoltcp's timer, which was started at the same time, may fire before this one.
    #[inline]
    pub(super) fn may_be_overtaken(&self, now: Instant) -> bool {
        self.interval > SMOLTCP && now >= self.started + micros_long(SMOLTCP) && now < self.at()
    }

    /// Brings the timer forward to `interval` from now, if it would fire later.
    pub(super) fn hasten(&mut self, now: Instant, interval: u32) {
        if now + micros_long(interval) < self.at() {
            self.start(now, interval);
        }
    }

    /// The peer was heard, and acknowledges nothing: brings a timer forward that has been backed off.
    pub(super) fn heard(&mut self) {
        if self.backoff > 0 {
            let soon = HEARD.total_micros().try_into().unwrap_or(LONGEST).max(self.timeout());
            self.interval = self.interval.min(soon);
        }
    }

    /// Nothing is in flight any more (RFC 6298, section 5.2).
    #[inline]
    pub(super) fn stop(&mut self) {
        self.interval = 0;
    }

    /// For how long the timer has been running, if it runs, in microseconds.
    pub(super) fn runs_for(&self, now: Instant) -> u32 {
        (now - self.started).total_micros().try_into().unwrap_or(u32::MAX)
    }

    /// How long the timer runs.
    pub(super) fn interval(&self) -> Duration {
        micros_long(self.interval)
    }

    /// When it fires.
    #[inline]
    pub(crate) fn at(&self) -> Instant {
        match self.interval {
            0 => NEVER,
            interval => self.started + micros_long(interval),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "modulo 2^32")]
fn micros(now: Instant) -> u32 {
    now.total_micros() as u32
}

fn micros_long(micros: u32) -> Duration {
    Duration::from_micros(u64::from(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u32) -> Instant {
        Instant::from_micros(micros)
    }

    /// That of a connection with these round trips.
    fn after(round_trips: &[u32]) -> RetransmissionTimer {
        let mut timer = RetransmissionTimer::NEW;
        for &round_trip in round_trips {
            timer.time(at(0), Seq(1));
            timer.measure(at(round_trip), Seq(1));
        }
        timer
    }

    /// That of a connection whose segment up to 20 is being timed.
    fn timing() -> RetransmissionTimer {
        let mut timer = RetransmissionTimer::NEW;
        timer.time(at(0), Seq(20));
        timer
    }

    /// RFC 6298, sections 2.2 and 2.3.
    #[test]
    fn the_timeout_is_srtt_and_four_times_rttvar() {
        assert_eq!(after(&[]).backed_off(), 1_000_000);
        assert_eq!(after(&[1000]).backed_off(), 207_000);
        assert_eq!(after(&[200_000]).backed_off(), 200_000 + 4 * 100_000);
        assert_eq!(after(&[200_000, 200_000]).backed_off(), 200_000 + 4 * 75_000);
        assert_eq!(after(&[200_000, 280_000]).backed_off(), 210_000 + 4 * 95_000);
        assert_eq!(after(&[200_000, 120_000]).backed_off(), 190_000 + 4 * 95_000);
    }

    #[test]
    fn the_shortest_round_trip_follows_shorter_ones_at_once_and_longer_ones_slowly() {
        assert_eq!(after(&[]).two_round_trips(5000), 1_000_000);
        assert_eq!(after(&[1000]).two_round_trips(5000), 5000);
        assert_eq!(after(&[8000]).two_round_trips(5000), 16_000);
        assert_eq!(after(&[8000, 4000]).two_round_trips(5000), 8000);
        assert_eq!(after(&[8000, 16_000]).two_round_trips(5000), 18_000);
    }

    /// Karn's algorithm.
    #[test]
    fn what_was_sent_again_measures_nothing_and_what_left_behind_it_by_sack_alone() {
        for (seq, end, by_sack) in [(10, 20, 0), (15, 25, 0), (0, 10, 7), (10, 15, 7), (20, 30, 7)] {
            let mut timer = timing();
            timer.repeats(Seq(seq), Seq(end));
            let mut selective = timing();
            selective.repeats(Seq(seq), Seq(end));
            timer.measure(at(7), Seq(20));
            selective.measure_block(at(7), (Seq(10), Seq(20)));
            assert_eq!((timer.srtt, selective.srtt), (0, by_sack), "{seq} to {end}");
        }
    }

    #[test]
    fn only_what_covers_the_end_of_the_timed_segment_measures_it_and_only_once() {
        let mut timer = timing();
        timer.measure(at(3), Seq(19));
        for (left, right) in [(5, 19), (20, 30)] {
            timer.measure_block(at(3), (Seq(left), Seq(right)));
        }
        assert_eq!(timer.srtt, 0);
        timer.measure_block(at(7), (Seq(10), Seq(20)));
        assert_eq!(timer.srtt, 7);
        timer.measure(at(1000), Seq(20));
        timer.measure_block(at(1000), (Seq(10), Seq(20)));
        assert_eq!(timer.srtt, 7);
    }

    #[test]
    fn a_timer_is_brought_forward_and_never_put_off() {
        let mut timer = RetransmissionTimer::NEW;
        timer.start(at(0), 100);
        timer.hasten(at(50), 60);
        assert_eq!(timer.at(), at(100));
        timer.hasten(at(50), 40);
        assert_eq!(timer.at(), at(90));
    }

    #[test]
    fn a_timer_may_be_overtaken_from_when_smoltcps_may_fire_until_it_fires_itself() {
        let mut timer = RetransmissionTimer::NEW;
        assert!(!timer.may_be_overtaken(at(2 * SMOLTCP)));
        timer.start(at(7), 2 * SMOLTCP);
        let times = [SMOLTCP + 6, SMOLTCP + 7, 2 * SMOLTCP + 6, 2 * SMOLTCP + 7];
        assert_eq!(times.map(|now| timer.may_be_overtaken(at(now))), [false, true, true, false]);
    }

    #[test]
    fn a_timer_that_was_backed_off_comes_within_a_second_once_the_peer_is_heard() {
        for (backoff, interval) in [(0, 5), (1, 1)] {
            let mut timer = RetransmissionTimer { backoff, ..RetransmissionTimer::NEW };
            timer.heard();
            assert_eq!(timer.at(), NEVER);
            timer.start(at(0), 5_000_000);
            timer.heard();
            assert_eq!(timer.interval(), Duration::from_secs(interval));
        }
    }
}
