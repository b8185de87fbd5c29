//! smoltcp's `Interface`, which every socket set takes turns with.

use heapless::Vec;
use smoltcp::iface::{self, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, TxToken};
use smoltcp::time::Instant;
use smoltcp::wire::{
    ETHERNET_HEADER_LEN, EthernetFrame, EthernetProtocol, EthernetRepr, HardwareAddress, IpAddress, IpCidr,
};

use crate::config::{Config, MAX_ADDRESSES};
use crate::ip::checksum::Seal;
use crate::ip::device::{Discard, OnePacket, OneTransmit, Watch, Watched, behind_the_filter};
use crate::ip::link::{Answered, Link};
use crate::ip::neighbours::Evidence;
use crate::tcp::timers::NEVER;

/// What a socket set may send in its turn: then others get theirs.
const PACKETS_A_TURN: usize = 64;

/// smoltcp's interface, and what is needed to make others like it.
pub(crate) struct Interface {
    interface: iface::Interface,
    addresses: Vec<IpCidr, MAX_ADDRESSES>,
    hardware_addr: HardwareAddress,
    /// Less the checksums that the filter has verified, and that the seal will write.
    capabilities: DeviceCapabilities,
    seal: Seal,
    link_header: usize,
    packets_sent: u64,
    /// None on a device without frames.
    link: Option<Link>,
    /// What became of the packet that was last to be answered, if it was not: was its neighbour asked for?
    unanswered: Option<bool>,
}

/// What became of what a socket set had to send.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// All of it has left; there is more to do at this time, or [`NEVER`]. Now: as much as one turn allows has left.
    All(Instant),
    /// The congestion window has no room for the rest.
    Held,
    /// The device has no room for the rest.
    Blocked,
}

impl Interface {
    /// The configuration must have been checked; `capabilities` are the device's own.
    pub(crate) fn new(
        config: &Config,
        capabilities: &DeviceCapabilities,
        seed: u64,
        now: Instant,
    ) -> Interface {
        let link = match config.hardware_addr {
            HardwareAddress::Ip => None,
            HardwareAddress::Ethernet(own) => Some(Link::new(own, now, seed)),
        };
        let behind = behind_the_filter(capabilities);
        // Nothing is changed after this: smoltcp's interface is large, and would be copied on the stack once more.
        Interface {
            interface: make(config.hardware_addr, (&config.addresses, &config.gateways), seed, &behind, now),
            addresses: config.addresses.clone(),
            hardware_addr: config.hardware_addr,
            capabilities: behind,
            seal: Seal::new(&capabilities.checksum),
            link_header: if link.is_some() { ETHERNET_HEADER_LEN } else { 0 },
            packets_sent: 0,
            link,
            unanswered: None,
        }
    }

    /// Another interface with the same addresses, that draws its random numbers from this seed.
    pub(crate) fn seeded(&self, seed: u64, now: Instant) -> iface::Interface {
        make(self.hardware_addr, (&self.addresses, &[]), seed, &self.capabilities, now)
    }

    /// Puts an interface with this MTU, which is no longer than the device's, in the place of smoltcp's; returns that.
    pub(crate) fn narrow(&mut self, now: Instant, mtu: u16) -> iface::Interface {
        let mut capabilities = self.capabilities.clone();
        capabilities.max_transmission_unit = capabilities.max_transmission_unit.min(mtu.into());
        let narrow = make(self.hardware_addr, (&self.addresses, &[]), 1, &capabilities, now);
        core::mem::replace(&mut self.interface, narrow)
    }

    /// Puts smoltcp's interface back.
    pub(crate) fn widen(&mut self, interface: iface::Interface) {
        self.interface = interface;
    }

    /// What smoltcp believes the device to do.
    pub(crate) fn capabilities(&self) -> &DeviceCapabilities {
        &self.capabilities
    }

    /// Lets smoltcp process a packet with these sockets; `tx` is for what it answers at once, which `watch` sees.
    #[inline(always)]
    pub(crate) fn process(
        &mut self,
        now: Instant,
        (packet, tx): (&[u8], impl TxToken),
        sockets: &mut SocketSet<'_>,
        watch: &mut dyn Watch,
    ) {
        let Interface { interface, capabilities, seal, link_header, packets_sent: sent, .. } = self;
        let token = Watched { token: tx, sent, watch, seal: *seal, link_header: *link_header };
        let mut device = OnePacket::new(packet, token, capabilities);
        interface.poll_ingress_single(now, &mut device, sockets);
    }

