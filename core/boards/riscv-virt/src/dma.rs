//! Memory that the virtio devices read and write by themselves: their rings, out of a fixed number of static pages.

use core::cell::UnsafeCell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

/// Two for each ring: two rings of the network, one of the source of entropy.
const PAGES: usize = 6;

#[repr(C, align(4096))]
struct Pages(UnsafeCell<[[u8; PAGE_SIZE]; PAGES]>);

// SAFETY: `dma_alloc` gives each page away once only, and nobody else has its address.
unsafe impl Sync for Pages {}

static POOL: Pages = Pages(UnsafeCell::new([[0; PAGE_SIZE]; PAGES]));
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// How virtio-drivers gets its memory: addresses are the same for the processor and for the devices.
pub(crate) struct Static;

// SAFETY: the pages are static, aligned, zero at the start, and given away once only. Buffers are shared as they are.
unsafe impl Hal for Static {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let first = TAKEN.fetch_add(pages, Ordering::Relaxed);
        if first.saturating_add(pages) > PAGES {
            // Zero says that there is none.
            return (0, NonNull::dangling());
        }
        // SAFETY: within the pool, by the check before.
        let page = unsafe { POOL.0.get().cast::<u8>().add(first * PAGE_SIZE) };
        (page.addr() as PhysAddr, NonNull::new(page).unwrap_or(NonNull::dangling()))
    }

    unsafe fn dma_dealloc(_: PhysAddr, _: NonNull<u8>, _: usize) -> i32 {
        // Zero says that all is well. A page is not given away again: it would have to be zeroed, and nobody needs it.
        0
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, _: usize) -> NonNull<u8> {
        // Only for PCI, which is not used here.
        NonNull::new(core::ptr::without_provenance_mut(pointer_width(address))).unwrap_or(NonNull::dangling())
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.cast::<u8>().as_ptr().expose_provenance() as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}

#[expect(clippy::cast_possible_truncation, reason = "all of this machine's memory lies below 4 GiB")]
fn pointer_width(address: PhysAddr) -> usize {
    address as usize
}
