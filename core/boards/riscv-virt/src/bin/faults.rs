//! Faults, to see that this ends QEMU with failure.

#![no_std]
#![no_main]
#![expect(clippy::panic, reason = "on purpose")]

use shout_riscv_virt as _;

#[riscv_rt::entry]
fn main() -> ! {
    // SAFETY: nothing comes after it.
    unsafe { riscv::asm::ebreak() };
    panic!("went on after a fault");
}
