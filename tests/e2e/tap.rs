//! The server on Ethernet: behind a TAP device on this machine, and on a bridge with a second machine.

use core::time::Duration;
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::Instant;

use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr,
    Ipv4Address, Ipv4Packet,
};
use tun_tap::{Iface, Mode};

use crate::cloud_network::{Machine, wire};
use crate::namespace::{ip, sysctl};
use crate::program::{LIMIT, run};
use crate::server::{Server, V4, V6, shout};
use crate::sockets::{ask, assert_echo, assert_shouted, bulk, connect, exchange, pattern, udp};

tests![
    it_serves_without_a_bridge,
    the_capture_has_frames,
    its_hardware_address_is_the_one_asked_for,
    a_device_of_the_other_kind_is_refused,
    a_second_machine_on_the_bridge_is_served,
    a_thousand_connections_cross_the_bridge,
    a_client_whose_hardware_address_changes_is_answered_there,
    a_bridge_with_a_smaller_mtu_carries_streams,
    after_a_restart_the_neighbours_learn_the_other_hardware_address,
    a_forged_arp_does_not_keep_the_echo_from_its_client,
    nobody_else_can_take_its_addresses,
    a_snooping_bridge_knows_its_groups,
];

const SERVER: &str = "10.9.0.1:8080";
const SERVER_V6: &str = "[fd09::1]:8080";
const MAC: &str = "02:00:00:00:09:01";

fn it_serves_without_a_bridge() {
    let server = Server::start(&["--tap"]);
    for address in [V4, V6] {
        assert_echo(&mut connect(address));
        assert_eq!(ask(&udp(address), b"frames"), b"FRAMES");
        let message = pattern(10_000);
        assert_shouted(&message, &bulk(connect(address), &message));
    }
    assert_eq!(server.terminate().code(), Some(0));
}

fn the_capture_has_frames() {
    let path = std::env::temp_dir().join(format!("shout-tap-{}.pcap", std::process::id()));
    let server = Server::start(&["--tap", "--mac", MAC, "--pcap", path.to_str().unwrap()]);
    assert_eq!(ask(&udp(V4), b"seen"), b"SEEN");
    assert_eq!(server.terminate().code(), Some(0));
    let capture = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let word = |at: usize| u32::from_ne_bytes(capture[at..at + 4].try_into().unwrap());
    // LINKTYPE_ETHERNET.
    assert_eq!([word(0), word(20)], [0xa1b2_c3d4, 1]);
    let (mut at, mut replies) = (24, 0);
    while at < capture.len() {
        let length = word(at + 8) as usize;
        let frame = EthernetFrame::new_checked(&capture[at + 16..at + 16 + length]).unwrap();
        if frame.src_addr() == mac(MAC) && frame.ethertype() == EthernetProtocol::Ipv4 {
            replies +=
                usize::from(Ipv4Packet::new_checked(frame.payload()).unwrap().payload().ends_with(b"SEEN"));
        }
        at += 16 + length;
    }
    assert_eq!(replies, 1);
}

fn its_hardware_address_is_the_one_asked_for() {
    for (arguments, expected) in [(&["--tap", "--mac", MAC][..], Some(MAC)), (&["--tap"], None)] {
        let mut seen = Vec::new();
        for _ in 0..2 {
            let server = Server::start(arguments);
            assert_echo(&mut connect(V4));
            seen.push(known("192.168.69.1", "shout0"));
            assert_eq!(server.terminate().code(), Some(0));
        }
        // Without one, it is a locally administered one, and the same again.
        assert_eq!(seen[0], seen[1]);
        assert!(expected.map_or(seen[0].starts_with("02:"), |mac| seen[0] == mac), "{seen:?}");
    }
    ip("tuntap add dev mine mode tap");
    ip(&format!("link set mine address {MAC}"));
    let refused = run(&mut shout(&["--tap", "--tun", "mine", "--mac", MAC]), b"");
    assert_eq!(refused.code(), Some(1));
    assert!(refused.stderr.contains("the hardware address of mine itself"), "{refused}");
}

fn a_device_of_the_other_kind_is_refused() {
    for (kind, arguments, wanted) in
        [("tun", &["--tun", "other", "--tap"][..], "TAP"), ("tap", &["--tun", "other"], "TUN")]
    {
        ip(&format!("tuntap add dev other mode {kind}"));
        let refused = run(&mut shout(arguments), b"");
        assert_eq!(refused.code(), Some(1));
        assert!(refused.stderr.contains(&format!("is not a plain {wanted} device")), "{refused}");
        ip("link delete other");
    }
}

