//! Memory of any size, for servers and for clients that use smoltcp's sockets.

use shout_core::{BUFFER_SIZE, Bucket, DelayedMetadata, DemuxEntry, Slot, SourceEntry, Storage, UdpStorage};
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
        Storage {
            slots: &mut self.slots,
            sockets: &mut self.sockets,
            demux: &mut self.demux,
            buckets: &mut self.buckets,
            deadlines: &mut self.deadlines,
            sources: &mut self.sources,
            tcp_buffers: &mut self.tcp_buffers,
            udp: UdpStorage {
                socket: &mut self.udp_socket,
                rx_metadata,
                rx,
                tx_metadata,
                tx,
                delayed_metadata: &mut self.delayed_metadata,
                delayed: &mut self.delayed,
            },
            unanswered: &mut self.unanswered,
        }
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
