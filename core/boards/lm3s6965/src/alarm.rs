//! An alarm: timer 0 raises an interrupt at a deadline.
//!
//! SysTick could do this too, but to shorten its round would lose clocks with each sleep.

use shout_core::smoltcp::time::Duration;
use tock_registers::interfaces::Writeable;
use tock_registers::registers::{ReadWrite, WriteOnly};
use tock_registers::{register_bitfields, register_structs};

use crate::Interrupt;
use crate::power::CLOCKS_A_MICROSECOND;

register_structs! {
    Timer {
        (0x00 => configuration: ReadWrite<u32, Configuration::Register>),
        (0x04 => mode: ReadWrite<u32, Mode::Register>),
        (0x08 => _reserved0),
        (0x0c => control: ReadWrite<u32, Control::Register>),
        (0x10 => _reserved1),
        (0x18 => interrupt_mask: ReadWrite<u32, TimeOut::Register>),
        (0x1c => _reserved2),
        (0x24 => interrupt_clear: WriteOnly<u32, TimeOut::Register>),
        (0x28 => interval: ReadWrite<u32>),
        (0x2c => @END),
    }
}

register_bitfields! [u32,
    Configuration [WIDTH OFFSET(0) NUMBITS(3) [Bits32 = 0]],
    Mode [MODE OFFSET(0) NUMBITS(2) [OneShot = 1]],
    Control [ENABLED OFFSET(0) NUMBITS(1) []],
    TimeOut [TIME_OUT OFFSET(0) NUMBITS(1) []]
];

/// Timer 0, which goes off once after it was set.
pub struct Alarm {
    timer: &'static Timer,
}

// SAFETY: nobody else has the timer, and its registers are at the same address whoever looks.
unsafe impl Send for Alarm {}

impl Alarm {
    /// An alarm that is not set. There must be only one.
    pub fn new() -> Alarm {
        // SAFETY: the chip has these registers at this address. They only count and raise an interrupt: two users
        // would wake at wrong times, and no more.
        let timer = unsafe { &*(0x4003_0000 as *const Timer) };
        timer.control.write(Control::ENABLED::CLEAR);
        timer.configuration.write(Configuration::WIDTH::Bits32);
        timer.mode.write(Mode::MODE::OneShot);
        timer.interrupt_mask.write(TimeOut::TIME_OUT::SET);
        Interrupt::Timer0A.enable();
        Alarm { timer }
    }

    /// Sets the alarm, be it already set or not; it may go off early, for a time that is more than 85 s away.
    pub fn set(&mut self, after: Duration) {
        let clocks = after.total_micros().saturating_mul(CLOCKS_A_MICROSECOND.into());
        self.timer.control.write(Control::ENABLED::CLEAR);
        self.timer.interval.set(u32::try_from(clocks).unwrap_or(u32::MAX).max(1));
        self.timer.control.write(Control::ENABLED::SET);
    }

    /// Unsets the alarm, and forgets that it went off.
    pub fn clear(&mut self) {
        self.timer.control.write(Control::ENABLED::CLEAR);
        self.timer.interrupt_clear.write(TimeOut::TIME_OUT::SET);
        Interrupt::Timer0A.clear();
    }
}

impl Default for Alarm {
    fn default() -> Alarm {
        Alarm::new()
    }
}
