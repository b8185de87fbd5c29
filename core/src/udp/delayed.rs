//! Replies that leave some time after their requests came ([`Config::delay`](crate::Config::delay)), in order.

use smoltcp::phy::PacketMeta;
use smoltcp::socket::udp::UdpMetadata;
use smoltcp::storage::{PacketBuffer, PacketMetadata};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{IpAddress, IpEndpoint};

use crate::tcp::timers::NEVER;

/// What is kept of each reply that waits for its delay.
pub type DelayedMetadata = PacketMetadata<Delayed>;

/// A reply's time and way.
#[derive(Debug, Clone, Copy)]
pub struct Delayed {
    due: Instant,
    to: IpEndpoint,
    from: Option<IpAddress>,
}

/// The replies that wait, in memory of the caller's.
#[derive(Debug)]
pub(crate) struct DelayedReplies<'a> {
    delay: Option<Duration>,
    replies: PacketBuffer<'a, Delayed>,
}

impl<'a> DelayedReplies<'a> {
    pub(crate) fn new(
        metadata: &'a mut [DelayedMetadata],
        room: &'a mut [u8],
        delay: Option<Duration>,
    ) -> DelayedReplies<'a> {
        DelayedReplies { delay, replies: PacketBuffer::new(metadata, room) }
    }

    /// Keeps a reply to a datagram from there until its delay is over; false if there is no room. None if there is no delay.
    pub(crate) fn put_off(&mut self, now: Instant, reply: &[u8], from: &UdpMetadata) -> Option<bool> {
        let delayed = Delayed { due: now + self.delay?, to: from.endpoint, from: from.local_address };
        let room = self.replies.enqueue(reply.len(), delayed).ok();
        Some(room.map(|room| room.copy_from_slice(reply)).is_some())
    }

    /// The next reply whose delay is over, and its way.
    pub(crate) fn next(&mut self, now: Instant) -> Option<(UdpMetadata, &[u8])> {
        if self.deadline() > now {
            return None;
        }
        let (Delayed { to, from, .. }, reply) = self.replies.dequeue().ok()?;
        Some((UdpMetadata { endpoint: to, local_address: from, meta: PacketMeta::default() }, reply))
    }

    /// When the next delay is over.
    pub(crate) fn deadline(&mut self) -> Instant {
        match self.delay {
            None => NEVER,
            Some(_) => self.replies.peek().map_or(NEVER, |(reply, _)| reply.due),
        }
    }
}
