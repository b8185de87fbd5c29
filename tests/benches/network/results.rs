//! Samples of several rounds, and what is made of them.

use core::time::Duration;

use crate::load::Sample;
use crate::servers::Kind;
use crate::workloads::Contestant;

/// What came out of a workload.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) records: Vec<Record>,
}

/// What a contestant did, round by round.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) contestant: Contestant,
    pub(crate) samples: Vec<Sample>,
    /// Why there are no more.
    pub(crate) failure: Option<String>,
}

/// Values of several rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Outcome {
    /// How a contestant stands to that of this server under the same load.
    pub(crate) fn ratio_to(
        &self,
        record: &Record,
        server: Kind,
        quantity: impl Fn(&Sample) -> f64,
    ) -> Option<Spread> {
        let same_load = |other: &&Record| other.contestant.load == record.contestant.load;
        let mut others = self.records.iter().filter(same_load);
        record.ratio_to(others.find(|other| other.contestant.server == server)?, quantity)
    }

    pub(crate) fn find(&self, label: &str) -> Option<&Record> {
        self.records.iter().find(|record| record.contestant.label == label)
    }
}

impl Record {
    pub(crate) fn spread(&self, quantity: impl Fn(&Sample) -> f64) -> Option<Spread> {
        Spread::of(self.samples.iter().map(quantity))
    }

    pub(crate) fn median(&self, quantity: impl Fn(&Sample) -> f64) -> f64 {
        self.spread(quantity).map_or(f64::NAN, |spread| spread.median)
    }

    /// The ratios taken within each round: what disturbs the machine for longer than that does not show.
    pub(crate) fn ratio_to(&self, other: &Record, quantity: impl Fn(&Sample) -> f64) -> Option<Spread> {
        let pairs = self.samples.iter().zip(&other.samples);
        Spread::of(pairs.map(|(ours, theirs)| quantity(ours) / quantity(theirs)))
    }

    /// The median of a latency in microseconds.
    pub(crate) fn micros(&self, quantile: impl Fn(&Sample) -> Duration) -> f64 {
        self.median(|sample| quantile(sample).as_secs_f64() * 1e6)
    }

    pub(crate) fn stalled(&self) -> usize {
        self.samples.iter().map(|sample| sample.stalled).sum()
    }
}

impl Spread {
    /// Of these values, if there are any.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = |index: usize| values[index / 2];
        Some(Spread { median: f64::midpoint(middle(values.len() - 1), middle(values.len())), min, max })
    }
}
