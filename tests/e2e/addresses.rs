//! `--address`, `--host-address` and the device that they belong to.

use core::net::SocketAddr;
use std::fs;
use std::io::ErrorKind;
use std::net::{TcpStream, UdpSocket};

use crate::namespace::{has_link, ip, sysctl};
use crate::server::{Server, V4, V6, shout};
use crate::sockets::{ask, assert_echo, connect, udp, uninterrupted};

tests![
    eight_addresses_are_all_served,
    addresses_of_one_family_leave_the_other_family_its_defaults,
    a_reply_comes_from_the_address_that_was_asked,
    other_addresses_of_the_subnet_are_not_answered_for,
    no_configure_leaves_a_prepared_device_as_it_is,
    no_configure_warns_of_each_address_that_is_out_of_reach,
    a_persistent_device_is_configured_and_stays,
    without_ipv6_it_says_so_once_and_serves_ipv4,
];

fn eight_addresses_are_all_served() {
    let addresses = [
        "10.1.0.1/16",
        "10.1.0.2/16",
        "10.2.0.1/24",
        "10.3.0.1/30",
        "fd01::1/64",
        "fd01::2/64",
        "fd02::1/64",
        "fd03::1/96",
    ];
    let hosts = ["10.1.255.254/16", "10.2.0.2/24", "10.3.0.2/30", "fd01::ff/64", "fd02::2/64", "fd03::2/96"];
    let mut arguments = Vec::new();
    arguments.extend(addresses.iter().flat_map(|address| ["--address", address]));
    arguments.extend(hosts.iter().flat_map(|host| ["--host-address", host]));
    let server = Server::start(&arguments);
    for cidr in addresses {
        let (address, _) = cidr.split_once('/').unwrap();
        let at = SocketAddr::new(address.parse().unwrap(), 8080).to_string();
        assert!(server.ready.contains(&at), "{at} is missing in {}", server.ready);
        assert_echo(&mut connect(&at));
        assert_eq!(ask(&udp(&at), b"to you"), b"TO YOU");
    }
    let links = ip("-o addr show shout0");
    for host in hosts {
        assert!(links.contains(host), "{host} is missing in {links}");
    }
    assert!(!links.contains("192.168.69.") && !links.contains("fd69::"), "{links}");
}

fn addresses_of_one_family_leave_the_other_family_its_defaults() {
    let _server = Server::start(&["--address", "10.1.2.3/24", "--host-address", "10.1.2.4/24"]);
    assert_echo(&mut connect("10.1.2.3:8080"));
    assert_echo(&mut connect(V6));
}

fn a_reply_comes_from_the_address_that_was_asked() {
    let _server = Server::start(&[
        "--address",
        "10.0.0.1/24",
        "--address",
        "10.0.0.2/24",
        "--host-address",
        "10.0.0.100/24",
    ]);
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(crate::program::LIMIT)).unwrap();
    for address in ["10.0.0.2:8080", "10.0.0.1:8080"] {
        let asked: SocketAddr = address.parse().unwrap();
        socket.send_to(b"who?", asked).unwrap();
        let mut reply = [0; 16];
        assert_eq!(uninterrupted(|| socket.recv_from(&mut reply)).unwrap(), (4, asked));
    }
}

