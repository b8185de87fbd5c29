//! The virtio network, as smoltcp's [`Device`].
//!
//! The device writes frames into buffers that it was given, and reads others out of buffers that it gives back later, at
//! its own time. Nothing here waits: what cannot be done now is done after the next interrupt.

use core::ops::Range;

use shout_core::smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use shout_core::smoltcp::time::Instant;
use shout_core::smoltcp::wire::EthernetAddress;
use virtio_drivers::device::net::VirtIONetRaw;
use virtio_drivers::transport::DeviceType;
use virtio_drivers::transport::mmio::MmioTransport;

use crate::dma::Static;
use crate::{interrupts, slots};

/// The longest frame, without its checksum.
const FRAME: usize = 1514;
/// What virtio puts before each frame (Virtio 1.2, section 5.1.6).
const HEADER: usize = 12;
/// Entries of a ring, and buffers in either direction: one entry each.
const RING: usize = 16;
const BUFFERS: usize = RING - 1;

type Driver = VirtIONetRaw<Static, MmioTransport<'static>, RING>;

/// A frame behind virtio's header.
type Buffer = [u8; HEADER + FRAME];

/// Room for frames that the device has yet to fill, or to send.
#[derive(Debug)]
pub struct Buffers {
    received: [Buffer; BUFFERS],
    sent: [Buffer; BUFFERS],
}

impl Buffers {
    /// No frame yet.
    pub const EMPTY: Buffers = Buffers { received: [[0; _]; _], sent: [[0; _]; _] };
}

/// The virtio network.
pub struct Network {
    driver: Driver,
    buffers: &'static mut Buffers,
    /// By the driver's token: which of the buffers the device has.
    receiving: [usize; RING],
    sending: [usize; RING],
    /// The one of `received` that the device does not have, since its frame is being looked at.
    taken: Option<usize>,
    /// One bit for each of `sent` that the device does not have.
    free: u16,
}

impl Network {
    /// Starts the device and its interrupt; None if there is none, or if it does not do what Virtio says.
    pub fn start(buffers: &'static mut Buffers) -> Option<Network> {
        let (transport, interrupt) = slots::find(DeviceType::Network)?;
        let mut network = Network {
            driver: VirtIONetRaw::new(transport).ok()?,
            buffers,
            receiving: [0; RING],
            sending: [0; RING],
            taken: None,
            free: (1 << BUFFERS) - 1,
        };
        for index in 0..BUFFERS {
            network.give(index)?;
        }
        for buffer in &mut network.buffers.sent {
            network.driver.fill_buffer_header(buffer).ok()?;
        }
        interrupts::enable(interrupt);
        Some(network)
    }

    /// The device's own address.
    pub fn hardware_address(&self) -> EthernetAddress {
        EthernetAddress(self.driver.mac_address())
    }

    /// Forgets what has happened: what happens from now on ends a sleep. So it is for looking at the device after this.
    pub fn acknowledge(&mut self) {
        interrupts::claim(|| {
            self.driver.ack_interrupt();
        });
    }

    /// True if a frame waits that can be received now.
    pub fn is_ready(&mut self) -> bool {
        self.driver.poll_receive().is_some() && self.has_room()
    }

    /// True if a frame can be sent. Takes back what the device has sent.
    fn has_room(&mut self) -> bool {
        while let Some(token) = self.driver.poll_transmit() {
            let index = self.sending[usize::from(token) % RING];
            // SAFETY: this is the buffer that was given to the device with this token.
            if unsafe { self.driver.transmit_complete(token, &self.buffers.sent[index]) }.is_err() {
                break;
            }
            self.free |= 1 << index;
        }
        self.free != 0
    }

    /// Gives a buffer to the device, for a frame to come.
    fn give(&mut self, index: usize) -> Option<()> {
        // SAFETY: nobody looks at the buffer until the device gives it back, by the token below.
        let token = unsafe { self.driver.receive_begin(&mut self.buffers.received[index]) }.ok()?;
        self.receiving[usize::from(token) % RING] = index;
        Some(())
    }

    /// Takes the next frame from the device: which buffer it is in, and where there.
    fn take(&mut self) -> Option<(usize, Range<usize>)> {
        if let Some(index) = self.taken.take() {
            self.give(index)?;
        }
        let token = self.driver.poll_receive()?;
        let index = self.receiving[usize::from(token) % RING];
        // SAFETY: this is the buffer that was given to the device with this token.
        let received = unsafe { self.driver.receive_complete(token, &mut self.buffers.received[index]) };
        let (header, length) = received.ok()?;
        self.taken = Some(index);
        Some((index, header..header + length))
    }

    fn sending(&mut self) -> Sending<'_> {
        Sending {
            driver: &mut self.driver,
            sent: &mut self.buffers.sent,
            tokens: &mut self.sending,
            free: &mut self.free,
        }
    }
}

impl Device for Network {
    type RxToken<'t>
        = Received<'t>
    where
        Self: 't;
    type TxToken<'t>
        = Sending<'t>
    where
        Self: 't;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Sending<'_>)> {
        // What is taken from the device has to be answered at once: smoltcp drops what it cannot send.
        if !self.has_room() {
            return None;
        }
        let (index, place) = self.take()?;
        let frame = self.buffers.received[index].get(place)?;
        let sending = Sending {
            driver: &mut self.driver,
            sent: &mut self.buffers.sent,
            tokens: &mut self.sending,
            free: &mut self.free,
        };
        Some((Received(frame), sending))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sending<'_>> {
        self.has_room().then(|| self.sending())
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME;
        capabilities
    }
}

/// A received frame.
pub struct Received<'a>(&'a [u8]);

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

/// A buffer that the device does not have.
pub struct Sending<'a> {
    driver: &'a mut Driver,
    sent: &'a mut [Buffer; BUFFERS],
    tokens: &'a mut [usize; RING],
    free: &'a mut u16,
}

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        // There is one: see `has_room`.
        let index = self.free.trailing_zeros() as usize;
        let buffer = &mut self.sent[index][..HEADER + length];
        // smoltcp keeps to the capabilities, and to them alone: no frame is longer.
        let result = f(&mut buffer[HEADER..]);
        // SAFETY: nobody touches the buffer until the device gives it back, by the token below.
        // An error means that the ring is full, which it cannot be: it has more entries than there are buffers.
        if let Ok(token) = unsafe { self.driver.transmit_begin(buffer) } {
            self.tokens[usize::from(token) % RING] = index;
            *self.free &= !(1 << index);
        }
        result
    }
}
