//! The eight rows that README shows, as a table and in the plot.

use crate::load::Sample;
use crate::report::{micros, number};
use crate::results::{Outcome, Record, Results};
use crate::servers::Kind;

/// A row: a workload and one of its contestants.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) workload: &'static str,
    pub(crate) contestant: &'static str,
    pub(crate) what: &'static str,
}

pub(crate) const ROWS: [Row; 8] = [
    Row::new("tcp-64x1", "shout", "64 bytes, 1 connection"),
    Row::new("tcp-64x16", "shout", "64 bytes, 16 connections"),
    Row::new("tcp-64x1000", "shout", "64 bytes, 1000 connections"),
    Row::new("tcp-1000x16", "shout", "1000 bytes, 16 connections"),
    Row::new("udp-64x16", "shout", "UDP, 64 bytes, 16 clients"),
    Row::new("connect-16", "shout", "connect, echo, close, 16 at a time"),
    Row::new("stream-65536-reno", "shout", "one stream"),
    Row::new("bulk-1-reno", "shout --buffer 65535 --mtu 65535", "one stream, `--buffer 65535 --mtu 65535`"),
];

impl Row {
    const fn new(workload: &'static str, contestant: &'static str, what: &'static str) -> Row {
        Row { workload, contestant, what }
    }

    /// The results for this row, if it was measured.
    pub(crate) fn of<'r>(&self, results: &'r Results) -> Option<(&'r Outcome, &'r Record)> {
        let outcome = results.find(self.workload)?;
        Some((outcome, outcome.find(self.contestant)?))
    }
}

/// Whether a row is of this workload.
pub(crate) fn shows(workload: &str) -> bool {
    ROWS.iter().any(|row| row.workload == workload)
}

/// The table, with a line for each row that was measured.
pub(crate) fn table(results: &Results) -> String {
    let lines = ROWS.iter().filter_map(|row| {
        let (outcome, record) = row.of(results)?;
        line(row, outcome, record)
    });
    let head = "\
| | processor time, µs | of kernel sockets | ratio | rate per second | ratio | ratio of p99 |
|---|---|---|---|---|---|---|
";
    head.to_owned() + &lines.collect::<String>()
}

fn line(row: &Row, outcome: &Outcome, record: &Record) -> Option<String> {
    let kernel = outcome.beside(record, Kind::Kernel)?;
    let ratio = |quantity: fn(&Sample) -> f64| {
        record.ratio_to(kernel, quantity).map_or_else(String::new, |ratio| format!("{:.2}", ratio.median))
    };
    let is_stream = record.contestant.load.unit() == "MB/s";
    Some(format!(
        "| {} | {}{} | {} | {} | {}{} | {} | {} |\n",
        row.what,
        micros(record, Sample::cost),
        if is_stream { " per MB" } else { "" },
        micros(kernel, Sample::cost),
        ratio(Sample::cost),
        number(record.median(Sample::rate)),
        if is_stream { " MB" } else { "" },
        ratio(Sample::rate),
        ratio(Sample::p99),
    ))
}
