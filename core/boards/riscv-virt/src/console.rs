//! Text to the serial port: a 16550, which QEMU never lets wait.

#![expect(clippy::modulo_one, reason = "the macro checks the alignment of registers of one byte, too")]

use core::fmt;

use tock_registers::interfaces::{Readable, Writeable};
use tock_registers::registers::{ReadOnly, WriteOnly};
use tock_registers::{register_bitfields, register_structs};

register_structs! {
    Uart {
        (0x0 => transmit: WriteOnly<u8>),
        (0x1 => _reserved0),
        (0x5 => status: ReadOnly<u8, Status::Register>),
        (0x6 => @END),
    }
}

register_bitfields! [u8,
    Status [HAS_ROOM OFFSET(5) NUMBITS(1) []]
];

/// The machine's serial port.
pub(crate) struct Serial;

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // SAFETY: the machine has these registers at this address. Two users would mix up their letters, and no more.
        let uart = unsafe { &*(0x1000_0000 as *const Uart) };
        for byte in text.bytes() {
            while !uart.status.is_set(Status::HAS_ROOM) {
                core::hint::spin_loop();
            }
            uart.transmit.set(byte);
        }
        Ok(())
    }
}

/// Writes a text to the serial port.
pub fn print(text: fmt::Arguments<'_>) {
    // It never fails: see above.
    let _ = fmt::Write::write_fmt(&mut Serial, text);
}

#[cfg(feature = "log")]
impl log::Log for Serial {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        print(format_args!("{:5} {}\n", record.level(), record.args()));
    }

    fn flush(&self) {}
}
