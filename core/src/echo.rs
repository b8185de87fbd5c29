//! The service: what comes goes back in upper case. To make another server of this one, edit this file.

use heapless::Vec;
use smoltcp::socket::tcp;

use crate::memory::BUFFER_SIZE;

/// Moves what fits from the receive buffer to the send buffer, uppercased.
///
/// What does not fit stays, and the receive window closes: back-pressure, never loss.
pub(crate) fn stream(socket: &mut tcp::Socket<'_>) {
    if !socket.may_send() {
        return;
    }
    let queued = socket.recv_queue();
    let room = socket.send_capacity() - socket.send_queue();
    // smoltcp opens its window octet by octet as data is taken. Do not be tempted to always take what fits: a peer
    // that fills small windows sends small segments, for ever (silly window syndrome, RFC 9293, section 3.8.6.2.2).
    if socket.send_queue() > 0 && room < queued.min(socket.send_capacity() / 2) {
        return;
    }
    let mut left = queued.min(room);
    let mut reply = Reply::new();
    while left > 0 {
        let Ok(taken @ 1..) = socket.recv(|octets| {
            let taken = answer(&mut reply, &octets[..octets.len().min(left)]);
            (taken, taken)
        }) else {
            return; // closed under way: there is nobody to answer
        };
        // Cannot fail nor be short: the socket may send, and `room` was there.
        let _ = socket.send_slice(&reply);
        left -= taken;
    }
}

/// What is echoed at once. A `Vec`, since an array would have to be zeroed first, which costs more than the copy.
pub(crate) type Reply = Vec<u8, BUFFER_SIZE>;

/// Makes `reply` the answer to what fits of `octets`, at most [`BUFFER_SIZE`] as `recvfrom(1024)` would give them; returns
/// how much that is.
pub(crate) fn answer(reply: &mut Reply, octets: &[u8]) -> usize {
    let taken = octets.len().min(reply.capacity());
    reply.clear();
    // Cannot fail: it is no more than the capacity.
    let _ = reply.extend_from_slice(&octets[..taken]);
    reply.make_ascii_uppercase();
    taken
}
