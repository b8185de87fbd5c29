//! smoltcp sends the first segment again at the third duplicate acknowledgement, if that carries no data, and does no more
//! about a loss: a partial acknowledgement draws nothing.
//!
//! RFC 6675, section 2: where the peer offers SACK, a duplicate is whatever tells of something new that has arrived, also
//! when it rides on data, as in an echo. RFC 6582: a partial acknowledgement draws the next segment at once. RFC 8985: a
//! retransmission was lost, too, if what left after it has arrived. smoltcp is shown no duplicate; when a retransmission is due,
//! it is shown three ([`recovery`](super::recovery)).
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `duplicate_acks_that_carry_data_draw_no_fast_retransmission`,
//! `a_partial_ack_draws_nothing`
//! Kept by: core/src/tests/loss.rs

use crate::tcp::seq::Seq;

/// DupThresh (RFC 5681, section 3.2).
const DUPLICATES: u8 = 3;

/// What is being done about a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing is known to be lost.
    Open,
    /// Duplicates have told of a loss.
    Recovery,
    /// The timer has.
    Loss,
}

/// The state of a recovery.
#[derive(Debug)]
pub(crate) struct FastRecovery {
    pub(super) phase: Phase,
    /// Duplicate acknowledgements since SND.UNA advanced.
    pub(super) duplicates: u8,
    /// Segments that have arrived and left after the last retransmission.
    later: u8,
    /// RecoveryPoint: SND.MAX when the loss was noticed. The recovery ends when that is acknowledged.
    recover: Seq,
    /// SND.MAX at the last retransmission.
    mark: Seq,
}

impl FastRecovery {
    pub(crate) const NEW: FastRecovery =
        FastRecovery { phase: Phase::Open, duplicates: 0, later: 0, recover: Seq(0), mark: Seq(0) };

    /// A loss was noticed.
    pub(super) fn begin(&mut self, phase: Phase, snd_max: Seq) {
        (self.phase, self.recover) = (phase, snd_max);
    }

    /// The first segment is sent again.
    pub(super) fn retransmits(&mut self, snd_max: Seq) {
        (self.mark, self.later) = (snd_max, 0);
    }

    /// RecoveryPoint.
    pub(super) fn recover(&self) -> Seq {
        self.recover
    }

    /// SND.UNA has advanced. True if it is a partial acknowledgement (RFC 6582, section 3.2): the next segment is lost, too.
    pub(super) fn advance(&mut self, snd_una: Seq) -> bool {
        (self.duplicates, self.later) = (0, 0);
        if self.phase != Phase::Open && !snd_una.is_before(self.recover) {
            self.phase = Phase::Open;
        }
        self.phase != Phase::Open
    }

    /// A duplicate acknowledgement; `later`: it tells of the arrival of something that left after the last retransmission.
    /// True if the first segment is lost, or its retransmission.
    pub(super) fn duplicate(&mut self, later: bool) -> bool {
        self.duplicates = self.duplicates.saturating_add(1);
        if self.phase == Phase::Open {
            return self.duplicates >= DUPLICATES;
        }
        self.later += u8::from(later);
        self.later >= DUPLICATES
    }

    /// SND.MAX at the last retransmission: what has left after it ends beyond this number.
    pub(super) fn mark(&self) -> Seq {
        self.mark
    }
}
