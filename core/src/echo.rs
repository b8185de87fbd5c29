//! The service: what comes goes back in upper case. To make another server of this one, edit this file.

use smoltcp::socket::tcp;

use crate::storage::BUFFER_SIZE;

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
    let mut turn = [0; BUFFER_SIZE];
    while left > 0 {
        let most = left.min(turn.len());
        let Ok(taken @ 1..) = socket.recv_slice(&mut turn[..most]) else {
            return; // closed under way: there is nobody to answer
        };
        let octets = &mut turn[..taken];
        octets.make_ascii_uppercase();
        // Cannot fail nor be short: the socket may send, and `room` was there.
        let _ = socket.send_slice(octets);
        left -= taken;
    }
}

/// Writes the reply to a datagram, at most [`BUFFER_SIZE`] octets as `recvfrom(1024)` would give them;
/// returns its length.
pub(crate) fn datagram(request: &[u8], reply: &mut [u8; BUFFER_SIZE]) -> usize {
    let length = request.len().min(reply.len());
    reply[..length].copy_from_slice(&request[..length]);
    reply[..length].make_ascii_uppercase();
    length
}
