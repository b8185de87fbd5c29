//! The kernel's sockets as clients: errors, options and states as a program sees them.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::time::Instant;

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use crate::program::LIMIT;
use crate::server::{Server, V4, V6};
use crate::sockets::{
    ask, assert_echo, assert_shouted, bulk, comes_within, connect, exchange, local, pattern, read_to_end,
    receive, reset, udp, uninterrupted,
};

tests![
    tcp_echoes_over_ipv4_and_ipv6,
    only_ascii_letters_change,
    udp_echoes_over_ipv4_and_ipv6,
    udp_sizes_0_1_1023_and_1024_come_back_whole,
    of_a_longer_datagram_the_first_1024_bytes_come_back,
    a_fragmented_ipv4_datagram_is_put_together,
    a_half_closed_connection_echoes_everything_then_closes,
    a_half_close_without_data_is_answered_by_a_close,
    a_reset_frees_the_slot,
    a_closed_tcp_port_refuses_at_once,
    a_closed_udp_port_is_unreachable,
    ping_is_answered_over_ipv4,
    ping_is_answered_over_ipv6,
    an_echo_loop_between_equal_ports_is_refused,
    a_ten_thousand_byte_message_comes_back_whole,
];

fn tcp_echoes_over_ipv4_and_ipv6() {
    let _server = Server::start(&[]);
    for address in [V4, V6] {
        let mut stream = connect(address);
        assert_eq!(exchange(&mut stream, b"Hello, World!"), b"HELLO, WORLD!");
        assert_eq!(exchange(&mut stream, b"a"), b"A");
    }
}

fn only_ascii_letters_change() {
    let _server = Server::start(&[]);
    let all: Vec<u8> = (0..=u8::MAX).collect();
    let expected: Vec<u8> = all.iter().map(u8::to_ascii_uppercase).collect();
    assert_eq!(exchange(&mut connect(V4), &all), expected);
    assert_eq!(ask(&udp(V4), &all), expected);
    assert_eq!(ask(&udp(V6), "grüße, 世界".as_bytes()), "GRüßE, 世界".as_bytes());
}

fn udp_echoes_over_ipv4_and_ipv6() {
    let _server = Server::start(&[]);
    for address in [V4, V6] {
        // The socket is connected, so only a reply from the very address and port that was asked reaches it.
        assert_eq!(ask(&udp(address), b"Hello, World!"), b"HELLO, WORLD!");
    }
}

fn udp_sizes_0_1_1023_and_1024_come_back_whole() {
    let _server = Server::start(&[]);
    for address in [V4, V6] {
        let socket = udp(address);
        for size in [0, 1, 1023, 1024] {
            let message = pattern(size);
            assert_shouted(&message, &ask(&socket, &message));
        }
    }
}

fn of_a_longer_datagram_the_first_1024_bytes_come_back() {
    let _server = Server::start(&[]);
    for (address, as_long_as_the_mtu) in [(V4, 1500 - 20 - 8), (V6, 1500 - 40 - 8)] {
        let socket = udp(address);
        for size in [1025, as_long_as_the_mtu] {
            let message = pattern(size);
            assert_shouted(&message[..1024], &ask(&socket, &message));
        }
        assert!(!comes_within(&socket, Duration::from_millis(100)), "the rest came as another datagram");
    }
}

fn a_fragmented_ipv4_datagram_is_put_together() {
    let _server = Server::start(&[]);
    let socket = udp(V4);
    // The longest that is put together: 2048 bytes with its UDP header.
    for size in [1473, 2000, 2040] {
        let message = pattern(size);
        assert_shouted(&message[..1024], &ask(&socket, &message));
    }
}

fn a_half_closed_connection_echoes_everything_then_closes() {
    let _server = Server::start(&[]);
    for address in [V4, V6] {
        let data = pattern(20_000);
        assert_shouted(&data, &bulk(connect(address), &data));
    }
}

fn a_half_close_without_data_is_answered_by_a_close() {
    let server = Server::start(&["--connections", "1"]);
    for _ in 0..3 {
        let mut stream = connect(V4);
        stream.shutdown(Shutdown::Write).unwrap();
        assert!(read_to_end(&mut stream).is_empty());
        server.logs_departure(local(&stream));
    }
}

