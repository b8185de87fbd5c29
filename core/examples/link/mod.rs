//! A link in memory between two stacks in one process.

use std::sync::mpsc::{Receiver, Sender, channel};

use shout_core::smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use shout_core::smoltcp::time::Instant;

/// One end of the link, and smoltcp's `Device`: what is sent here is received at the other end.
pub(crate) struct End(Sender<Vec<u8>>, Receiver<Vec<u8>>);
/// A packet that has come.
pub(crate) struct Packet(Vec<u8>);
/// Room for a packet to send.
pub(crate) struct Room<'a>(&'a Sender<Vec<u8>>);

/// Both ends.
pub(crate) fn pair() -> (End, End) {
    let ((one, other_out), (other, one_out)) = (channel(), channel());
    (End(one, one_out), End(other, other_out))
}

impl Device for End {
    type RxToken<'a> = Packet;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Packet, Room<'_>)> {
        Some((Packet(self.1.try_recv().ok()?), Room(&self.0)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Room<'_>> {
        Some(Room(&self.0))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        (capabilities.medium, capabilities.max_transmission_unit) = (Medium::Ip, 1500);
        capabilities
    }
}

impl RxToken for Packet {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut packet = vec![0; length];
        let result = f(&mut packet);
        let _ = self.0.send(packet); // lost, if the other end is gone: as on any network
        result
    }
}
