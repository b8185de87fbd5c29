//! The client's sockets.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::unistd::{read, write};

use super::content::Content;

/// How long a step may take. After that, something is wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Opens a connection. One byte has been echoed on it, so the server has accepted it.
pub(crate) fn connect(address: SocketAddr) -> Result<TcpStream, String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)
        .map_err(|error| format!("cannot connect to {address}: {error}"))?;
    let introduction = |stream: &mut TcpStream| {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"a")?;
        let mut echo = [0];
        stream.read_exact(&mut echo)?;
        stream.set_nonblocking(true)?;
        Ok(echo)
    };
    match introduction(&mut stream) {
        Ok(echo) if echo == *b"A" => Ok(stream),
        Ok(echo) => Err(format!("{address} echoed {echo:?} for b\"a\"")),
        Err(error) => Err(error_on(address, &error)),
    }
}

/// Closes connections and waits until the server has closed them too, so that it has nothing left to do. One by one: a
/// thousand packets at once are more than a device queues.
pub(crate) fn close(streams: impl IntoIterator<Item = TcpStream>) -> Result<(), String> {
    let close = |mut stream: TcpStream| {
        stream.set_nonblocking(false)?;
        stream.shutdown(Shutdown::Write)?;
        stream.read(&mut [0])
    };
    for stream in streams {
        match close(stream) {
            Ok(0) => {}
            Ok(_) => return Err("the server sent something that was not asked for".to_owned()),
            Err(error) => return Err(format!("the server did not close a connection: {error}")),
        }
    }
    Ok(())
}

/// A UDP socket that receives from this server only.
pub(crate) fn udp(address: SocketAddr) -> Result<UdpSocket, String> {
    let open = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect(address)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    open().map_err(|error: std::io::Error| error_on(address, &error))
}

fn error_on(address: SocketAddr, error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock => format!("no answer from {address} within {PATIENCE:?}"),
        _ => format!("talking to {address}: {error}"),
    }
}

/// An epoll(7) instance that awaits these events on these sockets, each named by its place in the list.
pub(crate) fn await_all<'a>(
    sockets: impl IntoIterator<Item = &'a OwnedFd>,
    interest: EpollFlags,
) -> Result<Epoll, String> {
    let make = || {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        for (index, socket) in sockets.into_iter().enumerate() {
            epoll.add(socket, EpollEvent::new(interest, index as u64))?;
        }
        Ok(epoll)
    };
    make().map_err(|error: nix::Error| format!("epoll: {error}"))
}

/// The place of an event's socket in the list given to [`await_all`].
pub(crate) fn place(event: &EpollEvent) -> usize {
    usize::try_from(event.data()).unwrap_or(usize::MAX)
}

/// Sends all of a message. The socket has room for it, since everything sent before has been echoed.
pub(crate) fn send(
    socket: &OwnedFd,
    content: &Content,
    position: usize,
    length: usize,
) -> Result<(), String> {
    match write(socket, content.at(position, length)) {
        Ok(sent) if sent == length => Ok(()),
        Ok(sent) => Err(format!("the kernel took {sent} of {length} bytes")),
        Err(error) => Err(format!("cannot send: {error}")),
    }
}

/// Receives what there is. `None` if there is nothing yet; an empty slice at the server's FIN.
pub(crate) fn receive<'b>(socket: &OwnedFd, buffer: &'b mut [u8]) -> Result<Option<&'b [u8]>, String> {
    match read(socket, buffer) {
        Ok(length) => Ok(Some(&buffer[..length])),
        Err(nix::Error::EAGAIN) => Ok(None),
        Err(error) => Err(format!("cannot receive: {error}")),
    }
}
