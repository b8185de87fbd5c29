//! The two devices that smoltcp is shown instead of the caller's: one received packet, and the way out.

use smoltcp::phy::{Checksum, ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
#[cfg(feature = "ipv6")]
use smoltcp::wire::Ipv6Packet;
use smoltcp::wire::{ETHERNET_HEADER_LEN, IpProtocol, IpVersion, Ipv4Packet, TcpPacket, TcpSeqNumber};

/// What the device can do, less the checksums that the door has verified already.
pub(crate) fn behind_the_door(device: &DeviceCapabilities) -> DeviceCapabilities {
    let without_rx = |checksum: &Checksum| if checksum.tx() { Checksum::Tx } else { Checksum::None };
    let mut behind = device.clone();
    behind.checksum.ipv4 = without_rx(&device.checksum.ipv4);
    behind.checksum.tcp = without_rx(&device.checksum.tcp);
    behind
}

/// No checksum is made or verified.
pub(crate) fn no_checksums() -> ChecksumCapabilities {
    ChecksumCapabilities::ignored()
}

/// A device with one packet to receive, and a token to answer it at once.
pub(crate) struct OnePacket<'p, T> {
    packet: Option<(&'p [u8], T)>,
    capabilities: &'p DeviceCapabilities,
}

impl<'p, T> OnePacket<'p, T> {
    pub(crate) fn new(packet: &'p [u8], tx: T, capabilities: &'p DeviceCapabilities) -> OnePacket<'p, T> {
        OnePacket { packet: Some((packet, tx)), capabilities }
    }
}

impl<T: TxToken> Device for OnePacket<'_, T> {
    type RxToken<'a>
        = Octets<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = T
    where
        Self: 'a;

    fn receive(&mut self, _now: Instant) -> Option<(Octets<'_>, T)> {
        self.packet.take().map(|(packet, tx)| (Octets(packet), tx))
    }

    fn transmit(&mut self, _now: Instant) -> Option<T> {
        None
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.capabilities.clone()
    }
}

pub(crate) struct Octets<'p>(&'p [u8]);

impl RxToken for Octets<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

/// A token for an answer that nobody needs. It must be for an empty segment, whose answers are no longer than this.
pub(crate) struct Nowhere(pub(crate) [u8; 128]);

impl TxToken for Nowhere {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, length: usize, f: F) -> R {
        f(&mut self.0[..length])
    }
}

/// The way out for one packet.
///
/// smoltcp must not begin what it cannot send: a fast retransmission that the device refuses is lost, and with it the
/// retransmission timer. So the caller's token is there first.
pub(crate) struct WayOut<'o, T> {
    token: Option<T>,
    capabilities: &'o DeviceCapabilities,
    sent: &'o mut Sent,
}

impl<'o, T> WayOut<'o, T> {
    pub(crate) fn new(token: T, capabilities: &'o DeviceCapabilities, sent: &'o mut Sent) -> WayOut<'o, T> {
        WayOut { token: Some(token), capabilities, sent }
    }
}

impl<T: TxToken> Device for WayOut<'_, T> {
    type RxToken<'a>
        = Octets<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = Watched<'a, T>
    where
        Self: 'a;

    fn receive(&mut self, _now: Instant) -> Option<(Octets<'_>, Watched<'_, T>)> {
        None
    }

    fn transmit(&mut self, _now: Instant) -> Option<Watched<'_, T>> {
        let token = self.token.take()?;
        Some(Watched { token, medium: self.capabilities.medium, sent: self.sent })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.capabilities.clone()
    }
}

/// A transmit token that notes what leaves through it.
pub(crate) struct Watched<'s, T> {
    pub(crate) token: T,
    pub(crate) medium: Medium,
    pub(crate) sent: &'s mut Sent,
}

impl<T: TxToken> TxToken for Watched<'_, T> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let Watched { token, medium, sent } = self;
        token.consume(length, |packet| {
            let result = f(packet);
            sent.packets += 1;
            if let Some(segment) = SentSegment::read(packet, medium) {
                sent.segment = Some(segment);
            }
            result
        })
    }
}

/// What has left since the server was made.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) packets: u64,
    /// The last TCP segment, until somebody clears it.
    pub(crate) segment: Option<SentSegment>,
}

/// The part of a sent segment that smoltcp tells in no other way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SentSegment {
    pub(crate) sequence: TcpSeqNumber,
    /// Behind its last octet, SYN or FIN.
    pub(crate) end: TcpSeqNumber,
    pub(crate) acknowledgement: TcpSeqNumber,
    /// As it stands in the header: not scaled.
    pub(crate) window: u16,
    pub(crate) syn: bool,
    pub(crate) rst: bool,
}

impl SentSegment {
    /// None if the packet is not TCP. Trusts smoltcp to have written neither options nor extension headers.
    fn read(packet: &[u8], medium: Medium) -> Option<SentSegment> {
        let packet = match medium {
            Medium::Ip => packet,
            Medium::Ethernet => packet.get(ETHERNET_HEADER_LEN..)?,
        };
        let payload = match IpVersion::of_packet(packet).ok()? {
            IpVersion::Ipv4 => {
                let packet = Ipv4Packet::new_checked(packet).ok()?;
                (packet.next_header() == IpProtocol::Tcp).then(|| packet.payload())
            }
            #[cfg(feature = "ipv6")]
            IpVersion::Ipv6 => {
                let packet = Ipv6Packet::new_checked(packet).ok()?;
                (packet.next_header() == IpProtocol::Tcp).then(|| packet.payload())
            }
        };
        let segment = TcpPacket::new_checked(payload?).ok()?;
        Some(SentSegment {
            sequence: segment.seq_number(),
            end: segment.seq_number() + segment.segment_len(),
            acknowledgement: segment.ack_number(),
            window: segment.window_len(),
            syn: segment.syn(),
            rst: segment.rst(),
        })
    }
}
