//! The results as a table for README: a line for each workload and variant of the program, and for what streams are compared
//! with besides.

use crate::load::Sample;
use crate::report::number;
use crate::results::{Outcome, Record};
use crate::servers::Kind;

/// The table.
pub(crate) fn of(outcomes: &[Outcome]) -> String {
    let mut table = "\
| workload | options | a second | to kernel sockets | to Python | to the floor | p50 / p99 / p99.9 µs | those of kernel sockets |
|---|---|---|---|---|---|---|---|
"
    .to_owned();
    for outcome in outcomes {
        for record in &outcome.records {
            if let Kind::Shout(_) | Kind::KernelNoDelay = record.contestant.server {
                table += &line(outcome, record);
            }
        }
    }
    table
}

fn line(outcome: &Outcome, record: &Record) -> String {
    let label = record.contestant.label.trim_start_matches("shout").trim_start();
    let unit = match record.contestant.load.unit() {
        "MB/s" => " MB",
        _ => "",
    };
    let to = |server| {
        outcome.ratio_to(record, server, Sample::rate).map_or_else(String::new, |ratio| {
            format!("{:.2} ({:.2} to {:.2})", ratio.median, ratio.min, ratio.max)
        })
    };
    let same_load = |other: &&Record| other.contestant.load == record.contestant.load;
    let kernel =
        outcome.records.iter().filter(same_load).find(|other| other.contestant.server == Kind::Kernel);
    format!(
        "| {} | {} | {}{unit} | {} | {} | {} | {} | {} |\n",
        outcome.name,
        if label.is_empty() { String::new() } else { format!("`{label}`") },
        number(record.median(Sample::rate)),
        to(Kind::Kernel),
        to(Kind::Python),
        to(Kind::Floor),
        latencies(record),
        kernel.map_or_else(String::new, latencies),
    )
}

fn latencies(record: &Record) -> String {
    format!(
        "{:.0} / {:.0} / {:.0}",
        record.micros(|sample| sample.latency.p50),
        record.micros(|sample| sample.latency.p99),
        record.micros(|sample| sample.latency.p999)
    )
}
