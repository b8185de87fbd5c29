//! Whether the load generator sees what a server does wrong.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::thread;

use nix::poll::{PollFd, PollFlags, poll};
use nix::unistd::Pid;

use crate::load::{
    Bulk, Changing, Content, Load, RequestReply, Sample, ShortConnections, Target, Timing, Transport,
};
use crate::servers::kernel::{self, Manner};

const TIMING: Timing = Timing { warm_up: Duration::from_millis(10), measured: Duration::from_millis(100) };
const UDP: Load = Load::RequestReply(RequestReply { transport: Transport::Udp, idle: 0, ..CONVERSATIONS });
const CONVERSATIONS: RequestReply =
    RequestReply { transport: Transport::Tcp, size: 64, conversations: 4, idle: 3, awake: false };
/// The loads over TCP.
const TCP: [Load; 6] = [
    Load::RequestReply(CONVERSATIONS),
    Load::RequestReply(RequestReply { size: 1000, conversations: 1, awake: true, ..CONVERSATIONS }),
    Load::Bulk(Bulk { streams: 2, write: 65_536, no_delay: true }),
    Load::Bulk(Bulk { streams: 1, write: 100, no_delay: false }),
    Load::Changing(Changing { no_delay: true }),
    Load::ShortConnections(ShortConnections { at_once: 4, size: 64 }),
];

fn run(load: Load, address: SocketAddr) -> Result<Sample, String> {
    load.run(Target { address, process: Pid::this() }, &Content::new(), TIMING)
}

/// Serves TCP with what makes an echo of a message.
fn tcp(echo: fn(&mut Vec<u8>)) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || converse(&mut stream.unwrap(), echo));
        }
    });
    address
}

fn converse(stream: &mut TcpStream, echo: fn(&mut Vec<u8>)) {
    let mut turn = [0; 1024];
    // The load generator closes connections of a server that does something wrong.
    while let Ok(length @ 1..) = stream.read(&mut turn) {
        let mut reply = turn[..length].to_ascii_uppercase();
        // The first byte on a connection shows that the server is there, and is always right.
        if length > 1 {
            echo(&mut reply);
        }
        if stream.write_all(&reply).is_err() {
            break;
        }
    }
}

fn udp(echo: fn(&mut Vec<u8>)) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut turn = [0; 1024];
        while let Ok((length, client)) = socket.recv_from(&mut turn) {
            let mut reply = turn[..length].to_ascii_uppercase();
            echo(&mut reply);
            socket.send_to(&reply, client).unwrap();
        }
    });
    address
}

#[test]
fn a_right_server_passes() {
    for load in TCP {
        let sample = run(load, tcp(|_| ())).unwrap();
        assert!(sample.rate > 0.0 && sample.latency.p50 <= sample.latency.p999, "{load:?}: {sample:?}");
    }
    assert!(run(UDP, udp(|_| ())).unwrap().rate > 0.0);
}

#[test]
fn the_server_on_kernel_sockets_passes() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let datagrams = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (over_tcp, over_udp) = (listener.local_addr().unwrap(), datagrams.local_addr().unwrap());
    thread::spawn(move || kernel::serve(&listener, &datagrams, Manner::Nagle).unwrap());
    for load in TCP {
        run(load, over_tcp).unwrap();
    }
    run(UDP, over_udp).unwrap();
}

/// The server keeps what it cannot send, and receives nothing until it has sent that.
#[test]
fn the_server_on_kernel_sockets_holds_back_a_client_that_does_not_read() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let datagrams = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    thread::spawn(move || kernel::serve(&listener, &datagrams, Manner::Nagle).unwrap());
    let content = Content::new();
    stream.set_nonblocking(true).unwrap();
    let mut sent = 0;
    loop {
        match stream.write(content.at(sent, 10_000)) {
            Ok(length) => sent += length,
            // There is no event for "everything is full": it is, when there has been no room for long.
            Err(_) => match poll(&mut [PollFd::new(stream.as_fd(), PollFlags::POLLOUT)], 300_u16) {
                Ok(0) => break,
                _ => assert!(sent < 1 << 28, "there is always room"),
            },
        }
    }
    stream.set_nonblocking(false).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut echoed = 0;
    let mut buffer = [0; 10_000];
    while let length @ 1.. = stream.read(&mut buffer).unwrap() {
        content.check(echoed, &buffer[..length]).unwrap();
        echoed += length;
    }
    assert_eq!(echoed, sent);
}

#[test]
fn a_manner_has_a_name() {
    for manner in [Manner::NoDelay, Manner::Nagle, Manner::SmallWindow] {
        assert_eq!(Manner::named(manner.name()), Some(manner));
    }
    assert_eq!(Manner::named("large-window"), None);
}

/// What a faulty server does to the bytes of an echo.
const FAULTS: [fn(&mut Vec<u8>); 5] = [
    |echo| *echo.last_mut().unwrap() ^= 1,
    |echo| echo.make_ascii_lowercase(),
    |echo| echo.rotate_left(1),
    |echo| {
        let first = echo.remove(0);
        echo.push(first ^ 1);
    },
    |echo| echo.push(b'!'),
];

#[test]
fn a_server_that_corrupts_is_found() {
    for (number, fault) in FAULTS.into_iter().enumerate() {
        for load in TCP {
            let error = run(load, tcp(fault)).expect_err("the echoes are wrong");
            assert!(error.contains("came back") || error.contains("missing"), "{number}, {load:?}: {error}");
        }
        let error = run(UDP, udp(fault)).expect_err("the echoes are wrong");
        assert!(error.contains("came back"), "{number}, UDP: {error}");
    }
}

#[test]
fn a_server_that_loses_the_end_is_found() {
    let error = run(TCP[2], tcp(|echo| echo.truncate(echo.len() - 1))).expect_err("an byte is missing");
    assert!(error.contains("came back") || error.contains("ended after"), "{error}");
    let error = run(UDP, udp(|echo| echo.truncate(63))).expect_err("an byte is missing");
    assert!(error.contains("63 bytes came back for 64"), "{error}");
}

#[test]
fn a_server_that_hangs_up_is_found() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut first = [0];
            stream.read_exact(&mut first).unwrap();
            stream.write_all(&first.to_ascii_uppercase()).unwrap();
        }
    });
    let load = Load::RequestReply(RequestReply { idle: 0, conversations: 1, ..CONVERSATIONS });
    run(load, address).expect_err("the server has closed");
}

#[test]
fn a_server_that_is_not_there_is_found() {
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    for load in TCP {
        run(load, nobody).expect_err("nobody listens");
    }
}
