//! Signals as a descriptor, so that they arrive between two packets and never within one.

use std::os::fd::{AsFd, BorrowedFd};
use std::{fs, io};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// SIGINT, SIGTERM, SIGHUP and SIGUSR1, blocked in this thread and in those that it starts from now on.
pub(crate) struct Signals(SignalFd);

impl Signals {
    /// Blocks the signals; from now on they wait to be read here. Call it before any thread is started.
    pub(crate) fn block() -> io::Result<Self> {
        let mut signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGUSR1]);
        // The kernel keeps a signal that is both blocked and ignored, and nohup(1) has its programs ignore this one.
        if !is_ignored(Signal::SIGHUP)? {
            signals.add(Signal::SIGHUP);
        }
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

/// Whether whoever started the program has a signal ignored. sigaction(2), which says so too, takes unsafe code.
fn is_ignored(signal: Signal) -> io::Result<bool> {
    let status = fs::read_to_string("/proc/self/status")?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    Ok(mask >> (signal as i32 - 1) & 1 == 1)
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
        // This test may run under nohup(1), too.
        let mut all = vec![Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGTERM];
        all.retain(|&signal| !is_ignored(signal).unwrap());
        for &signal in &all {
            // To this thread only: others of the test run do not block them.
            nix::sys::signal::raise(signal).unwrap();
        }
        let mut came: Vec<Signal> = all.iter().filter_map(|_| signals.next().unwrap()).collect();
        came.sort();
        assert_eq!(came, all);
        assert_eq!(signals.next().unwrap(), None);
    }
}
