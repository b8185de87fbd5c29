//! Unpredictable bytes, for the keys of the server's hashes.
//!
//! The LM3S6965 has no random number generator. In QEMU the bytes come from the machine that it runs on, by way of
//! semihosting. **A real board must have a source of its own**, other bytes at every start: a hardware generator
//! where the chip has one, or else a secret seed in flash that is hashed and written back before it is used. The
//! chip's serial number, the time since the reset and the hardware address are none: they can be known or guessed, and
//! with them the initial sequence numbers (RFC 6528).

use cortex_m_semihosting::{nr, syscall};

const SOURCE: &core::ffi::CStr = c"/dev/urandom";

/// 16 bytes of the debugger's machine; None if there is no such source there. Without a debugger, this is a fault.
pub fn from_debugger() -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    // SAFETY: OPEN takes the address of a string with a zero behind it, a mode, and the length without the zero.
    let file = unsafe { syscall!(OPEN, SOURCE.as_ptr(), nr::open::R_BINARY, SOURCE.count_bytes()) };
    if file == usize::MAX {
        return None;
    }
    // SAFETY: READ takes an open file, and an address that it writes to, no further than the length.
    let missing = unsafe { syscall!(READ, file, bytes.as_mut_ptr(), bytes.len()) };
    // SAFETY: CLOSE takes an open file.
    unsafe { syscall!(CLOSE, file) };
    (missing == 0).then_some(bytes)
}
