//! UDP: one socket for everybody, and the replies that wait for their delay.

#[cfg_attr(not(feature = "delay"), path = "without/delayed.rs")]
pub(crate) mod delayed;
mod echo_loop;

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::udp::{self, UdpMetadata};
use smoltcp::time::{Duration, Instant};

use crate::cx::Cx;
use crate::events::{self, Clients};
use crate::handler::{self, Handler, Reply};
use crate::memory::UdpStorage;
use crate::stats::DropReason;
use crate::tcp::timers::NEVER;
use crate::udp::delayed::DelayedReplies;
use crate::udp::echo_loop::EchoLoop;

/// A number of replies, and their payload bytes together.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Replies {
    pub(crate) datagrams: u64,
    pub(crate) bytes: u64,
}

impl Replies {
    fn add(&mut self, reply: &[u8]) {
        self.datagrams += 1;
        self.bytes += reply.len() as u64;
    }
}

#[derive(Debug)]
pub(crate) struct Datagrams<'a> {
    sockets: SocketSet<'a>,
    port: u16,
    echo_loop: EchoLoop,
    delayed: DelayedReplies<'a>,
    /// Replies in the socket. They stay there only while their neighbour is unknown or the device has no room.
    pending: Replies,
    /// When they are given up, if they wait for a neighbour.
    waits_until: Instant,
    clients: Clients,
}

impl<'a> Datagrams<'a> {
    /// `port` must not be 0.
    pub(crate) fn new(
        storage: UdpStorage<'a>,
        port: u16,
        delay: Option<Duration>,
        key: [u8; 16],
    ) -> Datagrams<'a> {
        let mut sockets = SocketSet::new(storage.sockets);
        sockets.add(udp::Socket::new(
            udp::PacketBuffer::new(storage.rx_metadata, storage.rx),
            udp::PacketBuffer::new(storage.tx_metadata, storage.tx),
        ));
        let delayed = DelayedReplies::new(storage.delayed_metadata, storage.delayed, delay);
        let mut datagrams = Datagrams {
            sockets,
            port,
            echo_loop: EchoLoop::new(port, key),
            delayed,
            pending: Replies::default(),
            clients: Clients::new(),
            waits_until: NEVER,
        };
        datagrams.bind();
        datagrams
    }

    pub(crate) fn sockets(&mut self) -> &mut SocketSet<'a> {
        &mut self.sockets
    }

    /// Answers the datagram that came, or puts its reply off. There may be none: of fragments, only the last one makes
    /// a datagram.
    pub(crate) fn serve<H: Handler>(&mut self, cx: &mut Cx<'_, H>) {
        let mut reply = Reply::new();
        while let Ok((request, from)) = socket(&mut self.sockets).recv() {
            if let Err(reason) = self.echo_loop.check_source(from.endpoint) {
                cx.stats.drop(reason);
                events::dropped_datagram(from.endpoint, reason);
                continue;
            }
            cx.stats.datagrams_in += 1;
            cx.stats.datagram_bytes_in += request.len() as u64;
            self.clients.asked(cx.now, from.endpoint);
            reply.clear();
            if !cx.handler.datagram(handler::peer_address(from.endpoint), request, &mut reply) {
                continue;
            }
            if let Err(reason) = self.echo_loop.check_reply(cx.now, from.endpoint, request, &reply) {
                cx.stats.drop(reason);
                events::dropped_datagram(from.endpoint, reason);
                continue;
            }
            let has_room = match self.delayed.put_off(cx.now, &reply, &from) {
                None => send(&mut self.sockets, &mut self.pending, &reply, from),
                Some(is_kept) => is_kept,
            };
            if !has_room {
                cx.stats.drop(DropReason::ReplyQueue);
                events::dropped_datagram(from.endpoint, DropReason::ReplyQueue);
            }
        }
    }

    /// True if there is a reply in the socket; if there was none, the next one whose delay is over is put there.
    pub(crate) fn release(&mut self, now: Instant) -> bool {
        self.pending.datagrams > 0
            || self
                .delayed
                .next(now)
                .is_some_and(|(metadata, reply)| send(&mut self.sockets, &mut self.pending, reply, metadata))
    }

    /// All replies in the socket have been sent; returns how many that were.
    pub(crate) fn sent(&mut self) -> Replies {
        self.waits_until = NEVER;
        core::mem::take(&mut self.pending)
    }

    /// The replies in the socket could not be sent, as a neighbour is not known.
    pub(crate) fn wait_until(&mut self, at: Instant) {
        self.waits_until = self.waits_until.min(at);
    }

    /// Throws away the replies that have waited for a neighbour until now, as nobody else is answered as long as they
    /// wait; returns how many that were.
    pub(crate) fn give_up(&mut self, now: Instant) -> u64 {
        if now < self.waits_until {
            return 0;
        }
        self.bind();
        self.sent().datagrams
    }

    /// When [`release`](Self::release) has another reply, or the wait for a neighbour is over.
    pub(crate) fn deadline(&mut self) -> Instant {
        if self.pending.datagrams > 0 { self.waits_until } else { self.delayed.deadline() }
    }

    /// Opens the socket anew, its buffers empty.
    fn bind(&mut self) {
        let socket = socket(&mut self.sockets);
        socket.close();
        // Cannot fail: the socket is closed and the port is not 0.
        let _ = socket.bind(self.port);
    }
}

/// The only socket of the set.
fn socket<'s, 'a>(sockets: &'s mut SocketSet<'a>) -> &'s mut udp::Socket<'a> {
    sockets.get_mut(SocketHandle::default())
}

/// Puts a reply into the socket, and counts it as pending. False if there is no room.
fn send(sockets: &mut SocketSet<'_>, pending: &mut Replies, reply: &[u8], metadata: UdpMetadata) -> bool {
    let has_room = socket(sockets).send_slice(reply, metadata).is_ok();
    if has_room {
        pending.add(reply);
    }
    has_room
}
