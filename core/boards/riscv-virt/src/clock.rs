//! Time and the alarm: the CLINT's counter, which does not wrap in 58,000 years, and its one comparison.

use riscv::register::mie;
use shout_core::smoltcp::time::{Duration, Instant};
use tock_registers::interfaces::{Readable, Writeable};
use tock_registers::register_structs;
use tock_registers::registers::{ReadOnly, ReadWrite};

const TICKS_A_MICROSECOND: u64 = 10;

register_structs! {
    Clint {
        (0x0000 => _reserved0),
        (0x4000 => compare: [ReadWrite<u32>; 2]),
        (0x4008 => _reserved1),
        (0xbff8 => time: [ReadOnly<u32>; 2]),
        (0xc000 => @END),
    }
}

/// The clock, with an alarm that ends a sleep.
pub struct Clock {
    clint: &'static Clint,
}

impl Clock {
    /// A clock whose alarm is not set. There must be only one.
    pub fn start() -> Clock {
        // SAFETY: the machine has these registers at this address. They only count and raise an interrupt: two users
        // would wake at wrong times, and no more.
        let mut clock = Clock { clint: unsafe { &*(0x0200_0000 as *const Clint) } };
        clock.clear_alarm();
        // SAFETY: it only ends a sleep, as interrupts stay disabled: see `interrupts`.
        unsafe { mie::set_mtimer() };
        clock
    }

    /// The time since the machine was switched on.
    pub fn now(&self) -> Instant {
        Instant::from_micros(i64::try_from(self.ticks() / TICKS_A_MICROSECOND).unwrap_or(i64::MAX))
    }

    /// Sets the alarm, be it already set or not.
    pub fn set_alarm(&mut self, after: Duration) {
        self.compare_with(
            self.ticks().saturating_add(after.total_micros().saturating_mul(TICKS_A_MICROSECOND)),
        );
    }

    /// Unsets the alarm, and forgets that it went off.
    pub fn clear_alarm(&mut self) {
        self.compare_with(u64::MAX);
    }

    fn ticks(&self) -> u64 {
        // The lower half may wrap between two reads.
        loop {
            let [low, high] = &self.clint.time;
            let (before, low, after) = (high.get(), low.get(), high.get());
            if before == after {
                return u64::from(after) << 32 | u64::from(low);
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "in halves")]
    fn compare_with(&self, ticks: u64) {
        let [low, high] = &self.clint.compare;
        // In this order, no value in between is earlier than both (RISC-V Privileged, section 3.2.1).
        low.set(u32::MAX);
        high.set((ticks >> 32) as u32);
        low.set(ticks as u32);
    }
}
