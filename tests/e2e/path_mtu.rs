//! Path MTU discovery (RFC 1191, RFC 8201): a router's errors make the segments smaller, and forged ones do not.

use core::iter;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::{Instant, SystemTime};

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use smoltcp::wire::Icmpv4Packet;

use crate::capture::Capture;
use crate::cloud_network::{Machine, gateway, wire};
use crate::forged::Forger;
use crate::gap_analysis::Segment;
use crate::lossy_link::filter;
use crate::namespace::{ip, sysctl};
use crate::program::LIMIT;
use crate::server::{Server, V4, V6};
use crate::sockets::{ask, assert_shouted, bulk, connect, exchange, local, pattern, udp};

tests![
    a_stream_goes_on_with_packets_that_fit,
    an_error_about_what_is_in_flight_is_believed,
    forged_errors_change_nothing,
];

/// What the narrow link takes.
const NARROW: u16 = 1300;

/// Behind a device without frames, and behind one with Ethernet's.
const DEVICES: [&[&str]; 2] = [&["--buffer", "65535"], &["--buffer", "65535", "--tap"]];

/// The headers of IP and TCP.
fn headers(server: &str) -> u32 {
    if server == V4 { 40 } else { 60 }
}

/// A client, a router, and the server's machine, which forwards to the server's device. The link between the latter two is
/// narrow, so the errors about the server's packets are those of Linux on the server's machine.
struct Path {
    client: Machine,
    _router: Machine,
    far: Machine,
}

impl Path {
    #[track_caller]
    fn new() -> Self {
        let [client, router, far] = [(); 3].map(|()| Machine::new());
        wire(1500, (&client, "eth0", "10.1.0.2/24"), (&router, "eth0", "10.1.0.1/24"));
        wire(NARROW, (&far, "eth0", "10.2.0.2/24"), (&router, "eth1", "10.2.0.1/24"));
        for (machine, device, address) in [
            (&client, "eth0", "fd01::2/64"),
            (&router, "eth0", "fd01::1/64"),
            (&router, "eth1", "fd02::1/64"),
            (&far, "eth0", "fd02::2/64"),
        ] {
            machine.enter();
            ip(&format!("address add {address} dev {device} nodad"));
        }
        for machine in [&router, &far] {
            machine.enter();
            sysctl("ipv4/ip_forward", "1");
            sysctl("ipv6/conf/all/forwarding", "1");
        }
        gateway(&client, "10.1.0.1");
        ip("-6 route add default via fd01::1");
        gateway(&far, "10.2.0.1");
        ip("-6 route add default via fd02::1");
        router.enter();
        ip("route add 192.168.69.0/24 via 10.2.0.2");
        ip("-6 route add fd69::/64 via fd02::2");
        Self { client, _router: router, far }
    }
}

fn a_stream_goes_on_with_packets_that_fit() {
    let path = Path::new();
    path.far.enter();
    let server = Server::start(&["--buffer", "65535"]);
    let capture = Capture::start();
    path.client.enter();
    let data = pattern(1 << 20);
    let start = Instant::now();
    for address in [V4, V6] {
        assert_shouted(&data, &bulk(connect(address), &data));
        // A request and a reply that both take many segments, and the next ones on the same connection.
        let mut stream = connect(address);
        for _ in 0..3 {
            assert_shouted(&data[..50_000], &exchange(&mut stream, &data[..50_000]));
        }
    }
    let elapsed = start.elapsed();
    assert!(elapsed < Duration::from_secs(10), "{elapsed:?}");
    let segments = capture.finish();
    let fit = u32::from(NARROW) - headers(V4);
    let too_long = segments.iter().filter(|segment| segment.from_server && segment.length > fit).count();
    // At the beginning of each connection, the ten segments of the first window.
    assert!((1..=4 * 10).contains(&too_long), "{too_long} segments were too long for the path");
    assert_eq!(server.terminate().code(), Some(0));
}

/// A connection on which nothing that the server sends arrives, and what it has in flight.
struct InFlight {
    stream: TcpStream,
    message: Vec<u8>,
    capture: Capture,
    segments: Vec<Segment>,
}

impl InFlight {
    #[track_caller]
    fn new(server: &str) -> Self {
        let mut stream = connect(server);
        let capture = Capture::start();
        filter("iifname shout0 tcp sport 8080 drop");
        let message = pattern(10_000);
        stream.write_all(&message).unwrap();
        let deadline = Instant::now() + LIMIT;
        let mut segments: Vec<Segment> = Vec::new();
        // The first segment comes again as a probe: by then the server has sent all that it may.
        let is_probed = |segments: &[Segment]| {
            segments.iter().filter(|segment| segment.number == segments[0].number).count() > 1
        };
        while segments.len() < 5 || !is_probed(&segments) {
            let Some(segment) = capture.next(deadline) else {
                panic!("the echo is not sent: {segments:?}");
            };
            if segment.from_server && segment.length > 0 {
                segments.push(segment);
            }
        }
        Self { stream, message, capture, segments }
    }

    /// The longest segment.
    fn full(&self) -> u32 {
        self.segments.iter().map(|segment| segment.length).max().unwrap()
    }

    /// An error of the kind that a router sends about the segment with this number.
    fn error(&self, number: u32) -> Error {
        let (client, server) = (local(&self.stream), self.stream.peer_addr().unwrap());
        Error { from: server, to: client, number, mtu: NARROW, corrupt: false }
    }

