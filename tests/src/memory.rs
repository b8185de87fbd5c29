//! Memory of any size, for servers and for clients that use smoltcp's sockets.

use shout_core::{BUFFER_SIZE, Bucket, DelayedMetadata, DemuxEntry, Slot, SourceEntry, Storage};
use smoltcp::iface::SocketStorage;
use smoltcp::socket::udp::PacketMetadata;
use smoltcp::time::Instant;

/// A server's memory.
#[derive(Debug)]
pub struct ServerMemory<'a> {
    slots: Vec<Slot<'a>>,
    sockets: Vec<SocketStorage<'a>>,
    demux: Vec<DemuxEntry>,
    buckets: Vec<Bucket>,
    deadlines: Vec<Instant>,
    sources: Vec<SourceEntry>,
    tcp_buffers: Vec<u8>,
    udp_socket: SocketStorage<'a>,
    udp_metadata: [Vec<PacketMetadata>; 2],
    udp_buffers: [Vec<u8>; 2],
    delayed_metadata: Vec<DelayedMetadata>,
    delayed: Vec<u8>,
    unanswered: Vec<u8>,
}

impl<'a> ServerMemory<'a> {
    /// For this many TCP connections with buffers of this size, and this many delayed UDP replies.
    pub fn new(slots: usize, buffer: usize, delayed: usize) -> ServerMemory<'a> {
        let metadata = || vec![PacketMetadata::EMPTY; 4];
        ServerMemory {
            slots: (0..slots).map(|_| Slot::EMPTY).collect(),
            sockets: (0..slots).map(|_| SocketStorage::EMPTY).collect(),
            demux: vec![DemuxEntry::EMPTY; slots],
            buckets: vec![Bucket::EMPTY; slots],
            deadlines: vec![Instant::ZERO; slots],
            sources: vec![SourceEntry::EMPTY; slots],
            tcp_buffers: vec![0; 2 * slots * buffer],
            udp_socket: SocketStorage::EMPTY,
            udp_metadata: [metadata(), metadata()],
            udp_buffers: [vec![0; 16 * 1024], vec![0; 4 * BUFFER_SIZE]],
            delayed_metadata: vec![DelayedMetadata::EMPTY; delayed],
            delayed: vec![0; delayed * BUFFER_SIZE],
            unanswered: vec![0; 1514],
        }
    }

    /// Lends all of it to a server.
    pub fn storage(&'a mut self) -> Storage<'a> {
        let [rx_metadata, tx_metadata] = &mut self.udp_metadata;
        let [rx, tx] = &mut self.udp_buffers;
        let mut storage = Storage::new();
        storage.slots = &mut self.slots;
        storage.sockets = &mut self.sockets;
        storage.demux = &mut self.demux;
        storage.buckets = &mut self.buckets;
        storage.deadlines = &mut self.deadlines;
        storage.sources = &mut self.sources;
        storage.tcp_buffers = &mut self.tcp_buffers;
        storage.udp.sockets = core::slice::from_mut(&mut self.udp_socket);
        (storage.udp.rx_metadata, storage.udp.rx) = (rx_metadata, rx);
        (storage.udp.tx_metadata, storage.udp.tx) = (tx_metadata, tx);
        storage.udp.delayed_metadata = &mut self.delayed_metadata;
        storage.udp.delayed = &mut self.delayed;
        storage.unanswered = &mut self.unanswered;
        storage
    }
}

/// The memory of a client that uses a smoltcp socket.
#[derive(Debug)]
pub struct ClientMemory<'a> {
    pub(crate) socket: [SocketStorage<'a>; 1],
    pub(crate) rx: Vec<u8>,
    pub(crate) tx: Vec<u8>,
}

impl ClientMemory<'_> {
    /// With buffers of these sizes.
    pub fn new(rx: usize, tx: usize) -> Self {
        ClientMemory { socket: [SocketStorage::EMPTY], rx: vec![0; rx], tx: vec![0; tx] }
    }
}
