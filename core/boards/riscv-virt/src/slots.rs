//! The slots of `virt` for virtio devices. Which device is in which of them is QEMU's choice.

use core::ptr::NonNull;

use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::{DeviceType, Transport};

const FIRST: usize = 0x1000_1000;
const SIZE: usize = 0x1000;
const SLOTS: usize = 8;

/// Looks for the first device of this type; gives its registers and the number of its interrupt.
pub(crate) fn find(wanted: DeviceType) -> Option<(MmioTransport<'static>, usize)> {
    (0..SLOTS).find_map(|slot| {
        let registers = NonNull::new((FIRST + slot * SIZE) as *mut VirtIOHeader)?;
        if device_type(registers) != wanted as u32 {
            return None;
        }
        // SAFETY: the machine has a device's registers here, and this program asks for each type of device once only.
        let transport = unsafe { MmioTransport::new(registers, SIZE) }.ok()?;
        (transport.device_type() == wanted).then_some((transport, 1 + slot))
    })
}

/// The device's number (Virtio 1.2, section 4.2.2, DeviceID). Do not make a transport to find out: to drop it resets the
/// device, and another driver may have it already.
fn device_type(registers: NonNull<VirtIOHeader>) -> u32 {
    // SAFETY: the machine has a slot here, be it empty or not, and to read this register changes nothing.
    unsafe { registers.cast::<u32>().add(2).read_volatile() }
}
