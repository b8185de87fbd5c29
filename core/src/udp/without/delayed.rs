//! In place of replies that wait: each leaves at once.

use core::marker::PhantomData;

use smoltcp::socket::udp::UdpMetadata;
use smoltcp::storage::PacketMetadata;
use smoltcp::time::{Duration, Instant};

use crate::tcp::timers::NEVER;

/// Unused: no reply waits without the feature `delay`.
pub type DelayedMetadata = PacketMetadata<()>;

#[derive(Debug)]
pub(crate) struct DelayedReplies<'a>(PhantomData<&'a mut [u8]>);

impl<'a> DelayedReplies<'a> {
    pub(crate) fn new(
        _metadata: &'a mut [DelayedMetadata],
        _room: &'a mut [u8],
        _delay: Option<Duration>,
    ) -> DelayedReplies<'a> {
        DelayedReplies(PhantomData)
    }

    pub(crate) fn put_off(&mut self, _now: Instant, _reply: &[u8], _from: &UdpMetadata) -> Option<bool> {
        None
    }

    pub(crate) fn next(&mut self, _now: Instant) -> Option<(UdpMetadata, &[u8])> {
        None
    }

    pub(crate) fn deadline(&mut self) -> Instant {
        NEVER
    }
}
