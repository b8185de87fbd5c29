//! Packets other than TCP's, made by hand: IPv4, its fragments, UDP.

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{IPV4_HEADER_LEN, IpAddress, UDP_HEADER_LEN, UdpPacket, UdpRepr};

use super::segment::{PEER, SERVER};

/// Protocol and next header numbers.
pub(crate) const ICMP: u8 = 1;
pub(crate) const UDP: u8 = 17;

/// An IPv4 packet, whose header `change` may still alter.
pub(crate) fn ipv4(protocol: u8, payload: &[u8], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let total = u16::try_from(IPV4_HEADER_LEN + payload.len()).unwrap().to_be_bytes();
    let mut packet = vec![0x45, 0, total[0], total[1], 0, 0, 0, 0, 64, protocol, 0, 0];
    packet.extend_from_slice(&PEER.octets());
    packet.extend_from_slice(&SERVER.octets());
    change(&mut packet);
    let sum: u32 = packet.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap();
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

/// An IPv4 packet in fragments of `size` bytes, in the order of their offsets. `size` is a multiple of 8.
#[cfg(feature = "fragments")]
pub(crate) fn fragments(protocol: u8, payload: &[u8], size: usize) -> Vec<Vec<u8>> {
    let count = payload.len().div_ceil(size);
    let fragment = |(index, part): (usize, &[u8])| {
        let more = u16::from(index + 1 < count) << 13;
        let offset = u16::try_from(index * size / 8).unwrap() | more;
        ipv4(protocol, part, |header| {
            header[4..6].copy_from_slice(&7u16.to_be_bytes());
            header[6..8].copy_from_slice(&offset.to_be_bytes());
        })
    };
    payload.chunks(size).enumerate().map(fragment).collect()
}

/// A UDP datagram to this port.
pub(crate) fn udp(from: IpAddress, to: IpAddress, port: u16, data: &[u8]) -> Vec<u8> {
    let repr = UdpRepr { src_port: 40_000, dst_port: port };
    let mut bytes = vec![0; UDP_HEADER_LEN + data.len()];
    let fill = |payload: &mut [u8]| payload.copy_from_slice(data);
    let checksums = ChecksumCapabilities::default();
    repr.emit(&mut UdpPacket::new_unchecked(&mut bytes[..]), &from, &to, data.len(), fill, &checksums);
    bytes
}

/// A UDP datagram over IPv4, without IP header.
pub(crate) fn udp_v4(port: u16, data: &[u8]) -> Vec<u8> {
    udp(PEER.into(), SERVER.into(), port, data)
}
