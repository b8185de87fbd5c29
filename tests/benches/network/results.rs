//! The samples of several rounds, their medians and their ratios.

use core::time::Duration;

use crate::load::Sample;
use crate::loss::Losses;
use crate::machine::Share;
use crate::servers::Kind;
use crate::targets::{self, Verdict};
use crate::workloads::Contestant;

/// Everything that a run has measured.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) loss: Losses,
    /// On what machine.
    pub(crate) machine: String,
    /// What else the machine did.
    pub(crate) busy: Share,
}

/// The results of a workload.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) records: Vec<Record>,
}

/// The samples of a contestant, one for each round.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) contestant: Contestant,
    pub(crate) samples: Vec<Sample>,
    /// What the server did wrong, after the last of these samples.
    pub(crate) failure: Option<String>,
}

/// Values of several rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Results {
    /// The targets of whatever was measured.
    pub(crate) fn verdicts(&self) -> impl Iterator<Item = Verdict<'_>> {
        targets::ALL.iter().filter_map(|target| target.judge(&self.outcomes))
    }

    /// Whether no server failed.
    pub(crate) fn is_complete(&self) -> bool {
        let mut records = self.outcomes.iter().flat_map(|outcome| &outcome.records);
        records.all(|record| record.failure.is_none()) && self.loss.is_complete()
    }

    pub(crate) fn find(&self, workload: &str) -> Option<&Outcome> {
        self.outcomes.iter().find(|outcome| outcome.name == workload)
    }
}

impl Outcome {
    /// A contestant's ratio to the contestant with this server and the same load.
    pub(crate) fn ratio_to(
        &self,
        record: &Record,
        server: Kind,
        quantity: impl Fn(&Sample) -> f64,
    ) -> Option<Spread> {
        record.ratio_to(self.beside(record, server)?, quantity)
    }

    /// The contestant with this server and the same load.
    pub(crate) fn beside(&self, record: &Record, server: Kind) -> Option<&Record> {
        let same_load = |other: &&Record| other.contestant.load == record.contestant.load;
        self.records.iter().filter(same_load).find(|other| other.contestant.server == server)
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

    /// The ratios within each round. A disturbance that is longer than a round meets both, and does not show in them.
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
    /// The spread of these values, if there are any.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = |index: usize| values[index / 2];
        Some(Spread { median: f64::midpoint(middle(values.len() - 1), middle(values.len())), min, max })
    }
}
