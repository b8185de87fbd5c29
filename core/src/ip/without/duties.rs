//! In place of what hosts on Ethernet expect beyond smoltcp: it alone deals with ARP and neighbour discovery, and a packet whose
//! neighbour is not known is lost.

use smoltcp::phy::Device;
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, EthernetFrame, EthernetProtocol};

use crate::ip::device::Room;
use crate::ip::interface::{Interface, NoAnswer, Sent};
use crate::tcp::timers::NEVER;

#[derive(Debug)]
pub(crate) struct Duties;

impl Duties {
    pub(crate) fn new(_own: EthernetAddress, _now: Instant, _seed: u64) -> Duties {
        Duties
    }
}

impl Interface {
    /// smoltcp may learn something else from the frame than a segment has taught.
    pub(crate) fn discover(&mut self, _now: Instant, frame: &[u8], _tx: &mut dyn Room) -> bool {
        if let Some(link) = &mut self.link
            && let Ok(frame) = EthernetFrame::new_checked(frame)
            && matches!(frame.ethertype(), EthernetProtocol::Arp | EthernetProtocol::Ipv6)
        {
            link.neighbours.discovered();
        }
        false
    }

    pub(crate) fn answer(&mut self, now: Instant, packet: &[u8], tx: &mut dyn Room) {
        self.process_without_sockets(now, packet, tx);
    }

    pub(crate) fn take_unanswered(&mut self) -> Option<NoAnswer> {
        None
    }

    pub(crate) fn announce<D: Device + ?Sized>(&mut self, _now: Instant, _device: &mut D) -> Sent {
        Sent::All(NEVER)
    }

    pub(crate) fn announce_at(&self) -> Instant {
        NEVER
    }
}
