//! The Ethernet controller, as smoltcp's [`Device`].
//!
//! Frames go through two FIFOs of 2 KiB, word by word, with a length of two bytes before each: so the IP header
//! of a frame stands at a multiple of four. Nothing here waits: what cannot be done now is done after the next
//! interrupt.

use shout_core::smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use shout_core::smoltcp::time::Instant;
use shout_core::smoltcp::wire::EthernetAddress;
use tock_registers::interfaces::{Readable, Writeable};
use tock_registers::registers::{ReadOnly, ReadWrite};
use tock_registers::{register_bitfields, register_structs};

use crate::Interrupt;

/// The longest frame, without its checksum.
const FRAME: usize = 1514;
const HEADER: usize = 14;
/// What stands before a frame in the FIFO, and behind a received one.
const LENGTH: usize = 2;
const CHECKSUM: usize = 4;
/// The size of each FIFO, and the most frames that the receiving one can hold.
const FIFO: usize = 2048;
const MOST_FRAMES: usize = 31;

register_structs! {
    /// The controller's registers.
    pub Registers {
        (0x00 => interrupts: ReadWrite<u32, Interrupts::Register>),
        (0x04 => interrupt_mask: ReadWrite<u32, Interrupts::Register>),
        (0x08 => receive_control: ReadWrite<u32, ReceiveControl::Register>),
        (0x0c => transmit_control: ReadWrite<u32, TransmitControl::Register>),
        (0x10 => data: ReadWrite<u32>),
        (0x14 => address: [ReadWrite<u32>; 2]),
        (0x1c => _reserved),
        (0x34 => frames: ReadOnly<u32>),
        (0x38 => transmit: ReadWrite<u32, Transmit::Register>),
        (0x3c => @END),
    }
}

register_bitfields! [u32,
    Interrupts [
        RECEIVED OFFSET(0) NUMBITS(1) [],
        TRANSMIT_ERROR OFFSET(1) NUMBITS(1) [],
        TRANSMITTED OFFSET(2) NUMBITS(1) [],
        OVERRUN OFFSET(3) NUMBITS(1) []
    ],
    ReceiveControl [
        RESET_FIFO OFFSET(4) NUMBITS(1) [],
        REJECT_BAD_CHECKSUM OFFSET(3) NUMBITS(1) [],
        ENABLED OFFSET(0) NUMBITS(1) []
    ],
    TransmitControl [
        FULL_DUPLEX OFFSET(4) NUMBITS(1) [],
        APPEND_CHECKSUM OFFSET(2) NUMBITS(1) [],
        PAD OFFSET(1) NUMBITS(1) [],
        ENABLED OFFSET(0) NUMBITS(1) []
    ],
    Transmit [BUSY OFFSET(0) NUMBITS(1) []]
];

/// Room for one frame in either direction, as it stands in the FIFO: a multiple of four bytes.
#[derive(Debug)]
pub struct Frames {
    received: [u8; LENGTH + FRAME + CHECKSUM],
    sent: [u8; LENGTH + FRAME],
}

impl Frames {
    /// No frame yet.
    pub const EMPTY: Frames = Frames { received: [0; _], sent: [0; _] };
}

/// The Ethernet controller.
pub struct Mac<'a> {
    registers: &'static Registers,
    frames: &'a mut Frames,
}

/// The chip's own registers.
pub fn registers() -> &'static Registers {
    // SAFETY: the chip has them at this address. They move no memory by themselves: two users would mix up their
    // frames, and no more.
    unsafe { &*(0x4004_8000 as *const Registers) }
}

/// Lets the controller forget why it raised its interrupt.
pub(crate) fn acknowledge(registers: &Registers) {
    // That there was a transmission error empties the FIFO. An overrun lost a frame, as networks do.
    registers.interrupts.set(registers.interrupts.get());
}

