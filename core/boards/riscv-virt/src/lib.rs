//! What QEMU's `virt` machine supplies to the core: a device, a clock, entropy, and sleep until any of them has something
//! new.
//!
//! `virt` is no chip but QEMU's own: 32-bit RISC-V, a timer (CLINT), an interrupt controller (PLIC), and virtio devices
//! behind memory-mapped registers. The addresses are those of QEMU's `hw/riscv/virt.c`. Everything runs in machine mode.

#![no_std]

pub mod clock;
mod console;
mod crash;
mod dma;
pub mod entropy;
pub mod interrupts;
pub mod network;
mod slots;

pub use console::print;
pub use crash::forbid_overflow;

/// From now on, the core's lines are written.
#[cfg(feature = "log")]
pub fn start_log() {
    if log::set_logger(&console::Serial).is_ok() {
        log::set_max_level(log::LevelFilter::Info);
    }
}

// The figures for this processor in core/README.md.
const _: () = {
    use shout_core::{Memory, Server};
    // With `ipv6`, `many-holes` and `recovery`.
    assert!(size_of::<Memory<'static, 2>>() - size_of::<Memory<'static, 1>>() <= 2630 + 80 + 220 + 120);
    // With `ethernet-duties`, `ipv6` and `fragments`.
    let log = if cfg!(feature = "log") { 500 } else { 0 };
    let features = 700 + 1500 + 15600 + log;
    assert!(size_of::<Server<'static>>() + size_of::<Memory<'static, 0>>() <= 6300 + features);
};