    /// The lengths of the next segments with data that the server sends once it has read all that was sent to it so far: one
    /// for each of three timeouts, or more.
    #[track_caller]
    fn sent_from_now_on(&self) -> [u32; 3] {
        let server = self.stream.peer_addr().unwrap().to_string();
        // Packets are read in order, and what is lost on the way back is TCP's.
        assert_eq!(ask(&udp(&server), b"read?"), b"READ?");
        let read = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let deadline = Instant::now() + LIMIT;
        let segments = iter::from_fn(|| self.capture.next(deadline));
        let is_next = |segment: &Segment| segment.from_server && segment.length > 0 && segment.time > read;
        let mut lengths = segments.filter(is_next).map(|segment| segment.length);
        [(); 3].map(|()| lengths.next().expect("nothing is sent again"))
    }

    /// The way back is open again, and all that is missing comes.
    #[track_caller]
    fn completes(mut self) {
        filter("");
        let mut echo = vec![0; self.message.len()];
        self.stream.read_exact(&mut echo).unwrap();
        assert_shouted(&self.message, &echo);
        assert_shouted(b"and on", &exchange(&mut self.stream, b"and on"));
    }
}

/// "Fragmentation needed" or "packet too big": a packet of 1500 bytes between these is too long.
#[derive(Clone, Copy)]
struct Error {
    from: SocketAddr,
    to: SocketAddr,
    number: u32,
    mtu: u16,
    corrupt: bool,
}

impl Error {
    /// Sends it to the server, from this machine.
    #[track_caller]
    fn send(self) {
        let ports = [self.from.port().to_be_bytes(), self.to.port().to_be_bytes()].concat();
        let segment = [&ports[..], &self.number.to_be_bytes(), &[0; 12]].concat();
        match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let mut packet = vec![0; 20 + 8 + 20];
                (packet[0], packet[8], packet[9]) = (0x45, 64, 1);
                packet[12..16].copy_from_slice(&to.octets());
                packet[16..20].copy_from_slice(&from.octets());
                packet[20..22].copy_from_slice(&[3, 4]);
                packet[26..28].copy_from_slice(&self.mtu.to_be_bytes());
                let quoted = &mut packet[28..];
                (quoted[0], quoted[8], quoted[9]) = (0x45, 64, 6);
                quoted[2..4].copy_from_slice(&1500_u16.to_be_bytes());
                quoted[12..16].copy_from_slice(&from.octets());
                quoted[16..20].copy_from_slice(&to.octets());
                packet.extend(segment);
                Icmpv4Packet::new_unchecked(&mut packet[20..]).fill_checksum();
                packet[23] ^= u8::from(self.corrupt);
                Forger::new().send(&packet, from);
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let mut error = vec![2, 0, 0, 0, 0, 0];
                error.extend(self.mtu.to_be_bytes());
                error.extend([0x60, 0, 0, 0]);
                error.extend(1460_u16.to_be_bytes());
                error.extend([6, 64]);
                error.extend([from.octets(), to.octets()].concat());
                error.extend(segment);
                let flags = SockFlag::SOCK_CLOEXEC;
                // The kernel fills in an ICMPv6 checksum.
                let raw = socket(AddressFamily::Inet6, SockType::Raw, flags, SockProtocol::IcmpV6).unwrap();
                UdpSocket::from(raw).send_to(&error, (from, 0)).unwrap();
            }
            _ => unreachable!("both are of one family"),
        }
    }
}

fn an_error_about_what_is_in_flight_is_believed() {
    for (options, address) in DEVICES.into_iter().flat_map(|options| [(options, V4), (options, V6)]) {
        let server = Server::start(options);
        let in_flight = InFlight::new(address);
        assert_eq!(in_flight.full(), 1500 - headers(address));
        in_flight.error(in_flight.segments[1].number).send();
        let sent = in_flight.sent_from_now_on();
        let fits = |length: &u32| *length <= u32::from(NARROW) - headers(address);
        assert!(sent.iter().all(fits), "over {address}, {options:?}: {sent:?}");
        in_flight.completes();
        assert_eq!(server.terminate().code(), Some(0));
    }
}

fn forged_errors_change_nothing() {
    let server = Server::start(&["--buffer", "65535"]);
    for address in [V4, V6] {
        let in_flight = InFlight::new(address);
        let end = in_flight.segments.iter().map(|segment| segment.number.wrapping_add(segment.length));
        let (first, end) = (in_flight.segments[0].number, end.max().unwrap());
        let genuine = in_flight.error(first);
        let other = |mut address: SocketAddr| {
            address.set_port(address.port() ^ 1);
            address
        };
        // Neither what is acknowledged is in flight, nor what was never sent, nor the numbers of other connections.
        for distance in (0..32).map(|power| 1_u32 << power) {
            Error { number: first.wrapping_sub(distance), ..genuine }.send();
            Error { number: end.wrapping_add(distance - 1), ..genuine }.send();
        }
        Error { from: other(genuine.from), ..genuine }.send();
        Error { to: other(genuine.to), ..genuine }.send();
        // The path takes what the device takes.
        Error { mtu: 1500, ..genuine }.send();
        if address == V4 {
            Error { corrupt: true, ..genuine }.send();
        }
        let sent = in_flight.sent_from_now_on();
        let full = in_flight.full();
        assert!(sent.iter().all(|&length| length == full), "over {address}: {sent:?}");
        in_flight.completes();
    }
    assert_eq!(server.terminate().code(), Some(0));
}
