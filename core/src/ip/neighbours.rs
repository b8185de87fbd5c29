//! Neighbours on Ethernet, learnt from the frame that brings their first packet.
//!
//! smoltcp asks for one neighbour a second at most, all in all: of several clients that connect at once, one would be
//! answered. Their addresses are there already, in the frame, so smoltcp is handed the announcement that they could have
//! sent. That trusts the frame no more than ARP (RFC 826) trusts any other.

use heapless::Vec;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, ETHERNET_HEADER_LEN, EthernetAddress, EthernetFrame, EthernetProtocol,
    EthernetRepr, IpAddress,
};
#[cfg(feature = "ipv6")]
use smoltcp::{
    phy::ChecksumCapabilities,
    wire::{
        Icmpv6Packet, Icmpv6Repr, IpProtocol, Ipv6Packet, Ipv6Repr, NdiscNeighborFlags, NdiscRepr,
        RawHardwareAddress,
    },
};

/// A frame with a neighbour advertisement, the longer of the two: IPv6 header, ICMPv6 and one option.
pub(crate) type Announcement = Vec<u8, { ETHERNET_HEADER_LEN + 40 + 32 }>;

/// What the sender of `frame` says of itself: that `neighbour` is at its hardware address. None if it is no Ethernet frame.
pub(crate) fn announcement(frame: &[u8], neighbour: IpAddress, own: IpAddress) -> Option<Announcement> {
    let frame = EthernetFrame::new_checked(frame).ok()?;
    let (source, destination) = (frame.src_addr(), frame.dst_addr());
    match (neighbour, own) {
        (IpAddress::Ipv4(neighbour), IpAddress::Ipv4(own)) => {
            let arp = ArpRepr::EthernetIpv4 {
                operation: ArpOperation::Reply,
                source_hardware_addr: source,
                source_protocol_addr: neighbour,
                target_hardware_addr: destination,
                target_protocol_addr: own,
            };
            let mut packet = ethernet(source, destination, EthernetProtocol::Arp, arp.buffer_len())?;
            arp.emit(&mut ArpPacket::new_unchecked(&mut packet[ETHERNET_HEADER_LEN..]));
            Some(packet)
        }
        #[cfg(feature = "ipv6")]
        (IpAddress::Ipv6(neighbour), IpAddress::Ipv6(own)) => {
            let advertisement = Icmpv6Repr::Ndisc(NdiscRepr::NeighborAdvert {
                flags: NdiscNeighborFlags::OVERRIDE,
                target_addr: neighbour,
                lladdr: Some(RawHardwareAddress::from(source)),
            });
            let ip = Ipv6Repr {
                src_addr: neighbour,
                dst_addr: own,
                next_header: IpProtocol::Icmpv6,
                payload_len: advertisement.buffer_len(),
                // RFC 4861, section 7.1.2: no other is accepted.
                hop_limit: 255,
            };
            let length = ip.buffer_len() + advertisement.buffer_len();
            let mut packet = ethernet(source, destination, EthernetProtocol::Ipv6, length)?;
            let (header, payload) = packet[ETHERNET_HEADER_LEN..].split_at_mut(ip.buffer_len());
            ip.emit(&mut Ipv6Packet::new_unchecked(header));
            advertisement.emit(
                &neighbour,
                &own,
                &mut Icmpv6Packet::new_unchecked(payload),
                &ChecksumCapabilities::default(),
            );
            Some(packet)
        }
        #[cfg(feature = "ipv6")]
        _ => None,
    }
}

fn ethernet(
    src_addr: EthernetAddress,
    dst_addr: EthernetAddress,
    ethertype: EthernetProtocol,
    length: usize,
) -> Option<Announcement> {
    let mut frame = Announcement::new();
    frame.resize(ETHERNET_HEADER_LEN + length, 0).ok()?;
    EthernetRepr { src_addr, dst_addr, ethertype }.emit(&mut EthernetFrame::new_unchecked(&mut frame[..]));
    Some(frame)
}