fn a_reset_frees_the_slot() {
    let server = Server::start(&["--connections", "1"]);
    for _ in 0..3 {
        let mut stream = connect(V4);
        assert_echo(&mut stream);
        let client = local(&stream);
        reset(stream);
        server.logs_departure(client);
    }
}

fn a_closed_tcp_port_refuses_at_once() {
    let _server = Server::start(&[]);
    for address in ["192.168.69.1:8081", "[fd69::1]:8081"] {
        let address: SocketAddr = address.parse().unwrap();
        let start = Instant::now();
        let error = TcpStream::connect_timeout(&address, LIMIT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        // The kernel would send its SYN again after a second.
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    }
}

fn a_closed_udp_port_is_unreachable() {
    let _server = Server::start(&[]);
    for address in ["192.168.69.1:8081", "[fd69::1]:8081"] {
        let socket = udp(address);
        socket.send(b"anyone?").unwrap();
        assert_eq!(
            uninterrupted(|| socket.recv(&mut [0; 16])).unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        );
    }
}

fn ping_is_answered_over_ipv4() {
    let _server = Server::start(&[]);
    let address = Ipv4Addr::new(192, 168, 69, 1);
    let ping = raw_icmp(AddressFamily::Inet, SockProtocol::Icmp);
    // Echo request, identifier 7, sequence number 1, "ping"; the checksum of RFC 792 is worked out by hand.
    let request = [8, 0, 0x19, 0x27, 0, 7, 0, 1, b'p', b'i', b'n', b'g'];
    ping.send_to(&request, SocketAddr::new(address.into(), 0)).unwrap();
    let mut packet = [0; 128];
    loop {
        // Before an IPv4 raw socket's data stands the IP header, of 20 bytes without options.
        let length = uninterrupted(|| ping.recv(&mut packet)).unwrap();
        if packet[20] == 0 {
            assert_eq!(packet[24..length], request[4..]);
            break;
        }
    }
}

fn ping_is_answered_over_ipv6() {
    let _server = Server::start(&[]);
    let address: Ipv6Addr = "fd69::1".parse().unwrap();
    let ping = raw_icmp(AddressFamily::Inet6, SockProtocol::IcmpV6);
    // The kernel fills in an ICMPv6 checksum.
    let request = [128, 0, 0, 0, 0, 7, 0, 1, b'p', b'i', b'n', b'g'];
    ping.send_to(&request, SocketAddr::new(address.into(), 0)).unwrap();
    let mut packet = [0; 128];
    loop {
        let length = uninterrupted(|| ping.recv(&mut packet)).unwrap();
        // Other types, such as a router solicitation, are not for this test.
        if packet[0] == 129 {
            assert_eq!(packet[4..length], request[4..]);
            break;
        }
    }
}

/// A raw ICMP socket behind the standard library's UDP type, which sends and receives on any datagram-like socket.
fn raw_icmp(family: AddressFamily, protocol: SockProtocol) -> UdpSocket {
    let socket = UdpSocket::from(socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol).unwrap());
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket
}

fn an_echo_loop_between_equal_ports_is_refused() {
    let _server = Server::start(&[]);
    let socket = UdpSocket::bind("192.168.69.100:8080").unwrap();
    socket.connect(V4).unwrap();
    socket.send(b"from one echo server to another").unwrap();
    // A reply to a later request comes after the one that must not come.
    assert_eq!(ask(&udp(V4), b"ok"), b"OK");
    assert!(!comes_within(&socket, Duration::from_millis(1)));
}

fn a_ten_thousand_byte_message_comes_back_whole() {
    let _server = Server::start(&[]);
    let mut stream = connect(V6);
    let message = pattern(10_000);
    // More than the buffers of both directions hold: what is not read back meanwhile waits at the client.
    stream.write_all(&message).unwrap();
    let mut echo = vec![0; message.len()];
    stream.read_exact(&mut echo).unwrap();
    assert_shouted(&message, &echo);
    let socket = udp(V6);
    socket.send(b"and").unwrap();
    assert_eq!(receive(&socket), b"AND");
}
