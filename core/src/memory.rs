//! The memory that the caller provides: all that a server ever uses.

use core::mem::ManuallyDrop;

use heapless::Vec;
use smoltcp::iface::SocketStorage;
use smoltcp::socket::udp;
use smoltcp::time::Instant;

use crate::config::ConfigError;
use crate::tcp::demux::{Bucket, DemuxEntry};
use crate::tcp::per_source::SourceEntry;
use crate::tcp::slots::Slot;
use crate::udp::delayed::DelayedMetadata;

/// The default size in bytes of a TCP send or receive buffer, and the longest payload of a UDP reply: the `recv(1024)` of the
/// programs that this server grew from.
pub const BUFFER_SIZE: usize = 1024;

/// The smallest buffer of a TCP socket: smoltcp takes no smaller segment size than 48.
pub(crate) const MIN_BUFFER_SIZE: usize = 64;

/// Room for a frame with an IP packet of 576 bytes, which every host takes (RFC 1122, section 3.3.2). Pings of the usual length
/// and segments that draw a RST are shorter.
const UNANSWERED: usize = if cfg!(feature = "ethernet-duties") { 14 + 576 } else { 0 };

/// The longest payload of a packet that is put together from fragments.
pub(crate) fn longest_reassembled() -> usize {
    #[cfg(feature = "fragments")]
    return crate::ip::LONGEST_REBUILT;
    #[cfg(not(feature = "fragments"))]
    0
}

/// All memory of a [`Server`](crate::Server), borrowed for as long as it lives; `S` is what the handler keeps of a connection
/// ([`Handler::State`](crate::Handler::State)).
///
/// The number of slots is the length of `slots`, 1 to 65535. Use [`Memory`] where it is a constant. Otherwise begin with
/// [`Storage::new`], and assign to its fields; a slice that is too short is a [`ConfigError::Storage`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Storage<'a, S = ()> {
    /// One for each TCP connection.
    pub slots: &'a mut [Slot<'a, S>],
    /// As many as slots.
    pub sockets: &'a mut [SocketStorage<'a>],
    /// As many as slots.
    pub demux: &'a mut [DemuxEntry],
    /// The heads of the connection index: at least one. As many as slots is a good number, twice as many a better one.
    pub buckets: &'a mut [Bucket],
    /// As many as slots.
    pub deadlines: &'a mut [Instant],
    /// As many as slots with [`Config::per_source`](crate::Config::per_source), none otherwise.
    pub sources: &'a mut [SourceEntry],
    /// Slots × 2 × the buffer size, which is at least 64 bytes and below 1 GiB. If it is odd, the last byte is left unused.
    pub tcp_buffers: &'a mut [u8],
    /// What UDP needs.
    pub udp: UdpStorage<'a>,
    /// Keeps a packet that can be answered only once its neighbour's hardware address is known. A packet longer than this slice is lost. May be
    /// empty where there is no Ethernet.
    pub unanswered: &'a mut [u8],
}

/// The part of [`Storage`] that UDP uses.
#[derive(Debug)]
#[non_exhaustive]
pub struct UdpStorage<'a> {
    /// One, which all datagrams share.
    pub sockets: &'a mut [SocketStorage<'a>],
    /// At least two.
    pub rx_metadata: &'a mut [udp::PacketMetadata],
    /// Must hold the longest datagram whole: the MTU less 28, and 2048 with the feature `fragments`.
    pub rx: &'a mut [u8],
    /// At least two.
    pub tx_metadata: &'a mut [udp::PacketMetadata],
    /// At least [`BUFFER_SIZE`] bytes.
    pub tx: &'a mut [u8],
    /// One for each reply that waits for its delay; empty without [`Config::delay`](crate::Config::delay).
    pub delayed_metadata: &'a mut [DelayedMetadata],
    /// The payloads of the replies that wait for their delay.
    pub delayed: &'a mut [u8],
}

impl<S> Storage<'_, S> {
    /// No memory yet: all slices are empty.
    pub const fn new() -> Self {
        Storage {
            slots: &mut [],
            sockets: &mut [],
            demux: &mut [],
            buckets: &mut [],
            deadlines: &mut [],
            sources: &mut [],
            tcp_buffers: &mut [],
            udp: UdpStorage {
                sockets: &mut [],
                rx_metadata: &mut [],
                rx: &mut [],
                tx_metadata: &mut [],
                tx: &mut [],
                delayed_metadata: &mut [],
                delayed: &mut [],
            },
            unanswered: &mut [],
        }
    }

    /// Checks the lengths of all slices; gives the size of a TCP buffer.
    pub(crate) fn buffer_size(
        &self,
        longest_datagram: usize,
        counts_sources: bool,
    ) -> Result<usize, ConfigError> {
        let slots = self.slots.len();
        if slots == 0 || slots > usize::from(u16::MAX) {
            return Err(ConfigError::Storage("slots", slots.clamp(1, usize::from(u16::MAX))));
        }
        let need = |name, is: usize, length: usize, fits: bool| {
            if fits { Ok(is) } else { Err(ConfigError::Storage(name, length)) }
        };
        let udp = &self.udp;
        need("sockets", self.sockets.len(), slots, self.sockets.len() == slots)?;
        need("demux", self.demux.len(), slots, self.demux.len() == slots)?;
        need("buckets", self.buckets.len(), slots, !self.buckets.is_empty())?;
        need("deadlines", self.deadlines.len(), slots, self.deadlines.len() == slots)?;
        need("sources", self.sources.len(), slots, !counts_sources || self.sources.len() == slots)?;
        need("udp.sockets", udp.sockets.len(), 1, !udp.sockets.is_empty())?;
        need("udp.rx_metadata", udp.rx_metadata.len(), 2, udp.rx_metadata.len() >= 2)?;
        need("udp.rx", udp.rx.len(), longest_datagram, udp.rx.len() >= longest_datagram)?;
        need("udp.tx_metadata", udp.tx_metadata.len(), 2, udp.tx_metadata.len() >= 2)?;
        need("udp.tx", udp.tx.len(), BUFFER_SIZE, udp.tx.len() >= BUFFER_SIZE)?;
        let size = self.tcp_buffers.len() / (2 * slots);
        // A receive buffer of 1 GiB would have a window scale of 15, and 14 is the most (RFC 7323, section 2.3).
        let fits = (MIN_BUFFER_SIZE..1 << 30).contains(&size);
        need("tcp_buffers", size, 2 * slots * BUFFER_SIZE, fits)?;
        // Even, as Linux sends segments of half the window: an odd byte would travel in a segment of its own, and in
        // another on its way back.
        Ok(size & !1)
    }
}

