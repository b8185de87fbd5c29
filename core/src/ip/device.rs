//! The devices that smoltcp is shown in place of the caller's: one packet in, one packet out.

use smoltcp::phy::{Checksum, Device, DeviceCapabilities, RxToken, TxToken};
use smoltcp::time::Instant;

/// What the device can do, less the checksums that the filter has verified already.
pub(crate) fn behind_the_filter(device: &DeviceCapabilities) -> DeviceCapabilities {
    let without_rx = |checksum: &Checksum| if checksum.tx() { Checksum::Tx } else { Checksum::None };
    let mut behind = device.clone();
    behind.checksum.ipv4 = without_rx(&device.checksum.ipv4);
    behind.checksum.tcp = without_rx(&device.checksum.tcp);
    behind
}

/// Whoever wants to know what smoltcp sends.
pub(crate) trait Watch {
    /// smoltcp has written this packet, link header included; it leaves when this returns.
    fn departs(&mut self, packet: &mut [u8]);

    /// True if another packet may leave now.
    fn permits(&self) -> bool {
        true
    }
}

/// For packets whose contents nobody needs to know.
impl Watch for () {
    fn departs(&mut self, _packet: &mut [u8]) {}
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
        = Received<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = T
    where
        Self: 'a;

    fn receive(&mut self, _now: Instant) -> Option<(Received<'_>, T)> {
        self.packet.take().map(|(packet, tx)| (Received(packet), tx))
    }

    fn transmit(&mut self, _now: Instant) -> Option<T> {
        None
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.capabilities.clone()
    }
}

pub(crate) struct Received<'p>(&'p [u8]);

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

/// The longest answer to a segment without payload: an Ethernet header, an IPv6 header, and TCP's with all its options.
const LONGEST_ANSWER: usize = 128;

/// A token that throws the answer away.
///
/// Panics if the answer is longer than [`LONGEST_ANSWER`]; those to segments without payload are not.
pub(crate) struct Discard;

impl TxToken for Discard {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        f(&mut [0; LONGEST_ANSWER][..length])
    }
}

/// A token of which is to be known whether it was used. What is sent after the first packet is thrown away.
pub(crate) struct Lent<'t, T>(pub(crate) &'t mut Option<T>);

impl<T: TxToken> TxToken for Lent<'_, T> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        match self.0.take() {
            Some(token) => token.consume(length, f),
            None => Discard.consume(length, f),
        }
    }
}

/// A device with room for exactly one packet, so that smoltcp never begins a packet that it cannot send: a fast
/// retransmission that the device refuses is lost, and the retransmission timer with it. The caller's token is there first.
pub(crate) struct OneTransmit<'o, T, W> {
    token: Option<T>,
    capabilities: &'o DeviceCapabilities,
    sent: &'o mut u64,
    watch: &'o mut W,
}

impl<'o, T, W> OneTransmit<'o, T, W> {
    pub(crate) fn new(
        token: T,
        capabilities: &'o DeviceCapabilities,
        sent: &'o mut u64,
        watch: &'o mut W,
    ) -> OneTransmit<'o, T, W> {
        OneTransmit { token: Some(token), capabilities, sent, watch }
    }
}

impl<T: TxToken, W: Watch> Device for OneTransmit<'_, T, W> {
    type RxToken<'a>
        = Received<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = Watched<'a, T, W>
    where
        Self: 'a;

    fn receive(&mut self, _now: Instant) -> Option<(Received<'_>, Watched<'_, T, W>)> {
        None
    }

    fn transmit(&mut self, _now: Instant) -> Option<Watched<'_, T, W>> {
        let token = self.token.take()?;
        Some(Watched { token, sent: self.sent, watch: self.watch })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.capabilities.clone()
    }
}

/// A transmit token that counts what leaves through it and shows it to somebody.
pub(crate) struct Watched<'s, T, W> {
    pub(crate) token: T,
    pub(crate) sent: &'s mut u64,
    pub(crate) watch: &'s mut W,
}

impl<T: TxToken, W: Watch> TxToken for Watched<'_, T, W> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let Watched { token, sent, watch } = self;
        token.consume(length, |packet| {
            let result = f(packet);
            *sent += 1;
            watch.departs(packet);
            result
        })
    }
}
