//! The time that is measured, after a warm-up, and what falls into it.

use core::time::Duration;
use std::time::Instant;

use nix::unistd::Pid;

use super::cpu::CpuTime;
use super::quantiles::Quantiles;

/// How long a server is loaded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

/// What a server did in a window.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// Echoes, connections or megabytes a second.
    pub(crate) rate: f64,
    pub(crate) latency: Quantiles,
    /// The share of a core that the load generator took, and the server.
    pub(crate) client_cpu: f64,
    pub(crate) server_cpu: f64,
    /// Conversations in which a message was without an answer for long at the end: a packet was lost.
    pub(crate) stalled: usize,
}

impl Sample {
    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    /// Seconds on a core, on either side, for each that is counted.
    pub(crate) fn cost(&self) -> f64 {
        (self.client_cpu + self.server_cpu) / self.rate
    }
}

/// Collects what comes back.
#[derive(Debug)]
pub(crate) struct Window {
    server: Pid,
    begin: Instant,
    end: Instant,
    opened: Option<(Instant, CpuTime)>,
    amount: f64,
    latencies: Vec<u64>,
}

impl Window {
    /// A window onto a server that opens after the warm-up.
    pub(crate) fn new(timing: Timing, server: Pid) -> Window {
        let begin = Instant::now() + timing.warm_up;
        let latencies = Vec::with_capacity(1 << 18);
        Window { server, begin, end: begin + timing.measured, opened: None, amount: 0.0, latencies }
    }

    /// So much came back, and this long after it was sent.
    pub(crate) fn note(
        &mut self,
        now: Instant,
        amount: f64,
        latency: Option<Duration>,
    ) -> Result<(), String> {
        if now < self.begin {
            return Ok(());
        }
        if self.opened.is_none() {
            self.opened = Some((now, CpuTime::now(self.server)?));
            return Ok(());
        }
        self.amount += amount;
        if let Some(latency) = latency {
            self.latencies.push(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
        }
        Ok(())
    }

    /// Whether all has been seen that is measured.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        now >= self.end
    }

    /// What was seen until now.
    pub(crate) fn close(self, now: Instant, stalled: usize) -> Result<Sample, String> {
        let nothing = || "nothing came back in the time that is measured".to_owned();
        let (opened, cpu) = self.opened.ok_or_else(nothing)?;
        let latency = Quantiles::of(self.latencies).ok_or_else(nothing)?;
        let seconds = (now - opened).as_secs_f64();
        let cpu = CpuTime::now(self.server)?.since(cpu);
        Ok(Sample {
            rate: self.amount / seconds,
            latency,
            client_cpu: cpu.client.as_secs_f64() / seconds,
            server_cpu: cpu.server.as_secs_f64() / seconds,
            stalled,
        })
    }
}
