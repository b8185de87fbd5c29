//! The devices that smoltcp is shown in place of the caller's: one packet in, one packet out.

use heapless::Vec;
use smoltcp::iface::{self, SocketSet};
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

/// Some packets are edited before they leave: acknowledgements with several SACK blocks.
const EDITS: bool = cfg!(feature = "many-holes");

/// Sees the packets that smoltcp sends, and may change them, before they leave.
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

/// Room for one packet in the caller's device.
pub(crate) trait Room {
    /// Sends a packet of this length, which `write` writes. Only the first packet leaves; any other is written and thrown away.
    ///
    /// `write` is called exactly once.
    fn send(&mut self, length: usize, write: &mut dyn FnMut(&mut [u8]));

    /// True if no packet has been sent into it.
    fn is_left(&self) -> bool;

    /// The room without its type, for what few packets need: that is compiled once for all types.
    fn erased(&mut self) -> &mut dyn Room;
}

/// A transmit token of the caller's device; None once it has been used.
impl<T: TxToken> Room for Option<T> {
    fn send(&mut self, length: usize, write: &mut dyn FnMut(&mut [u8])) {
        match self.take() {
            Some(token) => token.consume(length, write),
            None => Discard.send(length, write),
        }
    }

    fn is_left(&self) -> bool {
        self.is_some()
    }

    fn erased(&mut self) -> &mut dyn Room {
        self
    }
}

/// The room for what nearly every packet needs: with the feature `fast`, that is compiled for the room's own type.
#[cfg(feature = "fast")]
#[inline(always)]
pub(crate) fn as_room<R: Room>(room: &mut R) -> &mut R {
    room
}

/// The room for what nearly every packet needs: without the feature `fast`, that is compiled once for all types.
#[cfg(not(feature = "fast"))]
pub(crate) fn as_room(room: &mut impl Room) -> &mut dyn Room {
    room
}

/// The longest answer to a segment without payload: an Ethernet header, an IPv6 header, and TCP's with all its options.
pub(super) const LONGEST_ANSWER: usize = 128;

/// Throws the packet away.
///
/// Panics if it is longer than [`LONGEST_ANSWER`]; answers to segments without payload are not.
pub(crate) struct Discard;

impl Room for Discard {
    fn send(&mut self, length: usize, write: &mut dyn FnMut(&mut [u8])) {
        write(&mut [0; LONGEST_ANSWER][..length]);
    }

    fn is_left(&self) -> bool {
        false
    }

    fn erased(&mut self) -> &mut dyn Room {
        self
    }
}

/// The device that smoltcp is shown: with one packet to receive or none, and room for exactly one. So smoltcp never begins a
/// packet that it cannot send: a fast retransmission that the device refuses is lost, and the retransmission timer with it.
///
/// smoltcp is lent the token: it is large, and would be moved from function to function.
pub(crate) struct OnePacket<'p, R: ?Sized = Discard> {
    packet: Option<&'p [u8]>,
    token: Option<Watched<'p, R>>,
    capabilities: &'p DeviceCapabilities,
}

impl<'p, R: Room + ?Sized> OnePacket<'p, R> {
    /// With a packet to receive, and a token to answer it at once.
    pub(crate) fn incoming(
        packet: &'p [u8],
        token: Watched<'p, R>,
        capabilities: &'p DeviceCapabilities,
    ) -> OnePacket<'p, R> {
        OnePacket { packet: Some(packet), token: Some(token), capabilities }
    }

    /// With nothing to receive.
    pub(crate) fn outgoing(token: Watched<'p, R>, capabilities: &'p DeviceCapabilities) -> OnePacket<'p, R> {
        OnePacket { packet: None, token: Some(token), capabilities }
    }
}

impl<'p> OnePacket<'p> {
    /// To be asked what it can do.
    pub(crate) fn idle(capabilities: &'p DeviceCapabilities) -> OnePacket<'p> {
        OnePacket { packet: None, token: None, capabilities }
    }
}

impl<'p, R: Room + ?Sized> Device for OnePacket<'p, R> {
    type RxToken<'a>
        = Received<'p>
    where
        Self: 'a;
    type TxToken<'a>
        = &'a mut Watched<'p, R>
    where
        Self: 'a;

