//! When a connection is given up, closed for its idleness, or to be probed.
//!
//! smoltcp's own timeout also ends healthy idle connections (its issue 1202), and its keep-alive writes over octets that
//! are in flight. So both are off, and what happened when is kept here.

use smoltcp::time::{Duration, Instant};

use crate::tcp::timers::NEVER;

/// A half-open connection gets this long to be acknowledged.
pub(crate) const HALF_OPEN: Duration = Duration::from_secs(5);
/// A peer is probed when it has been silent for this long.
pub(crate) const PROBE: Duration = Duration::from_secs(20);
/// It is probed again this often: eight times before it is given up, as two are easily lost.
const PROBE_AGAIN: Duration = Duration::from_secs(5);
/// A peer that gives no sign of life, or acknowledges nothing of what it was sent, for this long is dead.
const DEAD: Duration = Duration::from_secs(60);
/// smoltcp gets this long to remember that it has something to send.
const STUCK: Duration = Duration::from_secs(1);
/// A connection that was closed for its idleness gets this long to end in good order.
const LINGER: Duration = Duration::from_secs(5);

/// What happened when on a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadlines {
    /// The SYN came.
    begun: Instant,
    /// A segment of the peer was processed.
    heard: Instant,
    /// Something was acknowledged, or there was nothing to acknowledge, or the peer said that its window is closed.
    progress: Instant,
    /// A payload octet made its way in either direction.
    payload: Instant,
    probe_at: Instant,
    /// Set while there is something to send and smoltcp waits for nothing.
    nudge_at: Instant,
    /// Set once the connection was closed for its idleness.
    reset_at: Instant,
}

impl Deadlines {
    pub(crate) const NONE: Deadlines = Deadlines {
        begun: Instant::ZERO,
        heard: Instant::ZERO,
        progress: Instant::ZERO,
        payload: Instant::ZERO,
        probe_at: NEVER,
        nudge_at: NEVER,
        reset_at: NEVER,
    };

    /// Those of a connection whose SYN has just come.
    pub(crate) fn begin(now: Instant) -> Deadlines {
        Deadlines {
            begun: now,
            heard: now,
            progress: now,
            payload: now,
            probe_at: now + PROBE,
            nudge_at: NEVER,
            reset_at: NEVER,
        }
    }

    /// A segment of the peer was processed: was it a step forward, and did payload octets come or arrive?
    pub(crate) fn heard(&mut self, now: Instant, progress: bool, payload: bool) {
        self.heard = now;
        self.probe_at = now + PROBE;
        if progress {
            self.progress = now;
        }
        if payload {
            self.payload = now;
        }
    }

    /// The peer is being probed, or need not be.
    pub(crate) fn probed(&mut self, now: Instant) {
        self.probe_at = now + PROBE_AGAIN;
    }

    /// smoltcp has sent what it could: does it wait for nothing, though there is more?
    pub(crate) fn waits(&mut self, now: Instant, stuck: bool) {
        if !stuck {
            self.nudge_at = NEVER;
        } else if self.nudge_at == NEVER {
            self.nudge_at = now + STUCK;
        }
    }

    /// smoltcp is being reminded.
    pub(crate) fn nudged(&mut self) {
        self.nudge_at = NEVER;
    }

    /// The connection is being closed for its idleness.
    pub(crate) fn closed(&mut self, now: Instant) {
        self.reset_at = now + LINGER;
    }

    /// The peer has been silent for so long that it should be probed by now.
    pub(crate) fn silent(&self, now: Instant) -> bool {
        now >= self.heard + PROBE
    }

    pub(crate) fn abandon_at(&self) -> Instant {
        self.begun + HALF_OPEN
    }

    pub(crate) fn dead_at(&self) -> Instant {
        (self.heard.min(self.progress) + DEAD).min(self.reset_at)
    }

    /// smoltcp ends TIME-WAIT after 10 seconds, but not before it has sent an acknowledgement that is due: never, if the way
    /// to the peer is not known any more.
    pub(crate) fn forget_at(&self) -> Instant {
        self.heard + DEAD
    }

    pub(crate) fn idle_at(&self, idle_timeout: Duration) -> Instant {
        self.payload + idle_timeout
    }

    pub(crate) fn probe_at(&self) -> Instant {
        self.probe_at
    }

    pub(crate) fn nudge_at(&self) -> Instant {
        self.nudge_at
    }
}
