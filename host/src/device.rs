//! A TUN device as smoltcp's [`phy::Device`]: one buffer to receive, one to send, nothing allocated for a packet.
//!
//! smoltcp's tokens cannot fail, and a packet that it has handed over is sent as far as it knows. So a packet that the
//! kernel does not take is kept here, and until it is out the device neither sends nor receives: what is received
//! wants to be answered, and smoltcp gets into trouble when it cannot (FIN in a full window, see the core's fuzz test).

use core::fmt::Display;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

/// The longest IP packet, and so the longest that a TUN device gives, whatever its MTU is set to meanwhile. Only
/// the pages that packets reach are ever touched.
pub(crate) const LONGEST_PACKET: usize = 65535;

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
    /// Why the device does not send, if it holds a packet that the kernel has not taken.
    fn refusal(&self) -> Option<Refusal>;
    /// What has gone wrong for good, if anything has.
    fn failure(&mut self) -> Option<io::Error>;
    /// What the device has done to packets on purpose, for a person.
    fn faults(&self) -> Option<&dyn Display> {
        None
    }
}

/// The device that the server runs on.
#[derive(Debug)]
pub(crate) struct PacketDevice<I> {
    io: I,
    mtu: u16,
    inbox: Box<[u8]>,
    outbox: Outbox,
    last_packet: Option<Instant>,
}

/// The sending side.
#[derive(Debug)]
struct Outbox {
    packet: Box<[u8]>,
    /// The length of the packet that the kernel has not taken yet.
    held: Option<usize>,
    refusal: Refusal,
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

impl<I: PacketIo> PacketDevice<I> {
    /// A device of that MTU over `io`.
    pub(crate) fn new(io: I, mtu: u16) -> Self {
        let buffer = || vec![0; LONGEST_PACKET].into_boxed_slice();
        let outbox = Outbox {
            packet: buffer(),
            held: None,
            refusal: Refusal::NoRoom,
            link_down: false,
            failure: None,
        };
        Self { io, mtu, inbox: buffer(), outbox, last_packet: None }
    }

    /// Receives a packet into the inbox and gives its length.
    fn fill(&mut self) -> Option<usize> {
        loop {
            match self.io.receive(&mut self.inbox) {
                Ok(length) => return Some(length),
                Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                    Some(Errno::EINTR) => {}
                    // Nothing there; or the link is down, and poll(2) will tell when it is up.
                    Some(Errno::EAGAIN | Errno::EIO) => return None,
                    _ => {
                        self.outbox.failure = Some(error);
                        return None;
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

    fn refusal(&self) -> Option<Refusal> {
        self.outbox.held.map(|_| self.outbox.refusal)
    }

    fn failure(&mut self) -> Option<io::Error> {
        self.outbox.failure.take()
    }
}

impl Outbox {
    /// True if no packet is held, or none any more.
    fn flush(&mut self, io: &impl PacketIo) -> bool {
        let Some(length) = self.held else { return true };
        loop {
            match io.send(&self.packet[..length]) {
                Ok(_) => self.note_link(false),
                Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                    Some(Errno::EINTR) => continue,
                    Some(Errno::EAGAIN) => {
                        self.refusal = Refusal::NoRoom;
                        return false;
                    }
                    Some(Errno::ENOBUFS | Errno::ENOMEM) => {
                        self.refusal = Refusal::NoMemory;
                        return false;
                    }
                    // A link that is down loses packets, as any does: the peer sends again, or so do we.
                    Some(Errno::EIO) => self.note_link(true),
                    Some(Errno::EBADFD) => {
                        self.failure = Some(error);
                        return false;
                    }
                    // The kernel did not like this one packet; the next may be another matter.
                    _ => log::debug!("the kernel refused a packet of {length} octets: {error}"),
                },
            }
            self.held = None;
            return true;
        }
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
        if !self.outbox.flush(&self.io) {
            return None;
        }
        let length = self.fill()?;
        self.last_packet = Some(now);
        let packet = self.inbox.get(..length)?;
        Some((RxToken { packet }, TxToken { io: &self.io, outbox: &mut self.outbox }))
    }

    fn transmit(&mut self, _now: Instant) -> Option<TxToken<'_, I>> {
        let room = self.outbox.flush(&self.io);
        room.then_some(TxToken { io: &self.io, outbox: &mut self.outbox })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu.into();
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

/// Room for one packet to go out.
pub(crate) struct TxToken<'a, I> {
    io: &'a I,
    outbox: &'a mut Outbox,
}

impl<I: PacketIo> phy::TxToken for TxToken<'_, I> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        // smoltcp asks for no more than the MTU, which is no more than the buffer.
        let result = f(&mut self.outbox.packet[..length]);
        self.outbox.held = Some(length);
        self.outbox.flush(self.io);
        result
    }
}

#[cfg(test)]
mod tests {
    use core::cell::{Cell, RefCell};
    use std::os::unix::net::UnixDatagram;

    use smoltcp::phy::{Device, RxToken as _, TxToken as _};

    use super::*;

