//! Samples of several rounds, and what is made of them.

use core::time::Duration;

use crate::load::Sample;

/// What a contestant did, round by round.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) workload: String,
    pub(crate) label: String,
    pub(crate) unit: &'static str,
    pub(crate) samples: Vec<Sample>,
    /// Why there are no more.
    pub(crate) failure: Option<String>,
    /// Whose rate this one's is told in, and how they stand to each other.
    pub(crate) to_kernel: Option<Spread>,
    pub(crate) to_floor: Option<Spread>,
}

/// Values of several rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of these values, if there are any.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let upper = values.len() / 2;
        let lower = (values.len() - 1) / 2;
        Some(Spread { median: f64::midpoint(values[lower], values[upper]), min, max })
    }

    /// Of the ratios, each taken within a round: what disturbs the machine for longer than a round does not show.
    pub(crate) fn of_ratios(
        samples: &[Sample],
        reference: &[Sample],
        quantity: impl Fn(&Sample) -> f64,
    ) -> Option<Spread> {
        let pairs = samples.iter().zip(reference);
        Spread::of(pairs.map(|(sample, reference)| quantity(sample) / quantity(reference)))
    }
}

impl Record {
    pub(crate) fn spread(&self, quantity: impl Fn(&Sample) -> f64) -> Option<Spread> {
        Spread::of(self.samples.iter().map(quantity))
    }

    pub(crate) fn rate(&self) -> Option<Spread> {
        self.spread(|sample| sample.rate)
    }

    /// The median of a latency in microseconds.
    pub(crate) fn micros(&self, quantile: impl Fn(&Sample) -> Duration) -> f64 {
        self.spread(|sample| quantile(sample).as_secs_f64() * 1e6).map_or(f64::NAN, |spread| spread.median)
    }

    pub(crate) fn stalled(&self) -> usize {
        self.samples.iter().map(|sample| sample.stalled).sum()
    }
}
