//! The results of the loss benchmark as text, for a terminal and for the pages.

use core::fmt;

use super::cases::{Case, Family, Work};
use super::transfers::{End, Transfer};
use super::{Losses, Measured, Outcome, SERVERS};
use crate::load::Sample;
use crate::results::Spread;

/// The four lines of README.
const SUMMARY: [(Work, u8); 4] =
    [(Work::Conversation, 1), (Work::Conversation, 5), (Work::Transfers, 5), (Work::Transfers, 20)];

/// Bounds, beside the kernel-socket server in the same case.
const LEAST_RATE: f64 = 0.9;
const GREATEST_P99: f64 = 1.0;
const GREATEST_TIME: f64 = 3.0;
/// That with default buffers, beside kernel sockets whose window is as small.
const GREATEST_TIME_TO_SMALL_WINDOW: f64 = 1.0;

const EXPLANATION: &str = "\
All servers run behind the same link, which loses a part of the TCP segments in each direction. A conversation is 64 bytes and
their echo, on 16 connections at once; its line has the rate and the latencies, in ms. A message that still waits at the end
counts with the time that it has waited. Ten transfers at once are connect, send, FIN, receive the echo and the server's FIN;
their line has the median time of the ten, the slowest, and how many were whole; after 40 s they are given up. With the
default buffers, one segment is in flight, and each loss costs a timeout. Kernel sockets with a small window (1152 bytes, the
smallest receive buffer that Linux gives) show what that means to Linux's own stack.
";

/// A target and whether it is met.
#[derive(Debug)]
pub(crate) struct Verdict {
    what: String,
    measured: f64,
    sense: &'static str,
    bound: f64,
    met: bool,
}

impl Verdict {
    /// Whether the target is met.
    pub(crate) fn is_met(&self) -> bool {
        self.met
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { what, measured, sense, bound, .. } = self;
        let verdict = if self.is_met() { "met" } else { "NOT MET" };
        write!(f, "{what:93} {sense:8} {bound:<5} {measured:<18.2} {verdict}")
    }
}

impl Losses {
    /// Whether no server did something wrong. Transfers that were reset or took too long are for the targets to judge.
    pub(crate) fn is_complete(&self) -> bool {
        let is_wrong = |measured: &Measured| match measured {
            Measured::Conversation(_) => false,
            Measured::Transfers(transfers) => {
                transfers.iter().any(|transfer| matches!(transfer.end, End::Wrong(_)))
            }
            Measured::Failed(_) => true,
        };
        !self.outcomes.iter().flat_map(|outcome| &outcome.results).any(is_wrong)
    }

    /// The section of the page of results.
    pub(crate) fn page(&self) -> String {
        let mut page = format!("{EXPLANATION}\n{}", head("loss in each direction"));
        for outcome in &self.outcomes {
            page += &line(&format!("{}, {}", outcome.case, outcome.case.family), outcome);
        }
        page += "\nOn the same link without loss, clients acknowledge replies after 40, 100 and 200 ms. Segments that came again:\n\n";
        page += "| server | over | |\n|---|---|---|\n";
        for (server, family, duplicates) in &self.duplicates {
            page += &format!("| {server} | {family} | {duplicates} |\n");
        }
        page
    }

    /// The table of README.
    pub(crate) fn summary(&self) -> String {
        let lines = SUMMARY.iter().filter_map(|&(work, percent)| {
            let is_it = |outcome: &&Outcome| outcome.case == Case { work, percent, family: Family::V4 };
            let outcome = self.outcomes.iter().find(is_it)?;
            Some(line(&outcome.case.to_string(), outcome))
        });
        head("loss in each direction") + &lines.collect::<String>()
    }

    /// The targets of whatever was measured.
    pub(crate) fn verdicts(&self) -> Vec<Verdict> {
        let mut verdicts: Vec<Verdict> = self.outcomes.iter().flat_map(verdicts).collect();
        for (server, family, duplicates) in &self.duplicates {
            if server.starts_with("shout") {
                let again = duplicates.again as f64;
                let what = format!("segments of {server} that came again over {family}, without loss");
                verdicts.push(Verdict {
                    what,
                    measured: again,
                    sense: "at most",
                    bound: 0.0,
                    met: again == 0.0,
                });
            }
        }
        verdicts
    }
}

