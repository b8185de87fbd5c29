//! Builds and parses IP packets with TCP, UDP and ICMP, without smoltcp: with it, both ends would be wrong in the same
//! way.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// TCP's flags.
pub const FIN: u8 = 0x01;
/// See [`FIN`].
pub const SYN: u8 = 0x02;
/// See [`FIN`].
pub const RST: u8 = 0x04;
/// See [`FIN`].
pub const PSH: u8 = 0x08;
/// See [`FIN`].
pub const ACK: u8 = 0x10;

/// Protocol numbers.
pub const TCP: u8 = 6;
/// See [`TCP`].
pub const UDP: u8 = 17;
/// See [`TCP`].
pub const ICMP: u8 = 1;
/// See [`TCP`].
pub const ICMPV6: u8 = 58;

/// A TCP segment with its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The source.
    pub from: SocketAddr,
    /// The destination.
    pub to: SocketAddr,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number, whether or not [`ACK`] is set.
    pub ack: u32,
    /// [`FIN`], [`SYN`] and so on.
    pub flags: u8,
    /// The window as in the header, not scaled.
    pub window: u16,
    /// The options, padded to a multiple of 4 bytes; 40 at most.
    pub options: Vec<u8>,
    /// The data.
    pub payload: Vec<u8>,
}

impl Segment {
    /// The IP packet around the segment.
    pub fn to_packet(&self) -> Vec<u8> {
        let header = 20 + self.options.len();
        let mut tcp = Vec::with_capacity(header + self.payload.len());
        tcp.extend(self.from.port().to_be_bytes());
        tcp.extend(self.to.port().to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        let words = u8::try_from(header / 4).expect("options of 40 bytes at most");
        tcp.extend([words << 4, self.flags]);
        tcp.extend(self.window.to_be_bytes());
        tcp.extend([0; 4]); // checksum, urgent pointer
        tcp.extend(&self.options);
        tcp.extend(&self.payload);
        let sum = transport_checksum(self.from.ip(), self.to.ip(), TCP, &tcp);
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        ip_packet(self.from.ip(), self.to.ip(), TCP, Fragment::default(), &tcp)
    }

    /// None if it is not a TCP segment with right checksums.
    pub fn read(packet: &[u8]) -> Option<Segment> {
        let ip = Ip::read(packet)?;
        let tcp = ip.payload;
        if ip.protocol != TCP || ip.fragment != Fragment::default() || tcp.len() < 20 {
            return None;
        }
        if transport_checksum(ip.from, ip.to, TCP, tcp) != 0 {
            return None;
        }
        let header = usize::from(tcp[12] >> 4) * 4;
        Some(Segment {
            from: SocketAddr::new(ip.from, u16_at(tcp, 0)),
            to: SocketAddr::new(ip.to, u16_at(tcp, 2)),
            seq: u32_at(tcp, 4),
            ack: u32_at(tcp, 8),
            flags: tcp[13],
            window: u16_at(tcp, 14),
            options: tcp.get(20..header)?.to_vec(),
            payload: tcp[header..].to_vec(),
        })
    }

    /// True if all these flags are set.
    pub fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }
}

/// How far one sequence number is ahead of another.
pub fn ahead(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b).cast_signed()
}

/// A UDP datagram with its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// The source.
    pub from: SocketAddr,
    /// The destination.
    pub to: SocketAddr,
    /// The data.
    pub payload: Vec<u8>,
}

impl Datagram {
    /// The IP packets around the datagram: several if it is longer than the MTU.
    pub fn to_packets(&self, mtu: usize, identification: u16) -> Vec<Vec<u8>> {
        let mut udp = Vec::with_capacity(8 + self.payload.len());
        udp.extend(self.from.port().to_be_bytes());
        udp.extend(self.to.port().to_be_bytes());
        let length = u16::try_from(8 + self.payload.len()).expect("a datagram of 65527 bytes at most");
        udp.extend(length.to_be_bytes());
        udp.extend([0; 2]);
        udp.extend(&self.payload);
        let sum = transport_checksum(self.from.ip(), self.to.ip(), UDP, &udp);
        let sum = if sum == 0 { u16::MAX } else { sum };
        udp[6..8].copy_from_slice(&sum.to_be_bytes());

        let headers = if self.from.is_ipv4() { 20 } else { 40 };
        if headers + udp.len() <= mtu {
            let fragment = Fragment { identification, ..Fragment::default() };
            return vec![ip_packet(self.from.ip(), self.to.ip(), UDP, fragment, &udp)];
        }
        let most = (mtu - headers) / 8 * 8;
        let count = udp.len().div_ceil(most);
        let fragments = udp.chunks(most).zip(0..).map(|(part, index)| {
            let fragment = Fragment { identification, offset: index * most, more: index + 1 < count };
            ip_packet(self.from.ip(), self.to.ip(), UDP, fragment, part)
        });
        fragments.collect()
    }

    /// The datagram in an IP packet's payload. None if it is not whole or its checksum is wrong.
    pub fn read(from: IpAddr, to: IpAddr, udp: &[u8]) -> Option<Datagram> {
        if udp.len() < 8 || usize::from(u16_at(udp, 4)) != udp.len() {
            return None;
        }
        let unchecked = u16_at(udp, 6) == 0 && from.is_ipv4();
        if !unchecked && (u16_at(udp, 6) == 0 || transport_checksum(from, to, UDP, udp) != 0) {
            return None;
        }
        Some(Datagram {
            from: SocketAddr::new(from, u16_at(udp, 0)),
            to: SocketAddr::new(to, u16_at(udp, 2)),
            payload: udp[8..].to_vec(),
        })
    }
}

