use super::results::record;
use crate::results::Outcome;
use crate::servers::Kind;
use crate::{targets, workloads};

/// An outcome of every workload.
pub(super) fn every_outcome() -> Vec<Outcome> {
    let all = workloads::all().into_iter().map(|workload| {
        let records = workload.contestants.into_iter().map(|contestant| {
            let mut record = record(contestant.server, 1, &[1]);
            record.contestant = contestant;
            record
        });
        Outcome { name: workload.name, records: records.collect() }
    });
    all.collect()
}

#[test]
fn every_target_is_of_something_that_is_measured() {
    let outcomes = every_outcome();
    for target in targets::ALL {
        assert!(target.judge(&outcomes).is_some(), "{target:?}");
    }
}

#[test]
fn rates_are_to_be_high_and_latencies_low() {
    let verdicts = |ours: u32| {
        let records = vec![record(Kind::Shout(""), 1, &[ours]), record(Kind::Kernel, 1, &[100])];
        let outcomes = [Outcome { name: "tcp-64x16".to_owned(), records }];
        let verdicts: Vec<bool> = targets::ALL
            .iter()
            .filter_map(|target| target.judge(&outcomes))
            .map(|verdict| verdict.is_met())
            .collect();
        verdicts
    };
    // The rate has to be 1.25 times as high and the p99 no higher. Here both are the same number.
    assert_eq!(verdicts(125), [true, false]);
    assert_eq!(verdicts(100), [false, true]);
}
