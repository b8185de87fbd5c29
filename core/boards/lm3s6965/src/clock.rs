//! Time: SysTick's 24 bits, extended to 64.

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{SCB, SYST};
use shout_core::smoltcp::time::Instant;

use crate::power::CLOCKS_A_MICROSECOND;

/// Clocks a round of the counter: a third of a second.
const ROUND: u32 = 1 << 24;

/// Looks at a counter at zero before it is taken to be broken: it goes on after one clock, but an emulator takes its time.
const LOOKS: u32 = 1_000_000;

/// A clock that does not wrap in 11,000 years. Ask it at least once in each round of SysTick, whose interrupt pends
/// once a round and so ends a sleep in time.
pub struct Clock {
    systick: SYST,
    /// Clocks until the present round began, at which the counter was zero.
    before: u64,
}

impl Clock {
    /// Starts at zero.
    pub fn start(mut systick: SYST) -> Clock {
        systick.set_clock_source(SystClkSource::Core);
        systick.set_reload(ROUND - 1);
        systick.clear_current();
        systick.enable_interrupt();
        systick.enable_counter();
        moving();
        Clock { systick, before: 0 }
    }

    /// The time since the start.
    pub fn now(&mut self) -> Instant {
        // In this order: should the round end in between, the flag says so.
        let mut left = SYST::get_current();
        if self.systick.has_wrapped() {
            self.before += u64::from(ROUND);
            left = moving();
        }
        // Zero: the round is over, and the flag is about to be set.
        let clocks = self.before + u64::from(ROUND.saturating_sub(left));
        let micros = clocks / u64::from(CLOCKS_A_MICROSECOND);
        Instant::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }

    /// Forgets that a round has ended, as far as sleep goes.
    pub fn acknowledge(&mut self) {
        SCB::clear_pendst();
    }
}

/// The counter once it has left zero, where it stands at the start and for a clock after the flag is set: taken for the
/// end of the new round, that would put time forward by a whole one.
fn moving() -> u32 {
    (0..LOOKS).map(|_| SYST::get_current()).find(|&left| left != 0).unwrap_or(ROUND)
}
