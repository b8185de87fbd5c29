//! A connection as its handler sees it.

use core::net::SocketAddr;

use heapless::Vec;
use smoltcp::socket::tcp::{self, State};
use smoltcp::time::Instant;
use smoltcp::wire::IpEndpoint;

use crate::handler::peer_address;
use crate::memory::BUFFER_SIZE;
use crate::tcp::seq::wrapped;
use crate::tcp::socket::Socket;

/// The two directions of a connection, as a [`Handler`](crate::Handler) sees them.
#[derive(Debug)]
pub struct Stream<'s, 'b> {
    socket: &'s mut tcp::Socket<'b>,
    peer: &'s IpEndpoint,
    now: Instant,
    /// Do not wait for more room.
    at_once: bool,
}

/// How much a handler has read and written in one turn.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Moved {
    pub(crate) read: usize,
    pub(crate) written: usize,
}

impl Stream<'_, '_> {
    /// The peer's address and port.
    pub fn peer(&self) -> SocketAddr {
        peer_address(*self.peer)
    }

    /// The time that [`Server::poll`](crate::Server::poll) was called with.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Bytes that can be read now.
    pub fn readable(&self) -> usize {
        self.socket.recv_queue()
    }

    /// Bytes that can be written now.
    pub fn room(&self) -> usize {
        if self.socket.may_send() { self.socket.send_capacity() - self.socket.send_queue() } else { 0 }
    }

    /// True if nothing more will come than what is [`readable`](Self::readable): the peer has finished.
    pub fn is_finished(&self) -> bool {
        self.socket.state() != State::Established
    }

    /// Reads: `take` is shown bytes that have come, as far as they lie side by side in the buffer, and returns how many of
    /// them it takes; the rest stays. None if there is nothing to read.
    ///
    /// The buffer is a ring, so there may be more to read afterwards.
    ///
    /// # Panics
    ///
    /// If `take` says that it takes more than it was shown.
    pub fn read<R>(&mut self, take: impl FnOnce(&mut [u8]) -> (usize, R)) -> Option<R> {
        if self.readable() == 0 {
            return None;
        }
        self.socket.recv(take).ok()
    }

    /// Writes what there is room for, and returns how many bytes that is. They are on their way: the server retransmits
    /// them until the peer has them.
    #[must_use = "what found no room has not been written"]
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        self.socket.send_slice(bytes).unwrap_or(0)
    }

    /// Passes what can be read through to the other direction, changed, as far as there is room.
    ///
    /// While the send buffer is in use it waits for room for half a buffer or for all that can be read: a peer that opens
    /// its window in small steps does not get small segments (RFC 9293, section 3.8.6.2.1).
    pub fn pass(&mut self, mut change: impl FnMut(&mut [u8])) {
        let (queued, room, capacity) = (self.readable(), self.room(), self.socket.send_capacity());
        if !self.at_once && room < queued.min(capacity / 2) {
            return;
        }
        let mut left = queued.min(room);
        // A `Vec`, since an array would have to be zeroed first, which costs more than the copy.
        let mut piece = Vec::<u8, BUFFER_SIZE>::new();
        while left != 0 {
            let Ok(taken @ 1..) = self.socket.recv(|bytes| {
                let taken = bytes.len().min(left).min(piece.capacity());
                piece.clear();
                // Cannot fail: it is no more than the capacity.
                let _ = piece.extend_from_slice(&bytes[..taken]);
                (taken, taken)
            }) else {
                return; // cannot be: `left` bytes are there
            };
            change(&mut piece);
            // Cannot fail nor be short: the room was there.
            let _ = self.socket.send_slice(&piece);
            left -= taken;
        }
    }
}

impl Socket<'_> {
    /// Runs the handler's turn, and takes note of what it moved.
    pub(crate) fn turn<R>(
        &mut self,
        now: Instant,
        peer: &IpEndpoint,
        at_once: bool,
        turn: impl FnOnce(&mut Stream<'_, '_>) -> R,
    ) -> (R, Moved) {
        let (received, sent) = (self.recv_queue(), self.send_queue());
        let socket = self.socket_mut();
        let mut stream = Stream { socket, peer, now, at_once };
        let result = turn(&mut stream);
        let socket = stream.socket;
        let moved = Moved { read: received - socket.recv_queue(), written: socket.send_queue() - sent };
        self.tcb.read = self.tcb.read.wrapping_add(wrapped(moved.read));
        self.tcb.written = self.tcb.written.wrapping_add(wrapped(moved.written));
        self.look();
        (result, moved)
    }
}
