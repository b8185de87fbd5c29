//! Panics, to see that this ends QEMU with failure.

#![no_std]
#![no_main]
#![expect(clippy::panic, reason = "on purpose")]

use shout_riscv_virt as _;

#[riscv_rt::entry]
fn main() -> ! {
    panic!("on purpose");
}
