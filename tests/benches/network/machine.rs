//! The machine, and what else it does during a run.

use core::fmt;
use std::fs;
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};

/// Processor time so far, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Busy {
    at: Instant,
    all: f64,
    /// This process, in its own code and in the kernel.
    user: f64,
    system: f64,
    /// Children of this process that have ended: the servers.
    children: f64,
}

/// Processor time between two such readings, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    user: f64,
    system: f64,
    /// What other programs took, in percent of a core.
    others_percent: f64,
}

impl Busy {
    pub(crate) fn now() -> Result<Busy, String> {
        let seconds = |time: TimeVal| time.num_microseconds() as f64 / 1e6;
        let usage = |who| {
            let usage = getrusage(who).map_err(|error| error.to_string())?;
            Ok::<_, String>((seconds(usage.user_time()), seconds(usage.system_time())))
        };
        let stat = fs::read_to_string("/proc/stat").map_err(|error| format!("/proc/stat: {error}"))?;
        let all = busy_ticks(&stat).ok_or("/proc/stat has no line for all cores")? as f64 / TICKS_A_SECOND;
        let (user, system) = usage(UsageWho::RUSAGE_SELF)?;
        let children = usage(UsageWho::RUSAGE_CHILDREN)?;
        Ok(Busy { at: Instant::now(), all, user, system, children: children.0 + children.1 })
    }

    pub(crate) fn since(self, before: Busy) -> Share {
        let (user, system) = (self.user - before.user, self.system - before.system);
        let own = user + system + self.children - before.children;
        let others = (self.all - before.all - own).max(0.0);
        Share { user, system, others_percent: others / (self.at - before.at).as_secs_f64() * 100.0 }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Share { user, system, others_percent } = self;
        write!(
            f,
            "the load generator took {user:.1} s in its own code and {system:.1} s in the kernel; \
             other programs took {others_percent:.0}% of a core meanwhile"
        )?;
        if *others_percent > 10.0 {
            write!(f, ": THE MACHINE WAS NOT QUIET, and only processor times say something")?;
        }
        Ok(())
    }
}

/// The processor, the number of cores and the kernel, in one sentence.
pub(crate) fn description() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, core::num::NonZero::get);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Measured on {model}, {cores} cores, Linux {}.", kernel.trim_end())
}

/// USER_HZ, which is 100 on every architecture that Linux supports now.
const TICKS_A_SECOND: f64 = 100.0;

/// The sum of the first eight columns but for idle and iowait, the fourth and fifth (proc_stat(5)). Guest time, in the last two
/// columns, is part of user time already.
pub(crate) fn busy_ticks(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    Some(
        ticks
            .iter()
            .take(8)
            .enumerate()
            .filter(|(index, _)| ![3, 4].contains(index))
            .map(|(_, ticks)| ticks)
            .sum(),
    )
}
