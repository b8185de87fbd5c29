//! Request and reply of 64 bytes, each connection in turn, against the server and against bare smoltcp.

use shout_core::{Bucket, Config, DemuxEntry, Server, Slot, Storage};
use smoltcp::iface::{self, Interface, SocketSet, SocketStorage};
use smoltcp::socket::{tcp, udp};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr, TcpControl};

use crate::peers::{PORT, Peer, SERVER, Wire};

/// What is run.
pub(crate) struct Workload {
    name: &'static str,
    connections: usize,
    bare: bool,
}

/// The time from a packet to the next: 100,000 packets a second.
const STEP: Duration = Duration::from_micros(10);

impl Workload {
    pub(crate) const ALL: &[Workload] = &[
        Workload { name: "smoltcp-1", connections: 1, bare: true },
        Workload { name: "shout-1", connections: 1, bare: false },
        Workload { name: "shout-64", connections: 64, bare: false },
        Workload { name: "shout-1024", connections: 1024, bare: false },
        Workload { name: "shout-4096", connections: 4096, bare: false },
    ];

    pub(crate) fn named(name: &str) -> Option<&'static Workload> {
        Self::ALL.iter().find(|workload| workload.name == name)
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it is smoltcp's, for comparison.
    pub(crate) fn is_bare(&self) -> bool {
        self.bare
    }

    /// Opens the connections, which is not counted, and has this many messages echoed.
    pub(crate) fn run(&self, echoes: usize) {
        let mut wire = Wire::new();
        let mut now = Instant::from_secs(1);
        if self.bare {
            let (mut interface, mut sockets) = bare(&mut wire, now);
            converse(self.connections, echoes, &mut wire, &mut now, |counted, now, wire| {
                if counted {
                    measured_smoltcp(&mut interface, &mut sockets, now, wire);
                } else {
                    poll_smoltcp(&mut interface, &mut sockets, now, wire);
                }
            });
        } else {
            let mut server = server(self.connections, &mut wire, now);
            converse(self.connections, echoes, &mut wire, &mut now, |counted, now, wire| {
                if counted {
                    measured_server(&mut server, now, wire);
                } else {
                    server.poll(now, wire);
                }
            });
        }
    }
}

#[inline(never)]
fn measured_server(server: &mut Server<'_>, now: Instant, wire: &mut Wire) {
    server.poll(now, wire);
}

#[inline(never)]
fn measured_smoltcp(interface: &mut Interface, sockets: &mut SocketSet<'_>, now: Instant, wire: &mut Wire) {
    poll_smoltcp(interface, sockets, now, wire);
}

/// Each message and its acknowledgement, to `poll` with whether it counts.
fn converse(
    connections: usize,
    echoes: usize,
    wire: &mut Wire,
    now: &mut Instant,
    mut poll: impl FnMut(bool, Instant, &mut Wire),
) {
    let mut peers: Vec<Peer> = (0..connections).map(Peer::new).collect();
    for peer in &mut peers {
        peer.send(wire, TcpControl::Syn, &[]);
        poll(false, *now, wire);
        peer.take(wire, &[]);
        peer.send(wire, TcpControl::None, &[]);
        poll(false, *now, wire);
        Peer::nothing(wire);
        *now += STEP;
    }
    // One round that is not counted: the first echo on a connection is not like the others.
    for message in 0..connections + echoes {
        let counted = message >= connections;
        let peer = &mut peers[message % connections];
        peer.send(wire, TcpControl::Psh, &[b'x'; 64]);
        poll(counted, *now, wire);
        peer.take(wire, &[b'X'; 64]);
        *now += STEP;
        peer.send(wire, TcpControl::None, &[]);
        poll(counted, *now, wire);
        Peer::nothing(wire);
        *now += STEP;
    }
}

fn server(slots: usize, wire: &mut Wire, now: Instant) -> Server<'static> {
    fn leak<T>(count: usize, empty: impl Fn() -> T) -> &'static mut [T] {
        (0..count).map(|_| empty()).collect::<Vec<T>>().leak()
    }
    let mut storage = Storage::new();
    storage.slots = leak(slots, || Slot::EMPTY);
    storage.sockets = leak(slots, || SocketStorage::EMPTY);
    storage.demux = leak(slots, || DemuxEntry::EMPTY);
    // As the program has it.
    storage.buckets = leak(2 * slots, || Bucket::EMPTY);
    storage.deadlines = leak(slots, || Instant::ZERO);
    storage.tcp_buffers = leak(slots * 2048, || 0);
    storage.udp.sockets = leak(1, || SocketStorage::EMPTY);
    storage.udp.rx_metadata = leak(2, || udp::PacketMetadata::EMPTY);
    storage.udp.rx = leak(2048, || 0);
    storage.udp.tx_metadata = leak(2, || udp::PacketMetadata::EMPTY);
    storage.udp.tx = leak(1024, || 0);
    let mut config = Config::new(HardwareAddress::Ip, *b"0123456789abcdef");
    config.addresses.push(IpCidr::new(IpAddress::Ipv4(SERVER), 24)).expect("there is room for one");
    Server::new(&config, storage, wire, now).expect("the configuration is right")
}

/// smoltcp with one listening socket, set up as the server does it.
fn bare(wire: &mut Wire, now: Instant) -> (Interface, SocketSet<'static>) {
    let mut interface = Interface::new(iface::Config::new(HardwareAddress::Ip), wire, now);
    interface.update_ip_addrs(|own| {
        own.push(IpCidr::new(IpAddress::Ipv4(SERVER), 24)).expect("there is room for one");
    });
    let buffer = || tcp::SocketBuffer::new(vec![0; 1024].leak());
    let mut socket = tcp::Socket::new(buffer(), buffer());
    socket.set_ack_delay(None);
    socket.set_nagle_enabled(false);
    socket.listen(PORT).expect("the port is not 0");
    let mut sockets = SocketSet::new(vec![SocketStorage::EMPTY].leak());
    sockets.add(socket);
    (interface, sockets)
}

/// Ingress, service, egress until there is nothing more, and the next deadline: what any server on smoltcp does.
fn poll_smoltcp(interface: &mut Interface, sockets: &mut SocketSet<'_>, now: Instant, wire: &mut Wire) {
    interface.poll_ingress_single(now, wire, sockets);
    let (_, socket) = sockets.iter_mut().next().expect("there is one socket");
    let smoltcp::socket::Socket::Tcp(socket) = socket else {
        unreachable!("it is a TCP socket");
    };
    let mut turn = [0; 1024];
    if let Ok(length @ 1..) = socket.recv_slice(&mut turn) {
        turn[..length].make_ascii_uppercase();
        socket.send_slice(&turn[..length]).expect("there is room for 64 bytes");
    }
    while interface.poll_egress(now, wire, sockets) != iface::PollResult::None {}
    interface.poll_at(now, sockets);
}
