//! An interface with the MTU of a path, in place of smoltcp's, for what one connection has to send.
//!
//! On Ethernet it knows no neighbours, so it is told the hardware address of the next hop, as if that were the peer's. Only
//! smoltcp's own interface knows that address, and does not show it. So that is shown a segment for no connection: the RST that
//! it draws is in a frame to that address, or the address is asked for in its place.

use heapless::Vec;
use smoltcp::iface::{self, SocketSet};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, EthernetFrame, IpAddress, IpCidr};

use crate::ip::device::{LONGEST_ANSWER, Room, Written, inject};
use crate::ip::interface::{Interface, make};
use crate::ip::neighbours::announcement;

impl Interface {
    /// The hardware address of the next hop on the way to the sender of this segment, which is for no connection. None if it is
    /// not known: then it is asked for, at most once a second.
    pub(crate) fn next_hop(
        &mut self,
        now: Instant,
        segment: &[u8],
        tx: &mut dyn Room,
    ) -> Option<EthernetAddress> {
        let (mut written, sent) = (Written(Vec::<u8, LONGEST_ANSWER>::new()), self.packets_sent);
        self.process_without_sockets(now, segment, &mut written);
        self.packets_sent = sent;
        let Written(frame) = written;
        let to = EthernetFrame::new_checked(&frame).ok()?.dst_addr();
        if to.is_unicast() {
            return Some(to);
        }
        self.emit(tx, frame.len(), |question| question.copy_from_slice(&frame));
        None
    }

    /// Puts an interface with this MTU, which is no longer than the device's, in the place of smoltcp's; returns that. `hop`: on
    /// Ethernet, the address of ours that is spoken from, the peer's, and the hardware address of the next hop to it.
    pub(crate) fn narrow(
        &mut self,
        now: Instant,
        mtu: u16,
        hop: Option<(IpAddress, IpAddress, EthernetAddress)>,
    ) -> iface::Interface {
        let mut capabilities = self.capabilities.clone();
        let most = usize::from(mtu) + self.link_header_len();
        capabilities.max_transmission_unit = capabilities.max_transmission_unit.min(most);
        let mut addresses = self.addresses.clone();
        if let Some((own, ..)) = hop {
            // Everybody is on the link.
            addresses.clear();
            let _ = addresses.push(IpCidr::new(own, 0)); // Cannot fail: it is empty.
        }
        let mut narrow = make(self.hardware_addr, (&addresses, &[]), 1, &capabilities, now);
        if let Some((own, peer, at)) = hop
            && let Some(frame) = announcement(at, peer, own)
        {
            inject(&mut narrow, now, &frame, &capabilities, &mut SocketSet::new(&mut [][..]));
        }
        core::mem::replace(&mut self.interface, narrow)
    }

    /// Puts smoltcp's interface back.
    pub(crate) fn widen(&mut self, interface: iface::Interface) {
        self.interface = interface;
    }
}