/// A machine with a bridge, on which the server is one port, and another machine a second.
struct Lan {
    server: Machine,
    client: Machine,
}

impl Lan {
    /// With packets of up to this size on the bridge. The calling thread is on the machine with the bridge.
    fn new(mtu: u16) -> Self {
        let [server, client] = [(); 2].map(|()| Machine::new());
        wire(mtu, (&client, "eth0", "10.9.0.20/24"), (&server, "port0", ""));
        ip("link add br0 type bridge");
        ip(&format!("link set br0 mtu {mtu} up"));
        ip("link set port0 master br0");
        ip("tuntap add dev shout0 mode tap");
        ip("link set shout0 master br0");
        client.enter();
        ip("address add fd09::20/64 dev eth0 nodad");
        server.enter();
        Self { server, client }
    }

    /// Starts the server, which this machine has no address to reach it from, and leaves the calling thread on the other.
    fn serve(&self, arguments: &[&str]) -> Server {
        self.server.enter();
        let own = ["--tap", "--address", "10.9.0.1/24", "--address", "fd09::1/64"];
        let server = Server::start(&[&own, arguments].concat());
        self.client.enter();
        server
    }
}

fn a_second_machine_on_the_bridge_is_served() {
    let lan = Lan::new(1500);
    let server = lan.serve(&["--mac", MAC]);
    for address in [SERVER, SERVER_V6] {
        assert_echo(&mut connect(address));
        assert_eq!(ask(&udp(address), b"lan"), b"LAN");
        let message = pattern(20_000);
        assert_shouted(&message, &bulk(connect(address), &message));
    }
    assert_eq!((known("10.9.0.1", "eth0"), known("fd09::1", "eth0")), (MAC.into(), MAC.into()));
    assert_eq!(server.terminate().code(), Some(0));
}

fn a_thousand_connections_cross_the_bridge() {
    let lan = Lan::new(1500);
    let _server = lan.serve(&[]);
    let mut clients: Vec<TcpStream> = (0..1000).map(|_| connect(SERVER)).collect();
    for client in &mut clients {
        client.write_all(b"one of many").unwrap();
    }
    for client in &mut clients {
        let mut echo = [0; 11];
        client.read_exact(&mut echo).unwrap();
        assert_eq!(&echo, b"ONE OF MANY");
    }
}

fn a_client_whose_hardware_address_changes_is_answered_there() {
    let lan = Lan::new(1500);
    let _server = lan.serve(&[]);
    let mut clients = [SERVER, SERVER_V6].map(connect);
    let sockets = [SERVER, SERVER_V6].map(udp);
    for mac in ["02:00:00:00:09:21", "02:00:00:00:09:22"] {
        clients.iter_mut().for_each(assert_echo);
        ip(&format!("link set eth0 address {mac}"));
        clients.iter_mut().for_each(assert_echo);
        for socket in &sockets {
            assert_eq!(ask(socket, b"moved"), b"MOVED");
        }
    }
}

fn a_bridge_with_a_smaller_mtu_carries_streams() {
    let lan = Lan::new(1300);
    // As large as the server's frames may be on its own device.
    let _server = lan.serve(&["--buffer", "65536"]);
    for address in [SERVER, SERVER_V6] {
        let message = pattern(1 << 20);
        assert_shouted(&message, &bulk(connect(address), &message));
        assert_shouted(&message[..1024], &ask(&udp(address), &message[..1024]));
    }
}

fn after_a_restart_the_neighbours_learn_the_other_hardware_address() {
    let lan = Lan::new(1500);
    for mac in [MAC, "02:00:00:00:09:02", "02:00:00:00:09:03"] {
        let server = lan.serve(&["--mac", mac]);
        // It is not asked: the entry is a minute old at most.
        for address in ["10.9.0.1", "fd09::1"] {
            if mac != MAC {
                awaited(|| known(address, "eth0") == mac, || ip("neigh show"));
            }
        }
        for address in [SERVER, SERVER_V6] {
            assert_echo(&mut connect(address));
        }
        assert_eq!(server.terminate().code(), Some(0));
    }
}

/// A station on the bridge that sends what it likes.
struct Forger(Iface);

const FORGER: EthernetAddress = EthernetAddress([2, 0, 0, 0, 9, 0x66]);

