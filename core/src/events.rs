//! Lines about connections, at most so many a second: a flood of connections must not become a flood of lines.

use log::{info, warn};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::IpEndpoint;

use crate::handler::peer_address;
use crate::tcp::timers::NEVER;

/// Lines a second.
const LINES: u32 = 20;

#[derive(Debug)]
pub(crate) struct Events {
    second_ends: Instant,
    written: u32,
    left_out: u32,
    quiet_until: Instant,
    quiet_about_sources_until: Instant,
}

impl Events {
    pub(crate) const fn new() -> Events {
        Events {
            second_ends: Instant::ZERO,
            written: 0,
            left_out: 0,
            quiet_until: Instant::ZERO,
            quiet_about_sources_until: Instant::ZERO,
        }
    }

    /// Logs that something happened to the connection of this peer, unless too much happens.
    pub(crate) fn connection(&mut self, now: Instant, peer: IpEndpoint, what: &str) {
        if now >= self.second_ends {
            self.end_second();
            self.second_ends = now + Duration::from_secs(1);
        }
        if self.written < LINES {
            self.written += 1;
            info!("{} {what}", peer_address(peer));
        } else {
            self.left_out += 1;
        }
    }

    /// Logs that a SYN found no slot, once a second at most.
    pub(crate) fn refused(&mut self, now: Instant, peer: IpEndpoint) {
        if now >= self.quiet_until {
            self.quiet_until = now + Duration::from_secs(1);
            warn!("every slot is in use: {} has to wait for one", peer_address(peer));
        }
    }

    /// Logs that a SYN was dropped for the number of connections that its source has, once a second at most.
    pub(crate) fn limited(&mut self, now: Instant, peer: IpEndpoint, limit: u16) {
        if now >= self.quiet_about_sources_until {
            self.quiet_about_sources_until = now + Duration::from_secs(1);
            warn!("{} has to wait: its source has {limit} connections already", peer_address(peer));
        }
    }

    /// When [`poll`](Self::poll) has a line to write.
    pub(crate) fn deadline(&self) -> Instant {
        if self.left_out > 0 { self.second_ends } else { NEVER }
    }

    pub(crate) fn poll(&mut self, now: Instant) {
        if self.left_out > 0 && now >= self.second_ends {
            self.end_second();
        }
    }

    fn end_second(&mut self) {
        if self.left_out > 0 {
            info!("{} more events of connections within a second", self.left_out);
        }
        (self.written, self.left_out) = (0, 0);
    }
}