    fn receive(&mut self, _now: Instant) -> Option<(Received<'p>, &mut Watched<'p, R>)> {
        Some((Received(self.packet.take()?), self.token.as_mut()?))
    }

    fn transmit(&mut self, _now: Instant) -> Option<&mut Watched<'p, R>> {
        self.token.as_mut().filter(|token| token.room.is_left())
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

/// Room for a packet of at most `N` bytes, which does not leave.
#[cfg(feature = "recovery")]
pub(crate) struct Written<const N: usize>(pub(crate) Vec<u8, N>);

#[cfg(feature = "recovery")]
impl<const N: usize> Room for Written<N> {
    fn send(&mut self, length: usize, write: &mut dyn FnMut(&mut [u8])) {
        // Cannot fail where no packet is longer.
        let _ = self.0.resize(length, 0);
        write(&mut self.0);
    }

    fn is_left(&self) -> bool {
        self.0.is_empty()
    }

    fn erased(&mut self) -> &mut dyn Room {
        self
    }
}

/// A transmit token for smoltcp: what leaves through it is counted, shown to somebody, and given its checksums.
pub(crate) struct Watched<'s, R: ?Sized> {
    pub(crate) room: &'s mut R,
    pub(crate) sent: &'s mut u64,
    /// Do not be tempted to make this a type parameter: all that smoltcp does with a token would be compiled once for each.
    pub(crate) watch: &'s mut dyn Watch,
    pub(crate) seal: Seal,
    pub(crate) link_header_len: usize,
}

impl<R: Room + ?Sized> TxToken for &mut Watched<'_, R> {
    #[inline]
    fn consume<T, F: FnOnce(&mut [u8]) -> T>(self, length: usize, f: F) -> T {
        let (mut f, mut result) = (Some(f), None);
        self.send(length, &mut |packet| result = f.take().map(|f| f(packet)));
        // A device's own `consume` has no result but what `f` returns.
        result.unwrap_or_else(|| unreachable!("a packet is written once"))
    }
}

impl<R: Room + ?Sized> Watched<'_, R> {
    #[cfg_attr(feature = "fast", inline(always))]
    fn send(&mut self, length: usize, write: &mut dyn FnMut(&mut [u8])) {
        let Watched { room, sent, watch, seal, link_header_len } = self;
        **sent += 1;
        let mut draft = Draft::new();
        if EDITS && watch.edits() && draft.resize(length, 0).is_ok() {
            write(&mut draft);
            watch.edit(&mut draft);
            room.send(draft.len(), &mut |packet| {
                packet.copy_from_slice(&draft);
                finish(packet, *watch, *seal, *link_header_len);
            });
        } else {
            room.send(length, &mut |packet| {
                write(packet);
                finish(packet, *watch, *seal, *link_header_len);
            });
        }
    }
}

/// Shows a packet that leaves to `watch`, and writes its checksums.
#[cfg_attr(feature = "fast", inline(always))]
fn finish(packet: &mut [u8], watch: &mut dyn Watch, seal: Seal, link_header_len: usize) {
    watch.departs(packet);
    if let Some(packet) = packet.get_mut(link_header_len..) {
        seal.seal(packet);
    }
}

/// Lets smoltcp process a packet with this interface, and discards the answer.
pub(crate) fn inject(
    interface: &mut iface::Interface,
    now: Instant,
    packet: &[u8],
    capabilities: &DeviceCapabilities,
    sockets: &mut SocketSet<'_>,
) {
    let mut discard = Discard;
    let token = Watched {
        room: as_room(&mut discard),
        sent: &mut 0,
        watch: &mut (),
        seal: Seal::NONE,
        link_header_len: 0,
    };
    interface.poll_ingress_single(now, &mut OnePacket::incoming(packet, token, capabilities), sockets);
}