    /// Sends a packet of this length that smoltcp has no part in; `emit` writes it.
    pub(crate) fn emit(&mut self, tx: impl TxToken, length: usize, emit: impl FnOnce(&mut [u8])) {
        self.packets_sent += 1;
        tx.consume(length, emit);
    }

    /// Lets smoltcp answer a packet that is for no socket, and does not come again if the answer is lost.
    pub(crate) fn answer(&mut self, now: Instant, packet: &[u8], tx: impl TxToken) {
        if self.link.is_none() {
            return self.process_without_sockets(now, packet, tx);
        }
        let mut answered = Answered::default();
        self.process(now, (packet, tx), &mut SocketSet::new(&mut [][..]), &mut answered);
        self.unanswered = (!answered.with_an_answer).then_some(answered.with_a_question);
    }

    /// Some if the last packet that was to be [answered](Self::answer) was not: true if its neighbour was asked for,
    /// false if it wants no answer, or if another neighbour was asked for within the last second.
    pub(crate) fn take_unanswered(&mut self) -> Option<bool> {
        self.unanswered.take()
    }

    /// Lets smoltcp process a packet that is for no socket.
    pub(crate) fn process_without_sockets(&mut self, now: Instant, packet: &[u8], tx: impl TxToken) {
        self.process(now, (packet, tx), &mut SocketSet::new(&mut [][..]), &mut ());
    }

    /// Lets smoltcp process a segment without payload that the server built, and discards the answer.
    pub(crate) fn inject(&mut self, now: Instant, packet: &[u8], sockets: &mut SocketSet<'_>) {
        let mut device = OnePacket::new(packet, Discard, &self.capabilities);
        self.interface.poll_ingress_single(now, &mut device, sockets);
    }

    /// Sends one packet of what these sockets have to send, through this token.
    #[inline]
    pub(crate) fn send_one(
        &mut self,
        now: Instant,
        token: impl TxToken,
        sockets: &mut SocketSet<'_>,
        watch: &mut dyn Watch,
    ) {
        let Interface { interface, capabilities, seal, link_header, packets_sent: sent, .. } = self;
        let token = Watched { token, sent, watch, seal: *seal, link_header: *link_header };
        let mut out = OneTransmit::new(token, capabilities);
        interface.poll_egress(now, &mut out, sockets);
    }

    /// Has smoltcp write one packet of what these sockets have to send, as if it left through this token.
    pub(crate) fn throw_away(
        &mut self,
        now: Instant,
        token: impl TxToken,
        sockets: &mut SocketSet<'_>,
        watch: &mut dyn Watch,
    ) {
        let sent = self.packets_sent;
        self.send_one(now, token, sockets, watch);
        self.packets_sent = sent;
    }

    /// When these sockets have something to send or to do; [`NEVER`]: not before a packet comes.
    pub(crate) fn poll_at(&mut self, now: Instant, sockets: &SocketSet<'_>) -> Instant {
        self.interface.poll_at(now, sockets).unwrap_or(NEVER)
    }

    /// Sends what these sockets have to send, as long as `watch` permits it, and no more than one turn allows.
    pub(crate) fn send<D: Device + ?Sized>(
        &mut self,
        now: Instant,
        device: &mut D,
        sockets: &mut SocketSet<'_>,
        watch: &mut dyn Watch,
    ) -> Sent {
        for _ in 0..PACKETS_A_TURN {
            let at = self.poll_at(now, sockets);
            if at > now {
                return Sent::All(at);
            }
            if !watch.permits() {
                return Sent::Held;
            }
            let Some(token) = device.transmit(now) else {
                return Sent::Blocked;
            };
            self.send_one(now, token, sockets, watch);
        }
        Sent::All(now)
    }

    /// True if the device has frames.
    pub(crate) fn has_frames(&self) -> bool {
        self.link.is_some()
    }