impl<'a> Mac<'a> {
    /// Starts the controller and its interrupt.
    pub fn start(registers: &'static Registers, address: EthernetAddress, frames: &'a mut Frames) -> Mac<'a> {
        let [a, b, c, d, e, f] = address.0;
        registers.address[0].set(u32::from_le_bytes([a, b, c, d]));
        registers.address[1].set(u32::from_le_bytes([e, f, 0, 0]));
        registers.transmit_control.write(
            TransmitControl::FULL_DUPLEX::SET
                + TransmitControl::APPEND_CHECKSUM::SET
                + TransmitControl::PAD::SET
                + TransmitControl::ENABLED::SET,
        );
        registers.interrupt_mask.write(
            Interrupts::RECEIVED::SET
                + Interrupts::TRANSMIT_ERROR::SET
                + Interrupts::TRANSMITTED::SET
                + Interrupts::OVERRUN::SET,
        );
        let mac = Mac { registers, frames };
        mac.start_receiver();
        Interrupt::Ethernet.enable();
        mac
    }

    /// Forgets what has happened: what happens from now on ends a sleep. So it is for looking at the device after this.
    pub fn acknowledge(&mut self) {
        acknowledge(self.registers);
        Interrupt::Ethernet.clear();
    }

    /// The address that it was started with.
    #[cfg(feature = "embassy")]
    pub(crate) fn address(&self) -> [u8; 6] {
        let [[a, b, c, d], [e, f, ..]] =
            [0, 1].map(|half: usize| self.registers.address[half].get().to_le_bytes());
        [a, b, c, d, e, f]
    }

    /// True if a frame waits that can be received now.
    pub fn is_ready(&self) -> bool {
        self.registers.frames.get() > 0 && !self.is_busy()
    }

    /// True as long as a frame is being sent: another one has no place.
    fn is_busy(&self) -> bool {
        self.registers.transmit.is_set(Transmit::BUSY)
    }

    /// Empties the receiving FIFO, the receiver disabled meanwhile (data sheet, MACRCTL).
    fn start_receiver(&self) {
        // Without multicast, which only IPv6 would need.
        let settings = ReceiveControl::REJECT_BAD_CHECKSUM::SET;
        self.registers.receive_control.write(settings);
        self.registers.receive_control.write(settings + ReceiveControl::RESET_FIFO::SET);
        self.registers.receive_control.write(settings + ReceiveControl::ENABLED::SET);
    }

    /// Takes the next frame that is one out of the FIFO; gives its length.
    fn take_frame(&mut self) -> Option<usize> {
        // Bounded: a flood of bad frames must not keep anyone here.
        for _ in 0..MOST_FRAMES {
            if self.registers.frames.get() == 0 {
                return None;
            }
            let first = self.registers.data.get().to_le_bytes();
            let total = usize::from(u16::from_le_bytes([first[0], first[1]]));
            if !(LENGTH + CHECKSUM..=FIFO).contains(&total) {
                // No telling where the next frame begins.
                self.start_receiver();
                return None;
            }
            // Words that find no room are read all the same, as the next frame stands behind them.
            let mut room = self.frames.received.chunks_exact_mut(4);
            let words = total.div_ceil(4);
            for word in 0..words {
                let bytes = if word == 0 { first } else { self.registers.data.get().to_le_bytes() };
                if let Some(room) = room.next() {
                    room.copy_from_slice(&bytes);
                }
            }
            let length = total - LENGTH - CHECKSUM;
            if (HEADER..=FRAME).contains(&length) {
                return Some(length);
            }
        }
        None
    }
}

impl Device for Mac<'_> {
    type RxToken<'t>
        = Received<'t>
    where
        Self: 't;
    type TxToken<'t>
        = Sending<'t>
    where
        Self: 't;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Sending<'_>)> {
        // What is taken from the FIFO has to be answered at once: smoltcp drops what it cannot send.
        if self.is_busy() {
            return None;
        }
        let length = self.take_frame()?;
        let frame = self.frames.received.get_mut(LENGTH..LENGTH + length)?;
        Some((Received(frame), Sending { registers: self.registers, room: &mut self.frames.sent }))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sending<'_>> {
        (!self.is_busy()).then_some(Sending { registers: self.registers, room: &mut self.frames.sent })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME;
        capabilities
    }
}

/// A received frame.
pub struct Received<'a>(pub(crate) &'a mut [u8]);

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

/// The sending FIFO, empty.
pub struct Sending<'a> {
    registers: &'static Registers,
    room: &'a mut [u8; LENGTH + FRAME],
}

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        // smoltcp keeps to the capabilities, and to them alone: no frame is longer.
        let (prefix, frame) = self.room.split_at_mut(LENGTH);
        let result = f(&mut frame[..length]);
        // The FIFO wants the length without the header.
        #[expect(clippy::cast_possible_truncation, reason = "at most FRAME")]
        prefix.copy_from_slice(&(length.saturating_sub(HEADER) as u16).to_le_bytes());
        let (words, _) = self.room.as_chunks::<4>();
        for word in words.iter().take((LENGTH + length).div_ceil(4)) {
            self.registers.data.set(u32::from_le_bytes(*word));
        }
        self.registers.transmit.write(Transmit::BUSY::SET);
        result
    }
}
