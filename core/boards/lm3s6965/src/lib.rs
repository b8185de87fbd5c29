//! What the LM3S6965 supplies to the core: a device, a clock, entropy, and sleep until any of them has something new.
//!
//! The LM3S6965 has a Cortex-M3, 256 KiB of flash, 64 KiB of RAM and an Ethernet controller; QEMU emulates it as
//! `lm3s6965evb`. The registers are those of its data sheet. Nothing here has been run on a real one.

#![no_std]

pub mod alarm;
pub mod clock;
mod copy;
mod crash;
#[cfg(feature = "embassy")]
pub mod embassy;
pub mod entropy;
#[cfg(feature = "log")]
pub mod logger;
pub mod mac;
pub mod power;
mod vectors;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;

/// The interrupts that end a sleep, beside SysTick's. In the board's own loop they are never handled but only pend, as
/// interrupts stay disabled: `wfi` wakes for them all the same, and nothing can happen between a last look and falling
/// asleep. On embassy, they have handlers, which wake a task: see `embassy`.
#[derive(Debug, Clone, Copy)]
enum Interrupt {
    Timer0A = 19,
    Ethernet = 42,
}

// SAFETY: these are numbers of the chip's vector table (data sheet, table 2-9), always the same for the same value.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}

impl Interrupt {
    /// Lets the interrupt end a sleep.
    fn enable(self) {
        // SAFETY: nobody relies on its being masked: critical sections mask all interrupts by PRIMASK.
        unsafe { NVIC::unmask(self) };
    }

    /// Forgets that it was raised. It pends again at once if its source has not been acknowledged before.
    fn clear(self) {
        NVIC::unpend(self);
    }
}

// The figures for this processor in core/README.md.
const _: () = {
    use shout_core::{Memory, Server};
    assert!(size_of::<Memory<'static, 2>>() - size_of::<Memory<'static, 1>>() <= 2630);
    let log = if cfg!(feature = "log") { 500 } else { 0 };
    assert!(size_of::<Server<'static>>() + size_of::<Memory<'static, 0>>() <= 7000 + log);
};
