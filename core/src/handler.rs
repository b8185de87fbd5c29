//! The conversation: what a server replies to what it receives.
//!
//! [`Server`](crate::Server) accepts connections, buffers, retransmits, keeps deadlines and closes. A [`Handler`] holds the
//! conversation on each, as the request handler class does beside the server class in Python's `socketserver`.

use core::net::SocketAddr;

use heapless::Vec;
use smoltcp::wire::IpEndpoint;

use crate::memory::BUFFER_SIZE;
use crate::tcp::socket::stream::Stream;

/// The conversation of a server, over TCP and UDP.
///
/// One handler serves all connections. What they share (a clock, a table) is in the handler itself; what belongs to one connection
/// is its [`State`](Self::State), in the connection's slot. All calls come from [`Server::poll`](crate::Server::poll), one after
/// another. A handler must return soon and must not panic, since no other connection is served meanwhile.
///
/// A whole handler, RFC 865's quote of the day:
///
/// ```
/// use core::net::SocketAddr;
/// use shout_core::{Handler, Next, Reply, Stream};
///
/// struct Quote(&'static [u8]);
///
/// impl Handler for Quote {
///     type State = usize; // the number of bytes written
///
///     fn open(&mut self, _peer: SocketAddr) -> Option<usize> {
///         Some(0)
///     }
///
///     fn stream(&mut self, written: &mut usize, stream: &mut Stream<'_, '_>) -> Next {
///         *written += stream.write(&self.0[*written..]);
///         if *written == self.0.len() { Next::Finish } else { Next::More }
///     }
///
///     fn datagram(&mut self, _peer: SocketAddr, _request: &[u8], reply: &mut Reply) -> bool {
///         reply.extend_from_slice(self.0).is_ok()
///     }
/// }
/// ```
///
/// # What the server takes care of
///
/// These hold whatever a handler does:
///
/// - **Unread bytes stay** in the receive buffer and close the window: back-pressure, never loss. The window opens again
///   in steps of half a buffer, however small the pieces are that the handler reads (RFC 9293, section 3.8.6.2.2).
/// - **Written bytes** are retransmitted until the peer has them or the connection ends. What finds no room is not written:
///   [`Stream::write`] says how much it took.
/// - **[`Next::Finish`]**: the FIN follows the last byte written. What is unread, and what the peer still sends, is read and
///   thrown away by the server: a RST (RFC 1122, section 4.2.2.13) could make the peer lose what has been written. The handler is not called again, except for [`ended`](Self::ended).
/// - **[`Next::Abort`]**: a RST at once. What was written and has not been acknowledged is lost (RFC 9293, section 3.10.5).
/// - **The peer finishes**: the server closes as soon as the handler says [`Next::Continue`] with everything read. If it has
///   nothing left to send and the handler leaves bytes unread, they are lost, and a RST says so (RFC 9293, section 3.6.1).
/// - **Deadlines** of dead peers, idle connections and closings are the server's and hold whatever the handler does.
pub trait Handler {
    /// What the handler keeps for one connection, in its slot.
    type State;

    /// True if each turn is one call of [`Stream::pass`] and nothing else: byte for byte, what comes goes out again.
    ///
    /// The window is then both buffers: each byte that was received, and whose echo has not been acknowledged, is in one of the
    /// two. With false, which is right for every handler, it is the receive buffer. Do not be tempted to say true of a handler
    /// that reads or writes in another way: bytes inside the offered window would be dropped, and retransmitted.
    const PASSES: bool = false;

    /// A connection has been established. Returns its state, or None to refuse it: then the peer gets a RST.
    fn open(&mut self, peer: SocketAddr) -> Option<Self::State>;

    /// The conversation's turn on a connection: it has just been established, something has come from the peer (bytes, an
    /// acknowledgement that makes room, its FIN), or the server shuts down.
    ///
    /// May be called at any time, with nothing to read and no room.
    fn stream(&mut self, state: &mut Self::State, stream: &mut Stream<'_, '_>) -> Next;

    /// A datagram has come. Return true to send `reply`, which is empty at first. The default sends none.
    ///
    /// A reply larger than its request makes the server an amplifier for forged source addresses: think before you write
    /// one.
    fn datagram(&mut self, peer: SocketAddr, request: &[u8], reply: &mut Reply) -> bool {
        let _ = (peer, request, reply);
        false
    }

    /// A connection that [`open`](Self::open) accepted has ended. The handler gets its state back, and can send nothing any more.
    ///
    /// It is called once for each state, also when the server shuts down, but not when the server is dropped.
    fn ended(&mut self, state: Self::State, end: End) {
        let _ = (state, end);
    }
}

/// What the server does after a [`Handler`]'s turn on a connection.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// Calls the handler again when something comes. If the peer has finished, the server finishes too.
    Continue,
    /// There is more to say, so that the server does not close although the peer has finished. The next turn is at once if
    /// this one has written something and there is room left, or else when there is more room.
    More,
    /// The server finishes: FIN.
    Finish,
    /// The connection is aborted: RST.
    Abort,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// Both sides have finished, and all that was sent has arrived.
    Closed,
    /// The peer sent a RST.
    Reset,
    /// A deadline came: the peer is dead, or did not let the connection end.
    TimedOut,
    /// The server sent a RST: the handler asked for it, data would have been lost, or the server shut down.
    Aborted,
}

/// The reply to a datagram: at most [`BUFFER_SIZE`] bytes.
pub type Reply = Vec<u8, BUFFER_SIZE>;

/// Makes `reply` the first bytes of `request`, as many as fit: `recvfrom(1024)` gives no more of a datagram.
pub fn reply_with(request: &[u8], reply: &mut Reply) {
    reply.clear();
    // Cannot fail: it is no more than the capacity.
    let _ = reply.extend_from_slice(&request[..request.len().min(reply.capacity())]);
}

/// A peer's address and port, without smoltcp's type.
pub(crate) fn peer_address(endpoint: IpEndpoint) -> SocketAddr {
    SocketAddr::new(endpoint.addr.into(), endpoint.port)
}
