//! A global allocator that counts, and a way to switch the counting off.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::alloc::System;

use shout_tests::device::{self, Device};
use smoltcp::phy::{self, DeviceCapabilities};
use smoltcp::time::Instant;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static COUNTS: Cell<bool> = const { Cell::new(false) };
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    if COUNTS.get() {
        COUNT.set(COUNT.get() + 1);
    }
}

// SAFETY: all is left to the system's allocator; counting touches nothing but two cells of this thread, which need
// neither memory nor a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// The allocations of this thread that were counted so far.
pub(crate) fn allocations() -> u64 {
    COUNT.get()
}

/// Calls `work` with the counting switched on or off.
pub(crate) fn counted<R>(counts: bool, work: impl FnOnce() -> R) -> R {
    let before = COUNTS.replace(counts);
    let result = work();
    COUNTS.set(before);
    result
}

/// A device whose own allocations are not counted; those of the core, while it handles a packet, are.
pub(crate) struct Apart<'d>(pub(crate) &'d mut Device);

pub(crate) struct Received(device::RxToken);
pub(crate) struct Room<'d>(device::TxToken<'d>);

impl phy::Device for Apart<'_> {
    type RxToken<'a>
        = Received
    where
        Self: 'a;
    type TxToken<'a>
        = Room<'a>
    where
        Self: 'a;

    fn receive(&mut self, now: Instant) -> Option<(Received, Room<'_>)> {
        let (packet, room) = counted(false, || self.0.receive(now))?;
        Some((Received(packet), Room(room)))
    }

    fn transmit(&mut self, now: Instant) -> Option<Room<'_>> {
        counted(false, || self.0.transmit(now)).map(Room)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.0.capabilities()
    }
}

impl phy::RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, work: F) -> R {
        let work = |packet: &[u8]| counted(true, || work(packet));
        counted(false, || self.0.consume(work))
    }
}

impl phy::TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, work: F) -> R {
        let work = |packet: &mut [u8]| counted(true, || work(packet));
        counted(false, || self.0.consume(length, work))
    }
}
