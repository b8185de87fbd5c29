//! smoltcp ignores the ICMP errors that say that a packet is too big for the path, and sends it again and again.
//!
//! RFC 9293, section 3.9.2.2 (MUST-54); RFC 1191 and RFC 8201: the packets are made smaller. RFC 5927, section 4: the segment
//! that is quoted has to be in flight, which who is not on the path can hardly guess. From then on, an `Interface` with the
//! smaller MTU sends what this connection has to send ([`narrow`](crate::ip::narrow)).
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `icmp_fragmentation_needed_changes_nothing`
//! Kept by: core/src/tests/path_mtu.rs

use smoltcp::phy::Device;
use smoltcp::time::Instant;
use smoltcp::wire::{Icmpv4Packet, IpAddress, IpEndpoint, Ipv4Address, Ipv4Packet};
#[cfg(feature = "ipv6")]
use smoltcp::wire::{Icmpv6Packet, Ipv6Address, Ipv6Packet};

use crate::cx::Cx;
use crate::ip::interface::Sent;
use crate::tcp::demux::Tuple;
use crate::tcp::segment::headers_len;
use crate::tcp::seq::Seq;
use crate::tcp::socket::Socket;
use crate::tcp::socket::fast_recovery::Phase;
use crate::tcp::socket::recovery::{Numbers, Recovery};

/// No path is believed to take less over IPv4, as Linux has it (`min_pmtu`).
const LEAST_IPV4: u32 = 552;
/// No path takes less over IPv6 (RFC 8200, section 5).
#[cfg(feature = "ipv6")]
const LEAST_IPV6: u32 = 1280;
const TCP: u8 = 6;

/// What such an error says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooBig {
    /// Of the connection whose packet is quoted.
    pub(crate) tuple: Tuple,
    /// The server's port, as the packet has it.
    port: u16,
    /// The number of the segment that is quoted.
    seq: Seq,
    /// What the next link takes; 0 of an old router (RFC 1191, section 5).
    mtu: u32,
    /// How long the packet was that is quoted.
    length: u32,
}

impl TooBig {
    /// Reads an IP packet that has been checked, but for ICMP's checksum. None if it is no such error about a segment.
    pub(crate) fn read(packet: &[u8]) -> Option<TooBig> {
        match packet.first()? >> 4 {
            4 => TooBig::read_ipv4(&Ipv4Packet::new_unchecked(packet)),
            #[cfg(feature = "ipv6")]
            6 => TooBig::read_ipv6(&Ipv6Packet::new_unchecked(packet)),
            _ => None,
        }
    }

    /// Destination unreachable, fragmentation needed (RFC 792).
    fn read_ipv4(packet: &Ipv4Packet<&[u8]>) -> Option<TooBig> {
        let payload = packet.payload();
        let right =
            payload.starts_with(&[3, 4]) && Icmpv4Packet::new_checked(payload).ok()?.verify_checksum();
        let (fields, quoted) = payload.split_at_checked(8).filter(|_| right)?;
        let mtu = u16::from_be_bytes(*fields.last_chunk::<2>()?);
        let header = quoted.first_chunk::<20>().filter(|header| header[0] >> 4 == 4 && header[9] == TCP)?;
        let address = |at: usize| {
            header[at..].first_chunk::<4>().map(|bytes| IpAddress::from(Ipv4Address::from(*bytes)))
        };
        let length = u16::from_be_bytes([header[2], header[3]]);
        let segment = quoted.get(usize::from(header[0] & 0xf) * 4..)?;
        TooBig::quoting(address(12)?, address(16)?, segment, [mtu.into(), length.into()])
    }

    /// Packet too big (RFC 4443, section 3.2).
    #[cfg(feature = "ipv6")]
    fn read_ipv6(packet: &Ipv6Packet<&[u8]>) -> Option<TooBig> {
        let payload = packet.payload();
        let right = payload.starts_with(&[2, 0])
            && Icmpv6Packet::new_checked(payload)
                .ok()?
                .verify_checksum(&packet.src_addr(), &packet.dst_addr());
        let (fields, quoted) = payload.split_at_checked(8).filter(|_| right)?;
        let mtu = u32::from_be_bytes(*fields.last_chunk::<4>()?);
        let (header, segment) = quoted.split_at_checked(40)?;
        (header[0] >> 4 == 6 && header[6] == TCP).then_some(())?;
        let address = |at: usize| {
            header[at..].first_chunk::<16>().map(|bytes| IpAddress::from(Ipv6Address::from(*bytes)))
        };
        let length = 40 + u32::from(u16::from_be_bytes([header[4], header[5]]));
        TooBig::quoting(address(8)?, address(24)?, segment, [mtu, length])
    }

