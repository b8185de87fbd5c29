//! The device between bare smoltcp and the peer: two queues, and as much room as a test gives it.

use std::collections::VecDeque;

use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;

/// A device without delay or loss.
pub(crate) struct Wire {
    /// What smoltcp has not received yet.
    pub(crate) arriving: VecDeque<Vec<u8>>,
    /// What smoltcp has sent.
    pub(crate) sent: VecDeque<Vec<u8>>,
    /// How many more packets it takes.
    pub(crate) room: usize,
    medium: Medium,
}

impl Wire {
    pub(crate) fn new(medium: Medium) -> Self {
        Self { arriving: VecDeque::new(), sent: VecDeque::new(), room: usize::MAX, medium }
    }
}

/// A packet that arrives.
pub(crate) struct Arrived(Vec<u8>);

impl RxToken for Arrived {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

/// Room for one packet.
pub(crate) struct Room<'w> {
    sent: &'w mut VecDeque<Vec<u8>>,
    room: &'w mut usize,
}

impl TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut packet = vec![0; length];
        let result = f(&mut packet);
        self.sent.push_back(packet);
        *self.room -= 1;
        result
    }
}

impl Device for Wire {
    type RxToken<'w> = Arrived;
    type TxToken<'w> = Room<'w>;

    fn receive(&mut self, _: Instant) -> Option<(Arrived, Room<'_>)> {
        let packet = self.arriving.pop_front()?;
        Some((Arrived(packet), Room { sent: &mut self.sent, room: &mut self.room }))
    }

    fn transmit(&mut self, _: Instant) -> Option<Room<'_>> {
        (self.room > 0).then_some(Room { sent: &mut self.sent, room: &mut self.room })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = self.medium;
        capabilities.max_transmission_unit = if self.medium == Medium::Ethernet { 1514 } else { 1500 };
        capabilities
    }
}
