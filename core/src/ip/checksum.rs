//! The Internet checksum (RFC 1071), eight bytes at a time: smoltcp's, two at a time, takes a tenth of an echo.
//!
//! The filter verifies with this one. TCP segments and IPv4 headers leave smoltcp without a checksum, and get it from
//! [`Seal`]. smoltcp's own remains for UDP and ICMP, whose packets are few.

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::IpAddress;

/// The protocol number of TCP.
const TCP: u8 = 6;

/// The bits of an IPv4 header's bytes 6 and 7 that only fragments have: more fragments, and the offset.
const FRAGMENT: u16 = 0x3fff;

/// True if the checksum of an IPv4 header is right.
pub(crate) fn is_header_right(header: &[u8]) -> bool {
    let sum = match header.first_chunk::<20>() {
        // Without options, and so with a length that the compiler knows.
        Some(header20) if header.len() == 20 => sum(header20),
        _ => sum(header),
    };
    folded(sum) == u16::MAX
}

/// True if the checksum of a TCP segment between these addresses is right.
pub(crate) fn is_segment_right(source: IpAddress, destination: IpAddress, segment: &[u8]) -> bool {
    let addresses = match (source, destination) {
        (IpAddress::Ipv4(source), IpAddress::Ipv4(destination)) => {
            sum(&source.octets()) + sum(&destination.octets())
        }
        #[cfg(feature = "ipv6")]
        (IpAddress::Ipv6(source), IpAddress::Ipv6(destination)) => {
            sum(&source.octets()) + sum(&destination.octets())
        }
        // One packet cannot have addresses of both families.
        #[cfg(feature = "ipv6")]
        _ => return false,
    };
    folded(pseudo_header(addresses, segment) + sum(segment)) == u16::MAX
}

/// Which checksums are written into a packet as it leaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seal {
    ipv4: bool,
    tcp: bool,
}

impl Seal {
    /// None at all.
    pub(crate) const NONE: Seal = Seal { ipv4: false, tcp: false };

    /// Those that the device does not write.
    pub(crate) fn new(device: &ChecksumCapabilities) -> Seal {
        Seal { ipv4: device.ipv4.tx(), tcp: device.tcp.tx() }
    }

    /// Writes the checksums into an IP packet of smoltcp's, which has neither options nor extension headers. Anything else,
    /// such as ARP, is left as it is.
    pub(crate) fn seal(self, packet: &mut [u8]) {
        match packet {
            [0x45, ..] => {
                let Some((header, segment)) = packet.split_first_chunk_mut::<20>() else {
                    return;
                };
                if self.ipv4 {
                    write(header, 10, 0);
                }
                let is_whole = u16::from_be_bytes([header[6], header[7]]) & FRAGMENT == 0;
                if self.tcp && header[9] == TCP && is_whole {
                    write(segment, 16, pseudo_header(sum(&header[12..]), segment));
                }
            }
            [0x60..0x70, ..] => {
                let Some((header, segment)) = packet.split_first_chunk_mut::<40>() else {
                    return;
                };
                if self.tcp && header[6] == TCP {
                    write(segment, 16, pseudo_header(sum(&header[8..]), segment));
                }
            }
            _ => {}
        }
    }
}

/// Writes the checksum of these bytes, of which it is a part itself, and of what else counts.
fn write(bytes: &mut [u8], at: usize, others: u128) {
    let Some(field) = bytes.get_mut(at..at + 2) else {
        return;
    };
    field.fill(0);
    let checksum = !folded(others + sum(bytes));
    bytes[at..at + 2].copy_from_slice(&checksum.to_ne_bytes());
}

/// The sum of a pseudo-header (RFC 9293, section 3.1), given that of its addresses.
fn pseudo_header(addresses: u128, segment: &[u8]) -> u128 {
    addresses + u128::from((segment.len() as u64 + u64::from(TCP)).to_be())
}

/// The sum of these bytes, an odd one at the end followed by a zero, in words of the machine's own byte order: folded, it is
/// the same as in network order, but for the order of its two bytes (RFC 1071, section 2(B)).
#[inline]
fn sum(bytes: &[u8]) -> u128 {
    let (words, mut rest) = bytes.as_chunks::<8>();
    // Cannot overflow: no slice has 2^64 words.
    let mut sum: u128 = words.iter().map(|word| u128::from(u64::from_ne_bytes(*word))).sum();
    if let Some((word, after)) = rest.split_first_chunk::<4>() {
        sum += u128::from(u32::from_ne_bytes(*word));
        rest = after;
    }
    if let Some((word, after)) = rest.split_first_chunk::<2>() {
        sum += u128::from(u16::from_ne_bytes(*word));
        rest = after;
    }
    if let [last] = rest {
        sum += u128::from(u16::from_ne_bytes([*last, 0]));
    }
    sum
}

