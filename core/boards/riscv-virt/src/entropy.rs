//! Unpredictable bytes, for the keys of the server's hashes: from the virtio source of entropy.

use virtio_drivers::device::rng::VirtIORng;
use virtio_drivers::transport::DeviceType;

use crate::dma::Static;
use crate::slots;

/// 16 bytes of the machine that QEMU runs on; None if it was started without `-device virtio-rng-device`.
pub fn from_virtio() -> Option<[u8; 16]> {
    let (transport, _) = slots::find(DeviceType::EntropySource)?;
    let mut source = VirtIORng::<Static, _>::new(transport).ok()?;
    let mut bytes = [0; 16];
    let mut got = 0;
    while got < bytes.len() {
        // It may give fewer than asked for, but never none (Virtio 1.2, section 5.4.6.2).
        got += source.request_entropy(&mut bytes[got..]).ok().filter(|&more| more > 0)?;
    }
    Some(bytes)
}
