//! An in-memory device: keeps what the server sends, and has as much room as the test says.

use std::collections::VecDeque;
use std::vec::Vec;

use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;

/// An in-memory device: keeps what the server sends, and has as much room as the test says.
pub(super) struct Wire {
    pub(super) arriving: VecDeque<Vec<u8>>,
    pub(super) sent: VecDeque<Vec<u8>>,
    /// How many more packets it can send. Without room, it delivers no packet either.
    pub(super) room: usize,
    /// It delivers packets and sends replies to them, but has no room for anything else.
    pub(super) one_way: bool,
    pub(super) capabilities: DeviceCapabilities,
    pub(super) given: u64,
    pub(super) taken: u64,
}

pub(super) struct Arrived(Vec<u8>);

/// Room for one packet.
pub(super) struct Slip<'w> {
    sent: &'w mut VecDeque<Vec<u8>>,
    room: &'w mut usize,
    taken: &'w mut u64,
}

impl RxToken for Arrived {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Slip<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut packet = std::vec![0; length];
        let result = f(&mut packet);
        self.sent.push_back(packet);
        assert!(self.sent.len() < 10_000, "the server sends without end");
        *self.room -= 1;
        *self.taken += 1;
        result
    }
}

impl Wire {
    pub(super) fn new(medium: Medium, mtu: usize) -> Wire {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = medium;
        capabilities.max_transmission_unit = mtu;
        Wire {
            arriving: VecDeque::new(),
            sent: VecDeque::new(),
            room: usize::MAX,
            one_way: false,
            capabilities,
            given: 0,
            taken: 0,
        }
    }

    fn slip(&mut self) -> Slip<'_> {
        Slip { sent: &mut self.sent, room: &mut self.room, taken: &mut self.taken }
    }
}

impl Device for Wire {
    type RxToken<'a> = Arrived;
    type TxToken<'a> = Slip<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(Arrived, Slip<'_>)> {
        if self.room == 0 {
            return None;
        }
        let packet = self.arriving.pop_front()?;
        self.given += 1;
        Some((Arrived(packet), self.slip()))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Slip<'_>> {
        (self.room > 0 && !self.one_way).then(|| self.slip())
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.capabilities.clone()
    }
}
