//! A TUN or TAP device as smoltcp's [`phy::Device`].
//!
//! Where packets come one after another, some are read in a row, and what answers them is written in a row. A packet that
//! comes alone is answered before another is looked for.
//!
//! Until a packet that the kernel has refused is out, the device neither sends nor receives: what is received wants to be
//! answered, and smoltcp gets into trouble when it cannot (FIN in a full window, see the core's fuzz test).

mod batch;
pub(crate) mod capture;
pub(crate) mod faults;
pub(crate) mod mac;
mod outbox;
#[cfg(test)]
mod script;
pub(crate) mod tun;

use core::fmt::Display;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::time::Instant;
use smoltcp::wire::ETHERNET_HEADER_LEN;

use batch::Batch;
use outbox::Outbox;
pub(crate) use outbox::{Refusal, TxToken};

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
mod tests {
    use std::os::unix::net::UnixDatagram;

    use smoltcp::phy::{Device, RxToken as _, TxToken as _};

    use super::script::{SUCCESS, Script};
    use super::*;

    const NOW: Instant = Instant::ZERO;

    /// A device over one end of a pair of sockets, and the other end, from which nothing is waited for.
    fn pair() -> (PacketDevice<UnixDatagram>, UnixDatagram) {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        (PacketDevice::new(ours, 1500), theirs)
    }

    /// Receives a packet and answers it with itself.
    #[track_caller]
    fn echo(device: &mut PacketDevice<impl PacketIo>) -> u8 {
        let (packet, room) = device.receive(NOW).expect("there should be a packet");
        let octet = packet.consume(|packet| packet[0]);
        room.consume(1, |packet| packet[0] = octet);
        octet
    }

    /// What has come out of the other end.
    fn arrived(theirs: &UnixDatagram) -> Vec<u8> {
        let mut octet = [0];
        core::iter::from_fn(|| theirs.recv(&mut octet).ok().map(|_| octet[0])).collect()
    }

    #[test]
    fn a_packet_that_comes_alone_is_answered_at_once() {
        let (mut device, theirs) = pair();
        for octet in 1..=3 {
            theirs.send(&[octet]).unwrap();
            assert_eq!(echo(&mut device), octet);
            assert_eq!(arrived(&theirs), [octet]);
            assert!(device.receive(NOW).is_none());
        }
    }

    #[test]
    fn another_is_looked_for_only_when_the_first_is_answered() {
        let mut device = Script::device(&[]);
        echo(&mut device);
        assert_eq!(*device.io.calls.borrow(), "rs");
    }

    #[test]
    fn packets_in_a_row_are_answered_in_a_row() {
        let (mut device, theirs) = pair();
        for octet in 1..=5 {
            theirs.send(&[octet]).unwrap();
        }
        assert_eq!((echo(&mut device), arrived(&theirs)), (1, vec![1]));
        for octet in 2..=5 {
            assert!(octet == 2 || device.has_packets());
            assert_eq!((echo(&mut device), arrived(&theirs)), (octet, vec![]));
        }
        assert!(!device.has_packets());
        assert!(device.receive(NOW).is_none());
        assert_eq!(arrived(&theirs), [2, 3, 4, 5]);
    }

    #[test]
    fn answers_leave_though_there_is_always_another_packet() {
        let mut device = Script::device(&[]);
        for octet in (0..=255).cycle().take(1000) {
            let (_, room) = device.receive(NOW).unwrap();
            room.consume(1, |packet| packet[0] = octet);
        }
        device.flush();
        let sent: Vec<u8> = (0..=255).cycle().take(1000).collect();
        assert_eq!(device.io.sent.borrow().concat(), sent);
        let calls = device.io.calls.borrow();
        let longest = calls.split('s').map(str::len).max();
        assert_eq!(longest, Some(32), "{calls}");
    }

