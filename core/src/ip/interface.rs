//! smoltcp's `Interface`, which all socket sets share: one at a time is its argument.

use heapless::Vec;
use smoltcp::iface::{self, Route, SocketSet};
use smoltcp::phy::{ChecksumCapabilities, Device, DeviceCapabilities};
use smoltcp::time::Instant;
use smoltcp::wire::{
    ETHERNET_HEADER_LEN, EthernetFrame, EthernetProtocol, EthernetRepr, HardwareAddress, IpAddress, IpCidr,
    IpRepr,
};

use crate::config::{Config, MAX_ADDRESSES};
use crate::ip::checksum::Seal;
use crate::ip::device::{OnePacket, Room, Watch, Watched, as_room, behind_the_filter, inject};
use crate::ip::link::Link;
use crate::ip::neighbours::Evidence;
use crate::tcp::timers::NEVER;

/// The most packets that a socket set sends in one turn, so that others get theirs.
const PACKETS_A_TURN: usize = 64;

/// smoltcp's interface, and what is needed to make others like it.
pub(crate) struct Interface {
    pub(super) interface: iface::Interface,
    pub(super) addresses: Vec<IpCidr, MAX_ADDRESSES>,
    pub(super) hardware_addr: HardwareAddress,
    /// What smoltcp is told of the device: not the checksums that the filter has verified or that the seal will write.
    pub(super) capabilities: DeviceCapabilities,
    seal: Seal,
    pub(super) packets_sent: u64,
    /// None on a device without frames.
    pub(super) link: Option<Link>,
}

/// How much has left of what a socket set had to send.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// All of it. The socket set has something to do again at this time, or [`NEVER`]; if that is now, its turn was over before
    /// all had left.
    All(Instant),
    /// The congestion window has no room for the rest.
    Held,
    /// The device has no room for the rest.
    Blocked,
}

