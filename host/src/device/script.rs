//! For tests: a device that does as it is told.

use core::cell::RefCell;
use std::io;

use nix::errno::Errno;

use super::{PacketDevice, PacketIo};

/// Answers each call with the next error number of its script, and with success (0) at its end; what it receives is a 7.
#[derive(Debug, Default)]
pub(super) struct Script {
    errors: RefCell<Vec<Errno>>,
    /// What was sent.
    pub(super) sent: RefCell<Vec<Vec<u8>>>,
    /// A letter for each call: `r` for one that receives, `s` for one that sends.
    pub(super) calls: RefCell<String>,
}

/// Where a script wants a call to succeed.
pub(super) const SUCCESS: Errno = Errno::UnknownErrno;

impl Script {
    pub(super) fn new(errors: &[Errno]) -> Self {
        Self { errors: RefCell::new(errors.iter().rev().copied().collect()), ..Self::default() }
    }

    pub(super) fn device(errors: &[Errno]) -> PacketDevice<Self> {
        PacketDevice::new(Self::new(errors), 1500)
    }

    fn next(&self, call: char) -> io::Result<()> {
        self.calls.borrow_mut().push(call);
        match self.errors.borrow_mut().pop() {
            None | Some(SUCCESS) => Ok(()),
            Some(error) => Err(error.into()),
        }
    }
}

impl PacketIo for Script {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.next('r')?;
        buffer[0] = 7;
        Ok(1)
    }

    fn send(&self, packet: &[u8]) -> io::Result<usize> {
        self.next('s')?;
        self.sent.borrow_mut().push(packet.to_vec());
        Ok(packet.len())
    }
}
