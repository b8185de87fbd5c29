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

#[cfg(test)]
mod tests {
    use super::*;

    const SMSS: u16 = 1000;

    fn window(bytes: u32, threshold: u32) -> CongestionWindow {
        CongestionWindow { bytes, threshold }
    }

    #[track_caller]
    fn grows(before: (u32, u32), acked: u32, in_flight: u32, bytes: u32) {
        let mut window = window(before.0, before.1);
        window.grow(acked, in_flight, SMSS);
        assert_eq!((window.bytes, window.threshold), (bytes, before.1));
    }

    #[test]
    fn it_begins_with_ten_segments_or_14600_bytes_or_two_segments() {
        for (smss, bytes) in [(536, 5360), (1460, 14_600), (2000, 14_600), (8960, 17_920)] {
            assert_eq!(CongestionWindow::initial(smss).bytes, bytes);
        }
    }

    #[test]
    fn a_segment_leaves_if_it_fits_or_nothing_is_in_flight() {
        let window = window(5000, 5000);
        let permitted = [0, 1, 4000, 4001, 5000].map(|in_flight| window.permits(in_flight, SMSS));
        assert_eq!(permitted, [true, true, true, false, false]);
        assert!(self::window(500, 5000).permits(0, SMSS));
    }

    #[test]
    fn in_slow_start_it_grows_by_what_is_acknowledged_up_to_two_segments() {
        grows((10_000, u32::MAX), 700, 10_000, 10_700);
        grows((10_000, u32::MAX), 5000, 10_000, 12_000);
    }

    #[test]
    fn at_the_threshold_it_grows_by_a_segment_for_each_window_and_by_a_byte_at_least() {
        grows((10_000, 10_000), 1000, 10_000, 10_100);
        grows((10_000, 10_000), 10_000, 10_000, 11_000);
        grows((10_000, 10_000), 1, 10_000, 10_001);
        grows((9999, 10_000), 1000, 9999, 10_999);
    }

    #[test]
    fn a_window_that_is_half_unused_does_not_grow() {
        grows((10_000, u32::MAX), 1000, 4000, 10_000);
        grows((10_000, u32::MAX), 1000, 4001, 11_000);
    }

    #[test]
    fn a_loss_halves_what_is_in_flight_and_leaves_two_segments() {
        for (in_flight, bytes) in [(20_000, 10_000), (3000, 2000)] {
            let mut window = CongestionWindow::initial(SMSS);
            window.halve(in_flight, SMSS);
            assert_eq!((window.bytes, window.threshold), (bytes, bytes));
        }
    }

    #[test]
    fn a_timeout_leaves_one_segment_and_only_the_first_lowers_the_threshold() {
        let mut window = CongestionWindow::initial(SMSS);
        window.collapse(20_000, SMSS, false);
        assert_eq!((window.bytes, window.threshold), (1000, 10_000));
        window.collapse(8000, SMSS, true);
        assert_eq!((window.bytes, window.threshold), (1000, 10_000));
    }
}
