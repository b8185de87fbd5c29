//! The results as text, as they come.

use crate::results::{Record, Spread};

/// A workload's table.
pub(crate) fn table(records: &[Record]) -> String {
    let Some(first) = records.first() else { return String::new() };
    let width = records.iter().map(|record| record.label.len()).max().unwrap_or(0);
    let mut table = format!(
        "{}, {}\n  {:width$} {:>11} {:>23} {:>17} {:>17} {:>9} {:>9} {:>9}  {:>6} {:>6}\n",
        first.workload,
        first.unit,
        "",
        "median",
        "min .. max",
        "to kernel",
        "to floor",
        "p50 µs",
        "p99 µs",
        "p99.9 µs",
        "client",
        "server",
    );
    for record in records {
        table += &line(record, width);
    }
    table
}

fn line(record: &Record, width: usize) -> String {
    let Some(rate) = record.rate() else {
        let failure = record.failure.as_deref().unwrap_or("no result");
        return format!("  {:width$} FAILED: {failure}\n", record.label);
    };
    let share = |quantity: fn(&crate::load::Sample) -> f64| {
        let percent = record.spread(quantity).map_or(f64::NAN, |spread| spread.median * 100.0);
        format!("{percent:.0}%")
    };
    let mut line = format!(
        "  {:width$} {:>11.0} {:>23} {:>17} {:>17} {:>9.1} {:>9.1} {:>9.1}  {:>6} {:>6}",
        record.label,
        rate.median,
        format!("{:.0} .. {:.0}", rate.min, rate.max),
        ratio(record.to_kernel),
        ratio(record.to_floor),
        record.micros(|sample| sample.latency.p50),
        record.micros(|sample| sample.latency.p99),
        record.micros(|sample| sample.latency.p999),
        share(|sample| sample.client_cpu),
        share(|sample| sample.server_cpu),
    );
    if record.stalled() > 0 {
        line += &format!("  {} stalled", record.stalled());
    }
    if let Some(failure) = &record.failure {
        line += &format!("  FAILED later: {failure}");
    }
    line + "\n"
}

fn ratio(ratio: Option<Spread>) -> String {
    ratio
        .map_or_else(String::new, |ratio| format!("{:.2} ({:.2}..{:.2})", ratio.median, ratio.min, ratio.max))
}
