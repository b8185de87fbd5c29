//! The board on embassy: interrupts that wake tasks, and the executor's sleep.

pub mod driver;
pub mod time;

use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m_rt::exception;
use embassy_executor::raw::Executor;

use crate::Interrupt;

/// A task has been woken since the executor began to look for such.
static WOKEN: AtomicBool = AtomicBool::new(false);

/// Runs the tasks of an executor that was made with a null pointer, and sleeps when there is nothing to do.
///
/// embassy-executor has the same for Cortex-M (`platform-cortex-m`), and a real chip should take that; but it sleeps by
/// `wfe`, which in QEMU is no sleep.
pub fn execute(executor: &'static Executor) -> ! {
    loop {
        WOKEN.store(false, Ordering::Relaxed);
        // SAFETY: only here, and the pender below does not call it.
        unsafe { executor.poll() };
        // Between the last look and falling asleep nothing may be handled: an interrupt that pends ends `wfi` all the same.
        cortex_m::interrupt::disable();
        if !WOKEN.load(Ordering::Relaxed) {
            cortex_m::asm::wfi();
        }
        // SAFETY: this ends no critical section but the one above.
        unsafe { cortex_m::interrupt::enable() };
    }
}

// SAFETY: embassy-executor calls this function by its name, with this signature, when a task is woken.
#[unsafe(export_name = "__pender")]
fn pend(_executor: *mut ()) {
    WOKEN.store(true, Ordering::Relaxed);
}

#[exception]
unsafe fn DefaultHandler(number: i16) {
    match number {
        number if number == Interrupt::Ethernet as i16 => driver::interrupted(),
        number if number == Interrupt::Timer0A as i16 => time::alarm_went_off(),
        _ => crate::crash::fail(),
    }
}

#[exception]
fn SysTick() {
    time::round_ended();
}
