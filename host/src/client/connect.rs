//! A TCP connection within a time, or why there is none.

use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, connect as begin, socket};

use super::ended::Ended;
use super::output::Output;
use super::target::Target;
use super::wait::{Interest, Waiter};

/// After this much silence the user is told what the client is waiting for.
const SILENCE: Duration = Duration::from_secs(1);

/// Connects to the first of the target's addresses that answers, each having an equal share of what is left of `timeout`. The
/// stream does not block.
pub(super) fn connect(
    target: &Target,
    timeout: Duration,
    waiter: Waiter<'_>,
    output: &mut Output<'_>,
) -> Result<TcpStream, Ended> {
    let started = Instant::now();
    let addresses = target.resolve()?;
    let mut told = false;
    let mut failure = None;
    for (tried, &address) in (0..).zip(&addresses) {
        let left = u32::try_from(addresses.len()).unwrap_or(u32::MAX) - tried;
        let share = timeout.saturating_sub(started.elapsed()) / left;
        // A timeout beyond what the clock can count to never ends.
        let deadline = Instant::now().checked_add(share);
        let stream = match start(address) {
            Ok(stream) => stream,
            Err(error) => {
                failure = Some(error);
                continue;
            }
        };
        let mut connected = waiter.wait(&writable(&stream), earlier(deadline, told, started))?[0];
        if !connected && !told && deadline.is_none_or(|deadline| Instant::now() < deadline) {
            told = true;
            output.note(&format_args!("connecting to {target} ..."));
            connected = waiter.wait(&writable(&stream), deadline)?[0];
        }
        failure = match stream.take_error() {
            Ok(None) if connected => return Ok(stream),
            Ok(None) => None,
            Ok(Some(error)) | Err(error) => Some(error),
        };
    }
    let peer = target.to_string();
    Err(match failure {
        Some(error) => Ended::Unconnected(peer, error),
        None => Ended::TimedOut(peer, timeout),
    })
}

/// When to tell the user what is waited for, if that has not been told and comes before the deadline.
fn earlier(deadline: Option<Instant>, told: bool, started: Instant) -> Option<Instant> {
    if told {
        return deadline;
    }
    let silence = started + SILENCE;
    Some(deadline.map_or(silence, |deadline| deadline.min(silence)))
}

fn writable(stream: &TcpStream) -> [(std::os::fd::BorrowedFd<'_>, Interest); 1] {
    [(stream.as_fd(), Interest::POLLOUT)]
}

/// Begins to connect. `TcpStream::connect_timeout` would wait for nothing but the connection.
fn start(address: SocketAddr) -> io::Result<TcpStream> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(family, SockType::Stream, flags, None)?;
    match begin(socket.as_raw_fd(), &SockaddrStorage::from(address)) {
        Ok(()) | Err(Errno::EINPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    let stream = TcpStream::from(socket);
    // The end of a long line is not to wait for an acknowledgement.
    stream.set_nodelay(true)?;
    Ok(stream)
}
