//! Transfers: connect, send so many bytes and a FIN, receive the echo and the server's FIN.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::thread;
use std::time::Instant;

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};

use crate::load::Content;

/// Transfers at once.
pub(crate) const AT_ONCE: usize = 10;
/// Bytes in a call of read(2) or write(2).
const TURN: usize = 16_384;

/// A transfer that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transfer {
    pub(crate) end: End,
    pub(crate) took: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// Every byte came back, and then the server's FIN.
    Whole,
    /// The connection was reset.
    Reset,
    /// It took too long.
    Unfinished,
    /// The server's FIN came too early, or a byte was not the right one.
    Wrong(String),
}

/// Runs [`AT_ONCE`] transfers of `length` bytes each, which may take as long as `limit`.
pub(crate) fn run(address: SocketAddr, length: usize, limit: Duration, content: &Content) -> Vec<Transfer> {
    let started = Instant::now();
    let transfer = |number: usize| {
        let end =
            transfer(address, number * 7919, length, started + limit, content).unwrap_or_else(|error| {
                match error.kind() {
                    ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => End::Reset,
                    ErrorKind::TimedOut => End::Unfinished,
                    _ => End::Wrong(error.to_string()),
                }
            });
        Transfer { end, took: started.elapsed() }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|number| scope.spawn(move || transfer(number))).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    })
}

fn transfer(
    address: SocketAddr,
    first: usize,
    length: usize,
    deadline: Instant,
    content: &Content,
) -> std::io::Result<End> {
    let mut stream = TcpStream::connect_timeout(&address, deadline - Instant::now())?;
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    // A transfer that is given up ends with RST, so that the server has nothing left to do for it.
    setsockopt(&stream, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?;
    let (mut sent, mut echoed) = (0, 0);
    let mut buffer = [0; TURN];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut interest = PollFlags::POLLIN;
        interest.set(PollFlags::POLLOUT, sent < length);
        let wait = PollTimeout::try_from(left).unwrap_or(PollTimeout::NONE);
        if left.is_zero() || poll(&mut [PollFd::new(stream.as_fd(), interest)], wait)? == 0 {
            return Ok(End::Unfinished);
        }
        if sent < length {
            match stream.write(content.at(first + sent, TURN.min(length - sent))) {
                Ok(more) => sent += more,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if sent == length {
                stream.shutdown(Shutdown::Write)?;
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) if echoed == length => return Ok(End::Whole),
            Ok(0) => return Ok(End::Wrong(format!("the server closed after {echoed} of {length} bytes"))),
            Ok(more) if echoed + more > length => return Ok(End::Wrong("too much came back".to_owned())),
            Ok(more) => {
                if let Err(corruption) = content.check(first + echoed, &buffer[..more]) {
                    return Ok(End::Wrong(corruption.to_string()));
                }
                echoed += more;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
