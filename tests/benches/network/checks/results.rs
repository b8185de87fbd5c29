use core::time::Duration;

use crate::load::quantiles::Quantiles;
use crate::load::{Bulk, Load, Sample};
use crate::results::{Outcome, Record, Spread};
use crate::servers::Kind;
use crate::workloads::Contestant;

/// A contestant with these rates, and the same for the latencies in microseconds.
pub(crate) fn record(server: Kind, streams: usize, rates: &[u32]) -> Record {
    let sample = |&rate: &u32| {
        let latency = Duration::from_micros(rate.into());
        let latency = Quantiles { p50: latency, p99: latency, p999: latency };
        Sample { rate: rate.into(), latency, client_cpu: 0.0, server_cpu: 0.0, stalled: 0 }
    };
    Record {
        contestant: Contestant {
            label: server.label(),
            server,
            load: Load::Bulk(Bulk { streams, write: 65_536, no_delay: true }),
        },
        samples: rates.iter().map(sample).collect(),
        failure: None,
    }
}

#[test]
fn medians() {
    let median = |values: &[f64]| Spread::of(values.iter().copied());
    assert_eq!(median(&[3.0, 1.0, 9.0]), Some(Spread { median: 3.0, min: 1.0, max: 9.0 }));
    assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), Some(Spread { median: 3.0, min: 1.0, max: 9.0 }));
    assert_eq!(median(&[5.0]), Some(Spread { median: 5.0, min: 5.0, max: 5.0 }));
    assert_eq!(median(&[]), None);
}

#[test]
fn a_ratio_is_that_of_a_round() {
    // In the second round the machine had half its speed.
    let (ours, theirs) = (record(Kind::Shout(""), 1, &[120, 60]), record(Kind::Kernel, 1, &[100, 50]));
    let ratio = ours.ratio_to(&theirs, Sample::rate);
    assert_eq!(ratio, Some(Spread { median: 1.2, min: 1.2, max: 1.2 }));
    assert_eq!(ours.ratio_to(&record(Kind::Kernel, 1, &[]), Sample::rate), None);
}

#[test]
fn a_contestant_is_compared_with_those_that_have_the_same_to_do() {
    let records = vec![
        record(Kind::Kernel, 1, &[100]),
        record(Kind::Kernel, 4, &[200]),
        record(Kind::Shout(""), 4, &[300]),
    ];
    let outcome = Outcome { name: String::new(), records };
    let ratio = |kind| outcome.ratio_to(&outcome.records[2], kind, Sample::rate).map(|ratio| ratio.median);
    assert_eq!(ratio(Kind::Kernel), Some(1.5));
    assert_eq!(ratio(Kind::Floor), None);
}
