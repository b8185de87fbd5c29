//! The door: looks at each packet before smoltcp does, and decides who may see it.

use heapless::Vec;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ETHERNET_HEADER_LEN, EthernetAddress, EthernetFrame, EthernetProtocol, HardwareAddress, IpAddress,
    IpCidr, IpEndpoint, IpProtocol, IpVersion, Ipv4Address, Ipv4Packet, TcpPacket, TcpRepr, UdpPacket,
};
#[cfg(feature = "ipv6")]
use smoltcp::wire::{Icmpv6Message, Icmpv6Packet, Ipv6Packet};

use crate::config::{Config, MAX_ADDRESSES};
use crate::flows::Flow;
use crate::stats::DropReason;

/// Where an admitted packet goes.
pub(crate) enum Admitted<'p> {
    /// A TCP segment to the server's port.
    Segment(Segment<'p>),
    /// A UDP datagram to the server's port, or a fragment that may belong to one, from and to these addresses.
    Datagram(IpAddress, IpAddress),
    /// For smoltcp to answer without a socket: ping, closed ports, unknown protocols.
    Stack,
    /// The same, and neighbours may be known afterwards that were not before: ARP, neighbour discovery.
    Neighbour,
}

/// A TCP segment with a right checksum between addresses that may talk to each other.
pub(crate) struct Segment<'p> {
    pub(crate) flow: Flow,
    pub(crate) tcp: TcpRepr<'p>,
    /// What stands before the IP header: nothing, or the Ethernet header.
    pub(crate) link_header: &'p [u8],
}

#[derive(Debug)]
pub(crate) struct Door {
    addresses: Vec<IpCidr, MAX_ADDRESSES>,
    hardware_addr: HardwareAddress,
    port: u16,
    checksum: ChecksumCapabilities,
}

impl Door {
    /// `checksum` is the device's own: what it says that it verifies is not verified again.
    pub(crate) fn new(config: &Config, checksum: ChecksumCapabilities) -> Door {
        Door {
            addresses: config.addresses.clone(),
            hardware_addr: config.hardware_addr,
            port: config.port,
            checksum,
        }
    }

