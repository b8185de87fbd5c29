//! IPv6: extension headers (RFC 8200, section 4) and UDP's checksum (section 8.1).

use smoltcp::phy::Medium;
use smoltcp::socket::udp;
use smoltcp::wire::{IpCidr, Ipv6Address};

use super::packets::{UDP, udp};
use super::peer::Peer;
use super::repaired::repaired_by;

const SERVER: Ipv6Address = Ipv6Address::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
const PEER: Ipv6Address = Ipv6Address::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100);
const PORT: u16 = 9;
const HEADER: usize = 40;

/// Next header numbers.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const ICMP_V6: u8 = 58;
const DESTINATION_OPTIONS: u8 = 60;

/// PadN of four bytes.
const PADDING: [u8; 6] = [1, 4, 0, 0, 0, 0];

fn packet(next_header: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    let mut packet = vec![0x60, 0, 0, 0, length[0], length[1], next_header, 64];
    packet.extend_from_slice(&PEER.octets());
    packet.extend_from_slice(&SERVER.octets());
    packet.extend_from_slice(payload);
    packet
}

fn datagram() -> Vec<u8> {
    udp(PEER.into(), SERVER.into(), PORT, b"data")
}

/// A datagram behind an extension header of eight bytes: these six, behind next header and length.
fn behind(extension: u8, content: [u8; 6]) -> Vec<u8> {
    let mut payload = vec![UDP, 0];
    payload.extend_from_slice(&content);
    payload.extend_from_slice(&datagram());
    packet(extension, &payload)
}

/// What smoltcp makes of a packet: whether its datagram reaches a socket, and the answer, if there is one.
fn received(packet: Vec<u8>) -> (bool, Option<Vec<u8>>) {
    received_all([packet])
}

/// The same with several packets.
fn received_all<const COUNT: usize>(packets: [Vec<u8>; COUNT]) -> (bool, Option<Vec<u8>>) {
    let mut peer = Peer::on(Medium::Ip, 0, 0, 7);
    peer.interface.update_ip_addrs(|addresses| addresses.push(IpCidr::new(SERVER.into(), 64)).unwrap());
    let ring = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 4].leak(), vec![0; 1024].leak());
    let mut socket = udp::Socket::new(ring(), ring());
    socket.bind(PORT).unwrap();
    let handle = peer.sockets.add(socket);
    for packet in packets {
        peer.sends_packet(packet);
    }
    let datagrams = peer.sockets.get_mut::<udp::Socket<'_>>(handle).recv_queue();
    (datagrams > 0, peer.wire.sent.pop_front())
}

#[test]
fn control_a_datagram_without_extension_headers_is_taken() {
    assert!(received(packet(UDP, &datagram())).0);
}

#[test]
fn control_a_datagram_behind_hop_by_hop_padding_is_taken() {
    assert!(received(behind(HOP_BY_HOP, PADDING)).0);
}

/// Destination options, even mere padding, are refused as a next header that nobody knows. RFC 8200, section
/// 4: a node must accept extension headers in any order, and section 4.6 defines this one.
#[test]
fn destination_options_are_refused() {
    repaired_by("ip/extension_headers.rs", !received(behind(DESTINATION_OPTIONS, PADDING)).0);
}

/// A routing header with nothing left is refused. RFC 8200, section 4.4: an unknown routing type with
/// Segments Left = 0 is ignored, and the next header processed.
#[test]
fn a_routing_header_with_nothing_left_is_refused() {
    repaired_by("ip/extension_headers.rs", !received(behind(ROUTING, [253, 0, 0, 0, 0, 0])).0);
}

/// A fragment that is the whole packet is refused. RFC 6946, section 4: atomic fragments are processed apart
/// from all others.
#[test]
fn an_atomic_fragment_is_refused() {
    repaired_by("ip/extension_headers.rs", !received(behind(FRAGMENT, [0, 0, 0, 0, 0, 7])).0);
}

/// A datagram in two fragments is never put together. RFC 8200, section 5: a node must take 1500 bytes in fragments.
#[test]
fn fragments_are_not_put_together() {
    let datagram = datagram();
    let part = |offset: usize, more: u8, data: &[u8]| {
        let place = u8::try_from(offset).unwrap() | more;
        packet(FRAGMENT, &[&[UDP, 0, 0, place, 0, 0, 0, 7], data].concat())
    };
    let (first, last) = datagram.split_at(8);
    let taken = received_all([part(0, 1, first), part(8, 0, last)]).0;
    repaired_by("ip/reassembly.rs", !taken);
}

/// The error about an unknown hop-by-hop option points at the header behind the fixed one, not at the option.
/// RFC 8200, section 4.2: "Parameter Problem, Code 2 ... pointing to the unrecognized Option Type".
#[test]
fn the_error_about_an_option_does_not_point_at_it() {
    let (taken, answer) = received(behind(HOP_BY_HOP, [0x9e, 4, 0, 0, 0, 0]));
    let answer = answer.unwrap();
    assert_eq!((taken, answer[6], &answer[HEADER..HEADER + 2]), (false, ICMP_V6, &[4, 2][..]));
    let pointer = u32::from_be_bytes(answer[HEADER + 4..HEADER + 8].try_into().unwrap());
    repaired_by("ip/icmp.rs", pointer != 42);
}

/// A datagram without a checksum is taken. RFC 8200, section 8.1: "IPv6 receivers must discard UDP packets
/// containing a zero checksum".
#[test]
fn a_datagram_without_checksum_is_taken() {
    let mut bytes = packet(UDP, &datagram());
    bytes[HEADER + 6..HEADER + 8].fill(0);
    repaired_by("ip/filter.rs", received(bytes).0);
}
