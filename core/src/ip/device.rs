//! The devices that smoltcp is shown in place of the caller's: one packet in, one packet out.

use heapless::Vec;
use smoltcp::phy::{Checksum, Device, DeviceCapabilities, RxToken, TxToken};
use smoltcp::time::Instant;

use crate::ip::checksum::Seal;

/// What the device can do, less the checksums that the filter has verified already, and that the [`Seal`] will write.
pub(crate) fn behind_the_filter(device: &DeviceCapabilities) -> DeviceCapabilities {
    let mut behind = device.clone();
    behind.checksum.ipv4 = Checksum::None;
    behind.checksum.tcp = Checksum::None;
    behind
}

/// Whoever wants to know what smoltcp sends.
pub(crate) trait Watch {
    /// True if packets may be made longer or shorter before they leave ([`edit`](Self::edit)). They are copied once more then.
    fn edits(&self) -> bool {
        false
    }

    /// smoltcp has written this packet, link header included, but for the checksums; it leaves when this returns.
    fn departs(&mut self, packet: &mut [u8]);

    /// Edits a packet before [`departs`](Self::departs) sees it, link header included.
    fn edit(&mut self, _draft: &mut Draft) {}

    /// True if another packet may leave now.
    fn permits(&self) -> bool {
        true
    }
}

/// A packet that smoltcp has written, with room for what may be added to it.
pub(crate) type Draft = Vec<u8, LONGEST_ANSWER>;

/// For packets whose contents nobody needs to know.
impl Watch for () {
    fn departs(&mut self, _packet: &mut [u8]) {}
}

/// A device with one packet to receive, and a token to answer it at once.
///
/// smoltcp is lent the token: it is large, and would be moved from function to function.
pub(crate) struct OnePacket<'p, T> {
    packet: Option<&'p [u8]>,
    token: Option<T>,
    capabilities: &'p DeviceCapabilities,
}

impl<'p, T> OnePacket<'p, T> {
    pub(crate) fn new(packet: &'p [u8], token: T, capabilities: &'p DeviceCapabilities) -> OnePacket<'p, T> {
        OnePacket { packet: Some(packet), token: Some(token), capabilities }
    }
}

impl<T: TxToken> Device for OnePacket<'_, T> {
    type RxToken<'a>
        = Received<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = Lent<'a, T>
    where
        Self: 'a;

    fn receive(&mut self, _now: Instant) -> Option<(Received<'_>, Lent<'_, T>)> {
        self.packet.take().map(|packet| (Received(packet), Lent(&mut self.token)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Lent<'_, T>> {
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
pub(crate) struct OneTransmit<'o, T> {
    token: Option<T>,
    capabilities: &'o DeviceCapabilities,
}

impl<'o, T> OneTransmit<'o, T> {
    pub(crate) fn new(token: T, capabilities: &'o DeviceCapabilities) -> OneTransmit<'o, T> {
        OneTransmit { token: Some(token), capabilities }
    }
}

impl<T: TxToken> Device for OneTransmit<'_, T> {
    type RxToken<'a>
        = Received<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = Lent<'a, T>
    where
        Self: 'a;

    fn receive(&mut self, _now: Instant) -> Option<(Received<'_>, Lent<'_, T>)> {
        None
    }

    fn transmit(&mut self, _now: Instant) -> Option<Lent<'_, T>> {
        self.token.is_some().then_some(Lent(&mut self.token))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.capabilities.clone()
    }
}

/// A transmit token for smoltcp: what leaves through it is counted, shown to somebody, and given its checksums.
pub(crate) struct Watched<'s, T> {
    pub(crate) token: T,
    pub(crate) sent: &'s mut u64,
    /// Do not be tempted to make this a type parameter: all that smoltcp does with a token would be compiled once for each.
    pub(crate) watch: &'s mut dyn Watch,
    pub(crate) seal: Seal,
    /// The length of the link header.
    pub(crate) link_header: usize,
}

impl<T: TxToken> TxToken for Watched<'_, T> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let Watched { token, sent, watch, seal, link_header } = self;
        let mut draft = Draft::new();
        if watch.edits() && draft.resize(length, 0).is_ok() {
            let result = f(&mut draft);
            watch.edit(&mut draft);
            *sent += 1;
            token.consume(draft.len(), |packet| {
                packet.copy_from_slice(&draft);
                watch.departs(packet);
                if let Some(packet) = packet.get_mut(link_header..) {
                    seal.seal(packet);
                }
            });
            return result;
        }
        token.consume(length, |packet| {
            let result = f(packet);
            *sent += 1;
            watch.departs(packet);
            if let Some(packet) = packet.get_mut(link_header..) {
                seal.seal(packet);
            }
            result
        })
    }
}
