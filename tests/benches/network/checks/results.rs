use crate::load::Sample;
use crate::load::quantiles::Quantiles;
use crate::results::Spread;
use core::time::Duration;

fn samples(rates: &[f64]) -> Vec<Sample> {
    let zero = Duration::ZERO;
    let latency = Quantiles { p50: zero, p99: zero, p999: zero };
    let sample = |&rate| Sample { rate, latency, client_cpu: 0.0, server_cpu: 0.0, stalled: 0 };
    rates.iter().map(sample).collect()
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
    // The machine was at half its speed in the second round.
    let ratio = Spread::of_ratios(&samples(&[120.0, 60.0]), &samples(&[100.0, 50.0]), |sample| sample.rate);
    assert_eq!(ratio, Some(Spread { median: 1.2, min: 1.2, max: 1.2 }));
    assert_eq!(Spread::of_ratios(&samples(&[1.0]), &[], |sample| sample.rate), None);
}