    /// Answers each call with the next error number of its script, and with success (0) at its end.
    #[derive(Default)]
    struct Script {
        errors: RefCell<Vec<Errno>>,
        sent: RefCell<Vec<Vec<u8>>>,
        calls: Cell<usize>,
    }

    impl Script {
        fn device(errors: &[Errno]) -> PacketDevice<Script> {
            let errors = RefCell::new(errors.iter().rev().copied().collect());
            PacketDevice::new(Script { errors, ..Script::default() }, 1500)
        }

        fn next(&self) -> io::Result<()> {
            self.calls.set(self.calls.get() + 1);
            self.errors.borrow_mut().pop().map_or(Ok(()), |error| Err(error.into()))
        }
    }

    impl PacketIo for Script {
        fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
            self.next()?;
            buffer[0] = 7;
            Ok(1)
        }

        fn send(&self, packet: &[u8]) -> io::Result<usize> {
            self.next()?;
            self.sent.borrow_mut().push(packet.to_vec());
            Ok(packet.len())
        }
    }

    const NOW: Instant = Instant::ZERO;

    #[track_caller]
    fn send(device: &mut PacketDevice<impl PacketIo>, octet: u8) {
        device.transmit(NOW).expect("the device should have room").consume(3, |packet| packet.fill(octet));
    }

    #[test]
    fn a_full_device_keeps_the_packet_and_takes_no_other() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        let mut device = PacketDevice::new(ours, 1500);
        let mut octets = (0..=255).cycle();
        let mut sent = 0;
        while device.refusal().is_none() {
            send(&mut device, octets.next().unwrap());
            sent += 1;
            assert!(sent < 1 << 20, "the device is never full");
        }
        assert_eq!(device.refusal(), Some(Refusal::NoRoom));
        theirs.send(b"not received while full").unwrap();
        assert!(device.transmit(NOW).is_none());
        assert!(device.receive(NOW).is_none());
        // Every packet comes out once and in order, the one that was held too.
        let mut buffer = [0; 10];
        for octet in (0..=255).cycle().take(sent) {
            assert_eq!(theirs.recv(&mut buffer).unwrap(), 3);
            assert_eq!(buffer[..3], [octet; 3]);
            assert!(device.transmit(NOW).is_some());
        }
        assert_eq!(theirs.recv(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(device.refusal(), None);
        let (packet, _) = device.receive(NOW).unwrap();
        packet.consume(|packet| assert_eq!(packet, b"not received while full"));
    }

    #[test]
    fn a_kernel_out_of_memory_is_tried_again() {
        let mut device = Script::device(&[Errno::ENOBUFS, Errno::ENOMEM]);
        send(&mut device, 1);
        assert_eq!(device.refusal(), Some(Refusal::NoMemory));
        assert!(device.receive(NOW).is_none());
        assert!(device.transmit(NOW).is_some());
        assert_eq!(*device.io.sent.borrow(), [[1; 3]]);
    }

    #[test]
    fn an_interrupted_call_is_made_again() {
        let mut device = Script::device(&[Errno::EINTR, Errno::EINTR]);
        send(&mut device, 1);
        assert_eq!(*device.io.sent.borrow(), [[1; 3]]);
        let mut device = Script::device(&[Errno::EINTR]);
        assert!(device.receive(Instant::from_millis(5)).is_some());
        assert_eq!(device.last_packet(), Some(Instant::from_millis(5)));
    }

    #[test]
    fn a_link_that_is_down_loses_packets_and_nothing_else() {
        let mut device = Script::device(&[Errno::EIO, Errno::EIO]);
        send(&mut device, 1);
        assert!(device.outbox.link_down);
        send(&mut device, 2);
        assert_eq!(device.refusal(), None);
        send(&mut device, 3);
        assert!(!device.outbox.link_down);
        assert_eq!(*device.io.sent.borrow(), [[3; 3]]);
        assert!(device.failure().is_none());

        let mut device = Script::device(&[Errno::EIO]);
        assert!(device.receive(NOW).is_none());
        assert!(device.failure().is_none());
    }

    #[test]
    fn a_packet_that_the_kernel_refuses_is_dropped() {
        let mut device = Script::device(&[Errno::EINVAL]);
        send(&mut device, 1);
        assert_eq!(device.refusal(), None);
        assert!(device.failure().is_none());
    }

    #[test]
    fn a_deleted_device_is_a_failure() {
        let mut device = Script::device(&[Errno::EBADFD]);
        assert!(device.receive(NOW).is_none());
        assert_eq!(device.failure().unwrap().raw_os_error(), Some(Errno::EBADFD as i32));

        let mut device = Script::device(&[Errno::EBADFD]);
        send(&mut device, 1);
        assert!(device.failure().is_some());
    }

    #[test]
    fn nothing_there_is_no_packet() {
        let mut device = Script::device(&[Errno::EAGAIN]);
        assert!(device.receive(NOW).is_none());
        assert_eq!(device.last_packet(), None);
        assert_eq!(device.io.calls.get(), 1);
    }
}
