//! Uses more stack than there is, to see that this is a fault and that it ends QEMU with failure.

#![no_std]
#![no_main]
#![expect(clippy::panic, reason = "on purpose")]

use core::hint::black_box;

#[riscv_rt::entry]
fn main() -> ! {
    shout_riscv_virt::forbid_overflow();
    panic!("{} bytes of stack later", sink(1));
}

fn sink(depth: usize) -> usize {
    let bytes = black_box([0; 256]);
    if depth > 0 { sink(black_box(depth + 1)) + bytes.len() } else { 0 }
}
