//! The page of results, `tests/benches/RESULTS.md`.

use crate::load::Sample;
use crate::report::{micros_of_processor_time, number};
use crate::results::{Outcome, Record, Results, Spread};
use crate::servers::Kind;

const HEAD: &str = "\
# Results of the network benchmark

This page is written by `cargo bench -p shout-tests --bench network -- --publish`. Do not edit it.
";
const EXPLANATION: &str = "\
One thread makes the load and checks every byte. The servers take turns, round after round. Values are medians of the rounds.
Ratios are taken within each round: their median, and in brackets the least and the greatest.

- **Processor time** is that of client and server together for an echo, a connection or a MB, in the kernel too; in brackets
  the client's part and the server's. It depends much less than a rate on what else the machine does, so it comes first.
- *Kernel sockets* is a server of one thread on epoll(7) that does `recv(1024)`, uppercases and sends, with TCP_NODELAY. All
  others are compared with it. *With Nagle* is the same without TCP_NODELAY. Both and *Python*, the threading servers of
  `tests/e2e/note`, are reached over loopback; `shout` and the floor are reached over a TUN device.
- *The floor* reads a packet from its TUN device, makes it the reply in place, and writes it. It has no TCP/IP stack, and no
  correct server does less for a packet. It cannot serve streams.
- `tcp-64x16`: messages of 64 bytes and their echoes on 16 connections. `idle`: beside 4000 idle connections. `awake`: the
  client does not sleep either. `connect-16`: connect, one message, close, 16 at a time.
- `stream-1000`: one stream in writes of 1000 bytes, with TCP_NODELAY at the client unless the name says `nagle`; `bulk`: streams
  with larger buffers; `changing`: one connection that changes from conversation to stream and back. `bbr` and `reno` are the
  congestion control: BBR paces what is sent, and so its rate varies.
- *Failed*: the load generator gave up in the first round, and there is no value.
";

/// The whole page. `plot` is the picture's file name.
pub(crate) fn of(results: &Results, plot: &str) -> String {
    let mut page = format!(
        "{HEAD}\n{}\n\n{}.\n\n![rates as multiples of the kernel-socket server's]({plot})\n\n\
         ## How to read it\n\n{EXPLANATION}\n## Conversations, connections and streams\n\n{}",
        results.machine,
        capitalized(&results.busy.to_string()),
        table(&results.outcomes),
    );
    page += &format!("\n## Loss\n\n{}", results.loss.page());
    page += "\n## Targets\n\n```text\n";
    for verdict in results.verdicts() {
        page += &format!("{verdict}\n");
    }
    for verdict in results.loss.verdicts() {
        page += &format!("{verdict}\n");
    }
    page + "```\n"
}

fn capitalized(sentence: &str) -> String {
    let mut characters = sentence.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + characters.as_str())
}

/// A line for each workload and variant of the program, and for the kernel-socket server with Nagle's algorithm.
fn table(outcomes: &[Outcome]) -> String {
    let mut table = "\
| workload | variant | processor time, µs | of kernel sockets | ratio | rate per second | to kernel sockets | to Python | to the floor \
| p50 / p99 / p99.9 µs | those of kernel sockets |
|---|---|---|---|---|---|---|---|---|---|---|
"
    .to_owned();
    for outcome in outcomes {
        for record in &outcome.records {
            if let Kind::Shout(_) | Kind::KernelNagle = record.contestant.server {
                table += &line(outcome, record);
            }
        }
    }
    table
}

fn line(outcome: &Outcome, record: &Record) -> String {
    let label = record.contestant.label.trim_start_matches("shout").trim_start_matches([' ', ',']);
    let options = match record.contestant.server {
        Kind::Shout(_) if !label.is_empty() => format!("`{label}`"),
        _ => label.to_owned(),
    };
    let to = |server, quantity: fn(&Sample) -> f64| spread(outcome.ratio_to(record, server, quantity));
    let kernel = outcome.beside(record, Kind::Kernel);
    format!(
        "| {} | {options} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
        outcome.name,
        measured(record, micros_of_processor_time),
        kernel.map_or_else(String::new, |kernel| measured(kernel, micros_of_processor_time)),
        to(Kind::Kernel, Sample::cost),
        measured(record, rate),
        to(Kind::Kernel, Sample::rate),
        to(Kind::Python, Sample::rate),
        to(Kind::Floor, Sample::rate),
        measured(record, latencies),
        kernel.map_or_else(String::new, |kernel| measured(kernel, latencies)),
    )
}

/// A cell, unless the record has no sample.
fn measured(record: &Record, cell: fn(&Record) -> String) -> String {
    if record.samples.is_empty() { "failed".to_owned() } else { cell(record) }
}

fn rate(record: &Record) -> String {
    let unit = if record.contestant.load.unit() == "MB/s" { " MB" } else { "" };
    format!("{}{unit}", number(record.median(Sample::rate)))
}

fn spread(ratio: Option<Spread>) -> String {
    ratio.map_or_else(String::new, |ratio| {
        format!("{:.2} ({:.2} to {:.2})", ratio.median, ratio.min, ratio.max)
    })
}

fn latencies(record: &Record) -> String {
    format!(
        "{:.0} / {:.0} / {:.0}",
        record.micros(|sample| sample.latency.p50),
        record.micros(|sample| sample.latency.p99),
        record.micros(|sample| sample.latency.p999)
    )
}
