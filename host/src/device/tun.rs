//! Opening the TUN or TAP device, by way of tun-tap.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use tun_tap::{Iface, Mode};

use crate::device::PacketIo;
use crate::error::{Error, TUN_NODE, program};

/// A TUN or TAP device that never waits. It goes away when this is dropped, unless it was there before.
#[derive(Debug)]
pub(crate) struct Tun(Iface);

impl Tun {
    /// Attaches to the device of that name and kind, making it if it is not there.
    pub(crate) fn open(name: &str, tap: bool) -> Result<Tun, Error> {
        let (mode, kind) = if tap { (Mode::Tap, "tap") } else { (Mode::Tun, "tun") };
        let device = || name.to_owned();
        // tun-tap opens the node too, but its error does not tell whether the node or the device was refused.
        if let Err(source) = File::options().read(true).write(true).open(TUN_NODE) {
            return Err(match source.raw_os_error().map(Errno::from_raw) {
                Some(Errno::EACCES | Errno::EPERM) => Error::TunRefused(source),
                Some(Errno::ENOENT | Errno::ENODEV | Errno::ENXIO) => Error::NoTun(source),
                _ => Error::Open { device: device(), source },
            });
        }
        let iface = Iface::without_packet_info(name, mode).map_err(|source| {
            match source.raw_os_error().map(Errno::from_raw) {
                Some(Errno::EPERM | Errno::EACCES) => {
                    Error::NoPrivilege { device: device(), kind, program: program() }
                }
                Some(Errno::EBUSY) => Error::DeviceBusy { device: device() },
                Some(Errno::EINVAL) => Error::NotTun { device: device(), kind: kind.to_uppercase() },
                _ => Error::Open { device: device(), source },
            }
        })?;
        iface.set_non_blocking().map_err(Error::system("making the device non-blocking"))?;
        let tun = Tun(iface);
        tun.switch_offload_off()
            .map_err(Error::system(&format!("switching checksum offload of {name} off")))?;
        Ok(tun)
    }
}

impl PacketIo for Tun {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.recv(buffer)
    }

    fn send(&self, packet: &[u8]) -> io::Result<usize> {
        self.0.send(packet)
    }
}

nix::ioctl_write_int! {
    /// Sets what the other side of the device may leave undone in a packet: TUNSETOFFLOAD of linux/if_tun.h.
    #[allow(unsafe_code, reason = "the macro's own")]
    set_offload, b'T', 208
}

// With the block below, the only unsafe code of the program.
#[allow(unsafe_code)]
impl Tun {
    /// Has the kernel fill in checksums. On a device that stays, it remembers that an earlier program did not want them.
    fn switch_offload_off(&self) -> nix::Result<()> {
        // SAFETY: the descriptor is open, that of a TUN or TAP device, and the argument is a number, no address.
        unsafe { set_offload(self.0.as_raw_fd(), 0) }.map(drop)
    }
}

#[allow(unsafe_code)]
impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is that of a file which the `Iface` owns, and so it stays open for as long as
        // `self` is borrowed. tun-tap 0.1.4 gives it out as a number only.
        unsafe { BorrowedFd::borrow_raw(self.0.as_raw_fd()) }
    }
}
