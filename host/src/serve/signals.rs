//! Signals as a descriptor, so that they arrive between two packets and never within one.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// SIGINT, SIGTERM and SIGUSR1, blocked in this thread and in those that it starts from now on.
pub(crate) struct Signals(SignalFd);

impl Signals {
    /// Blocks the signals; from now on they wait to be read here. Call it before any thread is started.
    pub(crate) fn block() -> io::Result<Self> {
        let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGUSR1]);
        signals.thread_block()?;
        Ok(Self(SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?))
    }

    /// The next signal that has come, if any has.
    pub(crate) fn next(&self) -> io::Result<Option<Signal>> {
        let Some(info) = self.0.read_signal()? else { return Ok(None) };
        let signal = i32::try_from(info.ssi_signo).map_err(io::Error::other)?;
        Ok(Some(Signal::try_from(signal)?))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_wait_until_they_are_read() {
        let signals = Signals::block().unwrap();
        assert_eq!(signals.next().unwrap(), None);
        // To this thread only: others of the test run do not block them.
        for signal in [Signal::SIGUSR1, Signal::SIGTERM] {
            nix::sys::signal::raise(signal).unwrap();
        }
        let mut came = [signals.next().unwrap(), signals.next().unwrap()];
        came.sort();
        assert_eq!(came, [Some(Signal::SIGUSR1), Some(Signal::SIGTERM)]);
        assert_eq!(signals.next().unwrap(), None);
    }
}
