//! The TUN or TAP device, from the descriptor that the kernel gives to the device that the core takes.
//!
//! | module | is |
//! |---|---|
//! | `tun` | opening the device |
//! | `packet_device` | smoltcp's [`phy::Device`] over it |
//! | `batch`, `outbox` | packets that were read, and packets that wait to be written, in a row |
//! | `capture` | `--pcap`: what passes, in a file |
//! | `faults` | packets lost and corrupted on purpose |
//! | `mac` | the server's own hardware address |
//!
//! The two traits here are what these are put together by: a [`PacketIo`] moves single packets, and a [`HostDevice`] is what the event
//! loop runs the server on.

mod batch;
pub(crate) mod capture;
pub(crate) mod faults;
pub(crate) mod mac;
mod outbox;
mod packet_device;
#[cfg(test)]
mod script;
pub(crate) mod tun;

use core::fmt::Display;
use std::io;

use smoltcp::phy;
use smoltcp::time::Instant;
use smoltcp::wire::ETHERNET_HEADER_LEN;

pub(crate) use outbox::Refusal;
pub(crate) use packet_device::PacketDevice;

/// The longest IP packet in a frame, and so the longest that a device gives, whatever its MTU is set to meanwhile.
pub(crate) const LONGEST_PACKET: usize = 65535 + ETHERNET_HEADER_LEN;

/// Where packets come from and go to: one a call, and never waiting.
pub(crate) trait PacketIo {
    /// Receives one packet.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize>;
    /// Sends one packet, whole or not at all.
    fn send(&self, packet: &[u8]) -> io::Result<usize>;
}

/// One end of a pair of sockets, for tests: like the device, it keeps the packets apart and can be full.
#[cfg(test)]
impl PacketIo for std::os::unix::net::UnixDatagram {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv(buffer)
    }

    fn send(&self, packet: &[u8]) -> io::Result<usize> {
        Self::send(self, packet)
    }
}

/// A device that the event loop can run the server on.
pub(crate) trait HostDevice: phy::Device {
    /// When the last packet came in.
    fn last_packet(&self) -> Option<Instant>;
    /// Whether packets are there to be received of which the kernel does not know any more: no time to sleep.
    fn has_packets(&self) -> bool;
    /// Sends what waits to be sent with others. Has to come before every sleep.
    fn flush(&mut self);
    /// Why the device does not send, if it holds a packet that the kernel has refused.
    fn refusal(&self) -> Option<Refusal>;
    /// What has gone wrong for good, if anything has.
    fn failure(&mut self) -> Option<io::Error>;
    /// What the device has done to packets on purpose, for a person.
    fn faults(&self) -> Option<&dyn Display> {
        None
    }
}
