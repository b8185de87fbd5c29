//! What is aimed at.

use core::fmt;

use crate::load::Sample;
use crate::results::{Outcome, Spread};

/// A contestant's rate or latency in those of another.
#[derive(Debug)]
pub(crate) struct Target {
    workload: &'static str,
    contestant: &'static str,
    reference: &'static str,
    quantity: Quantity,
    /// What the ratio is to be, if that can be said.
    bound: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantity {
    Rate,
    P50,
    P99,
}

/// A target and what was measured.
#[derive(Debug)]
pub(crate) struct Verdict<'t> {
    target: &'t Target,
    measured: Spread,
}

const SHOUT: &str = "shout";
const KERNEL: &str = "kernel sockets";
const NO_DELAY: &str = "kernel sockets TCP_NODELAY";
const FLOOR: &str = "floor";

/// All of them: rates are to be at least that many times the reference's, latencies at most.
pub(crate) const ALL: &[Target] = &[
    Target::new("tcp-64x1", SHOUT, KERNEL, Quantity::Rate, Some(1.0)),
    Target::new("tcp-64x16", SHOUT, KERNEL, Quantity::Rate, Some(1.25)),
    Target::new("tcp-64x50", SHOUT, KERNEL, Quantity::Rate, Some(1.25)),
    Target::new("tcp-64x1000", SHOUT, KERNEL, Quantity::Rate, Some(1.25)),
    Target::new("tcp-64x1", SHOUT, KERNEL, Quantity::P99, Some(1.0)),
    Target::new("tcp-64x16", SHOUT, KERNEL, Quantity::P99, Some(1.0)),
    Target::new("tcp-64x50", SHOUT, KERNEL, Quantity::P99, Some(1.0)),
    Target::new("tcp-64x1000", SHOUT, KERNEL, Quantity::P99, Some(1.0)),
    Target::new("tcp-64x1", SHOUT, FLOOR, Quantity::Rate, Some(0.85)),
    Target::new("tcp-64x16", SHOUT, FLOOR, Quantity::Rate, Some(0.85)),
    Target::new("tcp-64x50", SHOUT, FLOOR, Quantity::Rate, Some(0.85)),
    Target::new("tcp-64x1000", SHOUT, FLOOR, Quantity::Rate, Some(0.85)),
    // As near as it can be: Linux sends segments of at most half the window.
    Target::new("tcp-1000x16", SHOUT, KERNEL, Quantity::Rate, None),
    Target::new("tcp-1000x16", "shout --buffer 4096", KERNEL, Quantity::Rate, Some(1.2)),
    Target::new("udp-64x16", SHOUT, KERNEL, Quantity::Rate, Some(1.25)),
    Target::new("udp-64x16", SHOUT, FLOOR, Quantity::Rate, Some(0.97)),
    Target::new(
        "tcp-64x16-idle",
        "shout --connections 5000 beside 4000 idle",
        "shout --connections 5000 alone",
        Quantity::Rate,
        Some(0.97),
    ),
    Target::new("bulk-1", "shout --buffer 65535 --mtu 65535", KERNEL, Quantity::Rate, Some(6.0)),
    Target::new("bulk-1", "shout --buffer 65535 --mtu 1500", KERNEL, Quantity::Rate, Some(1.5)),
    Target::new("bulk-1", "shout --buffer 65535 --mtu 65535", NO_DELAY, Quantity::Rate, Some(6.0)),
    Target::new("bulk-1", "shout --buffer 65535 --mtu 1500", NO_DELAY, Quantity::Rate, Some(1.5)),
    Target::new("bulk-1-reno", "shout --buffer 65535 --mtu 65535", NO_DELAY, Quantity::Rate, Some(6.0)),
    Target::new("bulk-1-reno", "shout --buffer 65535 --mtu 1500", NO_DELAY, Quantity::Rate, Some(1.5)),
    Target::new("connect-1", SHOUT, KERNEL, Quantity::Rate, Some(1.5)),
    Target::new("connect-16", SHOUT, KERNEL, Quantity::Rate, Some(1.5)),
    Target::new("tcp-64x1", "shout --busy-poll 50us", KERNEL, Quantity::P50, Some(0.5)),
    Target::new("tcp-64x1-awake", "shout --busy-poll 50us", KERNEL, Quantity::P50, Some(0.5)),
];

impl Target {
    const fn new(
        workload: &'static str,
        contestant: &'static str,
        reference: &'static str,
        quantity: Quantity,
        bound: Option<f64>,
    ) -> Self {
        Self { workload, contestant, reference, quantity, bound }
    }

    /// What was measured, if it was.
    pub(crate) fn judge(&self, outcomes: &[Outcome]) -> Option<Verdict<'_>> {
        let outcome = outcomes.iter().find(|outcome| outcome.name == self.workload)?;
        let (ours, theirs) = (outcome.find(self.contestant)?, outcome.find(self.reference)?);
        let measured = ours.ratio_to(theirs, |sample| self.quantity.of(sample))?;
        Some(Verdict { target: self, measured })
    }

    /// The rate in those of the kernel-socket server that this contestant is to reach, if that is aimed at here.
    pub(crate) fn rate_to_kernel(&self, workload: &str, contestant: &str) -> Option<f64> {
        let aims = self.workload == workload
            && self.contestant == contestant
            && self.reference == KERNEL
            && self.quantity == Quantity::Rate;
        self.bound.filter(|_| aims)
    }
}

impl Quantity {
    fn of(self, sample: &Sample) -> f64 {
        match self {
            Quantity::Rate => sample.rate,
            Quantity::P50 => sample.latency.p50.as_secs_f64(),
            Quantity::P99 => sample.latency.p99.as_secs_f64(),
        }
    }
}

impl Verdict<'_> {
    /// Whether the target is met, if there is one.
    pub(crate) fn is_met(&self) -> Option<bool> {
        let bound = self.target.bound?;
        Some(match self.target.quantity {
            Quantity::Rate => self.measured.median >= bound,
            Quantity::P50 | Quantity::P99 => self.measured.median <= bound,
        })
    }
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Target { workload, contestant, reference, quantity, bound } = self.target;
        let (quantity, sense) = match quantity {
            Quantity::Rate => ("rate", "at least"),
            Quantity::P50 => ("p50", "at most"),
            Quantity::P99 => ("p99", "at most"),
        };
        let what = format!("{quantity} of {contestant} to {reference}");
        let aim = bound.map_or_else(|| "near 1".to_owned(), |bound| format!("{sense} {bound}"));
        let verdict = match self.is_met() {
            Some(true) => "met",
            Some(false) => "NOT MET",
            None => "",
        };
        let measured = crate::report::ratio(Some(self.measured));
        write!(f, "{workload:15} {what:85} {aim:13} {measured:18} {verdict}")
    }
}
