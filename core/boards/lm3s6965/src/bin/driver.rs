//! The driver over registers that are plain memory, for what the emulated controller never does: it sends in no time, and
//! says nothing unbelievable. Ends QEMU with success if all is well.

#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m_semihosting::debug;
use shout_core::smoltcp::phy::{Device, RxToken};
use shout_core::smoltcp::time::Instant;
use shout_core::smoltcp::wire::EthernetAddress;
use shout_lm3s6965::mac::{Frames, Mac, Registers};
use static_cell::ConstStaticCell;

static REGISTERS: [AtomicU32; 15] = [const { AtomicU32::new(0) }; 15];
static FRAMES: ConstStaticCell<Frames> = ConstStaticCell::new(Frames::EMPTY);

const DATA: usize = 0x10 / 4;
const WAITING: usize = 0x34 / 4;
const BUSY: usize = 0x38 / 4;

fn set(register: usize, value: u32) {
    REGISTERS[register].store(value, Ordering::Relaxed);
}

#[cortex_m_rt::entry]
fn main() -> ! {
    const { assert!(size_of::<Registers>() == size_of_val(&REGISTERS)) };
    // SAFETY: of the same size and alignment, and memory that may change at any time, as it is atomic.
    let registers = unsafe { &*(&raw const REGISTERS).cast::<Registers>() };
    let mut mac = Mac::start(registers, EthernetAddress([2, 0, 0, 0, 0, 1]), FRAMES.take());

    nothing_is_taken_that_could_not_be_answered(&mut mac);
    only_frames_of_a_possible_length_are_taken(&mut mac);

    debug::exit(debug::EXIT_SUCCESS);
    loop {
        cortex_m::asm::bkpt();
    }
}

fn nothing_is_taken_that_could_not_be_answered(mac: &mut Mac<'_>) {
    set(WAITING, 1);
    set(DATA, 6 + 60);
    set(BUSY, 1);
    assert!(!mac.is_ready());
    assert!(mac.receive(Instant::ZERO).is_none());
    assert!(mac.transmit(Instant::ZERO).is_none());
    set(BUSY, 0);
    assert!(mac.is_ready());
    assert!(mac.receive(Instant::ZERO).is_some());
    assert!(mac.transmit(Instant::ZERO).is_some());
}

/// The same frame comes again and again, with no end of waiting ones: whatever its length, each call comes back.
fn only_frames_of_a_possible_length_are_taken(mac: &mut Mac<'_>) {
    for total in (0..2200).chain([0x7fff, 0xffff]) {
        set(DATA, total);
        let length = mac.receive(Instant::ZERO).map(|(frame, _)| frame.consume(<[u8]>::len));
        let possible = (6 + 14..=6 + 1514).contains(&total);
        assert_eq!(length, possible.then_some(total as usize - 6));
    }
}
