//! The time that the core is told: monotonic, in microseconds since the start of the program.

use core::time::Duration;

use smoltcp::time::Instant;

/// A monotonic clock. smoltcp's own `Instant::now()` follows the wall clock and can go back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: std::time::Instant,
}

impl Clock {
    /// A clock that shows 0 now.
    pub(crate) fn start() -> Self {
        Self { origin: std::time::Instant::now() }
    }

    /// The time, rounded down to a whole microsecond.
    pub(crate) fn now(&self) -> Instant {
        // Microseconds fit in 63 bits for 292,000 years.
        Instant::from_micros(i64::try_from(self.origin.elapsed().as_micros()).unwrap_or(i64::MAX))
    }

    /// How long it is until `at`, to the nanosecond; zero if it has come.
    ///
    /// A sleep of this length ends at `at` or after it: were the rounded [`now`](Self::now) subtracted instead, it
    /// would end up to a microsecond early and the loop would go round once for nothing.
    pub(crate) fn until(&self, at: Instant) -> Duration {
        let micros = u64::try_from(at.total_micros()).unwrap_or(0);
        Duration::from_micros(micros).saturating_sub(self.origin.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_has_come_once_the_time_until_it_has_passed() {
        let clock = Clock::start();
        let deadline = clock.now() + smoltcp::time::Duration::from_micros(300);
        while !clock.until(deadline).is_zero() {
            core::hint::spin_loop();
        }
        assert!(clock.now() >= deadline);
    }

    #[test]
    fn the_past_is_no_time_away() {
        let clock = Clock::start();
        assert_eq!(clock.until(Instant::from_micros(-5)), Duration::ZERO);
        assert_eq!(clock.until(clock.now()), Duration::ZERO);
    }
}
