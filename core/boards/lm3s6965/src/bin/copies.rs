//! The board's own memcpy and its kin, for every length, alignment and overlap that makes a difference. Ends QEMU with success if
//! all is well.

#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_semihosting::debug;
use shout_lm3s6965 as _;

const ROOM: usize = 48;

#[cortex_m_rt::entry]
fn main() -> ! {
    for (from, to) in (0..8).flat_map(|from| (0..8).map(move |to| (from, to))) {
        for length in 0..=ROOM / 2 {
            apart(from, to, length);
            over_itself(from, to, length);
        }
        filled(from, to);
    }
    debug::exit(debug::EXIT_SUCCESS);
    loop {
        cortex_m::asm::bkpt();
    }
}

fn numbers() -> [u8; ROOM] {
    let mut next = 0;
    [(); ROOM].map(|()| {
        next += 1;
        next
    })
}

/// One byte at a time, which the compiler must not take for a copy.
#[expect(clippy::manual_memcpy, reason = "a copy is what is tested")]
fn expected(from: usize, to: usize, length: usize, source: &[u8; ROOM], target: &mut [u8; ROOM]) {
    for index in 0..length {
        black_box(&mut *target)[to + index] = source[from + index];
    }
}

fn apart(from: usize, to: usize, length: usize) {
    let source = numbers();
    let (mut copied, mut wanted) = ([0; ROOM], [0; ROOM]);
    expected(from, to, length, &source, &mut wanted);
    let length = black_box(length);
    copied[to..to + length].copy_from_slice(&source[from..from + length]);
    assert!(copied == wanted);
}

fn over_itself(from: usize, to: usize, length: usize) {
    let (mut moved, mut wanted) = (numbers(), numbers());
    expected(from, to, length, &numbers(), &mut wanted);
    moved.copy_within(from..from + black_box(length), to);
    assert!(moved == wanted);
}

fn filled(from: usize, more: usize) {
    let (mut filled, mut wanted) = (numbers(), numbers());
    let end = black_box(from + 3 * more);
    expected(0, from, end - from, &[0xa5; ROOM], &mut wanted);
    filled[from..end].fill(black_box(0xa5));
    assert!(filled == wanted);
    expected(0, from, end - from, &[0; ROOM], &mut wanted);
    filled[from..end].fill(0);
    assert!(filled == wanted);
}
