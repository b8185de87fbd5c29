//! The window of time that is measured, after a warm-up, and what happens in it.

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
    /// Processor time of the load generator for each second, in seconds, and of the server.
    pub(crate) client_cpu: f64,
    pub(crate) server_cpu: f64,
    /// Conversations in which, at the end, a message had waited for its echo for long: a packet was lost.
    pub(crate) stalled: usize,
}

impl Sample {
    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    /// Processor time of client and server together, in seconds for each unit of the rate.
    pub(crate) fn cost(&self) -> f64 {
        self.client_cost() + self.server_cost()
    }

    /// The client's part of that.
    pub(crate) fn client_cost(&self) -> f64 {
        self.client_cpu / self.rate
    }

    /// The server's part of that.
    pub(crate) fn server_cost(&self) -> f64 {
        self.server_cpu / self.rate
    }

    /// The 99th percentile of the latencies in seconds.
    pub(crate) fn p99(&self) -> f64 {
        self.latency.p99.as_secs_f64()
    }
}

/// Collects the echoes.
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

    /// Counts an echo: how much came back, and how long after it was sent.
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

    /// Whether the time to measure is over.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        now >= self.end
    }

    /// The sample of what was noted until now.
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
