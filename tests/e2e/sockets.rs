//! Clients made of the kernel's sockets.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::thread;

use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};

use crate::program::LIMIT;
use crate::server::{V4, V6};

/// Bytes of every value, in an order that shows a loss, a swap or a repetition of any part.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    // The multiplier and the increment of Knuth's MMIX.
    let mut state: u64 = 1;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| byte()).collect()
}

/// A TCP client without Nagle's algorithm, whose waits all have a bound.
#[track_caller]
pub(crate) fn connect(server: &str) -> TcpStream {
    let address = server.parse().unwrap();
    let stream = TcpStream::connect_timeout(&address, LIMIT)
        .unwrap_or_else(|error| panic!("connecting to {server}: {error}"));
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    stream
}

/// A UDP client whose waits all have a bound.
#[track_caller]
pub(crate) fn udp(server: &str) -> UdpSocket {
    let any = if server.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
    let socket = UdpSocket::bind(any).unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket
}

/// Sends `message` and reads as many bytes back.
#[track_caller]
pub(crate) fn exchange(stream: &mut TcpStream, message: &[u8]) -> Vec<u8> {
    stream.write_all(message).unwrap();
    let mut echo = vec![0; message.len()];
    stream.read_exact(&mut echo).unwrap();
    echo
}

/// Shows that the connection works.
#[track_caller]
pub(crate) fn assert_echo(stream: &mut TcpStream) {
    assert_eq!(exchange(stream, b"still here?"), b"STILL HERE?");
}

/// Shows that the server is there and right.
#[track_caller]
pub(crate) fn assert_serves() {
    let data = pattern(200_000);
    assert_shouted(&data, &bulk(connect(V4), &data));
    assert_eq!(ask(&udp(V6), b"serves"), b"SERVES");
}

/// Calls again what was interrupted: a wait with a bound is, by any pause of the process (signal(7)).
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Sends one datagram and receives one.
#[track_caller]
pub(crate) fn ask(socket: &UdpSocket, message: &[u8]) -> Vec<u8> {
    socket.send(message).unwrap();
    receive(socket)
}

/// Receives one datagram.
#[track_caller]
pub(crate) fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut reply = vec![0; 65536];
    let length = uninterrupted(|| socket.recv(&mut reply)).unwrap();
    reply.truncate(length);
    reply
}

/// Whether a datagram is waiting, or comes within `wait`.
pub(crate) fn comes_within(socket: &UdpSocket, wait: Duration) -> bool {
    socket.set_read_timeout(Some(wait)).unwrap();
    let result = uninterrupted(|| socket.recv(&mut [0; 1]));
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => false,
        result => result.is_ok(),
    }
}

/// Sends all of `data`, then half-closes, while reading all that comes until the server closes.
#[track_caller]
pub(crate) fn bulk(stream: TcpStream, data: &[u8]) -> Vec<u8> {
    try_bulk(stream, data).unwrap()
}

/// The same with a server that may fail.
pub(crate) fn try_bulk(mut stream: TcpStream, data: &[u8]) -> io::Result<Vec<u8>> {
    let mut writer = stream.try_clone()?;
    thread::scope(|scope| {
        let writing = scope.spawn(move || {
            writer.write_all(data)?;
            writer.shutdown(Shutdown::Write)
        });
        let mut received = Vec::new();
        stream.read_to_end(&mut received)?;
        writing.join().unwrap()?;
        Ok(received)
    })
}

/// Clients that have sent until nothing more went, and have read nothing. Their windows close at different points.
#[track_caller]
pub(crate) fn deaf_clients(count: usize) -> Vec<TcpStream> {
    let deaf = |window: usize| {
        let mut stream = connect(V4);
        // Small, for it to be soon; what fits in them is all that ever moves.
        setsockopt(&stream, sockopt::RcvBuf, &window).unwrap();
        setsockopt(&stream, sockopt::SndBuf, &4096).unwrap();
        stream.set_write_timeout(Some(Duration::from_millis(150))).unwrap();
        while stream.write(&[b'x'; 4096]).is_ok() {}
        stream
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|i| scope.spawn(move || deaf(4096 + 512 * i))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Reads until the server closes.
#[track_caller]
pub(crate) fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    all
}

/// Fails with where they part, not with both in full.
#[track_caller]
pub(crate) fn assert_shouted(sent: &[u8], received: &[u8]) {
    let expected = sent.to_ascii_uppercase();
    let same = expected.iter().zip(received).take_while(|(a, b)| a == b).count();
    assert!(
        expected == received,
        "of {} bytes {} came back, right only up to byte {same}",
        expected.len(),
        received.len()
    );
}

/// Closes with RST in place of FIN.
pub(crate) fn reset(stream: TcpStream) {
    let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
    setsockopt(&stream, sockopt::Linger, &at_once).unwrap();
    drop(stream);
}

/// The client's own address.
pub(crate) fn local(stream: &TcpStream) -> SocketAddr {
    stream.local_addr().unwrap()
}
