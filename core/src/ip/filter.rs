//! Filter: validates each packet, and decides whether it goes to a TCP slot, to the UDP socket, to smoltcp alone, or nowhere.
//!
//! # What is answered without a socket
//!
//! | packet | answer | by | RFC |
//! |---|---|---|---|
//! | segment to a closed TCP port | RST, within a limit | [`closed_port`] | 9293, section 3.10.7.1 |
//! | datagram to a closed UDP port | port unreachable, within a limit | [`icmp`](super::icmp) | 1122, section 4.1.3.1; 4443, section 3.1 |
//! | unknown protocol or next header | protocol unreachable, parameter problem, within a limit | `icmp` | 1122, section 3.2.2.1; 8200, section 4 |
//! | IPv6 option or route that calls for it | parameter problem, within a limit | `extension_headers` and `icmp` | 8200, sections 4.2 and 4.4 |
//! | ping | echo reply; type of service 0 and no options, whatever the request has | smoltcp | 1122, section 3.2.2.6; 4443, section 4.2 |
//! | ARP request, neighbour solicitation | reply, advertisement | smoltcp | 826; 4861, section 7.2.4 |
//! | ICMP errors, redirects, timestamps, what else there is of ICMP | none | smoltcp | 1122, section 3.2.2; 4443, section 2.4(b) |
//! | first IPv6 fragment without all headers, fragment that ends between blocks or beyond 65535 | parameter problem, within a limit | `extension_headers` and `icmp` | 8200, section 4.5; 7112 |
//! | fragments of which others are missing | none ([`reassembly`](super::reassembly) says why) | nobody | 1122, section 3.3.2; 8200, section 4.5 |

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ETHERNET_HEADER_LEN, EthernetAddress, EthernetFrame, EthernetProtocol, HardwareAddress, IpAddress,
    IpProtocol, IpVersion, Ipv4Packet, TcpPacket, UdpPacket,
};
#[cfg(feature = "ipv6")]
use smoltcp::wire::{Icmpv6Message, Icmpv6Packet, Ipv6Address, Ipv6Packet};

use crate::config::Config;
use crate::ip::answer::{Answer, Unwanted};
#[cfg(feature = "ipv6")]
use crate::ip::extension_headers::{self, Extended, Fault};
#[cfg(feature = "fragments")]
use crate::ip::fragment::Fragment;
use crate::ip::own::OwnAddresses;
use crate::ip::{address, checksum, closed_port, housekeeping};
use crate::stats::DropReason;
use crate::tcp::segment::RawSegment;

