//! The results of each workload as text, printed when it is done.

use crate::load::Sample;
use crate::results::{Outcome, Record, Spread};
use crate::servers::Kind;

/// Explains the columns.
pub(crate) const LEGEND: &str = "\
Medians of the rounds. `to kernel` and `to floor` are the medians (and extremes) of the ratios of the rates taken within each
round. `client` and `server` are processor time: the microseconds that the load generator and the server take for each, in the
kernel too, and the share of a core; `both, to kernel` is the ratio of their sums. The kernel-socket servers and Python are
reached over loopback, the others over a TUN device. Kernel sockets have TCP_NODELAY unless the line says Nagle. Python has a
thread for each connection and is left out beside 4000 idle ones. The floor keeps no state and cannot serve streams.
";

/// A workload's table.
pub(crate) fn table(outcome: &Outcome) -> String {
    let Some(first) = outcome.records.first() else { return String::new() };
    let width = outcome.records.iter().map(|record| record.contestant.label.len()).max().unwrap_or(0);
    let mut table = format!(
        "{} ({})\n  {:width$} {:>10} {:>20} {:>17} {:>17} {:>9} {:>9} {:>9} {:>13} {:>13} {:>17}\n",
        outcome.name,
        first.contestant.load.unit(),
        "",
        "median",
        "min .. max",
        "to kernel",
        "to floor",
        "p50 µs",
        "p99 µs",
        "p99.9 µs",
        "client µs",
        "server µs",
        "both, to kernel",
    );
    for record in &outcome.records {
        table += &line(outcome, record, width);
    }
    for record in &outcome.records {
        table += &beside_other_build(outcome, record);
    }
    table
}

/// How a contestant does beside the same one on another build, if that takes part.
fn beside_other_build(outcome: &Outcome, record: &Record) -> String {
    let label = &record.contestant.label;
    let Some(other) = outcome.find(&format!("other {label}")) else { return String::new() };
    let [rate, cost] = [Sample::rate, Sample::cost].map(|quantity| ratio(record.ratio_to(other, quantity)));
    format!("  {label}: {rate} times the rate of the other build, {cost} times its processor time\n")
}

fn line(outcome: &Outcome, record: &Record, width: usize) -> String {
    let label = &record.contestant.label;
    let Some(rate) = record.spread(Sample::rate) else {
        let failure = record.failure.as_deref().unwrap_or("no result");
        return format!("  {label:width$} FAILED: {failure}\n");
    };
    let mut line = format!(
        "  {label:width$} {:>10} {:>20} {:>17} {:>17} {:>9.1} {:>9.1} {:>9.1} {:>13} {:>13} {:>17}",
        number(rate.median),
        format!("{} .. {}", number(rate.min), number(rate.max)),
        ratio(outcome.ratio_to(record, Kind::Kernel, Sample::rate)),
        ratio(outcome.ratio_to(record, Kind::Floor, Sample::rate)),
        record.micros(|sample| sample.latency.p50),
        record.micros(|sample| sample.latency.p99),
        record.micros(|sample| sample.latency.p999),
        cost(record.median(|sample| sample.client_cpu), rate),
        cost(record.median(|sample| sample.server_cpu), rate),
        ratio(outcome.ratio_to(record, Kind::Kernel, Sample::cost)),
    );
    if record.stalled() > 0 {
        line += &format!("  {} had waited for more than 150 ms at the end", record.stalled());
    }
    if let Some(failure) = &record.failure {
        line += &format!("  FAILED later: {failure}");
    }
    line + "\n"
}

/// A rate, with as many digits as its precision is worth.
pub(crate) fn number(value: f64) -> String {
    if value < 1000.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

fn cost(share: f64, rate: Spread) -> String {
    format!("{:.1} ({:.0}%)", share * 1e6 / rate.median, share * 100.0)
}

/// Client and server together, and in brackets each of them: medians, in microseconds.
pub(crate) fn micros_of_processor_time(record: &Record) -> String {
    let [both, client, server] =
        [Sample::cost, Sample::client_cost, Sample::server_cost].map(|cost| micros(record, cost));
    format!("{both} ({client} + {server})")
}

/// A part of it alone. Digits as the sum has them.
pub(crate) fn micros(record: &Record, cost: fn(&Sample) -> f64) -> String {
    let digits = if record.median(Sample::cost) * 1e6 < 100.0 { 2 } else { 0 };
    format!("{:.digits$}", record.median(cost) * 1e6)
}

pub(crate) fn ratio(ratio: Option<Spread>) -> String {
    ratio
        .map_or_else(String::new, |ratio| format!("{:.2} ({:.2}..{:.2})", ratio.median, ratio.min, ratio.max))
}
