//! What can happen to the device while the server runs.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;

use tun_tap::{Iface, Mode};

use crate::forged::{self, Forger};
use crate::namespace::{ip, snapshot};
use crate::server::{Server, V4, V6};
use crate::sockets::{ask, assert_echo, assert_shouted, bulk, connect, pattern, udp};

tests![
    a_link_that_goes_down_and_up_is_survived,
    connections_survive_the_link_going_down_and_up,
    an_mtu_that_changes_under_the_server_is_survived,
    a_deleted_device_ends_the_program_with_1,
    the_device_has_room_for_what_all_clients_say_at_once,
    the_device_and_its_routes_are_gone_afterwards,
    checksum_offload_of_an_earlier_program_is_switched_off,
    nothing_but_drops_of_one_reason_is_explained,
];

fn a_link_that_goes_down_and_up_is_survived() {
    let server = Server::start(&[]);
    for _ in 0..3 {
        ip("link set shout0 down");
        ip("link set shout0 up");
        assert_echo(&mut connect(V4));
        assert_echo(&mut connect(V6));
        assert_eq!(ask(&udp(V6), b"up again"), b"UP AGAIN");
    }
    assert_eq!(server.terminate().code(), Some(0));
}

fn connections_survive_the_link_going_down_and_up() {
    // Replies that fall due while the link is down meet a device that takes nothing.
    let _server = Server::start(&["--delay", "100ms"]);
    let (mut four, mut six) = (connect(V4), connect(V6));
    assert_echo(&mut four);
    assert_echo(&mut six);
    let lost = udp(V4);
    lost.send(b"no reply will come").unwrap();
    ip("link set shout0 down");
    for stream in [&mut four, &mut six] {
        stream.write_all(b"while down").unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
        stream.read(&mut [0]).expect_err("the link is down");
        stream.set_read_timeout(Some(crate::program::LIMIT)).unwrap();
    }
    ip("link set shout0 up");
    for stream in [&mut four, &mut six] {
        let mut echo = [0; 10];
        stream.read_exact(&mut echo).unwrap();
        assert_eq!(&echo, b"WHILE DOWN");
        assert_echo(stream);
    }
}

fn an_mtu_that_changes_under_the_server_is_survived() {
    let server = Server::start(&[]);
    let data = pattern(200_000);
    let (mut four, mut six) = (connect(V4), connect(V6));
    for mtu in [1280, 9000, 65535, 1500] {
        ip(&format!("link set shout0 mtu {mtu}"));
        assert_echo(&mut four);
        assert_echo(&mut six);
        for address in [V4, V6] {
            assert_shouted(&data, &bulk(connect(address), &data));
            // The longest is one packet where the MTU has grown: more than the server was made for.
            udp(address).send(&data[..60_000]).unwrap();
            assert_eq!(ask(&udp(address), b"and a short one"), b"AND A SHORT ONE");
        }
    }
    // With less than 1280 bytes, the link has no IPv6, and the kernel takes the addresses away.
    for mtu in [600, 1500] {
        ip(&format!("link set shout0 mtu {mtu}"));
        assert_echo(&mut four);
        assert_shouted(&data, &bulk(connect(V4), &data));
    }
    assert_eq!(server.terminate().code(), Some(0));
}

fn the_device_has_room_for_what_all_clients_say_at_once() {
    let queue = || {
        let line = ip("-o link show shout0");
        line.split_once(" qlen ").and_then(|(_, rest)| rest.split([' ', '\\']).next()?.parse::<u32>().ok())
    };
    let server = Server::start(&["--connections", "3000"]);
    assert_eq!(queue(), Some(6000));
    assert_eq!(server.terminate().code(), Some(0));
    // Not shorter than it was.
    let _server = Server::start(&["--connections", "3"]);
    assert_eq!(queue(), Some(500));
}

fn a_deleted_device_ends_the_program_with_1() {
    let mut server = Server::start(&[]);
    let stream = connect(V4);
    ip("link del shout0");
    assert_eq!(server.wait().code(), Some(1));
    let log = server.log().text();
    let error = log.lines().last().unwrap();
    assert!(error.contains("the device shout0 is gone") && !log.contains("panicked"), "{log}");
    drop(stream);
}

fn the_device_and_its_routes_are_gone_afterwards() {
    let before = snapshot();
    let server = Server::start(&[]);
    assert_echo(&mut connect(V6));
    assert_ne!(snapshot(), before);
    assert_eq!(server.terminate().code(), Some(0));
    assert_eq!(snapshot(), before);
}

nix::ioctl_write_int!(
    /// TUNSETOFFLOAD of linux/if_tun.h.
    set_offload,
    b'T',
    208
);

/// The kernel leaves checksums to the program at the other side: TUN_F_CSUM of linux/if_tun.h.
const CHECKSUMS: u64 = 1;

fn checksum_offload_of_an_earlier_program_is_switched_off() {
    ip("tuntap add dev shout0 mode tun");
    let earlier = Iface::without_packet_info("shout0", Mode::Tun).unwrap();
    // SAFETY: the descriptor is open, and the argument is a number.
    unsafe { set_offload(earlier.as_raw_fd(), CHECKSUMS) }.unwrap();
    drop(earlier);
    let _server = Server::start(&[]);
    assert_echo(&mut connect(V4));
    assert_eq!(ask(&udp(V6), b"checked"), b"CHECKED");
}

fn nothing_but_drops_of_one_reason_is_explained() {
    let server = Server::start(&[]);
    let forger = Forger::new();
    let [source, destination] = [[192, 168, 69, 100], [192, 168, 69, 1]].map(Ipv4Addr::from);
    let mut syn = forged::syn(SocketAddrV4::new(source, 5000), SocketAddrV4::new(destination, 8080), 1);
    syn[36] ^= 1;
    for _ in 0..5 {
        forger.send(&syn, destination);
    }
    let line = server.log().wait_for_line(&["WARN", "nothing is answered", "5 packets", "(checksum)"]);
    assert!(line.contains("ethtool -K"), "{line}");
}
