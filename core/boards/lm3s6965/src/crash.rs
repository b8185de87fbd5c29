//! A panic or a fault ends QEMU with failure, where a board would have to start anew.

use cortex_m_rt::{ExceptionFrame, exception};
use cortex_m_semihosting::debug;

// Says what happened, and ends QEMU.
#[cfg(feature = "log")]
use panic_semihosting as _;

// Without a word: where a panic comes from takes 9 KiB of flash to say, and 4 KiB more what it is about.
#[cfg(not(feature = "log"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    fail()
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    #[cfg(feature = "log")]
    cortex_m_semihosting::hprintln!("fault at {:#010x}, called from {:#010x}", frame.pc(), frame.lr());
    let _ = frame;
    fail()
}

pub(crate) fn fail() -> ! {
    debug::exit(debug::EXIT_FAILURE);
    // A debugger may go on all the same.
    loop {
        cortex_m::asm::bkpt();
    }
}
