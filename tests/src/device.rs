//! An in-memory device with limited room. It keeps a journal of the packets that pass, in order.

use std::collections::VecDeque;

use smoltcp::phy::{self, Checksum, ChecksumCapabilities, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

/// The device. The test is at its other end.
#[derive(Debug)]
pub struct Device {
    /// Packets to be received.
    pub arriving: VecDeque<Vec<u8>>,
    /// The packets that were received and sent, the oldest first.
    pub journal: Vec<Passed>,
    /// How many more packets it can send.
    pub room: usize,
    /// Without room, it delivers no packet either. If this is false it does, and has room for their replies.
    pub deaf_when_full: bool,
    medium: Medium,
    mtu: usize,
    checksum: ChecksumCapabilities,
}

/// A packet that passed the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passed {
    /// Received by the device's owner.
    In(Vec<u8>),
    /// Sent by the device's owner.
    Out(Vec<u8>),
}

impl Device {
    /// A device with unlimited room. `mtu` is the MTU of IP.
    pub fn new(medium: Medium, mtu: usize) -> Device {
        let link_header = if medium == Medium::Ethernet { 14 } else { 0 };
        Device {
            arriving: VecDeque::new(),
            journal: Vec::new(),
            room: usize::MAX,
            deaf_when_full: true,
            medium,
            mtu: mtu + link_header,
            checksum: ChecksumCapabilities::default(),
        }
    }

    /// Declares that it has verified the checksums of what it delivers. It has not.
    pub fn trust_checksums(&mut self) {
        let ChecksumCapabilities { ipv4, udp, tcp, icmpv4, icmpv6, .. } = &mut self.checksum;
        for checksum in [ipv4, udp, tcp, icmpv4, icmpv6] {
            *checksum = Checksum::Tx;
        }
    }
}

impl phy::Device for Device {
    type RxToken<'a> = RxToken;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(RxToken, TxToken<'_>)> {
        if self.room == 0 && self.deaf_when_full {
            return None;
        }
        let packet = self.arriving.pop_front()?;
        self.journal.push(Passed::In(packet.clone()));
        Some((RxToken(packet), TxToken { journal: &mut self.journal, room: &mut self.room }))
    }

    fn transmit(&mut self, _now: Instant) -> Option<TxToken<'_>> {
        (self.room > 0).then_some(TxToken { journal: &mut self.journal, room: &mut self.room })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = self.medium;
        capabilities.max_transmission_unit = self.mtu;
        capabilities.checksum = self.checksum.clone();
        capabilities
    }
}

/// A received packet.
#[derive(Debug)]
pub struct RxToken(Vec<u8>);

impl phy::RxToken for RxToken {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

/// Room for one packet.
#[derive(Debug)]
pub struct TxToken<'d> {
    journal: &'d mut Vec<Passed>,
    room: &'d mut usize,
}

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut packet = vec![0; length];
        let result = f(&mut packet);
        self.journal.push(Passed::Out(packet));
        *self.room = self.room.saturating_sub(1);
        result
    }
}
