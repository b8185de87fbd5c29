//! A panic or a fault ends QEMU with failure, where a board would have to start anew.

use core::arch::global_asm;
use core::ptr::addr_of;

use riscv::register::{Permission, Range, mcause, pmpaddr0, pmpaddr1, pmpcfg0};

unsafe extern "C" {
    static _guard: u8;
    static _stack_end: u8;
}

/// Lets an overflow of the stack be a fault: nobody may touch what lies below it, not even in machine mode.
pub fn forbid_overflow() {
    let (from, to) = (addr_of!(_guard).addr(), addr_of!(_stack_end).addr());
    // SAFETY: nothing is kept in the guard, so nothing valid is forbidden by this.
    unsafe {
        pmpaddr0::write(from >> 2);
        pmpaddr1::write(to >> 2);
        pmpcfg0::set_pmp(1, Range::TOR, Permission::NONE, true);
    }
}

// Whatever is trapped is a fault, as interrupts stay disabled. The stack begins anew: it may have been the stack.
global_asm!(
    ".section .trap.start, \"ax\"",
    ".balign 4",
    ".global _start_trap",
    "_start_trap:",
    "la sp, _stack_start",
    "csrr a0, mepc",
    "j {fault}",
    fault = sym fault,
);

extern "C" fn fault(at: usize) -> ! {
    #[cfg(feature = "log")]
    crate::print(format_args!("fault at {at:#010x}, cause {}\n", mcause::read().code()));
    let _ = (at, mcause::read());
    fail()
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    // Without log lines, without a word: what it is about takes flash to say.
    #[cfg(feature = "log")]
    crate::print(format_args!("{info}\n"));
    let _ = info;
    fail()
}

fn fail() -> ! {
    // SAFETY: the machine has this register (`sifive_test`), and this value ends QEMU with status 1.
    unsafe { core::ptr::without_provenance_mut::<u32>(0x0010_0000).write_volatile(0x1_3333) };
    loop {
        riscv::asm::wfi();
    }
}
