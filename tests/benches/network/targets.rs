//! The targets. Each is a ratio that a machine can reach: a target that the floor does not meet either is not listed.

use core::fmt;

use crate::load::Sample;
use crate::results::{Outcome, Spread};
use crate::workloads::SHORT_MESSAGES;

/// A bound on the ratio of a contestant's rate or latency to that of another contestant of the same workload.
#[derive(Debug)]
pub(crate) struct Target {
    workload: &'static str,
    contestant: &'static str,
    reference: &'static str,
    quantity: Quantity,
    /// The least ratio of rates, or the greatest ratio of latencies.
    bound: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantity {
    Rate,
    P50,
    P99,
}

/// A target and the ratio that was measured.
#[derive(Debug)]
pub(crate) struct Verdict<'t> {
    target: &'t Target,
    measured: Spread,
}

const SHOUT: &str = "shout";
const KERNEL: &str = "kernel sockets";
const FLOOR: &str = "floor";

/// All targets.
pub(crate) const ALL: &[Target] = &[
    Target::new("tcp-64x1", SHOUT, KERNEL, Quantity::Rate, 1.0),
    Target::new("tcp-64x16", SHOUT, KERNEL, Quantity::Rate, 1.25),
    Target::new("tcp-64x50", SHOUT, KERNEL, Quantity::Rate, 1.25),
    Target::new("tcp-64x1000", SHOUT, KERNEL, Quantity::Rate, 1.25),
    Target::new("tcp-64x1", SHOUT, KERNEL, Quantity::P99, 1.0),
    Target::new("tcp-64x16", SHOUT, KERNEL, Quantity::P99, 1.0),
    Target::new("tcp-64x50", SHOUT, KERNEL, Quantity::P99, 1.0),
    Target::new("tcp-64x1000", SHOUT, KERNEL, Quantity::P99, 1.0),
    Target::new("tcp-64x1", SHOUT, FLOOR, Quantity::Rate, 0.85),
    Target::new("tcp-64x16", SHOUT, FLOOR, Quantity::Rate, 0.85),
    Target::new("tcp-64x50", SHOUT, FLOOR, Quantity::Rate, 0.85),
    Target::new("tcp-64x1000", SHOUT, FLOOR, Quantity::Rate, 0.85),
    Target::new("tcp-1000x16", SHOUT, KERNEL, Quantity::Rate, 1.25),
    Target::new("tcp-1000x50", SHOUT, KERNEL, Quantity::Rate, 1.25),
    Target::new("tcp-1000x1000", SHOUT, KERNEL, Quantity::Rate, 1.25),
    Target::new("tcp-1024x16", SHOUT, KERNEL, Quantity::Rate, 1.25),
    // No slower than a message of 64 bytes, within what two measurements of the same differ by.
    Target::new("tcp-1000x1", SHOUT, SHORT_MESSAGES, Quantity::Rate, 0.95),
    Target::new("tcp-1024x1", SHOUT, SHORT_MESSAGES, Quantity::Rate, 0.95),
    // Not beside kernel sockets: in some runs, the floor is no faster than they are.
    Target::new("udp-64x16", SHOUT, FLOOR, Quantity::Rate, 0.97),
    Target::new(
        "tcp-64x16-idle",
        "shout --connections 5000 beside 4000 idle",
        "shout --connections 5000 alone",
        Quantity::Rate,
        0.97,
    ),
    // Twice what was reached with a window of one buffer and segments of half a buffer. `tests/benches/FINDINGS.md` says what
    // stands in the way.
    Target::new("stream-1000-bbr", SHOUT, KERNEL, Quantity::Rate, 0.28),
    Target::new("stream-1024-bbr", SHOUT, KERNEL, Quantity::Rate, 0.28),
    Target::new("stream-1448-bbr", SHOUT, KERNEL, Quantity::Rate, 0.28),
    Target::new("stream-65536-bbr", SHOUT, KERNEL, Quantity::Rate, 0.28),
    Target::new("stream-1000-reno", SHOUT, KERNEL, Quantity::Rate, 0.8),
    Target::new("stream-1024-reno", SHOUT, KERNEL, Quantity::Rate, 0.8),
    Target::new("stream-1448-reno", SHOUT, KERNEL, Quantity::Rate, 0.8),
    Target::new("stream-65536-reno", SHOUT, KERNEL, Quantity::Rate, 0.8),
    Target::new("bulk-1-bbr", "shout --buffer 65535 --mtu 65535", KERNEL, Quantity::Rate, 5.0),
    Target::new("bulk-1-bbr", "shout --buffer 65535 --mtu 1500", KERNEL, Quantity::Rate, 1.5),
    Target::new("bulk-1-reno", "shout --buffer 65535 --mtu 65535", KERNEL, Quantity::Rate, 6.0),
    Target::new("bulk-1-reno", "shout --buffer 65535 --mtu 1500", KERNEL, Quantity::Rate, 1.5),
    // Not one connection after the other: that is a matter of waking processes, and the floor is no faster than kernel sockets.
    Target::new("connect-16", SHOUT, KERNEL, Quantity::Rate, 1.5),
    Target::new("tcp-64x1", "shout --busy-poll 50us", KERNEL, Quantity::P50, 0.5),
    Target::new("tcp-64x1-awake", "shout --busy-poll 50us", KERNEL, Quantity::P50, 0.5),
];

impl Target {
    const fn new(
        workload: &'static str,
        contestant: &'static str,
        reference: &'static str,
        quantity: Quantity,
        bound: f64,
    ) -> Self {
        Self { workload, contestant, reference, quantity, bound }
    }

    /// The ratio that was measured, if it was.
    pub(crate) fn judge(&self, outcomes: &[Outcome]) -> Option<Verdict<'_>> {
        let outcome = outcomes.iter().find(|outcome| outcome.name == self.workload)?;
        let (ours, theirs) = (outcome.find(self.contestant)?, outcome.find(self.reference)?);
        let measured = ours.ratio_to(theirs, |sample| self.quantity.of(sample))?;
        Some(Verdict { target: self, measured })
    }

    /// The target for this contestant's rate beside that of the kernel-socket server, if this is one.
    pub(crate) fn rate_to_kernel(&self, workload: &str, contestant: &str) -> Option<f64> {
        let is_one = self.workload == workload
            && self.contestant == contestant
            && self.reference == KERNEL
            && self.quantity == Quantity::Rate;
        is_one.then_some(self.bound)
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
    /// Whether the target is met.
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
        let what = format!("{quantity} of {contestant} to {reference}");
        let measured = crate::report::ratio(Some(self.measured));
        let verdict = if self.is_met() { "met" } else { "NOT MET" };
        write!(f, "{workload:20} {what:72} {sense:8} {bound:<5} {measured:18} {verdict}")
    }
}
