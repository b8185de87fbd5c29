//! Deadlines: when a connection is given up, closed for its idleness, or probed.

use smoltcp::time::{Duration, Instant};

use crate::tcp::slots::{Phase, Slot};
use crate::tcp::socket::arrival::Progress;
use crate::tcp::timers::NEVER;

/// A half-open connection gets this long to be acknowledged, as in Linux; MUST-23 of RFC 9293 has three minutes for an active
/// open, and the peer's is one.
const HALF_OPEN: Duration = Duration::from_secs(75);
/// And this long if no slot is free then.
const HALF_OPEN_SCARCE: Duration = Duration::from_secs(5);
/// An evicted client is recognised for this long after its SYN ([`syn_cookie`](crate::tcp::syn_cookie)): not for as long as it
/// may have been half-open, as the numbers that a forged acknowledgement can hit grow with it.
pub(crate) const COOKIE_AGE: Duration = Duration::from_secs(5);
/// A peer is probed when it has been silent for this long.
const PROBE: Duration = Duration::from_secs(20);
/// It is probed again this often: eight times before it is given up, as two are easily lost.
const PROBE_AGAIN: Duration = Duration::from_secs(5);
/// A peer that gives no sign of life for this long, though it was probed or sent to, is dead; so is one that does not let
/// a connection end.
const DEAD: Duration = Duration::from_secs(60);
/// A peer that is heard, and acknowledges nothing of what it was sent, is given up after this long (RFC 9293, section
/// 3.8.3: R2 of at least 100 seconds).
const UNACKNOWLEDGED: Duration = Duration::from_secs(120);
/// A deadline that is missed by this much was overslept: the process was stopped, or the machine suspended.
const OVERSLEPT: Duration = Duration::from_secs(2);
/// After this long with unsent data and no timer, a retransmission is forced.
const STALL: Duration = Duration::from_secs(1);
/// A connection that was closed for its idleness gets this long to end in good order.
const LINGER: Duration = Duration::from_secs(5);

/// When a connection was last heard and made progress, and its deadlines that cannot be computed from that.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadlines {
    /// The SYN came.
    begun: Instant,
    /// A segment of the peer was processed.
    heard: Instant,
    /// The peer kept us waiting for nothing ([`Progress::keeps_up`]).
    progress: Instant,
    /// A payload byte made its way in either direction.
    payload: Instant,
    /// When the silent peer is probed. Of a half-open connection: when it is given up, the first time only if slots are scarce.
    probe_at: Instant,
    /// Set while there is something to send and smoltcp waits for nothing.
    stalled_at: Instant,
    /// When a stall was ended last.
    restarted_at: Instant,
    /// Set once the connection was closed for its idleness.
    reset_at: Instant,
}

/// What a deadline asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// No deadline of the slot's own has come: smoltcp's has.
    Egress,
    /// The half-open connection is given up without a word, or one in TIME-WAIT is forgotten.
    Release,
    /// The idle connection is to be closed.
    Close,
    /// The silent peer is to be probed.
    Probe,
    /// smoltcp has lost track of something that it has to send.
    Stalled,
    /// The peer is dead, or did not let the connection end.
    Dead,
}

impl Deadlines {
    pub(crate) const NONE: Deadlines = Deadlines {
        begun: Instant::ZERO,
        heard: Instant::ZERO,
        progress: Instant::ZERO,
        payload: Instant::ZERO,
        probe_at: NEVER,
        stalled_at: NEVER,
        restarted_at: Instant::ZERO,
        reset_at: NEVER,
    };

    /// Those of a connection whose SYN has just come.
    pub(crate) fn begin(now: Instant) -> Deadlines {
        Deadlines {
            begun: now,
            heard: now,
            progress: now,
            payload: now,
            probe_at: now + HALF_OPEN_SCARCE,
            stalled_at: NEVER,
            restarted_at: Instant::ZERO,
            reset_at: NEVER,
        }
    }

    /// A segment of the peer was processed.
    pub(crate) fn heard(&mut self, now: Instant, progress: Progress) {
        self.heard = now;
        self.probe_at = now + PROBE;
        if progress.keeps_up {
            self.progress = now;
        }
        if progress.payload {
            self.payload = now;
        }
    }

