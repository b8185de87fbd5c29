//! The server on embassy's executor behind a real TAP device, spoken to through the kernel's sockets.
//!
//! As in the end-to-end tests, the process moves into a network namespace before it starts any thread, which is why this
//! target has no libtest harness, and every test gets a further one of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation is how a test fails"
)]

mod network;
mod server;

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::process::ExitCode;
use std::thread;

use libtest_mimic::{Arguments, Trial};
use nix::sys::socket::{getsockopt, sockopt};

use crate::network::{ip, isolate_process, isolate_thread};
use crate::server::{SLOTS, Server};

/// Longer than anything takes here, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a link is watched on which nothing must come.
const SILENCE: Duration = Duration::from_millis(300);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 69, 1);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if !arguments.list
        && let Err(missing) = isolate_process()
    {
        eprintln!("error: {missing}");
        return ExitCode::FAILURE;
    }
    let tests: [(&str, fn()); 5] = [
        ("echo", echo),
        ("half_close", half_close),
        ("as_many_connections_as_slots", as_many_connections_as_slots),
        ("a_link_that_goes_down", a_link_that_goes_down),
        ("the_mtu_is_the_devices", the_mtu_is_the_devices),
    ];
    let trials = tests.into_iter().map(|(name, run)| {
        Trial::test(name, move || {
            let isolated = move || {
                isolate_thread();
                run();
            };
            // Libtest-mimic's threads run many tests each.
            thread::spawn(isolated).join().map_err(|_| "it panicked".into())
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn echo() {
    let _server = Server::start(1500);
    let mut stream = connect();
    for turn in 0..100 {
        assert_echo(&mut stream, format!("turn {turn}").as_bytes());
    }
    let datagrams = UdpSocket::bind("0.0.0.0:0").unwrap();
    datagrams.set_read_timeout(Some(PATIENCE)).unwrap();
    datagrams.send_to(b"datagram", (ADDRESS, 8080)).unwrap();
    let mut reply = [0; 64];
    let length = datagrams.recv(&mut reply).unwrap();
    assert_eq!(&reply[..length], b"DATAGRAM");
}

fn half_close() {
    let _server = Server::start(1500);
    let mut stream = connect();
    let message: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    let mut sender = stream.try_clone().unwrap();
    let sent = message.clone();
    let sending = thread::spawn(move || {
        sender.write_all(&sent).unwrap();
        sender.shutdown(Shutdown::Write).unwrap();
    });
    let mut echo = Vec::new();
    stream.read_to_end(&mut echo).unwrap();
    assert!(echo == message.to_ascii_uppercase(), "{} bytes came back", echo.len());
    sending.join().unwrap();
}

fn as_many_connections_as_slots() {
    let _server = Server::start(1500);
    let mut streams: Vec<TcpStream> = (0..SLOTS).map(|_| connect()).collect();
    for turn in 0..10 {
        for (index, stream) in streams.iter_mut().enumerate() {
            stream.write_all(format!("client {index}, turn {turn:3}").as_bytes()).unwrap();
        }
        for (index, stream) in streams.iter_mut().enumerate() {
            assert_reads(stream, format!("CLIENT {index}, TURN {turn:3}").as_bytes());
        }
    }
}

/// Nothing is answered while it is down, and what was sent meanwhile comes back once it is up again.
fn a_link_that_goes_down() {
    let server = Server::start(1500);
    let mut stream = connect();
    assert_echo(&mut stream, b"before");
    server.set_link(false);
    stream.write_all(b"meanwhile").unwrap();
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    stream.read(&mut [0]).expect_err("answered over a link that is down");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    ip("link set tap0 down");
    ip("link set tap0 up");
    server.set_link(true);
    assert_reads(&mut stream, b"MEANWHILE");
    assert_echo(&mut stream, b"after");
    assert_echo(&mut connect(), b"and anew");
}

/// The kernel's end may carry more: only the server's MSS option can keep its segments short.
fn the_mtu_is_the_devices() {
    let _server = Server::start(700);
    ip("link set tap0 mtu 1500");
    let mut stream = connect();
    assert_echo(&mut stream, b"hello");
    let mss = getsockopt(&stream, sockopt::TcpMaxSeg).unwrap();
    assert_eq!(mss, 700 - 40);
}

#[track_caller]
fn connect() -> TcpStream {
    let stream = TcpStream::connect_timeout(&SocketAddr::from((ADDRESS, 8080)), PATIENCE).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[track_caller]
fn assert_echo(stream: &mut TcpStream, message: &[u8]) {
    stream.write_all(message).unwrap();
    assert_reads(stream, &message.to_ascii_uppercase());
}

#[track_caller]
fn assert_reads(stream: &mut TcpStream, expected: &[u8]) {
    let mut read = vec![0; expected.len()];
    stream.read_exact(&mut read).unwrap();
    assert_eq!(read, expected);
}