impl Forger {
    /// On the calling thread's machine.
    fn new() -> Self {
        let station = Iface::without_packet_info("forger0", Mode::Tap).unwrap();
        station.set_non_blocking().unwrap();
        ip("link set forger0 master br0");
        ip("link set forger0 up");
        Self(station)
    }

    /// Asks who has the server's address, as if it were this host.
    fn asks_as(&self, host: Ipv4Address, server: Ipv4Address) {
        let repr = ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Request,
            source_hardware_addr: FORGER,
            source_protocol_addr: host,
            target_hardware_addr: EthernetAddress([0; 6]),
            target_protocol_addr: server,
        };
        let mut frame = vec![0; 14 + repr.buffer_len()];
        let header = EthernetRepr {
            src_addr: FORGER,
            dst_addr: EthernetAddress::BROADCAST,
            ethertype: EthernetProtocol::Arp,
        };
        header.emit(&mut EthernetFrame::new_unchecked(&mut frame[..]));
        repr.emit(&mut ArpPacket::new_unchecked(&mut frame[14..]));
        self.0.send(&frame).unwrap();
    }

    /// The next frame to the forger alone that is there.
    fn next(&self) -> Option<EthernetProtocol> {
        let mut room = [0; 2000];
        loop {
            match self.0.recv(&mut room) {
                Ok(length) => {
                    let frame = EthernetFrame::new_checked(&room[..length]).unwrap();
                    if frame.dst_addr() == FORGER {
                        return Some(frame.ethertype());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn a_forged_arp_does_not_keep_the_echo_from_its_client() {
    let lan = Lan::new(1500);
    let _server = lan.serve(&[]);
    let mut client = connect(SERVER);
    lan.server.enter();
    let forger = Forger::new();
    for _ in 0..3 {
        assert_echo(&mut client);
        forger.asks_as(Ipv4Address::new(10, 9, 0, 20), Ipv4Address::new(10, 9, 0, 1));
        // It has been believed: the answer goes to the forger.
        awaited(|| forger.next() == Some(EthernetProtocol::Arp), || ip("link"));
        assert_eq!(exchange(&mut client, b"mine"), b"MINE");
        // And did so the first time.
        assert_eq!(forger.next(), None);
    }
}

/// A Linux that looks for duplicates finds the server.
fn nobody_else_can_take_its_addresses() {
    let lan = Lan::new(1500);
    let _server = lan.serve(&[]);
    sysctl("ipv6/conf/eth0/accept_dad", "1");
    ip("address add fd09::1/64 dev eth0");
    ip("address add fd09::2/64 dev eth0");
    let state = |address: &str| {
        let all = ip("-o -6 address show dev eth0");
        all.lines().find(|line| line.contains(address)).unwrap().to_owned()
    };
    awaited(|| state("fd09::1/").contains("dadfailed"), || state("fd09::1/"));
    awaited(|| !state("fd09::2/").contains("tentative"), || state("fd09::2/"));
    assert!(!state("fd09::2/").contains("dadfailed"));
}

/// A switch that has seen a querier keeps solicitations from ports where nobody listens to them.
fn a_snooping_bridge_knows_its_groups() {
    let lan = Lan::new(1500);
    ip("link set br0 type bridge mcast_snooping 1");
    let _server = lan.serve(&[]);
    lan.server.enter();
    let groups = || {
        let output = run(Command::new("bridge").args(["mdb", "show", "dev", "br0"]), b"");
        output.stdout()
    };
    // Solicited-node group of fd09::1.
    let known = || groups().lines().any(|line| line.contains("port shout0 grp ff02::1:ff00:1 "));
    awaited(known, groups);
}

/// The hardware address that the calling thread's machine knows a neighbour by; empty if it knows none.
fn known(address: &str, device: &str) -> String {
    let entry = ip(&format!("neigh show {address} dev {device}"));
    let mut words = entry.split_whitespace().skip_while(|word| *word != "lladdr");
    words.nth(1).unwrap_or_default().to_owned()
}

fn mac(text: &str) -> EthernetAddress {
    text.parse().unwrap()
}

/// Waits until the kernel says so; it has no notification for it that `ip` would hand on.
#[track_caller]
fn awaited(found: impl Fn() -> bool, state: impl Fn() -> String) {
    let begin = Instant::now();
    while !found() {
        assert!(begin.elapsed() < LIMIT, "{}", state());
        thread::sleep(Duration::from_millis(10));
    }
}
