//! The sending side: packets are put together while others come in, and leave in a row.
//!
//! A write to a TUN device runs the receiver's whole side of the kernel. Between a read and the next, it finds none of its code and
//! data in the caches, and leaves none of ours (`tests/benches/FINDINGS.md`).

use std::io;

use nix::errno::Errno;
use smoltcp::phy;

use super::PacketIo;
use super::batch::Batch;

/// Packets on their way out.
///
/// smoltcp's tokens cannot fail, and a packet that it has handed over is sent as far as it knows. So a packet that the
/// kernel does not take is kept, and those behind it with it.
#[derive(Debug)]
pub(super) struct Outbox {
    packets: Batch,
    /// Whether packets wait for others; otherwise each leaves at once.
    gathering: bool,
    /// Why the oldest packet has not left when it should have.
    refusal: Option<Refusal>,
    /// The link was down at the last attempt.
    link_down: bool,
    failure: Option<io::Error>,
}

/// What keeps a packet from being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The device's queue is full: poll(2) tells when there is room again.
    NoRoom,
    /// The kernel had no memory. Nothing tells when it has some again: poll(2) says that the device can be written to.
    NoMemory,
}

impl Outbox {
    /// For packets of up to that many bytes.
    pub(super) fn new(longest: usize) -> Self {
        let packets = Batch::new(longest);
        Self { packets, gathering: false, refusal: None, link_down: false, failure: None }
    }

    /// Whether packets are to wait for others from now on. Those that do leave when there are enough, or with
    /// [`flush`](Self::flush).
    pub(super) fn gather(&mut self, gathering: bool) {
        self.gathering = gathering;
    }

    /// Room for a packet, unless there is none because the kernel refuses what there is.
    pub(super) fn room<'a, I: PacketIo>(&'a mut self, io: &'a I) -> Option<TxToken<'a, I>> {
        let room = (self.refusal.is_none() && self.packets.has_room()) || self.flush(io);
        room.then_some(TxToken { io, outbox: self })
    }

    /// Sends what there is. True if nothing is left.
    pub(super) fn flush(&mut self, io: &impl PacketIo) -> bool {
        while let Some(packet) = self.packets.first() {
            match io.send(packet) {
                Ok(_) => self.note_link(false),
                Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                    Some(Errno::EINTR) => continue,
                    Some(Errno::EAGAIN) => {
                        self.refusal = Some(Refusal::NoRoom);
                        return false;
                    }
                    Some(Errno::ENOBUFS | Errno::ENOMEM) => {
                        self.refusal = Some(Refusal::NoMemory);
                        return false;
                    }
                    // A link that is down loses packets, as any does: the peer sends again, or so do we.
                    Some(Errno::EIO) => self.note_link(true),
                    Some(Errno::EBADFD) => {
                        self.failure = Some(error);
                        return false;
                    }
                    // The kernel did not like this one packet; the next may be another matter.
                    _ => log::debug!("the kernel refused a packet of {} bytes: {error}", packet.len()),
                },
            }
            self.packets.take();
        }
        self.refusal = None;
        true
    }

    /// Why the oldest packet has not left.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    /// What has gone wrong for good, if anything has.
    pub(super) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Says once that the link has gone down, and once that it is up again.
    fn note_link(&mut self, down: bool) {
        if down && !self.link_down {
            log::warn!("the link is down: packets are lost until it is set up again");
        } else if !down && self.link_down {
            log::info!("the link is up again");
        }
        self.link_down = down;
    }
}

/// Room for one packet to go out.
pub(crate) struct TxToken<'a, I> {
    io: &'a I,
    outbox: &'a mut Outbox,
}

impl<I: PacketIo> phy::TxToken for TxToken<'_, I> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let Self { io, outbox } = self;
        // smoltcp asks for no more than the longest packet, for which there is room.
        let result = f(&mut outbox.packets.room()[..length]);
        outbox.packets.push(length);
        if !outbox.gathering || !outbox.packets.has_room() {
            outbox.flush(io);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use smoltcp::phy::TxToken as _;

    use super::super::script::{SUCCESS, Script};
    use super::*;

    #[track_caller]
    fn send(outbox: &mut Outbox, io: &Script, byte: u8) {
        outbox.room(io).expect("there should be room").consume(1, |packet| packet[0] = byte);
    }

    #[test]
    fn a_kernel_out_of_memory_is_tried_again() {
        let (mut outbox, io) = (Outbox::new(1500), Script::new(&[Errno::ENOBUFS, Errno::ENOMEM]));
        send(&mut outbox, &io, 1);
        assert_eq!(outbox.refusal(), Some(Refusal::NoMemory));
        assert!(outbox.room(&io).is_none());
        assert!(outbox.room(&io).is_some());
        assert_eq!(*io.sent.borrow(), [[1]]);
    }

    #[test]
    fn an_interrupted_call_is_made_again() {
        let (mut outbox, io) = (Outbox::new(1500), Script::new(&[Errno::EINTR, Errno::EINTR]));
        send(&mut outbox, &io, 1);
        assert_eq!(*io.sent.borrow(), [[1]]);
    }

    #[test]
    fn a_link_that_is_down_loses_packets_and_nothing_else() {
        let (mut outbox, io) = (Outbox::new(1500), Script::new(&[Errno::EIO, Errno::EIO]));
        send(&mut outbox, &io, 1);
        assert!(outbox.link_down);
        send(&mut outbox, &io, 2);
        assert_eq!(outbox.refusal(), None);
        send(&mut outbox, &io, 3);
        assert!(!outbox.link_down);
        assert_eq!(*io.sent.borrow(), [[3]]);
        assert!(outbox.failure().is_none());
    }

    #[test]
    fn a_packet_that_the_kernel_does_not_like_is_dropped() {
        let (mut outbox, io) = (Outbox::new(1500), Script::new(&[Errno::EINVAL]));
        send(&mut outbox, &io, 1);
        assert_eq!(outbox.refusal(), None);
        assert!(outbox.failure().is_none());
    }

    #[test]
    fn what_comes_after_a_refused_packet_stays_behind_it() {
        let (mut outbox, io) =
            (Outbox::new(1500), Script::new(&[SUCCESS, Errno::EAGAIN, Errno::EAGAIN, SUCCESS, Errno::EIO]));
        outbox.gather(true);
        for byte in 1..=5 {
            send(&mut outbox, &io, byte);
        }
        assert!(io.sent.borrow().is_empty());
        assert!(!outbox.flush(&io));
        assert_eq!(outbox.refusal(), Some(Refusal::NoRoom));
        // A packet behind a refused one would not be let through.
        assert!(outbox.room(&io).is_none());
        assert!(outbox.flush(&io));
        assert_eq!(outbox.refusal(), None);
        // The link was down when it was the third one's turn.
        assert_eq!(*io.sent.borrow(), [[1], [2], [4], [5]]);
    }

    #[test]
    fn there_is_no_room_in_a_full_outbox_of_a_deleted_device() {
        let (mut outbox, io) = (Outbox::new(65535), Script::new(&[Errno::EBADFD; 100]));
        outbox.gather(true);
        for _ in 0..2 {
            outbox.room(&io).unwrap().consume(65535, |_| ());
        }
        assert!(outbox.room(&io).is_none());
        assert!(outbox.failure().is_some());
    }
}
