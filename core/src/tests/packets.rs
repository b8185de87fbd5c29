//! Builds packets, and parses those that the server sends.

use std::vec::Vec;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ETHERNET_HEADER_LEN, EthernetAddress, EthernetFrame, EthernetProtocol, Icmpv4Packet, Icmpv4Repr,
    IpAddress, IpEndpoint, IpProtocol, IpRepr, Ipv4Packet, Ipv4Repr, TcpPacket, TcpRepr, UdpPacket, UdpRepr,
};
#[cfg(feature = "ipv6")]
use smoltcp::wire::{Icmpv6Packet, Icmpv6Repr, Ipv6Packet, Ipv6Repr};

/// The parts of an ICMP message that the tests look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Icmp {
    EchoReply(Vec<u8>),
    PortUnreachable,
    ProtocolUnreachable,
}

/// An IP packet whose payload is written by `emit`.
pub(super) fn ip_packet(
    from: IpAddress,
    to: IpAddress,
    protocol: IpProtocol,
    length: usize,
    emit: impl FnOnce(&mut [u8]),
) -> Vec<u8> {
    let repr = IpRepr::new(from, to, protocol, length, 64);
    let mut packet = std::vec![0; repr.buffer_len()];
    repr.emit(&mut packet[..], &ChecksumCapabilities::default());
    emit(&mut packet[repr.header_len()..]);
    packet
}

/// Addresses, protocol and payload of an IP packet.
#[track_caller]
pub(super) fn ip(packet: &[u8]) -> (IpAddress, IpAddress, IpProtocol, &[u8]) {
    match packet[0] >> 4 {
        4 => {
            let packet = Ipv4Packet::new_checked(packet).unwrap();
            let repr = Ipv4Repr::parse(&packet, &ChecksumCapabilities::default()).unwrap();
            (repr.src_addr.into(), repr.dst_addr.into(), repr.next_header, packet.payload())
        }
        #[cfg(feature = "ipv6")]
        6 => {
            let packet = Ipv6Packet::new_checked(packet).unwrap();
            let repr = Ipv6Repr::parse(&packet).unwrap();
            (repr.src_addr.into(), repr.dst_addr.into(), repr.next_header, packet.payload())
        }
        version => panic!("version {version} of IP"),
    }
}

/// An IP packet around a segment.
pub(super) fn tcp_packet(from: IpAddress, to: IpAddress, tcp: &TcpRepr<'_>) -> Vec<u8> {
    ip_packet(from, to, IpProtocol::Tcp, tcp.buffer_len(), |payload| {
        tcp.emit(&mut TcpPacket::new_unchecked(payload), &from, &to, &ChecksumCapabilities::default());
    })
}

/// The same segment with a changed header and a right checksum.
pub(super) fn retouched(mut packet: Vec<u8>, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let (from, to, protocol, payload) = ip(&packet);
    assert_eq!(protocol, IpProtocol::Tcp);
    let header = packet.len() - payload.len();
    change(&mut packet[header..]);
    let mut segment = TcpPacket::new_unchecked(&mut packet[header..]);
    segment.fill_checksum(&from, &to);
    packet
}

/// An IP packet around a datagram.
pub(super) fn udp_packet(from: IpEndpoint, to: IpEndpoint, payload: &[u8]) -> Vec<u8> {
    let repr = UdpRepr { src_port: from.port, dst_port: to.port };
    let length = repr.header_len() + payload.len();
    ip_packet(from.addr, to.addr, IpProtocol::Udp, length, |buffer| {
        repr.emit(
            &mut UdpPacket::new_unchecked(buffer),
            &from.addr,
            &to.addr,
            payload.len(),
            |room| room.copy_from_slice(payload),
            &ChecksumCapabilities::default(),
        );
    })
}

/// The same datagram with another checksum.
pub(super) fn with_udp_checksum(mut packet: Vec<u8>, change: impl FnOnce(u16) -> u16) -> Vec<u8> {
    let header = packet.len() - ip(&packet).3.len();
    let mut datagram = UdpPacket::new_unchecked(&mut packet[header..]);
    let checksum = change(datagram.checksum());
    datagram.set_checksum(checksum);
    packet
}

/// Source, destination and payload of a datagram. Its checksum must be there, and right.
#[track_caller]
pub(super) fn udp(packet: &[u8]) -> (IpEndpoint, IpEndpoint, &[u8]) {
    let (from, to, protocol, payload) = ip(packet);
    assert_eq!(protocol, IpProtocol::Udp);
    let datagram = UdpPacket::new_checked(payload).unwrap();
    assert_ne!(datagram.checksum(), 0);
    let repr = UdpRepr::parse(&datagram, &from, &to, &ChecksumCapabilities::default()).unwrap();
    (IpEndpoint::new(from, repr.src_port), IpEndpoint::new(to, repr.dst_port), datagram.payload())
}

/// An echo request.
pub(super) fn ping(from: IpAddress, to: IpAddress, data: &[u8]) -> Vec<u8> {
    let (ident, seq_no, checksum) = (7, 9, ChecksumCapabilities::default());
    match (from, to) {
        (IpAddress::Ipv4(_), IpAddress::Ipv4(_)) => {
            let repr = Icmpv4Repr::EchoRequest { ident, seq_no, data };
            ip_packet(from, to, IpProtocol::Icmp, repr.buffer_len(), |payload| {
                repr.emit(&mut Icmpv4Packet::new_unchecked(payload), &checksum);
            })
        }
        #[cfg(feature = "ipv6")]
        (IpAddress::Ipv6(source), IpAddress::Ipv6(destination)) => {
            let repr = Icmpv6Repr::EchoRequest { ident, seq_no, data };
            ip_packet(from, to, IpProtocol::Icmpv6, repr.buffer_len(), |payload| {
                let mut message = Icmpv6Packet::new_unchecked(payload);
                repr.emit(&source, &destination, &mut message, &checksum);
            })
        }
        #[cfg(feature = "ipv6")]
        _ => panic!("addresses of both families"),
    }
}