    fn quoting(
        source: IpAddress,
        destination: IpAddress,
        segment: &[u8],
        [mtu, length]: [u32; 2],
    ) -> Option<TooBig> {
        let [p0, p1, r0, r1, s0, s1, s2, s3] = *segment.first_chunk::<8>()?;
        let remote = IpEndpoint::new(destination, u16::from_be_bytes([r0, r1]));
        Some(TooBig {
            tuple: Tuple { remote, local: source },
            port: u16::from_be_bytes([p0, p1]),
            seq: Seq(u32::from_be_bytes([s0, s1, s2, s3])),
            mtu,
            length,
        })
    }
}

impl Socket<'_> {
    /// Takes note of an error about a packet of this connection's. True if there is something to send: it quotes what is in
    /// flight, and asks for smaller packets.
    pub(crate) fn too_big(&mut self, now: Instant, error: &TooBig) -> bool {
        let local = error.tuple.local;
        let mtu = u16::try_from(error.mtu.max(least_mtu(local))).unwrap_or(u16::MAX);
        let port = self.socket().local_endpoint().map(|local| local.port);
        let numbers = self.tcb.numbers();
        let in_flight = !error.seq.is_before(numbers.snd_una) && error.seq.is_before(numbers.snd_max);
        in_flight
            && error.length > mtu.into()
            && port == Some(error.port)
            && self.tcb.recovery.narrows(now, mtu - headers_len(local), numbers)
    }

    /// Sends what there is to send in segments that are shorter than smoltcp would have them. None if they are not.
    #[inline]
    pub(super) fn send_narrow<H, D: Device + ?Sized>(
        &mut self,
        cx: &mut Cx<'_, H>,
        device: &mut D,
    ) -> Option<Sent> {
        if self.tcb.recovery.is_narrow() { Some(self.send_with_smss(cx, device)) } else { None }
    }

    #[cold]
    #[inline(never)]
    fn send_with_smss<H, D: Device + ?Sized>(&mut self, cx: &mut Cx<'_, H>, device: &mut D) -> Sent {
        let Some(tuple) = self.tuple() else {
            return self.send_all(cx, device);
        };
        let mut hop = None;
        if cx.interface.has_frames() {
            let Some(token) = device.transmit(cx.now) else {
                return Sent::Blocked;
            };
            let segment = self.draws_reset(&cx.interface.link_header(tuple.local), tuple);
            let Some(at) = cx.interface.next_hop(cx.now, &segment, &mut Some(token)) else {
                // Nothing leaves but perhaps the question: smoltcp does not know the neighbour either.
                return self.send_all(cx, device);
            };
            hop = Some((tuple.local, tuple.remote.addr, at));
        }
        let wide = cx.interface.narrow(cx.now, self.tcb.recovery.smss + headers_len(tuple.local), hop);
        let sent = self.send_all(cx, device);
        cx.interface.widen(wide);
        sent
    }
}

impl Recovery {
    /// True if segments are shorter than smoltcp would have them.
    #[inline]
    pub(super) fn is_narrow(&self) -> bool {
        self.path_is_narrow || self.is_divided()
    }

    /// No segment may be longer: what is in flight is lost, and no sign of congestion (RFC 1191, section 6.5). False if they are
    /// no longer than that anyway.
    fn narrows(&mut self, now: Instant, smss: u16, numbers: Numbers) -> bool {
        let narrows = smss < self.smss;
        if narrows {
            (self.smss, self.whole_smss) = (smss, smss);
            (self.path_is_narrow, self.troubled) = (true, true);
            self.fast.begin(Phase::Recovery, numbers.snd_max);
            self.order(now, numbers);
        }
        narrows
    }
}

/// The least MTU that is believed of a path.
fn least_mtu(local: IpAddress) -> u32 {
    match local {
        IpAddress::Ipv4(_) => LEAST_IPV4,
        #[cfg(feature = "ipv6")]
        IpAddress::Ipv6(_) => LEAST_IPV6,
    }
}
