//! What smoltcp leaves out of ARP: it answers no probe, and announces nothing (RFC 5227).

use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, ETHERNET_HEADER_LEN, EthernetAddress, EthernetFrame, EthernetProtocol,
    Ipv4Address,
};

use crate::ip::address::is_station;
use crate::ip::frame::{self, Frame};

/// The answer to a host that asks whether an address of ours is free, before it takes it (RFC 5227, section 2.1.1): its
/// sender's address is 0.0.0.0, for which smoltcp drops it. None for any other frame.
pub(crate) fn answer_probe(
    packet: &[u8],
    own: EthernetAddress,
    is_ours: impl Fn(Ipv4Address) -> bool,
) -> Option<Frame> {
    let frame = EthernetFrame::new_checked(packet).ok()?;
    if frame.ethertype() != EthernetProtocol::Arp {
        return None;
    }
    let arp = ArpRepr::parse(&ArpPacket::new_checked(frame.payload()).ok()?).ok()?;
    let ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr,
        source_protocol_addr,
        target_protocol_addr,
        ..
    } = arp
    else {
        return None;
    };
    let asks = operation == ArpOperation::Request
        && source_protocol_addr.is_unspecified()
        && is_ours(target_protocol_addr);
    let to_us = frame.dst_addr().is_broadcast() || frame.dst_addr() == own;
    if !asks || !to_us || !is_station(frame.src_addr()) || !is_station(source_hardware_addr) {
        return None;
    }
    arp_frame(
        own,
        frame.src_addr(),
        &ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Reply,
            source_hardware_addr: own,
            source_protocol_addr: target_protocol_addr,
            target_hardware_addr: source_hardware_addr,
            target_protocol_addr: source_protocol_addr,
        },
    )
}

/// An ARP announcement: a request for our own address, from which others learn where it is now (RFC 5227, section 3).
pub(crate) fn announcement(own: EthernetAddress, address: Ipv4Address) -> Option<Frame> {
    arp_frame(
        own,
        EthernetAddress::BROADCAST,
        &ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Request,
            source_hardware_addr: own,
            source_protocol_addr: address,
            target_hardware_addr: EthernetAddress([0; 6]),
            target_protocol_addr: address,
        },
    )
}

/// A frame around an ARP packet.
pub(crate) fn arp_frame(
    source: EthernetAddress,
    destination: EthernetAddress,
    arp: &ArpRepr,
) -> Option<Frame> {
    let mut frame = frame::ethernet(source, destination, EthernetProtocol::Arp, arp.buffer_len())?;
    arp.emit(&mut ArpPacket::new_unchecked(&mut frame[ETHERNET_HEADER_LEN..]));
    Some(frame)
}