/// Where an admitted packet goes.
pub(crate) enum Admitted<'p> {
    /// A TCP segment to the server's port.
    Segment(RawSegment<'p>),
    /// A UDP datagram to the server's port, from and to these addresses.
    Datagram(IpAddress, IpAddress),
    /// ICMP, for smoltcp to process without a socket: it answers a ping, and nothing else.
    Stack,
    /// What every host sends to a link for routers and about its own address ([`housekeeping`]). It is ignored, and not counted
    /// as dropped.
    Housekeeping,
    /// ARP or neighbour discovery, for smoltcp to process without a socket. A neighbour may be known afterwards.
    Neighbour,
    /// A packet that nothing here takes, for the server itself to answer.
    Unwanted(Unwanted<'p>),
    /// A fragment. The packet that it completes is to be admitted in its place.
    #[cfg(feature = "fragments")]
    Fragment(Fragment<'p>),
    /// A packet with extension headers. It is to be admitted again without them.
    #[cfg(feature = "ipv6")]
    Extended(Extended<'p>),
}

#[derive(Debug)]
pub(crate) struct Filter {
    own: OwnAddresses,
    hardware_addr: HardwareAddress,
    port: u16,
    checksum: ChecksumCapabilities,
}

impl Filter {
    /// `checksum` is the device's own: what it says that it verifies is not verified again.
    pub(crate) fn new(config: &Config, checksum: ChecksumCapabilities) -> Filter {
        let own = OwnAddresses::new(&config.addresses);
        Filter { own, hardware_addr: config.hardware_addr, port: config.port, checksum }
    }

    #[cfg_attr(feature = "fast", inline(always))]
    pub(crate) fn admit<'p>(&self, packet: &'p [u8]) -> Result<Admitted<'p>, DropReason> {
        match self.hardware_addr {
            #[cfg(feature = "medium-ip")]
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
        if !address::is_station(frame.src_addr()) {
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
        let bytes = packet;
        let packet = Ipv4Packet::new_checked(packet).map_err(|_| DropReason::Malformed)?;
        // Cannot panic: the packet has been checked to be as long as its header.
        let header = &bytes[..usize::from(packet.header_len())];
        if self.checksum.ipv4.rx() && !checksum::is_header_right(header) {
            return Err(DropReason::Checksum);
        }
        let (source, destination) = (packet.src_addr(), packet.dst_addr());
        if !self.own.has_ipv4(destination) {
            if destination.is_multicast() && housekeeping::is_igmp(packet.next_header()) {
                return Ok(Admitted::Housekeeping);
            }
            let broadcast = destination.is_multicast() || self.own.is_broadcast(destination);
            return Err(if broadcast { DropReason::Broadcast } else { DropReason::NotOurs });
        }
        if !to_us {
            return Err(DropReason::Broadcast);
        }
        self.own.sane_ipv4_source(source)?;
        if packet.more_frags() || packet.frag_offset() != 0 {
            #[cfg(feature = "fragments")]
            return Ok(Admitted::Fragment(Fragment::of_ipv4(link_header, &packet)));
            #[cfg(not(feature = "fragments"))]
            return Err(DropReason::Fragment);
        }
        // Cannot panic: the lengths have been checked.
        let payload = &bytes[header.len()..usize::from(packet.total_len())];
        let (source, destination) = (source.into(), destination.into());
        // Do not be tempted to leave this to `transport`, which has several callers and is not inlined.
        if header[9] == u8::from(IpProtocol::Tcp) {
            return self.segment(source, destination, payload, link_header);
        }
        self.transport(packet.next_header(), (source, destination), payload, link_header)
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
                if source.is_unspecified() && housekeeping::is_detection(packet.payload(), &self.own) {
                    return Ok(Admitted::Housekeeping);
                }
                self.own.sane_ipv6_source(source)?;
                return Ok(Admitted::Neighbour);
            }
        }
        if !self.own.has_ipv6(destination) {
            let multicast = destination.is_multicast();
            if multicast && housekeeping::is_icmpv6(protocol, packet.payload()) {
                return Ok(Admitted::Housekeeping);
            }
            return Err(if multicast { DropReason::Broadcast } else { DropReason::NotOurs });
        }
        if !to_us {
            return Err(DropReason::Broadcast);
        }
        self.own.sane_ipv6_source(source)?;
        match protocol {
            IpProtocol::Tcp | IpProtocol::Udp | IpProtocol::Icmpv6 => {
                self.transport(protocol, (source.into(), destination.into()), packet.payload(), link_header)
            }
            _ => self.extended(source, destination, packet, link_header),
        }
    }

    /// An IPv6 packet with extension headers, or with a next header that is unknown.
    ///
    /// Do not be tempted to let it be inlined: every packet would pay.
    #[cfg(feature = "ipv6")]
    #[inline(never)]
    fn extended<'p>(
        &self,
        source: Ipv6Address,
        destination: Ipv6Address,
        packet: Ipv6Packet<&'p [u8]>,
        link_header: &'p [u8],
    ) -> Result<Admitted<'p>, DropReason> {
        let length = packet.total_len();
        let packet = &packet.into_inner()[..length];
        let (source, destination) = (source.into(), destination.into());
        let upper = match extension_headers::walk(packet) {
            Ok(upper) => upper,
            Err(Fault::Drop(reason)) => return Err(reason),
            #[cfg(feature = "fragments")]
            Err(Fault::Fragment(at)) => {
                return Ok(Admitted::Fragment(Fragment::of_ipv6(link_header, packet, at)));
            }
            #[cfg(not(feature = "fragments"))]
            Err(Fault::Fragment(_)) => return Err(DropReason::Fragment),
            Err(Fault::Problem(problem, at)) => {
                let answer = Answer::ParameterProblem(problem, at);
                return Ok(Admitted::Unwanted(Unwanted {
                    answer,
                    link_header,
                    payload: &[],
                    source,
                    destination,
                }));
            }
        };
        let payload = &packet[upper.offset..];
        // Neighbour discovery does not come in fragments (RFC 6980), nor behind other headers.
        if upper.protocol == IpProtocol::Icmpv6 && payload.first() != Some(&Icmpv6Message::EchoRequest.into())
        {
            return Err(DropReason::ExtensionHeader);
        }
        match self.transport(upper.protocol, (source, destination), payload, link_header)? {
            unwanted @ Admitted::Unwanted(_) => Ok(unwanted),
            _ => Ok(Admitted::Extended(Extended { link_header, packet, upper })),
        }
    }

    #[cfg_attr(feature = "fast", inline(always))]
    fn segment<'p>(
        &self,
        source: IpAddress,
        destination: IpAddress,
        bytes: &'p [u8],
        link_header: &'p [u8],
    ) -> Result<Admitted<'p>, DropReason> {
        let packet = TcpPacket::new_checked(bytes).map_err(|_| DropReason::Malformed)?;
        if self.checksum.tcp.rx() && !checksum::is_segment_right(source, destination, bytes) {
            return Err(DropReason::Checksum);
        }
        if packet.dst_port() != self.port {
            let answer = closed_port::answer(&packet)?;
            let payload = bytes;
            return Ok(Admitted::Unwanted(Unwanted { answer, link_header, payload, source, destination }));
        }
        let (header, rest) = bytes.split_first_chunk::<20>().ok_or(DropReason::Malformed)?;
        Ok(Admitted::Segment(RawSegment { bytes, header, rest, link_header, source, destination }))
    }

    fn transport<'p>(
        &self,
        protocol: IpProtocol,
        (source, destination): (IpAddress, IpAddress),
        payload: &'p [u8],
        link_header: &'p [u8],
    ) -> Result<Admitted<'p>, DropReason> {
        let unwanted =
            |answer| Admitted::Unwanted(Unwanted { answer, link_header, payload, source, destination });
        match protocol {
            IpProtocol::Tcp => self.segment(source, destination, payload, link_header),
            IpProtocol::Udp => {
                let udp = UdpPacket::new_checked(payload).map_err(|_| DropReason::Malformed)?;
                let due = !matches!(source, IpAddress::Ipv4(_));
                let absent = udp.checksum() == 0;
                let right = !self.checksum.udp.rx() || udp.verify_checksum(&source, &destination);
                if !right || absent && due {
                    return Err(DropReason::Checksum);
                }
                match udp.dst_port() {
                    0 => Err(DropReason::Malformed),
                    port if port == self.port => Ok(Admitted::Datagram(source, destination)),
                    // No port unreachable to where nobody can have asked from.
                    _ if udp.src_port() == 0 => Err(DropReason::EchoLoop),
                    _ => Ok(unwanted(Answer::PortUnreachable)),
                }
            }
            IpProtocol::Icmp if matches!(source, IpAddress::Ipv4(_)) => Ok(Admitted::Stack),
            #[cfg(feature = "ipv6")]
            IpProtocol::Icmpv6 if matches!(source, IpAddress::Ipv6(_)) => Ok(Admitted::Stack),
            _ => Ok(unwanted(Answer::ProtocolUnreachable)),
        }
    }
}
