//! smoltcp: one Interface that every connection's socket set takes turns with.

use core::fmt;

use heapless::Vec;
use smoltcp::iface::{self, Interface, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, TxToken};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{
    ETHERNET_HEADER_LEN, EthernetFrame, EthernetProtocol, EthernetRepr, HardwareAddress, IpAddress, IpCidr,
    TcpSeqNumber,
};

use crate::config::{Config, MAX_ADDRESSES};
use crate::ip::device::{Nowhere, OnePacket, Sent, SentSegment, Watched, WayOut, behind_the_door};
use crate::ip::neighbours::{self, Announcement};
use crate::tcp::isn;
use crate::tcp::segment::Crafted;
use crate::tcp::timers::NEVER;

/// A set that smoltcp wants to be polled for, but does nothing with or does not end with, is looked at again after
/// this. It is not known to happen; without this it would keep the caller from ever sleeping.
const STUCK: Duration = Duration::from_millis(10);

/// More packets than a buffer of 1 MiB makes, of any size: who sends more at once will not end.
const PACKETS_A_TURN: usize = 1 << 16;

/// smoltcp's retransmission timer runs for this long at least (RFC 6298, section 2.4).
const RETRANSMISSION: Duration = Duration::from_secs(1);

/// smoltcp remembers a neighbour for a minute.
const NEIGHBOUR: Duration = Duration::from_secs(30);

/// An orphaned fragment holds one of four reassembly buffers for this long (RFC 791 has 15 s, RFC 8900 says why not).
#[cfg(feature = "fragments")]
const REASSEMBLY: Duration = Duration::from_secs(2);

pub(crate) struct Stack {
    interface: Interface,
    /// For the Interfaces that live for one SYN only.
    addresses: Vec<IpCidr, MAX_ADDRESSES>,
    hardware_addr: HardwareAddress,
    /// Less the checksums that the door has verified.
    capabilities: DeviceCapabilities,
    sent: Sent,
    /// The announcement of the neighbour that was learnt last, and until when it need not be learnt again.
    neighbour: (Announcement, Instant),
}

/// What a socket set waits for once it has sent what it could.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// For this time; [`NEVER`]: for nothing but a packet.
    At(Instant),
    /// For room in the device.
    Refused,
}

impl Stack {
    /// The configuration must have been checked; `capabilities` are the device's own.
    pub(crate) fn new(config: &Config, capabilities: &DeviceCapabilities, seed: u64, now: Instant) -> Stack {
        let capabilities = behind_the_door(capabilities);
        let mut idle = OnePacket::new(&[], Nowhere([0; 128]), &capabilities);
        let interface = interface(config.hardware_addr, &config.addresses, seed, &mut idle, now);
        let (addresses, hardware_addr) = (config.addresses.clone(), config.hardware_addr);
        let mut stack = Stack {
            interface,
            addresses,
            hardware_addr,
            capabilities,
            sent: Sent::default(),
            neighbour: (Announcement::new(), now),
        };
        #[cfg(feature = "fragments")]
        stack.interface.set_reassembly_timeout(REASSEMBLY);
        for gateway in &config.gateways {
            let routes = stack.interface.routes_mut();
            // Cannot fail: smoltcp keeps two routes by default, and `gateways` has two at most.
            let _ = match *gateway {
                IpAddress::Ipv4(gateway) => routes.add_default_ipv4_route(gateway),
                #[cfg(feature = "ipv6")]
                IpAddress::Ipv6(gateway) => routes.add_default_ipv6_route(gateway),
            };
        }
        stack
    }

    /// Lets smoltcp process a packet with these sockets; `tx` is for what it answers at once. Returns the segment
    /// that it answered with.
    pub(crate) fn feed(
        &mut self,
        now: Instant,
        packet: &[u8],
        tx: impl TxToken,
        sockets: &mut SocketSet<'_>,
    ) -> Option<SentSegment> {
        self.sent.segment = None;
        let tx = Watched { token: tx, medium: self.capabilities.medium, sent: &mut self.sent };
        let mut device = OnePacket::new(packet, tx, &self.capabilities);
        self.interface.poll_ingress_single(now, &mut device, sockets);
        self.sent.segment
    }

    /// Lets smoltcp process a packet that is made up, and forgets what it answers.
    pub(crate) fn tell(&mut self, now: Instant, packet: &[u8], sockets: &mut SocketSet<'_>) {
        let mut device = OnePacket::new(packet, Nowhere([0; 128]), &self.capabilities);
        self.interface.poll_ingress_single(now, &mut device, sockets);
    }

