//! The interrupts that end a sleep, beside the timer's. They are never handled but only pend, as interrupts stay disabled:
//! `wfi` wakes for them all the same, and nothing can happen between a last look and falling asleep.

use riscv::register::mie;
use tock_registers::interfaces::{Readable, Writeable};
use tock_registers::register_structs;
use tock_registers::registers::ReadWrite;

register_structs! {
    Plic {
        (0x00_0000 => priorities: [ReadWrite<u32>; 1024]),
        (0x00_1000 => _reserved0),
        (0x00_2000 => enabled: ReadWrite<u32>),
        (0x00_2004 => _reserved1),
        (0x20_0000 => threshold: ReadWrite<u32>),
        (0x20_0004 => claim: ReadWrite<u32>),
        (0x20_0008 => @END),
    }
}

fn plic() -> &'static Plic {
    // SAFETY: the machine has these registers at this address, for hart 0 in machine mode. They move no memory: two users
    // would miss interrupts, and no more.
    unsafe { &*(0x0c00_0000 as *const Plic) }
}

/// Lets the interrupt of this number, 1 to 31, end a sleep, and no other one but the timer's.
pub(crate) fn enable(number: usize) {
    let plic = plic();
    plic.priorities[number].set(1);
    plic.enabled.set(1 << number);
    plic.threshold.set(0);
    // SAFETY: there is no critical section that it could break, nor a handler that could race: see above.
    unsafe { mie::set_mext() };
}

/// Forgets the interrupt that pends, if there is one; its source is told to in between by `acknowledge`. What happens
/// after that pends again. Do not let the source forget before the claim: what happens in between would be claimed unseen.
pub(crate) fn claim(acknowledge: impl FnOnce()) {
    let number = plic().claim.get();
    acknowledge();
    plic().claim.set(number);
}