    #[test]
    fn packets_that_were_read_wait_until_there_is_room_for_an_answer() {
        let full = Errno::EAGAIN;
        let mut device = Script::device(&[SUCCESS, SUCCESS, SUCCESS, SUCCESS, SUCCESS, full, full, full]);
        echo(&mut device);
        echo(&mut device);
        device.flush();
        assert_eq!(device.refusal(), Some(Refusal::NoRoom));
        assert!(device.has_packets());
        assert!(device.receive(NOW).is_none());
        echo(&mut device);
        echo(&mut device);
        assert_eq!(*device.io.calls.borrow(), "rsrrrrsss");
    }

    #[test]
    fn nothing_is_read_that_could_not_be_answered() {
        let full = Errno::EAGAIN;
        let mut device = Script::device(&[SUCCESS, SUCCESS, SUCCESS, full, full]);
        echo(&mut device);
        echo(&mut device);
        assert!(!device.has_packets());
        assert!(device.receive(NOW).is_none());
        assert_eq!((&**device.io.calls.borrow(), device.refusal()), ("rsrrs", Some(Refusal::NoRoom)));
    }

    #[test]
    fn what_waits_is_sent_before_a_sleep() {
        let (mut device, theirs) = pair();
        for octet in 1..=3 {
            theirs.send(&[octet]).unwrap();
        }
        echo(&mut device);
        echo(&mut device);
        device.flush();
        assert_eq!(arrived(&theirs), [1, 2]);
        assert!(device.has_packets(), "it is the loop that must not sleep");
        assert_eq!(echo(&mut device), 3);
    }

    #[test]
    fn a_full_device_keeps_the_packet_and_takes_no_other() {
        let (mut device, theirs) = pair();
        let mut octets = (0..=255).cycle();
        let mut sent = 0;
        while device.refusal().is_none() {
            let octet = octets.next().unwrap();
            device.transmit(NOW).unwrap().consume(1, |packet| packet[0] = octet);
            sent += 1;
            assert!(sent < 1 << 20, "the device is never full");
        }
        assert_eq!(device.refusal(), Some(Refusal::NoRoom));
        theirs.send(b"not received while full").unwrap();
        assert!(device.transmit(NOW).is_none());
        assert!(device.receive(NOW).is_none());
        // Every packet comes out once and in order, the one that was held too.
        for octet in (0..=255).cycle().take(sent) {
            let mut buffer = [0; 10];
            assert_eq!((theirs.recv(&mut buffer).unwrap(), buffer[0]), (1, octet));
            assert!(device.transmit(NOW).is_some());
        }
        assert_eq!(arrived(&theirs), []);
        assert_eq!(device.refusal(), None);
        let (packet, _) = device.receive(NOW).unwrap();
        packet.consume(|packet| assert_eq!(packet, b"not received while full"));
    }

    #[test]
    fn an_interrupted_call_is_made_again() {
        let mut device = Script::device(&[Errno::EINTR]);
        assert!(device.receive(Instant::from_millis(5)).is_some());
        assert_eq!(device.last_packet(), Some(Instant::from_millis(5)));
    }

    #[test]
    fn a_link_that_is_down_is_no_failure() {
        let mut device = Script::device(&[Errno::EIO]);
        assert!(device.receive(NOW).is_none());
        assert!(device.failure().is_none());
    }

    #[test]
    fn a_deleted_device_is_a_failure() {
        let mut device = Script::device(&[Errno::EBADFD]);
        assert!(device.receive(NOW).is_none());
        assert_eq!(device.failure().unwrap().raw_os_error(), Some(Errno::EBADFD as i32));

        let mut device = Script::device(&[Errno::EBADFD]);
        device.transmit(NOW).unwrap().consume(1, |_| ());
        assert!(device.failure().is_some());
    }

    #[test]
    fn nothing_there_is_no_packet() {
        let mut device = Script::device(&[Errno::EAGAIN]);
        assert!(device.receive(NOW).is_none());
        assert_eq!(device.last_packet(), None);
        assert_eq!(*device.io.calls.borrow(), "r");
    }
}