    pub(crate) fn admit<'p>(&self, packet: &'p [u8]) -> Result<Admitted<'p>, DropReason> {
        match self.hardware_addr {
            HardwareAddress::Ip => self.ip(&[], packet, true),
            HardwareAddress::Ethernet(own) => self.ethernet(own, packet),
        }
    }

    fn ethernet<'p>(&self, own: EthernetAddress, packet: &'p [u8]) -> Result<Admitted<'p>, DropReason> {
        let frame = EthernetFrame::new_checked(packet).map_err(|_| DropReason::Malformed)?;
        let to_us = frame.dst_addr() == own;
        if !to_us && !frame.dst_addr().is_broadcast() && !frame.dst_addr().is_multicast() {
            return Err(DropReason::NotOurs);
        }
        // smoltcp would answer to that address (RFC 1122, section 3.2.1.3 has the same for IP).
        if !frame.src_addr().is_unicast() || frame.src_addr() == EthernetAddress([0; 6]) {
            return Err(DropReason::Source);
        }
        match frame.ethertype() {
            EthernetProtocol::Arp => Ok(Admitted::Neighbour),
            EthernetProtocol::Ipv4 | EthernetProtocol::Ipv6 => {
                self.ip(&packet[..ETHERNET_HEADER_LEN], frame.payload(), to_us)
            }
            EthernetProtocol::Unknown(_) => Err(DropReason::NotOurs),
        }
    }

    /// `to_us`: the frame was sent to our hardware address alone, or there are no frames.
    fn ip<'p>(
        &self,
        link_header: &'p [u8],
        packet: &'p [u8],
        to_us: bool,
    ) -> Result<Admitted<'p>, DropReason> {
        if packet.is_empty() {
            // Do not be tempted to leave this to `of_packet`: it panics.
            return Err(DropReason::Malformed);
        }
        match IpVersion::of_packet(packet) {
            Ok(IpVersion::Ipv4) => self.ipv4(link_header, packet, to_us),
            #[cfg(feature = "ipv6")]
            Ok(IpVersion::Ipv6) => self.ipv6(link_header, packet, to_us),
            Err(_) => Err(DropReason::Malformed),
        }
    }

    fn ipv4<'p>(
        &self,
        link_header: &'p [u8],
        packet: &'p [u8],
        to_us: bool,
    ) -> Result<Admitted<'p>, DropReason> {
        let packet = Ipv4Packet::new_checked(packet).map_err(|_| DropReason::Malformed)?;
        if self.checksum.ipv4.rx() && !packet.verify_checksum() {
            return Err(DropReason::Checksum);
        }
        let (source, destination) = (packet.src_addr(), packet.dst_addr());
        self.addressed(destination.into(), to_us)?;
        self.sane_source(source.into())?;
        let protocol = packet.next_header();
        if packet.more_frags() || packet.frag_offset() != 0 {
            return match protocol {
                _ if !cfg!(feature = "fragments") => Err(DropReason::Fragment),
                IpProtocol::Udp => Ok(Admitted::Datagram(source.into(), destination.into())),
                IpProtocol::Icmp => Ok(Admitted::Stack),
                // The door could not see what TCP would be put together from fragments.
                _ => Err(DropReason::Fragment),
            };
        }
        self.transport(protocol, source.into(), destination.into(), packet.payload(), link_header)
    }

    #[cfg(feature = "ipv6")]
    fn ipv6<'p>(
        &self,
        link_header: &'p [u8],
        packet: &'p [u8],
        to_us: bool,
    ) -> Result<Admitted<'p>, DropReason> {
        let packet = Ipv6Packet::new_checked(packet).map_err(|_| DropReason::Malformed)?;
        let (source, destination) = (packet.src_addr(), packet.dst_addr());
        let protocol = packet.next_header();
        if protocol == IpProtocol::Icmpv6 && !link_header.is_empty() {
            // A solicitation comes to a multicast address of ours (RFC 4861, section 7.2.2), or to us alone.
            let message = Icmpv6Packet::new_checked(packet.payload()).map_err(|_| DropReason::Malformed)?;
            if matches!(message.msg_type(), Icmpv6Message::NeighborSolicit | Icmpv6Message::NeighborAdvert) {
                self.sane_source(source.into())?;
                return Ok(Admitted::Neighbour);
            }
        }
        self.addressed(destination.into(), to_us)?;
        self.sane_source(source.into())?;
        match protocol {
            IpProtocol::Ipv6Frag => Err(DropReason::Fragment),
            IpProtocol::HopByHop
            | IpProtocol::Ipv6Route
            | IpProtocol::Ipv6Opts
            | IpProtocol::IpSecAh
            | IpProtocol::IpSecEsp => Err(DropReason::ExtensionHeader),
            _ => self.transport(protocol, source.into(), destination.into(), packet.payload(), link_header),
        }
    }

    fn transport<'p>(
        &self,
        protocol: IpProtocol,
        source: IpAddress,
        destination: IpAddress,
        payload: &'p [u8],
        link_header: &'p [u8],
    ) -> Result<Admitted<'p>, DropReason> {
        match protocol {
            IpProtocol::Tcp => {
                let packet = TcpPacket::new_checked(payload).map_err(|_| DropReason::Malformed)?;
                if self.checksum.tcp.rx() && !packet.verify_checksum(&source, &destination) {
                    return Err(DropReason::Checksum);
                }
                let tcp = TcpRepr::parse(&packet, &source, &destination, &ChecksumCapabilities::ignored())
                    .map_err(|_| DropReason::Malformed)?;
                if tcp.dst_port != self.port {
                    return Ok(Admitted::Stack);
                }
                let remote = IpEndpoint::new(source, tcp.src_port);
                Ok(Admitted::Segment(Segment { flow: Flow { remote, local: destination }, tcp, link_header }))
            }
            IpProtocol::Udp => {
                let packet = UdpPacket::new_checked(payload).map_err(|_| DropReason::Malformed)?;
                let due = !matches!(source, IpAddress::Ipv4(_));
                let absent = packet.checksum() == 0;
                let right = !self.checksum.udp.rx() || packet.verify_checksum(&source, &destination);
                if !right || absent && due {
                    return Err(DropReason::Checksum);
                }
                match packet.dst_port() {
                    0 => Err(DropReason::Malformed),
                    port if port == self.port => Ok(Admitted::Datagram(source, destination)),
                    // No port unreachable to where nobody can have asked from.
                    _ if packet.src_port() == 0 => Err(DropReason::EchoLoop),
                    _ => Ok(Admitted::Stack),
                }
            }
            _ => Ok(Admitted::Stack),
        }
    }

    /// Ok if the packet is for one of the server's addresses, in a frame for the server alone.
    fn addressed(&self, destination: IpAddress, to_us: bool) -> Result<(), DropReason> {
        if self.addresses.iter().any(|own| own.address() == destination) {
            return if to_us { Ok(()) } else { Err(DropReason::Broadcast) };
        }
        if destination.is_multicast() || self.is_broadcast(destination) {
            Err(DropReason::Broadcast)
        } else {
            Err(DropReason::NotOurs)
        }
    }

    /// Ok if a host can have sent from this address (RFC 1122, section 3.2.1.3; RFC 6890).
    fn sane_source(&self, source: IpAddress) -> Result<(), DropReason> {
        if self.addresses.iter().any(|own| own.address() == source) {
            return Err(DropReason::OwnSource);
        }
        if is_host(source) && !self.is_broadcast(source) { Ok(()) } else { Err(DropReason::Source) }
    }

    fn is_broadcast(&self, address: IpAddress) -> bool {
        match address {
            IpAddress::Ipv4(address) => {
                address.is_broadcast() || self.addresses.iter().any(|own| is_broadcast_of(own, address))
            }
            #[cfg(feature = "ipv6")]
            IpAddress::Ipv6(_) => false,
        }
    }
}

fn is_broadcast_of(subnet: &IpCidr, address: Ipv4Address) -> bool {
    match subnet {
        IpCidr::Ipv4(subnet) => subnet.broadcast() == Some(address),
        #[cfg(feature = "ipv6")]
        IpCidr::Ipv6(_) => false,
    }
}

/// True if it can be the address of a host: of IPv4, not "this network", loopback, multicast, nor reserved, which the
/// broadcast address is part of; of IPv6, not unspecified, loopback, multicast, nor IPv4 in disguise.
pub(crate) fn is_host(address: IpAddress) -> bool {
    match address {
        IpAddress::Ipv4(address) => {
            let first = address.octets()[0];
            first != 0 && first != 127 && first < 224
        }
        #[cfg(feature = "ipv6")]
        IpAddress::Ipv6(address) => {
            !address.is_unspecified()
                && !address.is_loopback()
                && !address.is_multicast()
                && address.to_ipv4_mapped().is_none()
        }
    }
}