/// The fragment of an IPv4 packet that a packet is. By default it is whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fragment {
    /// The identification, the same for all fragments of a packet.
    pub identification: u16,
    /// The offset in the payload, in bytes.
    pub offset: usize,
    /// More fragments follow.
    pub more: bool,
}

/// A parsed IP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ip<'p> {
    /// The source.
    pub from: IpAddr,
    /// The destination.
    pub to: IpAddr,
    /// The protocol: [`TCP`], [`UDP`] and so on.
    pub protocol: u8,
    /// Which fragment it is. The identification is 0 if it is whole.
    pub fragment: Fragment,
    /// The payload.
    pub payload: &'p [u8],
}

impl Ip<'_> {
    /// None if it is malformed or its checksum is wrong.
    pub fn read(packet: &[u8]) -> Option<Ip<'_>> {
        match packet.first()? >> 4 {
            4 if packet.len() >= 20 => {
                let header = usize::from(packet[0] & 0xf) * 4;
                let payload = packet.get(header..usize::from(u16_at(packet, 2)))?;
                if header < 20 || checksum(0, &packet[..header]) != 0 {
                    return None;
                }
                let place = u16_at(packet, 6);
                let (offset, more) = (usize::from(place & 0x1fff) * 8, place & 0x2000 != 0);
                let part = offset > 0 || more;
                let identification = if part { u16_at(packet, 4) } else { 0 };
                Some(Ip {
                    from: Ipv4Addr::from_bits(u32_at(packet, 12)).into(),
                    to: Ipv4Addr::from_bits(u32_at(packet, 16)).into(),
                    protocol: packet[9],
                    fragment: Fragment { identification, offset, more },
                    payload,
                })
            }
            6 if packet.len() >= 40 => {
                let payload = packet.get(40..40 + usize::from(u16_at(packet, 4)))?;
                let address = |at: usize| Ipv6Addr::from(<[u8; 16]>::try_from(&packet[at..at + 16]).unwrap());
                let fragment = Fragment::default();
                let (from, to) = (address(8).into(), address(24).into());
                Some(Ip { from, to, protocol: packet[6], fragment, payload })
            }
            _ => None,
        }
    }
}

/// An IP packet around a payload.
pub fn ip_packet(from: IpAddr, to: IpAddr, protocol: u8, fragment: Fragment, payload: &[u8]) -> Vec<u8> {
    let length =
        |headers: usize| u16::try_from(headers + payload.len()).expect("a packet of 65535 bytes at most");
    let mut packet = Vec::with_capacity(40 + payload.len());
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            packet.extend([0x45, 0]);
            packet.extend(length(20).to_be_bytes());
            packet.extend(fragment.identification.to_be_bytes());
            let place = u16::try_from(fragment.offset / 8).expect("an offset inside the packet");
            packet.extend((place | if fragment.more { 0x2000 } else { 0 }).to_be_bytes());
            packet.extend([64, protocol, 0, 0]);
            packet.extend(from.octets());
            packet.extend(to.octets());
            let sum = checksum(0, &packet);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            packet.extend([0x60, 0, 0, 0]);
            packet.extend(length(0).to_be_bytes());
            packet.extend([protocol, 64]);
            packet.extend(from.octets());
            packet.extend(to.octets());
        }
        _ => panic!("{from} and {to} are not of one family"),
    }
    packet.extend(payload);
    packet
}

/// An ICMP packet around a message, whose checksum is filled in if it is long enough to have one.
pub fn icmp_packet(from: IpAddr, to: IpAddr, mut message: Vec<u8>) -> Vec<u8> {
    let protocol = if from.is_ipv6() { ICMPV6 } else { ICMP };
    if message.len() >= 4 {
        message[2..4].fill(0);
        let sum = match from.is_ipv6() {
            true => transport_checksum(from, to, protocol, &message),
            false => checksum(0, &message),
        };
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    ip_packet(from, to, protocol, Fragment::default(), &message)
}

/// 0 if the checksum in `payload` is right; what the checksum should be if it is 0 there.
pub fn transport_checksum(from: IpAddr, to: IpAddr, protocol: u8, payload: &[u8]) -> u16 {
    let sum = |address: IpAddr| match address {
        IpAddr::V4(address) => sum(&address.octets()),
        IpAddr::V6(address) => sum(&address.octets()),
    };
    checksum(sum(from) + sum(to) + u64::from(protocol) + payload.len() as u64, payload)
}

/// Adds bytes to a checksum (RFC 1071).
pub fn checksum(start: u64, bytes: &[u8]) -> u16 {
    let mut total = start + sum(bytes);
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    !u16::try_from(total).expect("folded to 16 bits")
}

fn sum(bytes: &[u8]) -> u64 {
    let (pairs, last) = bytes.as_chunks::<2>();
    let pairs: u64 = pairs.iter().map(|&pair| u64::from(u16::from_be_bytes(pair))).sum();
    pairs + last.first().map_or(0, |&byte| u64::from(byte) << 8)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
