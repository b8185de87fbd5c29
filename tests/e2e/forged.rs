//! IPv4 packets with whatever source a test likes.

use core::net::{Ipv4Addr, SocketAddrV4};
use std::net::UdpSocket;

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

/// A raw socket in the calling thread's network.
pub(crate) struct Forger(UdpSocket);

impl Forger {
    pub(crate) fn new() -> Self {
        let raw = socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Raw);
        Self(raw.unwrap().into())
    }

    pub(crate) fn send(&self, packet: &[u8], destination: Ipv4Addr) {
        // A full socket buffer loses one of them.
        let _ = self.0.send_to(packet, (destination, 0));
    }
}

/// A SYN that offers segments of 1460 bytes.
pub(crate) fn syn(source: SocketAddrV4, destination: SocketAddrV4, sequence: u32) -> [u8; 44] {
    let mut packet = [0; 44];
    address(&mut packet, 6, source, destination);
    let tcp = &mut packet[20..];
    tcp[4..8].copy_from_slice(&sequence.to_be_bytes());
    (tcp[12], tcp[13]) = (6 << 4, 2);
    tcp[14..16].copy_from_slice(&64_240_u16.to_be_bytes());
    tcp[20..24].copy_from_slice(&[2, 4, 0x05, 0xb4]);
    // The pseudo-header's protocol and length, then its addresses and the segment. The kernel does that of IP.
    let words = packet[12..].chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum = words.sum::<u32>() + 6 + 24;
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap();
    packet[36..38].copy_from_slice(&checksum.to_be_bytes());
    packet
}

/// An empty datagram, without a checksum (RFC 768 allows it).
pub(crate) fn datagram(source: SocketAddrV4, destination: SocketAddrV4) -> [u8; 28] {
    let mut packet = [0; 28];
    address(&mut packet, 17, source, destination);
    packet[25] = 8;
    packet
}

/// Fills in the IPv4 header, and the ports behind it.
fn address(packet: &mut [u8], protocol: u8, source: SocketAddrV4, destination: SocketAddrV4) {
    packet[0] = 0x45;
    (packet[8], packet[9]) = (64, protocol);
    packet[12..16].copy_from_slice(&source.ip().octets());
    packet[16..20].copy_from_slice(&destination.ip().octets());
    packet[20..22].copy_from_slice(&source.port().to_be_bytes());
    packet[22..24].copy_from_slice(&destination.port().to_be_bytes());
}
