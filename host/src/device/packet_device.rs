//! The device that the server runs on: smoltcp's [`phy::Device`] over a source and sink of packets.
//!
//! Where packets come one after another, some are read in a row, and what answers them is written in a row. A packet that
//! comes alone is answered before another is looked for.
//!
//! Until a packet that the kernel has refused is out, the device neither sends nor receives: what is received wants to be
//! answered, and smoltcp gets into trouble when it cannot (FIN in a full window, see the core's fuzz test).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::time::Instant;
use smoltcp::wire::ETHERNET_HEADER_LEN;

use super::batch::Batch;
use super::outbox::{Outbox, Refusal, TxToken};
use super::{HostDevice, LONGEST_PACKET, PacketIo};

/// The device that the server runs on.
#[derive(Debug)]
pub(crate) struct PacketDevice<I> {
    io: I,
    medium: Medium,
    /// Bytes in the longest packet, with the frame's header if there is one.
    longest: usize,
    /// What has been read and not been received yet.
    inbox: Batch,
    outbox: Outbox,
    /// Whether the last [`refill`](Self::refill) brought a packet.
    busy: bool,
    last_packet: Option<Instant>,
    failure: Option<io::Error>,
}

impl<I: PacketIo> PacketDevice<I> {
    /// A device of that MTU over `io`, which carries IP packets.
    pub(crate) fn new(io: I, mtu: u16) -> Self {
        Self::over(io, Medium::Ip, mtu.into())
    }

    /// A device of that MTU over `io`, which carries Ethernet frames.
    pub(crate) fn ethernet(io: I, mtu: u16) -> Self {
        Self::over(io, Medium::Ethernet, usize::from(mtu) + ETHERNET_HEADER_LEN)
    }

    fn over(io: I, medium: Medium, longest: usize) -> Self {
        Self {
            io,
            medium,
            longest,
            inbox: Batch::new(LONGEST_PACKET),
            outbox: Outbox::new(longest),
            busy: false,
            last_packet: None,
            failure: None,
        }
    }

    /// Sends what answers the last packets, and reads the next into the empty inbox. False if there are none, or if the
    /// answers cannot be sent.
    fn refill(&mut self) -> bool {
        if !self.outbox.flush(&self.io) {
            return false;
        }
        let in_a_row = self.busy;
        self.busy = self.read();
        while in_a_row && self.busy && self.inbox.has_room() && self.read() {}
        self.outbox.gather(in_a_row && self.busy);
        self.busy
    }

    /// Reads one packet into the inbox, if there is one.
    fn read(&mut self) -> bool {
        loop {
            match self.io.receive(self.inbox.room()) {
                Ok(length) => {
                    self.inbox.push(length);
                    return true;
                }
                Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                    Some(Errno::EINTR) => {}
                    // Nothing there; or the link is down, and poll(2) will tell when it is up.
                    Some(Errno::EAGAIN | Errno::EIO) => return false,
                    _ => {
                        self.failure = Some(error);
                        return false;
                    }
                },
            }
        }
    }
}

impl<I: PacketIo> HostDevice for PacketDevice<I> {
    fn last_packet(&self) -> Option<Instant> {
        self.last_packet
    }

    fn has_packets(&self) -> bool {
        !self.inbox.is_empty()
    }

    fn flush(&mut self) {
        self.outbox.flush(&self.io);
    }

    fn refusal(&self) -> Option<Refusal> {
        self.outbox.refusal()
    }

    fn failure(&mut self) -> Option<io::Error> {
        self.failure.take().or_else(|| self.outbox.failure())
    }
}

impl<I: AsFd> AsFd for PacketDevice<I> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

impl<I: PacketIo> phy::Device for PacketDevice<I> {
    type RxToken<'a>
        = RxToken<'a>
    where
        I: 'a;
    type TxToken<'a>
        = TxToken<'a, I>
    where
        I: 'a;

    fn receive(&mut self, now: Instant) -> Option<(RxToken<'_>, TxToken<'_, I>)> {
        if self.inbox.is_empty() && !self.refill() {
            return None;
        }
        // Room for the answer comes first: a packet must not be taken, and lost, for want of it.
        let room = self.outbox.room(&self.io)?;
        let packet = self.inbox.take()?;
        self.last_packet = Some(now);
        Some((RxToken { packet }, room))
    }

    fn transmit(&mut self, _now: Instant) -> Option<TxToken<'_, I>> {
        self.outbox.room(&self.io)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = self.medium;
        capabilities.max_transmission_unit = self.longest;
        capabilities
    }
}

/// One packet that came in.
pub(crate) struct RxToken<'a> {
    packet: &'a [u8],
}

impl phy::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.packet)
    }
}

#[cfg(test)]
mod tests;
