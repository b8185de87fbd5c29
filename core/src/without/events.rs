//! In place of the log: nothing is logged.

use smoltcp::time::Instant;
use smoltcp::wire::IpEndpoint;

use crate::stats::{DropReason, Stats};
use crate::tcp::timers::NEVER;

#[derive(Debug)]
pub(crate) struct Events;

impl Events {
    pub(crate) const fn new() -> Events {
        Events
    }

    pub(crate) fn connection(&mut self, _now: Instant, _peer: IpEndpoint, _what: &str) {}

    pub(crate) fn refused(&mut self, _now: Instant, _peer: IpEndpoint) {}

    pub(crate) fn limited(&mut self, _now: Instant, _peer: IpEndpoint, _limit: u16) {}

    pub(crate) fn deadline(&self) -> Instant {
        NEVER
    }

    pub(crate) fn poll(&mut self, _now: Instant) {}
}

#[derive(Debug)]
pub(crate) struct Clients;

impl Clients {
    pub(crate) const fn new() -> Clients {
        Clients
    }

    pub(crate) fn asked(&mut self, _now: Instant, _client: IpEndpoint) {}
}

pub(crate) fn drops(_stats: &Stats) -> Option<()> {
    None
}

pub(crate) fn dropped(_before: Option<()>, _stats: &Stats, _packet: &[u8], _has_frames: bool) {}

pub(crate) fn dropped_datagram(_client: IpEndpoint, _reason: DropReason) {}

pub(crate) fn dropped_reply() {}

#[cfg(feature = "embassy")]
pub(crate) fn link(_is_up: bool) {}
