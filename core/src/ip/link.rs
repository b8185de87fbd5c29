//! The link, where it is Ethernet: what the server itself keeps of it.

use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, EthernetFrame, IpAddress};

use crate::ip::duties::Duties;
use crate::ip::frame::Frame;
use crate::ip::neighbours::{self, Evidence, Neighbours};

#[derive(Debug)]
pub(crate) struct Link {
    pub(super) neighbours: Neighbours,
    #[cfg_attr(not(feature = "ethernet-duties"), expect(dead_code, reason = "there are none"))]
    pub(super) duties: Duties,
}

impl Link {
    /// `own`: the server's hardware address.
    pub(crate) fn new(own: EthernetAddress, now: Instant, seed: u64) -> Link {
        Link { neighbours: Neighbours::new(), duties: Duties::new(own, now, seed) }
    }

    /// The frame that tells smoltcp the hardware address of a neighbour, which sent this packet to `own`. None if smoltcp need
    /// not be told.
    pub(crate) fn learn(
        &mut self,
        now: Instant,
        packet: &[u8],
        (neighbour, own): (IpAddress, IpAddress),
        evidence: Evidence,
    ) -> Option<Frame> {
        let at = EthernetFrame::new_checked(packet).ok()?.src_addr();
        if !self.neighbours.learn(now, neighbour, at, evidence) {
            return None;
        }
        neighbours::announcement(at, neighbour, own)
    }
}
