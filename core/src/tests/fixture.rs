//! The server and virtual time. After every poll the counters must add up (`check_books`).

use std::boxed::Box;
use std::vec::Vec;

use smoltcp::iface::SocketStorage;
use smoltcp::phy::Medium;
use smoltcp::socket::udp;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{
    ETHERNET_HEADER_LEN, EthernetAddress, EthernetProtocol, HardwareAddress, IpAddress, IpCidr,
};

use super::packets::{frame, unframe};
use super::wire::Wire;
use crate::{
    Bucket, Config, DelayedMetadata, DemuxEntry, DropReason, Handler, Memory, Poll, Server, Slot,
    SourceEntry, Stats, Storage, UdpStorage, Uppercase,
};

pub(super) const SERVER: IpAddress = IpAddress::v4(192, 0, 2, 1);
pub(super) const CLIENT: IpAddress = IpAddress::v4(192, 0, 2, 100);
#[cfg(feature = "ipv6")]
pub(super) const SERVER_V6: IpAddress = IpAddress::v6(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
#[cfg(feature = "ipv6")]
pub(super) const CLIENT_V6: IpAddress = IpAddress::v6(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100);
pub(super) const PORT: u16 = 8080;
pub(super) const SERVER_MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 1]);
pub(super) const CLIENT_MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 100]);

/// Client and server address, for each version of IP that the core was built with.
pub(super) const FAMILIES: &[(IpAddress, IpAddress)] = &[
    (CLIENT, SERVER),
    #[cfg(feature = "ipv6")]
    (CLIENT_V6, SERVER_V6),
];

/// The retransmission timeout of a server whose round trips take no time: the 206 milliseconds, and a microsecond, the
/// shortest round trip that it measures.
pub(super) const RTO: Duration = Duration::from_micros(206_001);

/// The persist timer of such a server; smoltcp's runs for a second.
pub(super) const PERSIST: Duration = if cfg!(feature = "recovery") { RTO } else { Duration::from_secs(1) };

/// When the second probe comes of a window that was closed before there was anything to send: smoltcp has sent the first one at
/// once, and then its timer runs for twice as long.
pub(super) const SECOND_PROBE: Duration =
    if cfg!(feature = "recovery") { RTO } else { Duration::from_secs(2) };

/// The resolution of `Instant`.
pub(super) const TICK: Duration = Duration::from_micros(1);

/// The server with its device and its time.
pub(super) struct Net<H: Handler<State: 'static> = Uppercase> {
    pub(super) server: Server<'static, H>,
    pub(super) wire: Wire,
    pub(super) now: Instant,
    pub(super) last: Poll,
    /// On Ethernet, the hardware address of the client.
    pub(super) client_mac: EthernetAddress,
    /// The handler gives back as many bytes as it takes.
    byte_for_byte: bool,
}

/// A server with four slots.
pub(super) fn net() -> Net {
    net_with::<4>(|_| {})
}

/// A server with `SLOTS` slots and changes to the usual configuration.
pub(super) fn net_with<const SLOTS: usize>(change: impl FnOnce(&mut Config)) -> Net {
    let memory: &'static mut Memory<'static, SLOTS> = Box::leak(Box::default());
    net_from(memory.storage(), 1500, change)
}

/// A server with this memory on an IP device with this MTU.
pub(super) fn net_from(storage: Storage<'static>, mtu: usize, change: impl FnOnce(&mut Config)) -> Net {
    net_on(Wire::new(Medium::Ip, mtu), storage, change)
}

/// A server on an Ethernet device, which has announced itself already.
pub(super) fn ethernet(change: impl FnOnce(&mut Config)) -> Net {
    let mut net = starting_ethernet(change);
    net.pass(Duration::from_secs(2));
    net.wire.sent.clear();
    net
}

/// A server on an Ethernet device, which has not been polled yet.
pub(super) fn starting_ethernet(change: impl FnOnce(&mut Config)) -> Net {
    let memory: &'static mut Memory<'static, 48> = Box::leak(Box::default());
    net_on(Wire::new(Medium::Ethernet, 1514), memory.storage(), change)
}

/// The usual configuration.
pub(super) fn config(medium: Medium) -> Config {
    let hardware_addr = match medium {
        Medium::Ip => HardwareAddress::Ip,
        Medium::Ethernet => HardwareAddress::Ethernet(SERVER_MAC),
    };
    let mut config = Config::new(hardware_addr, *b"0123456789abcdef");
    config.addresses.push(IpCidr::new(SERVER, 24)).unwrap();
    #[cfg(feature = "ipv6")]
    config.addresses.push(IpCidr::new(SERVER_V6, 64)).unwrap();
    config
}

pub(super) fn net_on(wire: Wire, storage: Storage<'static>, change: impl FnOnce(&mut Config)) -> Net {
    let net = net_of(Uppercase, wire, storage, change);
    Net { byte_for_byte: true, ..net }
}

/// A server with this handler.
pub(super) fn net_of<H: Handler<State: 'static>>(
    handler: H,
    mut wire: Wire,
    storage: Storage<'static, H::State>,
    change: impl FnOnce(&mut Config),
) -> Net<H> {
    let mut config = config(wire.capabilities.medium);
    change(&mut config);
    let now = Instant::from_secs(1000);
    let server = Server::with_handler(handler, &config, storage, &mut wire, now).unwrap();
    let last = Poll { deadline: None, blocked: false };
    Net { server, wire, now, last, client_mac: CLIENT_MAC, byte_for_byte: false }
}

/// A server with this handler and two slots, whose buffers have `BUFFER` bytes.
pub(super) fn net_with_handler<const BUFFER: usize, H: Handler<State: 'static>>(handler: H) -> Net<H> {
    let memory: &'static mut Memory<'static, 2, BUFFER, 2048, H::State> = Box::leak(Box::default());
    net_of(handler, Wire::new(Medium::Ip, 1500), memory.storage(), |_| {})
}