/// Folds a sum to 16 bits, half and half, the carry added at the other end.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "halves")]
fn folded(sum: u128) -> u16 {
    let (sum, carry) = (sum as u64).overflowing_add((sum >> 64) as u64);
    let sum = sum + u64::from(carry);
    let (sum, carry) = (sum as u32).overflowing_add((sum >> 32) as u32);
    let sum = sum + u32::from(carry);
    let (sum, carry) = (sum as u16).overflowing_add((sum >> 16) as u16);
    sum + u16::from(carry)
}

#[cfg(test)]
mod tests {
    use smoltcp::wire::{Icmpv4Packet, IpProtocol, IpRepr, IpVersion, Ipv4Packet, TcpPacket};

    use super::*;

    const BOTH: Seal = Seal { ipv4: true, tcp: true };

    /// Bytes without a pattern, then all ones, whose sum has the most carries, then zeroes.
    fn bytes(length: usize) -> [std::vec::Vec<u8>; 3] {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        [(0..length).map(|_| next()).collect(), std::vec![0xff; length], std::vec![0; length]]
    }

    #[test]
    fn sums_are_those_of_smoltcp() {
        // smoltcp tells that of plain bytes only as the checksum of an ICMP message, which has a place for it.
        for length in (4..200).chain(1400..1520).chain([65535]) {
            for mut bytes in bytes(length) {
                bytes[2..4].fill(0);
                let expected = !folded(sum(&bytes)).to_be();
                let mut message = Icmpv4Packet::new_unchecked(&mut bytes[..]);
                message.fill_checksum();
                assert_eq!(message.checksum(), expected, "{length} bytes");
            }
        }
    }

    /// Two words of all ones and a one: half and half they make 2^64.
    #[test]
    fn the_last_carry_of_a_sum_counts() {
        let mut bytes = [0xff; 20];
        bytes[16..].copy_from_slice(&1_u32.to_ne_bytes());
        assert_eq!(folded(sum(&bytes)), 1);
    }

    #[test]
    fn a_sealed_segment_is_right_and_no_other() {
        let pairs = [
            (IpAddress::v4(192, 0, 2, 1), IpAddress::v4(198, 51, 100, 254)),
            #[cfg(feature = "ipv6")]
            (IpAddress::v6(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), IpAddress::v6(0xfd69, 0, 0, 0, 1, 2, 3, 0xffff)),
        ];
        for ((source, destination), length) in
            pairs.into_iter().flat_map(|pair| (20..100).chain([1459, 1460]).map(move |length| (pair, length)))
        {
            for payload in bytes(length) {
                let ip = IpRepr::new(source, destination, IpProtocol::Tcp, length, 64);
                let mut packet = std::vec![0; ip.buffer_len()];
                ip.emit(&mut packet[..], &ChecksumCapabilities::ignored());
                packet[ip.header_len()..].copy_from_slice(&payload);
                BOTH.seal(&mut packet);
                if ip.version() == IpVersion::Ipv4 {
                    assert!(Ipv4Packet::new_unchecked(&packet[..]).verify_checksum());
                    assert!(is_header_right(&packet[..20]));
                    packet[8] ^= 1;
                    assert!(!is_header_right(&packet[..20]));
                }
                let segment = &mut packet[ip.header_len()..];
                assert!(TcpPacket::new_unchecked(&segment[..]).verify_checksum(&source, &destination));
                assert!(is_segment_right(source, destination, segment));
                segment[length - 1] ^= 1;
                assert!(!is_segment_right(source, destination, segment));
            }
        }
    }

    #[test]
    fn only_what_is_to_be_sealed_changes() {
        let ip =
            IpRepr::new(IpAddress::v4(192, 0, 2, 1), IpAddress::v4(192, 0, 2, 2), IpProtocol::Tcp, 40, 64);
        let mut packet = [7; 60];
        ip.emit(&mut packet[..], &ChecksumCapabilities::ignored());
        let changed = |seal: Seal, packet: [u8; 60]| {
            let mut sealed = packet;
            seal.seal(&mut sealed);
            (sealed[10..12] != packet[10..12], sealed[36..38] != packet[36..38])
        };
        for (ipv4, tcp) in [(false, false), (false, true), (true, false), (true, true)] {
            assert_eq!(changed(Seal { ipv4, tcp }, packet), (ipv4, tcp));
        }
        let mut fragment = packet;
        fragment[6] = 0x20;
        assert_eq!(changed(BOTH, fragment), (true, false), "of a fragment, only the header");
        let mut datagram = packet;
        datagram[9] = 17;
        assert_eq!(changed(BOTH, datagram), (true, false), "smoltcp writes the checksum of UDP");
        let mut arp = packet;
        arp[0] = 0;
        assert_eq!(changed(BOTH, arp), (false, false));
        BOTH.seal(&mut packet[..19]); // cut short: no panic
        BOTH.seal(&mut []);
    }
}
