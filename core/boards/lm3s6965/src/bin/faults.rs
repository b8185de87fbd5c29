//! Faults, to see that this ends QEMU with failure.

#![no_std]
#![no_main]

use shout_lm3s6965 as _;

#[cortex_m_rt::entry]
fn main() -> ! {
    cortex_m::asm::udf();
}