/// Memory for slots with buffers of this size, for datagrams of any size, and for this many delayed replies.
pub(super) fn storage(slots: usize, buffer: usize, delayed: usize) -> Storage<'static> {
    Storage {
        slots: leak(|| Slot::EMPTY, slots),
        sockets: leak(|| SocketStorage::EMPTY, slots),
        demux: leak(|| DemuxEntry::EMPTY, slots),
        buckets: leak(|| Bucket::EMPTY, slots),
        deadlines: leak(|| Instant::ZERO, slots),
        sources: leak(|| SourceEntry::EMPTY, slots),
        tcp_buffers: leak(|| 0, slots * 2 * buffer),
        udp: UdpStorage {
            sockets: leak(|| SocketStorage::EMPTY, 1),
            rx_metadata: leak(|| udp::PacketMetadata::EMPTY, 4),
            rx: leak(|| 0, 65_535),
            tx_metadata: leak(|| udp::PacketMetadata::EMPTY, 4),
            tx: leak(|| 0, 4096),
            delayed_metadata: leak(|| DelayedMetadata::EMPTY, delayed),
            delayed: leak(|| 0, delayed * 1024),
        },
        unanswered: leak(|| 0, 1514),
    }
}

fn leak<T>(empty: impl FnMut() -> T, length: usize) -> &'static mut [T] {
    core::iter::repeat_with(empty).take(length).collect::<Vec<T>>().leak()
}

impl<H: Handler<State: 'static>> Net<H> {
    /// Polls the server until its deadline is in the future.
    #[track_caller]
    pub(super) fn poll(&mut self) {
        for _ in 0..1000 {
            self.last = self.server.poll(self.now, &mut self.wire);
            self.check_books();
            if self.last.deadline.is_none_or(|at| at > self.now) {
                return;
            }
            assert!(!self.last.blocked, "it wants to be called at once, though it can do nothing");
        }
        panic!("the server always has something to do");
    }

    /// Advances the time from deadline to deadline, until `duration` is over.
    #[track_caller]
    pub(super) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.poll();
        let mut calls = 0;
        while let Some(at) = self.last.deadline.filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.poll();
            calls += 1;
            assert!(calls < 5000, "it wants to be called too often");
        }
        self.now = end;
        self.poll();
    }

    /// Lets `duration` pass. Up to its last tick, the server must not send anything.
    #[track_caller]
    pub(super) fn pass_in_silence(&mut self, duration: Duration) {
        self.pass(duration - TICK);
        self.nothing_sent();
        self.pass(TICK);
    }

    /// An IP packet arrives, on Ethernet in a frame from the client.
    #[track_caller]
    pub(super) fn arrive(&mut self, packet: Vec<u8>) {
        let packet = match self.wire.capabilities.medium {
            Medium::Ip => packet,
            Medium::Ethernet => frame(self.client_mac, SERVER_MAC, protocol_of(&packet), &packet),
        };
        self.arrive_frame(packet);
    }

    /// A frame arrives, or an IP packet where the device has none.
    #[track_caller]
    pub(super) fn arrive_frame(&mut self, frame: Vec<u8>) {
        self.wire.arriving.push_back(frame);
        self.poll();
    }

    /// The next IP packet that was sent, on Ethernet to the client.
    #[track_caller]
    pub(super) fn next_sent(&mut self) -> Vec<u8> {
        let packet = self.next_frame();
        match self.wire.capabilities.medium {
            Medium::Ip => packet,
            Medium::Ethernet => {
                let (source, destination, protocol, payload) = unframe(&packet);
                assert_eq!((source, destination), (SERVER_MAC, self.client_mac));
                assert_eq!(protocol, protocol_of(payload));
                payload.to_vec()
            }
        }
    }

    #[track_caller]
    pub(super) fn next_frame(&mut self) -> Vec<u8> {
        let frame = self.wire.sent.pop_front().expect("nothing was sent");
        let link = if self.wire.capabilities.medium == Medium::Ethernet { ETHERNET_HEADER_LEN } else { 0 };
        assert!(frame.len() <= self.wire.capabilities.max_transmission_unit && frame.len() > link);
        frame
    }

    #[track_caller]
    pub(super) fn nothing_sent(&self) {
        assert!(
            self.wire.sent.is_empty(),
            "{} packets were sent: {:?}",
            self.wire.sent.len(),
            self.wire.sent
        );
    }

    pub(super) fn stats(&self) -> &Stats {
        self.server.stats()
    }

    /// Nothing was dropped but this many packets for this reason.
    #[track_caller]
    pub(super) fn dropped_only(&self, reason: DropReason, count: u64) {
        for other in DropReason::ALL {
            let expected = if other == reason { count } else { 0 };
            assert_eq!(self.stats().dropped(other), expected, "{}", other.name());
        }
    }

    #[track_caller]
    fn check_books(&self) {
        let s = self.stats();
        assert_eq!(s.opened, s.closed + s.reset + s.timed_out + s.aborted + s.live, "{s}");
        assert!(s.live <= s.most_live && s.most_live <= s.opened, "{s}");
        assert_eq!((s.packets_in, s.packets_out), (self.wire.given, self.wire.taken), "{s}");
        assert!(s.bytes_in == s.bytes_out || !self.byte_for_byte, "{s}");
        assert!(s.datagrams_out <= s.datagrams_in, "{s}");
    }
}

fn protocol_of(packet: &[u8]) -> EthernetProtocol {
    match packet[0] >> 4 {
        4 => EthernetProtocol::Ipv4,
        _ => EthernetProtocol::Ipv6,
    }
}