impl<S> Default for Storage<'_, S> {
    fn default() -> Self {
        Self::new()
    }
}

/// An array that is filled when it is lent to a server. Until then it is all zeroes, which an empty slot or socket is not.
///
/// It has no destructor, as the server borrows it for as long as it lives: what its elements own is never dropped.
type Late<T, const N: usize> = ManuallyDrop<Vec<T, N>>;

/// A [`Storage`] of constant size: `SLOTS` connections, each with two buffers of `BUFFER` bytes and a handler's `S`; datagrams of
/// up to `DATAGRAM` bytes; and no room for delayed replies.
///
/// It can be a `static`: [`Memory::new`] is `const`, and all zeroes, so that the `static` takes no space in a program's image.
#[derive(Debug)]
pub struct Memory<
    'a,
    const SLOTS: usize,
    const BUFFER: usize = BUFFER_SIZE,
    const DATAGRAM: usize = 2048,
    S = (),
> {
    slots: Late<Slot<'a, S>, SLOTS>,
    sockets: Late<SocketStorage<'a>, SLOTS>,
    udp_socket: Late<SocketStorage<'a>, 1>,
    demux: Late<DemuxEntry, SLOTS>,
    buckets: Late<Bucket, SLOTS>,
    deadlines: [Instant; SLOTS],
    sources: Late<SourceEntry, SLOTS>,
    tcp_buffers: [[[u8; BUFFER]; 2]; SLOTS],
    udp_metadata: Late<[udp::PacketMetadata; 2], 2>,
    udp_rx: [u8; DATAGRAM],
    udp_tx: [u8; BUFFER_SIZE],
    unanswered: [u8; UNANSWERED],
}

impl<'a, const SLOTS: usize, const BUFFER: usize, const DATAGRAM: usize, S>
    Memory<'a, SLOTS, BUFFER, DATAGRAM, S>
{
    /// Memory that no server has used yet.
    pub const fn new() -> Self {
        Memory {
            slots: ManuallyDrop::new(Vec::new()),
            sockets: ManuallyDrop::new(Vec::new()),
            udp_socket: ManuallyDrop::new(Vec::new()),
            demux: ManuallyDrop::new(Vec::new()),
            buckets: ManuallyDrop::new(Vec::new()),
            deadlines: [Instant::ZERO; SLOTS],
            sources: ManuallyDrop::new(Vec::new()),
            tcp_buffers: [[[0; BUFFER]; 2]; SLOTS],
            udp_metadata: ManuallyDrop::new(Vec::new()),
            udp_rx: [0; DATAGRAM],
            udp_tx: [0; BUFFER_SIZE],
            unanswered: [0; UNANSWERED],
        }
    }

    /// Lends all of it to a server.
    pub fn storage(&'a mut self) -> Storage<'a, S> {
        while self.slots.push(Slot::EMPTY).is_ok() {}
        while self.sockets.push(SocketStorage::EMPTY).is_ok() {}
        while self.udp_socket.push(SocketStorage::EMPTY).is_ok() {}
        while self.demux.push(DemuxEntry::EMPTY).is_ok() {}
        while self.buckets.push(Bucket::EMPTY).is_ok() {}
        while self.sources.push(SourceEntry::EMPTY).is_ok() {}
        while self.udp_metadata.push([udp::PacketMetadata::EMPTY; 2]).is_ok() {}
        let (rx_metadata, tx_metadata) = self.udp_metadata.split_at_mut(1);
        Storage {
            slots: &mut self.slots,
            sockets: &mut self.sockets,
            demux: &mut self.demux,
            buckets: &mut self.buckets,
            deadlines: &mut self.deadlines,
            sources: &mut self.sources,
            tcp_buffers: self.tcp_buffers.as_flattened_mut().as_flattened_mut(),
            udp: UdpStorage {
                sockets: &mut self.udp_socket,
                rx_metadata: rx_metadata.as_flattened_mut(),
                rx: &mut self.udp_rx,
                tx_metadata: tx_metadata.as_flattened_mut(),
                tx: &mut self.udp_tx,
                delayed_metadata: &mut [],
                delayed: &mut [],
            },
            unanswered: &mut self.unanswered,
        }
    }
}

impl<const SLOTS: usize, const BUFFER: usize, const DATAGRAM: usize, S> Default
    for Memory<'_, SLOTS, BUFFER, DATAGRAM, S>
{
    fn default() -> Self {
        Self::new()
    }
}