    /// Deals with a frame by which others look for us, without smoltcp.
    ///
    /// # Errors
    ///
    /// It is another frame, or there are none: it goes the way of all packets, with the token.
    pub(crate) fn discover<T: TxToken>(&mut self, now: Instant, frame: &[u8], tx: T) -> Result<(), T> {
        let Some(link) = &mut self.link else {
            return Err(tx);
        };
        let Some(discovery) = link.discover(now, frame, &self.addresses) else {
            return Err(tx);
        };
        if let Some(announcement) = discovery.announcement {
            self.inject(now, &announcement, &mut SocketSet::new(&mut [][..]));
        }
        if let Some(answer) = discovery.answer {
            self.emit(tx, answer.len(), |room| room.copy_from_slice(&answer));
        }
        Ok(())
    }

    /// Takes note of where a neighbour is, which sent this frame with a packet to our address `own`.
    pub(crate) fn learn_neighbour(
        &mut self,
        now: Instant,
        frame: &[u8],
        (neighbour, own): (IpAddress, IpAddress),
        evidence: Evidence,
    ) {
        if let Some(link) = &mut self.link
            // Whoever is not on the link sends by way of a router, which is asked for.
            && self.addresses.iter().any(|subnet| subnet.contains_addr(&neighbour))
            && let Some(announcement) = link.learn(now, frame, (neighbour, own), evidence)
        {
            self.inject(now, &announcement, &mut SocketSet::new(&mut [][..]));
        }
    }

    /// Sends what our neighbours are to be told unasked.
    pub(crate) fn announce<D: Device + ?Sized>(&mut self, now: Instant, device: &mut D) -> Sent {
        while self.announce_at() <= now {
            // Room comes first: a message that is made is over.
            let Some(token) = device.transmit(now) else {
                return Sent::Blocked;
            };
            if let Some(link) = &mut self.link
                && let Some(frame) = link.announce(now, &self.addresses)
            {
                self.emit(token, frame.len(), |room| room.copy_from_slice(&frame));
            }
        }
        Sent::All(self.announce_at())
    }

    /// When [`announce`](Self::announce) has something to send.
    pub(crate) fn announce_at(&self) -> Instant {
        self.link.as_ref().map_or(NEVER, Link::deadline)
    }

    /// The link header of a packet that this server builds for itself: nothing, or an Ethernet header.
    pub(crate) fn link_header(&self, to: IpAddress) -> Vec<u8, ETHERNET_HEADER_LEN> {
        let mut header = Vec::new();
        if let HardwareAddress::Ethernet(own) = self.hardware_addr {
            let ethertype = match to {
                IpAddress::Ipv4(_) => EthernetProtocol::Ipv4,
                #[cfg(feature = "ipv6")]
                IpAddress::Ipv6(_) => EthernetProtocol::Ipv6,
            };
            let repr = EthernetRepr { src_addr: own, dst_addr: own, ethertype };
            // Cannot fail: the capacity is that of the header.
            if header.resize(ETHERNET_HEADER_LEN, 0).is_ok() {
                repr.emit(&mut EthernetFrame::new_unchecked(&mut header[..]));
            }
        }
        header
    }

    /// Packets sent since the server was made.
    pub(crate) fn packets_sent(&self) -> u64 {
        self.packets_sent
    }

    /// True if a packet was sent in part: the rest has to leave before anything else is fragmented.
    pub(crate) fn sends_fragments(&mut self, now: Instant, no_sockets: &SocketSet<'_>) -> bool {
        cfg!(feature = "fragments") && self.poll_at(now, no_sockets) < NEVER
    }
}

fn make(
    hardware_addr: HardwareAddress,
    (addresses, gateways): (&Vec<IpCidr, MAX_ADDRESSES>, &[IpAddress]),
    seed: u64,
    capabilities: &DeviceCapabilities,
    now: Instant,
) -> iface::Interface {
    let mut config = iface::Config::new(hardware_addr);
    config.random_seed = seed;
    let mut interface = iface::Interface::new(config, &mut OnePacket::new(&[], Discard, capabilities), now);
    interface.update_ip_addrs(|own| own.clone_from(addresses));
    for gateway in gateways {
        let routes = interface.routes_mut();
        // Cannot fail: smoltcp keeps two routes by default, and a server has two gateways at most.
        let _ = match *gateway {
            IpAddress::Ipv4(gateway) => routes.add_default_ipv4_route(gateway),
            #[cfg(feature = "ipv6")]
            IpAddress::Ipv6(gateway) => routes.add_default_ipv6_route(gateway),
        };
    }
    interface
}