fn verdicts(outcome: &Outcome) -> Vec<Verdict> {
    let [small, large, kernel, kernel_small] = &outcome.results[..] else { return Vec::new() };
    let mut verdicts = Vec::new();
    for ((kind, ours), beside) in SERVERS.iter().zip([small, large]).zip([Some(kernel_small), None]) {
        let name = outcome.case.name();
        let mut at_most = |what: &str, measured: f64, bound: f64| {
            let what = format!("{name:30} {what} of {}", kind.label());
            verdicts.push(Verdict { what, measured, sense: "at most", bound, met: measured <= bound });
        };
        match (ours, kernel) {
            (Measured::Conversation(ours), Measured::Conversation(theirs)) => {
                at_most("p99", median(ours, Sample::p99) / median(theirs, Sample::p99), GREATEST_P99);
                let measured = median(ours, Sample::rate) / median(theirs, Sample::rate);
                let what = format!("{name:30} rate of {}", kind.label());
                let met = measured >= LEAST_RATE;
                verdicts.push(Verdict { what, measured, sense: "at least", bound: LEAST_RATE, met });
            }
            (Measured::Transfers(ours), Measured::Transfers(theirs)) => {
                let lost = ours.iter().filter(|transfer| transfer.end != End::Whole).count();
                at_most("transfers that are not whole", lost as f64, 0.0);
                at_most("median time", whole_time(ours) / whole_time(theirs), GREATEST_TIME);
                if let Some(Measured::Transfers(theirs)) = beside {
                    let measured = whole_time(ours) / whole_time(theirs);
                    at_most("median time to a small window", measured, GREATEST_TIME_TO_SMALL_WINDOW);
                }
            }
            _ => at_most("failure", f64::NAN, 0.0),
        }
    }
    verdicts
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let work = match self.work {
            Work::Conversation => "conversation",
            Work::Transfers => "10 transfers",
        };
        write!(f, "{work}, {}%", self.percent)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.case.name())?;
        for (kind, measured) in SERVERS.iter().zip(&self.results) {
            write!(f, "\n  {:28} {measured}", kind.label())?;
        }
        Ok(())
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Measured::Conversation(samples) => {
                let millis = |quantile: fn(&Sample) -> f64| median(samples, quantile) * 1e3;
                write!(
                    f,
                    "{:.0}/s; {:.2}/{:.0}/{:.0} ms",
                    median(samples, Sample::rate),
                    millis(|sample| sample.latency.p50.as_secs_f64()),
                    millis(Sample::p99),
                    millis(|sample| sample.latency.p999.as_secs_f64()),
                )
            }
            Measured::Transfers(transfers) => {
                let count = |end: &End| transfers.iter().filter(|transfer| transfer.end == *end).count();
                let (whole, reset, unfinished) =
                    (count(&End::Whole), count(&End::Reset), count(&End::Unfinished));
                let slowest =
                    transfers.iter().map(|transfer| transfer.took.as_secs_f64()).fold(0.0, f64::max);
                write!(f, "{:.1} s, slowest {slowest:.1} s; {whole} whole", middle(transfers))?;
                for (number, what) in [(reset, "reset"), (unfinished, "unfinished")] {
                    if number > 0 {
                        write!(f, ", {number} {what}")?;
                    }
                }
                for transfer in transfers {
                    if let End::Wrong(how) = &transfer.end {
                        write!(f, ", WRONG: {how}")?;
                    }
                }
                Ok(())
            }
            Measured::Failed(error) => write!(f, "FAILED: {error}"),
        }
    }
}

fn head(first: &str) -> String {
    let servers = SERVERS.map(|kind| match kind.label() {
        label if label.starts_with("shout") => format!("`{label}`"),
        label => label,
    });
    format!("| {first} | {} |\n|---|{}\n", servers.join(" | "), "---|".repeat(servers.len()))
}

fn line(name: &str, outcome: &Outcome) -> String {
    let cells: Vec<String> = outcome.results.iter().map(ToString::to_string).collect();
    format!("| {name} | {} |\n", cells.join(" | "))
}

fn median(samples: &[Sample], quantity: impl Fn(&Sample) -> f64) -> f64 {
    Spread::of(samples.iter().map(quantity)).map_or(f64::NAN, |spread| spread.median)
}

/// The same where a transfer that is not whole counts as endless: a limit does not make it quick.
fn whole_time(transfers: &[Transfer]) -> f64 {
    let time = |transfer: &Transfer| match transfer.end {
        End::Whole => transfer.took.as_secs_f64(),
        End::Reset | End::Unfinished | End::Wrong(_) => f64::INFINITY,
    };
    Spread::of(transfers.iter().map(time)).map_or(f64::NAN, |spread| spread.median)
}

/// The median time of transfers, in seconds.
fn middle(transfers: &[Transfer]) -> f64 {
    let times = transfers.iter().map(|transfer| transfer.took.as_secs_f64());
    Spread::of(times).map_or(f64::NAN, |spread| spread.median)
}
