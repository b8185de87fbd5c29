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
    bound: f64,
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

macro_rules! targets {
    ($($workload:literal: $contestant:expr, $reference:expr, $quantity:ident, $bound:literal;)*) => {
        &[$(Target {
            workload: $workload,
            contestant: $contestant,
            reference: $reference,
            quantity: Quantity::$quantity,
            bound: $bound,
        }),*]
    };
}

/// All of them: rates are to be at least that many times the reference's, latencies at most.
pub(crate) const ALL: &[Target] = targets![
    "tcp-64x1": SHOUT, KERNEL, Rate, 1.0;
    "tcp-64x16": SHOUT, KERNEL, Rate, 1.25;
    "tcp-64x50": SHOUT, KERNEL, Rate, 1.25;
    "tcp-64x1000": SHOUT, KERNEL, Rate, 1.25;
    "tcp-64x1": SHOUT, KERNEL, P99, 1.0;
    "tcp-64x16": SHOUT, KERNEL, P99, 1.0;
    "tcp-64x50": SHOUT, KERNEL, P99, 1.0;
    "tcp-64x1000": SHOUT, KERNEL, P99, 1.0;
    "tcp-64x1": SHOUT, FLOOR, Rate, 0.85;
    "tcp-64x16": SHOUT, FLOOR, Rate, 0.85;
    "tcp-64x50": SHOUT, FLOOR, Rate, 0.85;
    "tcp-64x1000": SHOUT, FLOOR, Rate, 0.85;
    "tcp-1000x16": "shout --buffer 4096", KERNEL, Rate, 1.2;
    "udp-64x16": SHOUT, KERNEL, Rate, 1.25;
    "udp-64x16": SHOUT, FLOOR, Rate, 0.97;
    "tcp-64x16-idle": "shout --connections 5000 beside 4000 idle", "shout --connections 5000 alone", Rate, 0.97;
    "bulk-1": "shout --buffer 65535 --mtu 65535", KERNEL, Rate, 6.0;
    "bulk-1": "shout --buffer 65535 --mtu 1500", KERNEL, Rate, 1.5;
    "bulk-1": "shout --buffer 65535 --mtu 65535", NO_DELAY, Rate, 6.0;
    "bulk-1": "shout --buffer 65535 --mtu 1500", NO_DELAY, Rate, 1.5;
    "connect-1": SHOUT, KERNEL, Rate, 1.5;
    "connect-16": SHOUT, KERNEL, Rate, 1.5;
    "tcp-64x1": "shout --busy-poll 50us", KERNEL, P50, 0.5;
    "tcp-64x1-awake": "shout --busy-poll 50us", KERNEL, P50, 0.5;
];

impl Target {
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
        aims.then_some(self.bound)
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
    pub(crate) fn is_met(&self) -> bool {
        match self.target.quantity {
            Quantity::Rate => self.measured.median >= self.target.bound,
            Quantity::P50 | Quantity::P99 => self.measured.median <= self.target.bound,
        }
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
        let measured = crate::report::ratio(Some(self.measured));
        let verdict = if self.is_met() { "met" } else { "NOT MET" };
        let what = format!("{quantity} of {contestant} to {reference}");
        write!(f, "{workload:15} {what:85} {sense} {bound:<5} {measured:18} {verdict}")
    }
}
