//! Short connections: connect, send a message, receive the echo, send FIN, receive the server's FIN.

use core::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{self, AddressFamily, Shutdown, SockFlag, SockType, SockaddrStorage, shutdown};

use super::Target;
use super::content::{Content, LONGEST};
use super::sockets::{self, PATIENCE};
use super::window::{Sample, Timing, Window};

/// A number of such connections at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShortConnections {
    pub(crate) at_once: usize,
    /// Bytes in the message.
    pub(crate) size: usize,
}

struct Connection {
    socket: OwnedFd,
    started: Instant,
    position: usize,
    stage: Stage,
}

enum Stage {
    Connecting,
    /// So many bytes of the echo have been received.
    Echoing(usize),
    Closing,
}

impl ShortConnections {
    pub(crate) fn run(&self, target: Target, content: &Content, timing: Timing) -> Result<Sample, String> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(|error| error.to_string())?;
        let patience: EpollTimeout = PATIENCE.try_into().unwrap_or(EpollTimeout::NONE);
        let mut events = [EpollEvent::empty(); 64];
        let mut buffer = vec![0; LONGEST];
        let mut window = Window::new(timing, target.process);
        let mut connections: Vec<Option<Connection>> = (0..self.at_once)
            .map(|number| open(&epoll, number, number * 7919, target.address).map(Some))
            .collect::<Result<_, _>>()?;
        let mut now = Instant::now();
        while connections.iter().any(Option::is_some) {
            let ready = epoll.wait(&mut events, patience).map_err(|error| format!("epoll: {error}"))?;
            if ready == 0 {
                return Err(format!("no connection went on for {PATIENCE:?}"));
            }
            for event in &events[..ready] {
                let number = sockets::place(event);
                let Some(connection) = &mut connections[number] else { continue };
                if !connection.go_on(event.events(), self.size, content, &mut buffer)? {
                    continue;
                }
                now = Instant::now();
                window.note(now, 1.0, Some(now - connection.started))?;
                let next = connection.position + self.size;
                connections[number] = if window.is_over(now) {
                    None
                } else {
                    Some(open(&epoll, number, next, target.address)?)
                };
            }
        }
        window.close(now, 0)
    }
}

/// Begins to connect. Each socket is registered once, edge-triggered: each stage reads all that there is.
fn open(epoll: &Epoll, number: usize, position: usize, address: SocketAddr) -> Result<Connection, String> {
    let started = Instant::now();
    let begin = || {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let socket = socket::socket(family, SockType::Stream, flags, None)?;
        match socket::connect(socket.as_raw_fd(), &SockaddrStorage::from(address)) {
            Ok(()) | Err(Errno::EINPROGRESS) => {}
            Err(error) => return Err(error),
        }
        let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
        epoll.add(&socket, EpollEvent::new(interest, number as u64))?;
        Ok(socket)
    };
    let socket = begin().map_err(|error| format!("cannot connect to {address}: {error}"))?;
    Ok(Connection { socket, started, position, stage: Stage::Connecting })
}

impl Connection {
    /// True if both sides have closed.
    fn go_on(
        &mut self,
        ready: EpollFlags,
        size: usize,
        content: &Content,
        buffer: &mut [u8],
    ) -> Result<bool, String> {
        match self.stage {
            Stage::Connecting if ready.contains(EpollFlags::EPOLLOUT) => {
                // If the connection was refused, this fails with the reason.
                sockets::send(&self.socket, content, self.position, size)?;
                self.stage = Stage::Echoing(0);
            }
            Stage::Connecting => {}
            Stage::Echoing(before) => {
                let Some(echo) = sockets::receive(&self.socket, buffer)? else { return Ok(false) };
                if echo.is_empty() {
                    return Err("the server closed before it had echoed all".to_owned());
                }
                content.check(self.position + before, echo).map_err(|corruption| corruption.to_string())?;
                let echoed = before + echo.len();
                if echoed > size {
                    return Err(format!("{echoed} bytes came back for {size}"));
                }
                self.stage = Stage::Echoing(echoed);
                if echoed == size {
                    shutdown(self.socket.as_raw_fd(), Shutdown::Write)
                        .map_err(|error| format!("cannot close: {error}"))?;
                    self.stage = Stage::Closing;
                }
            }
            Stage::Closing => match sockets::receive(&self.socket, buffer)? {
                None => {}
                Some([]) => return Ok(true),
                Some(more) => return Err(format!("{} bytes more came back than were sent", more.len())),
            },
        }
        Ok(false)
    }
}
