//! Quantiles of latencies.

use core::time::Duration;

/// Quantiles by nearest rank. They are exact, as no histogram is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quantiles {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) p999: Duration,
}

impl Quantiles {
    /// The quantiles of these nanoseconds, if there are any.
    pub(crate) fn of(mut nanoseconds: Vec<u64>) -> Option<Quantiles> {
        nanoseconds.sort_unstable();
        let last = nanoseconds.len().checked_sub(1)?;
        // The smallest value that at least `permille` in a thousand do not exceed.
        let rank = |permille: usize| (nanoseconds.len() * permille).div_ceil(1000).saturating_sub(1);
        let at = |permille| Duration::from_nanos(nanoseconds[rank(permille).min(last)]);
        Some(Quantiles { p50: at(500), p99: at(990), p999: at(999) })
    }
}
