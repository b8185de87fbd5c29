//! The server to compare with: one thread, epoll(7), the kernel's own sockets; recv(1024), uppercase, send.
//!
//! With TCP_NODELAY it answers each read at once, as `shout` does, so it is the server to compare with. With Nagle's
//! algorithm the kernel collects small sends while data are unacknowledged. For request and reply the two are the same.

use core::net::SocketAddr;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{setsockopt, sockopt};

/// The most that one call of recv takes, as in the programs of `tests/e2e/note`.
const TURN: usize = 1024;

/// How it treats its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// With TCP_NODELAY.
    NoDelay,
    /// Without it.
    Nagle,
    /// With TCP_NODELAY and the smallest receive buffer that Linux gives: a window of 1152 bytes.
    SmallWindow,
}

impl Manner {
    const ALL: [Manner; 3] = [Manner::NoDelay, Manner::Nagle, Manner::SmallWindow];

    /// For the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Manner::NoDelay => "no-delay",
            Manner::Nagle => "nagle",
            Manner::SmallWindow => "small-window",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Manner> {
        Self::ALL.into_iter().find(|manner| manner.name() == name)
    }
}

/// Binds a TCP and a UDP socket to `address` and serves until it is killed.
pub(crate) fn run(address: SocketAddr, manner: Manner) -> std::io::Result<()> {
    serve(&TcpListener::bind(address)?, &UdpSocket::bind(address)?, manner)
}

/// Serves on these sockets until one of them fails.
pub(crate) fn serve(listener: &TcpListener, datagrams: &UdpSocket, manner: Manner) -> std::io::Result<()> {
    if manner == Manner::SmallWindow {
        // Connections inherit it. The kernel takes its least in place of less.
        setsockopt(listener, sockopt::RcvBuf, &0)?;
    }
    listener.set_nonblocking(true)?;
    datagrams.set_nonblocking(true)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(listener, readable(listener))?;
    epoll.add(datagrams, readable(datagrams))?;
    // Indexed by descriptor: the kernel always gives out the smallest free one.
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut events = [EpollEvent::empty(); 256];
    loop {
        let ready = epoll.wait(&mut events, EpollTimeout::NONE)?;
        for event in &events[..ready] {
            let descriptor = usize::try_from(event.data()).unwrap_or(usize::MAX);
            if descriptor == place(listener) {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                if manner != Manner::Nagle {
                    stream.set_nodelay(true)?;
                }
                epoll.add(&stream, readable(&stream))?;
                let descriptor = place(&stream);
                if connections.len() <= descriptor {
                    connections.resize_with(descriptor + 1, || None);
                }
                connections[descriptor] = Some(Connection { stream, unsent: Vec::new() });
            } else if descriptor == place(datagrams) {
                answer(datagrams)?;
            } else if let Some(Some(connection)) = connections.get_mut(descriptor) {
                let was_blocked = connection.is_blocked();
                if !connection.go_on() {
                    connections[descriptor] = None;
                } else if connection.is_blocked() != was_blocked {
                    let interest = if was_blocked { EpollFlags::EPOLLIN } else { EpollFlags::EPOLLOUT };
                    epoll.modify(&connection.stream, &mut EpollEvent::new(interest, event.data()))?;
                }
            }
        }
    }
}

fn place(socket: &impl AsRawFd) -> usize {
    usize::try_from(socket.as_raw_fd()).unwrap_or(usize::MAX)
}

fn readable(socket: &impl AsRawFd) -> EpollEvent {
    EpollEvent::new(EpollFlags::EPOLLIN, place(socket) as u64)
}

fn answer(socket: &UdpSocket) -> std::io::Result<()> {
    let mut turn = [0; TURN];
    let (length, client) = socket.recv_from(&mut turn)?;
    turn[..length].make_ascii_uppercase();
    match socket.send_to(&turn[..length], client) {
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
    }
}

struct Connection {
    stream: TcpStream,
    /// What the kernel did not accept for sending. While there is some, the server does not receive (back-pressure).
    unsent: Vec<u8>,
}

impl Connection {
    fn is_blocked(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Receives or sends once. False at the connection's end.
    fn go_on(&mut self) -> bool {
        let mut turn = [0; TURN];
        let unsent = core::mem::take(&mut self.unsent);
        let echo = if unsent.is_empty() {
            match self.stream.read(&mut turn) {
                Ok(0) => return false,
                Ok(length) => {
                    turn[..length].make_ascii_uppercase();
                    &turn[..length]
                }
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        } else {
            &unsent
        };
        let sent = match self.stream.write(echo) {
            Ok(sent) => sent,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) => return false,
        };
        if sent < echo.len() {
            self.unsent = echo[sent..].to_vec();
        }
        true
    }
}