    /// Arms or clears the deadline of a stall, after egress. If the peer's window is closed, the retransmission timer has run
    /// before the stall, and the first probe is due at once, unless it was just tried.
    pub(crate) fn sent(&mut self, now: Instant, stalled: bool, window_closed: bool) {
        if !stalled {
            self.stalled_at = NEVER;
        } else if self.stalled_at == NEVER {
            let at_once = window_closed && self.restarted_at < now;
            self.stalled_at = if at_once { now } else { now + STALL };
        }
    }

    /// The connection is being closed for its idleness.
    fn closed(&mut self, now: Instant) {
        self.reset_at = now + LINGER;
    }

    /// When the peer is dead; `ends`: our side has finished.
    fn dead_at(&self, ends: bool) -> Instant {
        let patience = if ends { DEAD } else { UNACKNOWLEDGED };
        (self.heard + DEAD).min(self.progress + patience).min(self.reset_at)
    }

    /// The probe was overslept. The time since is nobody's silence: what was heard before counts as heard that much later,
    /// so that the peer is probed before it is given up.
    fn forgive(&mut self, now: Instant) {
        if now >= self.probe_at + OVERSLEPT {
            let overslept = now - self.probe_at;
            self.heard += overslept;
            self.progress += overslept;
            self.probe_at = now;
        }
    }
}

impl<S> Slot<'_, S> {
    /// When [`expire`](Self::expire) has something to do.
    pub(crate) fn deadline(&self, idle_timeout: Option<Duration>) -> Instant {
        let deadlines = &self.deadlines;
        match self.phase() {
            Phase::Free => NEVER,
            Phase::HalfOpen => deadlines.probe_at,
            // smoltcp ends TIME-WAIT after 10 seconds, but not before it has sent an acknowledgement that is due: never, if
            // it no longer knows the way to the peer.
            Phase::TimeWait => deadlines.heard + DEAD,
            Phase::Open => {
                let others = deadlines.probe_at.min(deadlines.stalled_at);
                let others = others.min(self.socket.retransmits_at());
                let dead_at = deadlines.dead_at(!self.socket.may_send());
                dead_at.min(self.idle_at(idle_timeout)).min(others)
            }
        }
    }

    /// The same right after an acknowledgement of everything has come on an established connection: no timer runs, and the
    /// peer has just been heard, so that it is probed before it may be dead.
    #[cfg_attr(feature = "fast", inline(always))]
    pub(crate) fn deadline_at_rest(&self, idle_timeout: Option<Duration>) -> Instant {
        let deadline = self.deadlines.probe_at.min(self.idle_at(idle_timeout));
        debug_assert_eq!(deadline, self.deadline(idle_timeout));
        deadline
    }

    /// What the slot's deadlines ask for; they are set anew. `scarce`: no slot is free.
    pub(crate) fn expire(&mut self, now: Instant, idle_timeout: Option<Duration>, scarce: bool) -> Expiry {
        if now < self.deadline(idle_timeout) {
            return Expiry::Egress;
        }
        if self.phase() == Phase::Open {
            self.deadlines.forgive(now);
        }
        let ends = !self.socket.may_send();
        match self.phase() {
            Phase::Free => Expiry::Egress,
            Phase::HalfOpen if !scarce && now < self.deadlines.begun + HALF_OPEN => {
                self.deadlines.probe_at = self.deadlines.begun + HALF_OPEN;
                Expiry::Egress
            }
            Phase::HalfOpen | Phase::TimeWait => Expiry::Release,
            Phase::Open if now >= self.deadlines.dead_at(ends) => Expiry::Dead,
            Phase::Open if now >= self.idle_at(idle_timeout) => {
                self.deadlines.closed(now);
                Expiry::Close
            }
            Phase::Open if now >= self.deadlines.stalled_at => {
                self.deadlines.stalled_at = NEVER;
                self.deadlines.restarted_at = now;
                Expiry::Stalled
            }
            Phase::Open if now >= self.socket.retransmits_at() => {
                if self.socket.retransmission_due(now) {
                    Expiry::Stalled
                } else {
                    Expiry::Egress
                }
            }
            Phase::Open => {
                self.deadlines.probe_at = now + PROBE_AGAIN;
                if self.socket.can_keep_alive() {
                    Expiry::Probe
                } else if self.socket.restarts_persist() {
                    Expiry::Stalled
                } else {
                    Expiry::Egress
                }
            }
        }
    }

    fn idle_at(&self, idle_timeout: Option<Duration>) -> Instant {
        match idle_timeout {
            Some(idle) if self.socket.may_send() => self.deadlines.payload + idle,
            _ => NEVER,
        }
    }
}