fn other_addresses_of_the_subnet_are_not_answered_for() {
    let _server = Server::start(&[]);
    let other = udp("192.168.69.77:8080");
    other.send(b"anyone?").unwrap();
    let broadcast = UdpSocket::bind("0.0.0.0:0").unwrap();
    broadcast.set_broadcast(true).unwrap();
    broadcast.send_to(b"everyone?", "192.168.69.255:8080").unwrap();
    // What follows on the same device is answered after what must not be.
    assert_eq!(ask(&udp(V4), b"you?"), b"YOU?");
    for socket in [other, broadcast] {
        socket.set_nonblocking(true).unwrap();
        assert_eq!(socket.recv(&mut [0; 16]).unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}

fn no_configure_leaves_a_prepared_device_as_it_is() {
    ip("tuntap add dev mine mode tun");
    ip("link set mine mtu 1400 up");
    ip("addr add 192.168.69.100/24 dev mine");
    let before = ip("-o -4 addr show mine");
    let server = Server::start(&["--no-configure", "--tun", "mine", "--mtu", "1400"]);
    assert_echo(&mut connect(V4));
    assert_eq!(ask(&udp(V4), b"no need"), b"NO NEED");
    assert_eq!(server.terminate().code(), Some(0));
    assert_eq!(ip("-o -4 addr show mine"), before);
    assert!(ip("-o link show mine").contains(" mtu 1400 "));
}

fn no_configure_warns_of_each_address_that_is_out_of_reach() {
    ip("tuntap add dev shout0 mode tun");
    ip("link set shout0 up");
    let serve = |arguments: &[&str]| {
        let server = Server::start(&[&["--no-configure"], arguments].concat());
        let log = server.log().clone();
        assert_eq!(server.terminate().code(), Some(0));
        let text = log.text();
        let with =
            |part| text.lines().filter(|line| line.contains(part)).map(str::to_owned).collect::<Vec<_>>();
        (with("WARN"), with("try it"))
    };
    let (warnings, suggestions) = serve(&[]);
    assert_eq!((warnings.len(), suggestions.len()), (2, 0), "{warnings:?}");
    for (warning, remedy) in warnings.iter().zip([
        "no route to 192.168.69.1: it does not reach the server there before `sudo ip address add \
         192.168.69.100/24 dev shout0`",
        "no route to fd69::1: it does not reach the server there before `sudo ip address add fd69::100/64 dev shout0`",
    ]) {
        assert!(warning.contains(remedy), "{warning}");
    }
    // README's recipe: the suggestion is one that works.
    ip("addr add 192.168.69.100/24 dev shout0");
    let (warnings, suggestions) = serve(&[]);
    assert!(warnings.len() == 1 && warnings[0].contains("fd69::1"), "{warnings:?}");
    assert!(suggestions.len() == 1 && suggestions[0].contains("nc 192.168.69.1 8080"), "{suggestions:?}");
    // The default route leads elsewhere.
    ip("tuntap add dev other mode tun");
    ip("link set other up");
    ip("-6 route add default dev other");
    let (warnings, _) = serve(&[]);
    assert!(warnings.len() == 1 && warnings[0].contains("fd69::1 on other, not on shout0"), "{warnings:?}");
    let (warnings, _) = serve(&["--mtu", "1400"]);
    assert!(
        warnings[0].ends_with("not 1400: give --mtu 1500, or type `sudo ip link set shout0 mtu 1400`"),
        "{warnings:?}"
    );
    // The remedies are.
    ip("addr add fd69::100/64 dev shout0");
    assert_eq!(serve(&[]).0, [""; 0]);
    ip("link set shout0 down");
    let (warnings, suggestions) = serve(&[]);
    assert!(warnings.len() == 1 && warnings[0].contains("is down"), "{warnings:?}");
    assert_eq!(suggestions, [""; 0]);
}

fn a_persistent_device_is_configured_and_stays() {
    ip("tuntap add dev shout0 mode tun");
    for _ in 0..2 {
        let server = Server::start(&[]);
        assert_echo(&mut connect(V4));
        assert_echo(&mut connect(V6));
        assert_eq!(server.terminate().code(), Some(0));
        assert!(has_link("shout0"));
    }
    let mut refused = shout(&["--no-configure"]);
    let server = Server::start_as(&mut refused);
    assert_eq!(server.terminate().code(), Some(0));
    let error = TcpStream::connect_timeout(&V4.parse().unwrap(), core::time::Duration::from_millis(100));
    assert!(error.is_err(), "nobody is there any more");
}

fn without_ipv6_it_says_so_once_and_serves_ipv4() {
    sysctl("ipv6/conf/all/disable_ipv6", "1");
    assert_eq!(fs::read_to_string("/proc/sys/net/ipv6/conf/default/disable_ipv6").unwrap().trim(), "1");
    let server = Server::start(&[]);
    assert_echo(&mut connect(V4));
    assert_eq!(ask(&udp(V4), b"four"), b"FOUR");
    let log = server.log().clone();
    assert_eq!(server.terminate().code(), Some(0), "{}", log.text());
    let warnings = log.text().lines().filter(|line| line.contains("IPv6")).count();
    assert_eq!(warnings, 1, "{}", log.text());
}
