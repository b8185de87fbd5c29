//! `--pcap`: what passes the device, in a file for Wireshark, tshark or tcpdump.
//!
//! That is what the kernel gave and what it took: of faults on purpose, those of the packets that leave are in it. The
//! format is smoltcp's ([`PcapSink`]): raw IP packets or Ethernet frames, times in microseconds.
//!
//! Each record is written with one call as its packet passes, not collected: so the file is good at any moment, and what
//! passed is in it whatever ends the program. (The kernel looks for SIGKILL where a write goes on to another page: amid a
//! bulk transfer one kill in a hundred cuts the last record off. Readers say so, and show all that is before it.)
//!
//! What is written is the page cache's then, and no packet waits for a disk that keeps up. A pipe is never waited for:
//! a reader that is too slow misses packets, which are counted.

mod open;
mod recording;

use core::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::SystemTime;

use crate::device::PacketIo;
pub(crate) use recording::Capture;

/// Packets, and a capture of them if one is wanted and possible.
#[derive(Debug)]
pub(crate) struct Captured<I> {
    io: I,
    capture: RefCell<Option<Capture>>,
}

impl<I> Captured<I> {
    /// What passes `io` goes into the capture.
    pub(crate) fn new(io: I, capture: Option<Capture>) -> Self {
        Self { io, capture: RefCell::new(capture) }
    }

    /// Records a packet; if that fails, this capture is over.
    fn record(&self, time: SystemTime, packet: &[u8]) {
        let mut capture = self.capture.borrow_mut();
        if let Some(writer) = &mut *capture
            && let Err(error) = writer.record(time, packet)
        {
            writer.say_why_it_ends(&error);
            *capture = None;
        }
    }

    /// The time, if it is of interest.
    fn time(&self) -> Option<SystemTime> {
        self.capture.borrow().as_ref().map(|_| SystemTime::now())
    }
}

impl<I: PacketIo> PacketIo for Captured<I> {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.io.receive(buffer)?;
        if let Some(time) = self.time() {
            self.record(time, &buffer[..length]);
        }
        Ok(length)
    }

    fn send(&self, packet: &[u8]) -> io::Result<usize> {
        // Taken before the call: that lasts until the kernel has brought the packet to whom it is for.
        let time = self.time();
        let length = self.io.send(packet)?;
        if let Some(time) = time {
            self.record(time, packet);
        }
        Ok(length)
    }
}

impl<I: AsFd> AsFd for Captured<I> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}