/// The addresses and the message of an ICMP packet.
#[track_caller]
pub(super) fn icmp(packet: &[u8]) -> (IpAddress, IpAddress, Icmp) {
    let (from, to, protocol, payload) = ip(packet);
    // RFC 792 and RFC 4443 have the same header: type, code, checksum, and 4 bytes that depend on the type.
    let echo_reply = || {
        assert_eq!(payload[4..8], [0, 7, 0, 9], "the numbers that `ping` gave it");
        Icmp::EchoReply(payload[8..].to_vec())
    };
    let icmp = match (from, to) {
        (IpAddress::Ipv4(_), IpAddress::Ipv4(_)) => {
            assert_eq!(protocol, IpProtocol::Icmp);
            assert!(Icmpv4Packet::new_checked(payload).unwrap().verify_checksum());
            match (payload[0], payload[1]) {
                (0, 0) => echo_reply(),
                (3, 2) => Icmp::ProtocolUnreachable,
                (3, 3) => Icmp::PortUnreachable,
                other => panic!("{other:?}"),
            }
        }
        #[cfg(feature = "ipv6")]
        (IpAddress::Ipv6(source), IpAddress::Ipv6(destination)) => {
            assert_eq!(protocol, IpProtocol::Icmpv6);
            assert!(Icmpv6Packet::new_checked(payload).unwrap().verify_checksum(&source, &destination));
            match (payload[0], payload[1]) {
                (129, 0) => echo_reply(),
                (4, 1) => Icmp::ProtocolUnreachable,
                (1, 4) => Icmp::PortUnreachable,
                other => panic!("{other:?}"),
            }
        }
        #[cfg(feature = "ipv6")]
        _ => panic!("addresses of both families"),
    };
    (from, to, icmp)
}

/// An IPv4 packet in fragments of this many bytes of payload each, a multiple of 8.
#[cfg(feature = "fragments")]
pub(super) fn fragments(packet: &[u8], length: usize, ident: u16) -> Vec<Vec<u8>> {
    let payload = Ipv4Packet::new_checked(packet).unwrap().payload();
    let header = packet.len() - payload.len();
    let mut fragments = Vec::new();
    for (offset, part) in (0..).step_by(length).zip(payload.chunks(length)) {
        let mut fragment = [&packet[..header], part].concat();
        let total = u16::try_from(fragment.len()).unwrap();
        let mut view = Ipv4Packet::new_unchecked(&mut fragment[..]);
        view.set_total_len(total);
        view.set_ident(ident);
        view.set_dont_frag(false);
        view.set_more_frags(usize::from(offset) + part.len() < payload.len());
        view.set_frag_offset(offset);
        view.fill_checksum();
        fragments.push(fragment);
    }
    fragments
}

/// Reassembles these fragments, which must be in order, without gaps, and of at most this length each.
#[cfg(feature = "fragments")]
#[track_caller]
pub(super) fn reassembled(fragments: &[Vec<u8>], mtu: usize) -> Vec<u8> {
    let mut whole = fragments[0].clone();
    whole.truncate(20);
    let ident = Ipv4Packet::new_unchecked(&fragments[0][..]).ident();
    for (index, fragment) in fragments.iter().enumerate() {
        assert!(fragment.len() <= mtu);
        let view = Ipv4Packet::new_checked(&fragment[..]).unwrap();
        assert!(view.verify_checksum() && !view.dont_frag());
        assert_eq!(view.ident(), ident);
        assert_eq!(usize::from(view.frag_offset()), whole.len() - 20);
        assert_eq!(view.more_frags(), index + 1 < fragments.len());
        whole.extend_from_slice(view.payload());
    }
    let total = u16::try_from(whole.len()).unwrap();
    let mut view = Ipv4Packet::new_unchecked(&mut whole[..]);
    view.set_total_len(total);
    view.set_more_frags(false);
    view.fill_checksum();
    whole
}

/// An Ethernet frame.
pub(super) fn frame(
    source: EthernetAddress,
    destination: EthernetAddress,
    protocol: EthernetProtocol,
    payload: &[u8],
) -> Vec<u8> {
    let mut buffer = std::vec![0; ETHERNET_HEADER_LEN + payload.len()];
    let mut frame = EthernetFrame::new_unchecked(&mut buffer[..]);
    frame.set_src_addr(source);
    frame.set_dst_addr(destination);
    frame.set_ethertype(protocol);
    frame.payload_mut().copy_from_slice(payload);
    buffer
}

/// Source, destination, protocol and payload of an Ethernet frame.
#[track_caller]
pub(super) fn unframe(frame: &[u8]) -> (EthernetAddress, EthernetAddress, EthernetProtocol, &[u8]) {
    let frame = EthernetFrame::new_checked(frame).unwrap();
    (frame.src_addr(), frame.dst_addr(), frame.ethertype(), frame.payload())
}

/// Gives an ICMP message its checksum.
pub(super) fn fill_icmp_checksum(from: IpAddress, to: IpAddress, message: &mut [u8]) {
    match (from, to) {
        (IpAddress::Ipv4(_), IpAddress::Ipv4(_)) => Icmpv4Packet::new_unchecked(message).fill_checksum(),
        #[cfg(feature = "ipv6")]
        (IpAddress::Ipv6(from), IpAddress::Ipv6(to)) => {
            Icmpv6Packet::new_unchecked(message).fill_checksum(&from, &to);
        }
        #[cfg(feature = "ipv6")]
        _ => panic!("addresses of both families"),
    }
}
