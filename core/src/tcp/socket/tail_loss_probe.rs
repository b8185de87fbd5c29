//! smoltcp does not probe for the loss of a last segment: it waits for its retransmission timer, a second at least.
//!
//! RFC 8985, section 7: a probe comes before the first timeout, and leaves the congestion window and the timeout as they
//! are. It waits for the longest delay of an acknowledgement, as it cannot be told from the loss of what is probed for;
//! so it comes when Linux's does, which is capped by the timeout (section 7.2, `TLP_calc_PTO`). What is sent is the first
//! segment that was not acknowledged: where the last one was lost, that is it.
//!
//! Where SACK or duplicates have told of a hole, no acknowledgement is delayed (RFC 5681, section 4.2): whoever fills the hole
//! and hears nothing fills it again after a few milliseconds.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `a_lost_last_segment_waits_for_a_second`
//! Kept by: core/src/tests/loss.rs

use crate::tcp::socket::retransmission_timer::RetransmissionTimer;

/// The shortest time, in microseconds, in which an immediate acknowledgement is missed.
const HOLE: u32 = 5_000;
/// The shortest time for which a segment may be overtaken by others.
const REORDERING: u32 = 1_000;

/// The probes since SND.UNA advanced.
#[derive(Debug)]
pub(crate) struct TailLossProbe {
    /// A probe was sent.
    sent: bool,
    /// How often a hole was filled again.
    fillings: u8,
}

impl TailLossProbe {
    pub(crate) const NEW: TailLossProbe = TailLossProbe { sent: false, fillings: 0 };

    /// True if a probe is to be sent in place of a timeout.
    pub(super) fn takes(&mut self, timer: &RetransmissionTimer) -> bool {
        let takes = !self.sent && timer.backoff == 0;
        self.sent = true;
        takes
    }

    /// How long to wait, in microseconds, for the acknowledgement of a segment that fills a hole; None: as long as the
    /// timeout.
    pub(super) fn patience(&self, timer: &RetransmissionTimer) -> Option<u32> {
        let patience = timer.two_round_trips(HOLE).saturating_mul(1 << self.fillings.min(16));
        (patience < timer.backed_off()).then_some(patience)
    }

    /// The hole is filled again.
    pub(super) fn fills_again(&mut self) {
        self.fillings = self.fillings.saturating_add(1);
    }

    /// How long to wait, in microseconds, for a segment that others have overtaken.
    pub(super) fn reordering(timer: &RetransmissionTimer) -> u32 {
        timer.reordering(REORDERING)
    }
}