/// What smoltcp did about a packet that is to be answered, and was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "ethernet-duties"), expect(dead_code, reason = "without it, the packet is lost"))]
pub(crate) enum NoAnswer {
    /// It asked for the neighbour.
    Asked,
    /// Nothing: the packet wants no answer, or another neighbour was asked for within the last second.
    Silent,
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
            #[cfg(feature = "medium-ip")]
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
            packets_sent: 0,
            link,
        }
    }

    /// Another interface with the same addresses, that draws its random numbers from this seed.
    pub(crate) fn seeded(&self, seed: u64, now: Instant) -> iface::Interface {
        make(self.hardware_addr, (&self.addresses, &[]), seed, &self.capabilities, now)
    }

    /// What smoltcp believes the device to do.
    pub(crate) fn capabilities(&self) -> &DeviceCapabilities {
        &self.capabilities
    }

    /// Lets smoltcp process a packet with these sockets; `tx` is for what it answers at once, which `watch` sees.
    #[cfg_attr(feature = "fast", inline(always))]
    pub(crate) fn process(
        &mut self,
        now: Instant,
        (packet, tx): (&[u8], &mut (impl Room + ?Sized)),
        sockets: &mut SocketSet<'_>,
        watch: &mut dyn Watch,
    ) {
        let link_header_len = self.link_header_len();
        let Interface { interface, capabilities, seal, packets_sent: sent, .. } = self;
        let token = Watched { room: tx, sent, watch, seal: *seal, link_header_len };
        let mut device = OnePacket::incoming(packet, token, capabilities);
        interface.poll_ingress_single(now, &mut device, sockets);
    }

    /// Sends a packet of this length that smoltcp has no part in; `emit` writes it.
    pub(crate) fn emit(&mut self, tx: &mut dyn Room, length: usize, mut emit: impl FnMut(&mut [u8])) {
        self.packets_sent += 1;
        tx.send(length, &mut emit);
    }

    /// Sends a packet of the server's own to where a packet with this link header came from. `emit` writes the payload; it gets
    /// the IP packet, whose header has been written, and where the payload begins.
    ///
    /// On Ethernet, the neighbour need not be known for it.
    pub(crate) fn send_back(
        &mut self,
        link_header: &[u8],
        ip: &IpRepr,
        tx: &mut dyn Room,
        emit: impl Fn(&mut [u8], usize),
    ) {
        self.emit(tx, link_header.len() + ip.buffer_len(), |frame| {
            let (link, packet) = frame.split_at_mut(link_header.len());
            link.copy_from_slice(link_header);
            if let Some((addresses, _)) = link.split_at_mut_checked(12) {
                addresses.rotate_left(6);
            }
            ip.emit(&mut *packet, &ChecksumCapabilities::default());
            emit(packet, ip.header_len());
        });
    }

    /// Lets smoltcp process a packet that is for no socket.
    pub(crate) fn process_without_sockets(&mut self, now: Instant, packet: &[u8], tx: &mut dyn Room) {
        self.process(now, (packet, tx), &mut SocketSet::new(&mut [][..]), &mut ());
    }

    /// Lets smoltcp process a segment without payload that the server built, and discards the answer.
    pub(crate) fn inject(&mut self, now: Instant, packet: &[u8], sockets: &mut SocketSet<'_>) {
        inject(&mut self.interface, now, packet, &self.capabilities, sockets);
    }

    /// Sends one packet of what these sockets have to send, into this room.
    ///
    /// Do not be tempted to let it be inlined: smoltcp's part has one caller, and so is a part of this function.
    #[inline(never)]
    pub(crate) fn send_one(
        &mut self,
        now: Instant,
        tx: &mut (impl Room + ?Sized),
        sockets: &mut SocketSet<'_>,
        watch: &mut dyn Watch,
    ) {
        let link_header_len = self.link_header_len();
        let Interface { interface, capabilities, seal, packets_sent: sent, .. } = self;
        let token = Watched { room: tx, sent, watch, seal: *seal, link_header_len };
        interface.poll_egress(now, &mut OnePacket::outgoing(token, capabilities), sockets);
    }

    /// Has smoltcp write one packet of what these sockets have to send, as if it left into this room.
    #[cfg(feature = "recovery")]
    pub(crate) fn throw_away(
        &mut self,
        now: Instant,
        tx: &mut (impl Room + ?Sized),
        sockets: &mut SocketSet<'_>,
        watch: &mut dyn Watch,
    ) {
        let sent = self.packets_sent;
        self.send_one(now, tx, sockets, watch);
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
            self.send_one(now, as_room(&mut Some(token)), sockets, watch);
        }
        Sent::All(now)
    }

    /// The IP packet in what the device has received.
    pub(crate) fn ip_packet<'p>(&self, received: &'p [u8]) -> Option<&'p [u8]> {
        received.get(self.link_header_len()..)
    }

    /// True if the device has frames.
    pub(crate) fn has_frames(&self) -> bool {
        cfg!(not(feature = "medium-ip")) || self.link.is_some()
    }

    /// The length of the header before each IP packet.
    pub(crate) fn link_header_len(&self) -> usize {
        if self.has_frames() { ETHERNET_HEADER_LEN } else { 0 }
    }

    /// Takes note of the hardware address of a neighbour, which sent this frame with a packet to our address `own`.
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

    /// The link header of a packet that this server builds for itself: nothing, or an Ethernet header.
    pub(crate) fn link_header(&self, to: IpAddress) -> Vec<u8, ETHERNET_HEADER_LEN> {
        let mut header = Vec::new();
        #[cfg_attr(
            not(feature = "medium-ip"),
            expect(clippy::infallible_destructuring_match, reason = "there is one medium")
        )]
        let own = match self.hardware_addr {
            #[cfg(feature = "medium-ip")]
            HardwareAddress::Ip => return header,
            HardwareAddress::Ethernet(own) => own,
        };
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

pub(super) fn make(
    hardware_addr: HardwareAddress,
    (addresses, gateways): (&Vec<IpCidr, MAX_ADDRESSES>, &[IpAddress]),
    seed: u64,
    capabilities: &DeviceCapabilities,
    now: Instant,
) -> iface::Interface {
    let mut config = iface::Config::new(hardware_addr);
    config.random_seed = seed;
    let mut interface = iface::Interface::new(config, &mut OnePacket::idle(capabilities), now);
    interface.update_ip_addrs(|own| own.clone_from(addresses));
    interface.routes_mut().update(|routes| {
        for gateway in gateways {
            let route = match *gateway {
                IpAddress::Ipv4(gateway) => Route::new_ipv4_gateway(gateway),
                #[cfg(feature = "ipv6")]
                IpAddress::Ipv6(gateway) => Route::new_ipv6_gateway(gateway),
            };
            // Cannot fail: smoltcp keeps two routes by default, and a server has two gateways at most.
            let _ = routes.push(route);
        }
    });
    interface
}
