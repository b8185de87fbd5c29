//! The deadlines of all slots: a dense array with a lower bound, scanned only when one may be due.
//!
//! No wheel and no heap: a deadline moves with almost every packet, which costs one store here, and a scan reads
//! 8 bytes a slot, a few microseconds for 4096 of them.

use smoltcp::time::Instant;

use crate::tcp::slots::SlotId;

/// The deadline of a slot that waits for nothing.
pub(crate) const NEVER: Instant = Instant::from_micros_const(i64::MAX);

/// The deadline of each slot.
#[derive(Debug)]
pub(crate) struct Timers<'a> {
    deadlines: &'a mut [Instant],
    /// No deadline is before this one.
    earliest: Instant,
}

impl<'a> Timers<'a> {
    pub(crate) fn new(deadlines: &'a mut [Instant]) -> Timers<'a> {
        deadlines.fill(NEVER);
        Timers { deadlines, earliest: NEVER }
    }

    pub(crate) fn schedule(&mut self, slot: SlotId, at: Instant) {
        if let Some(deadline) = self.deadlines.get_mut(slot.index()) {
            *deadline = at;
            self.earliest = self.earliest.min(at);
        }
    }

    /// Brings every deadline up to `horizon` forward to `now`.
    pub(crate) fn hasten(&mut self, now: Instant, horizon: Instant) {
        for deadline in self.deadlines.iter_mut().filter(|deadline| **deadline <= horizon) {
            *deadline = now.min(*deadline);
            self.earliest = self.earliest.min(*deadline);
        }
    }

    /// The first slot from `from` on that is due. A scan begins with [`begin_scan`](Self::begin_scan) and a `from` of 0, and goes
    /// on behind each slot that was found, until there is none.
    pub(crate) fn next_due(&mut self, from: usize, now: Instant) -> Option<SlotId> {
        for (index, deadline) in self.deadlines.iter().enumerate().skip(from) {
            if *deadline <= now {
                return SlotId::new(index);
            }
            self.earliest = self.earliest.min(*deadline);
        }
        None
    }

    /// True if a slot may be due. Then a scan has to follow, to its end: it computes the lower bound anew.
    pub(crate) fn begin_scan(&mut self, now: Instant) -> bool {
        let due = self.earliest <= now;
        if due {
            self.earliest = NEVER;
        }
        due
    }

    /// A lower bound of all deadlines.
    pub(crate) fn earliest(&self) -> Instant {
        self.earliest
    }
}