    /// Lets smoltcp process a SYN such that its SYN|ACK will have this initial sequence number; then whatever is made up
    /// to follow it at once, forgetting what it answers.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        packets: &[Crafted],
        sockets: &mut SocketSet<'_>,
        initial: TcpSeqNumber,
    ) {
        let mut device = OnePacket::new(&[], Nowhere([0; 128]), &self.capabilities);
        let seed = isn::seed(initial);
        let mut interface = interface(self.hardware_addr, &self.addresses, seed, &mut device, now);
        for packet in packets {
            let mut device = OnePacket::new(packet, Nowhere([0; 128]), &self.capabilities);
            interface.poll_ingress_single(now, &mut device, sockets);
        }
    }

    /// True if the device has frames, whose senders are to be learnt.
    pub(crate) fn has_frames(&self) -> bool {
        self.capabilities.medium == Medium::Ethernet
    }

    /// Takes note of where a host on the link is, which sent this frame.
    pub(crate) fn learn_neighbour(
        &mut self,
        now: Instant,
        frame: &[u8],
        neighbour: IpAddress,
        own: IpAddress,
    ) {
        if self.addresses.iter().any(|subnet| subnet.contains_addr(&neighbour))
            && let Some(announcement) = neighbours::announcement(frame, neighbour, own)
            && (now >= self.neighbour.1 || self.neighbour.0 != announcement)
        {
            self.tell(now, &announcement, &mut SocketSet::new(&mut [][..]));
            self.neighbour = (announcement, now + NEIGHBOUR);
        }
    }

    /// Sends what these sockets have to send, to the last segment, which is returned. `end`: where a segment ends that
    /// is known to be the last, and to have nothing in flight before it.
    pub(crate) fn send<D: Device + ?Sized>(
        &mut self,
        now: Instant,
        device: &mut D,
        sockets: &mut SocketSet<'_>,
        end: Option<TcpSeqNumber>,
    ) -> (Next, Option<SentSegment>) {
        self.sent.segment = None;
        let (mut packets, mut idle) = (0, false);
        let next = loop {
            let at =
                if packets == 0 && end.is_some() { Some(now) } else { self.interface.poll_at(now, sockets) };
            match at {
                None => break Next::At(NEVER),
                Some(at) if at > now => break Next::At(at),
                Some(_) if idle || packets == PACKETS_A_TURN => break Next::At(now + STUCK),
                Some(_) => {}
            }
            let Some(token) = device.transmit(now) else {
                break Next::Refused;
            };
            let before = self.sent.packets;
            let mut out = WayOut::new(token, &self.capabilities, &mut self.sent);
            self.interface.poll_egress(now, &mut out, sockets);
            idle = self.sent.packets == before;
            packets += 1;
            if end.is_some() && self.sent.segment.map(|segment| segment.end) == end {
                let at = now + RETRANSMISSION;
                debug_assert!(self.interface.poll_at(now, sockets).is_some_and(|exactly| exactly >= at));
                break Next::At(at);
            }
        };
        (next, self.sent.segment)
    }

    /// The link header of a packet that this server makes for itself: nothing, or an Ethernet header.
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

    /// True if these sockets have nothing to send, nor wait for a time other than that of a neighbour that is not known.
    pub(crate) fn has_nothing_for(&mut self, now: Instant, sockets: &SocketSet<'_>) -> bool {
        self.interface.poll_at(now, sockets).is_none_or(|at| at > now && self.has_frames())
    }

    /// Packets sent since the server was made.
    pub(crate) fn packets_sent(&self) -> u64 {
        self.sent.packets
    }

    /// True if a packet was sent in part: the rest has to leave before anything else is fragmented.
    pub(crate) fn sends_fragments(&mut self, now: Instant, nobody: &SocketSet<'_>) -> bool {
        cfg!(feature = "fragments") && self.interface.poll_at(now, nobody).is_some()
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

fn interface(
    hardware_addr: HardwareAddress,
    addresses: &Vec<IpCidr, MAX_ADDRESSES>,
    seed: u64,
    device: &mut impl Device,
    now: Instant,
) -> Interface {
    let mut config = iface::Config::new(hardware_addr);
    config.random_seed = seed;
    let mut interface = Interface::new(config, device, now);
    interface.update_ip_addrs(|own| own.clone_from(addresses));
    interface
}
