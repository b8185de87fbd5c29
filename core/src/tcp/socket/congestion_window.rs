//! smoltcp, without the features that the core does not ask for, sends the whole window of the peer at once: at the start of
//! a connection, and again after a timeout.
//!
//! RFC 5681: slow start, congestion avoidance, half of what is in flight after a loss, one segment after a timeout; RFC 6928:
//! ten segments at the start. A window of the default size never is the smaller one.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `a_whole_window_leaves_at_once_at_the_start`,
//! `a_whole_window_leaves_again_after_a_timeout`
//! Kept by: core/src/tests/congestion.rs

/// Bytes that may be in flight.
#[derive(Debug)]
pub(crate) struct CongestionWindow {
    /// cwnd.
    bytes: u32,
    /// ssthresh.
    threshold: u32,
}

impl CongestionWindow {
    /// RFC 6928, section 2: `min(10 * MSS, max(2 * MSS, 14600))`. `smss`: SMSS, the longest segment.
    pub(crate) const fn initial(smss: u16) -> CongestionWindow {
        let smss = smss as u32;
        let most = if 2 * smss > 14_600 { 2 * smss } else { 14_600 };
        CongestionWindow { bytes: if 10 * smss < most { 10 * smss } else { most }, threshold: u32::MAX }
    }

    /// True if another segment may leave while so much is in flight.
    #[inline]
    pub(super) fn permits(&self, in_flight: u32, smss: u16) -> bool {
        in_flight == 0 || in_flight + u32::from(smss) <= self.bytes
    }

    /// So much was acknowledged, of so much in flight. A window that was not used up does not grow (RFC 7661).
    #[inline]
    pub(super) fn grow(&mut self, acked: u32, in_flight: u32, smss: u16) {
        let smss = u32::from(smss);
        if in_flight + smss <= self.bytes / 2 {
            return;
        }
        let grown = if self.bytes < self.threshold {
            acked.min(2 * smss) // RFC 3465
        } else {
            // SMSS*SMSS/cwnd for each segment; 1 at least (RFC 5681, section 3.1).
            let grown = u64::from(smss) * u64::from(acked) / u64::from(self.bytes);
            u32::try_from(grown).unwrap_or(smss).clamp(1, smss)
        };
        self.bytes = self.bytes.saturating_add(grown).min(1 << 30);
    }

    /// A segment was lost of so much in flight (RFC 5681, section 3.2).
    pub(super) fn halve(&mut self, in_flight: u32, smss: u16) {
        self.threshold = (in_flight / 2).max(2 * u32::from(smss));
        self.bytes = self.threshold;
    }

    /// A timeout (RFC 5681, section 3.1); `again`: that of a segment that was sent again after a timeout.
    pub(super) fn collapse(&mut self, in_flight: u32, smss: u16, again: bool) {
        if !again {
            self.halve(in_flight, smss);
        }
        self.bytes = u32::from(smss);
    }
}
