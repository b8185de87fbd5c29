//! What else the machine does meanwhile.

use std::fs;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};

/// Seconds on any core so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Busy {
    all: f64,
    /// This process, and its children that have ended.
    own: f64,
}

impl Busy {
    pub(crate) fn now() -> Result<Busy, String> {
        let seconds = |time: TimeVal| time.num_microseconds() as f64 / 1e6;
        let usage = |who| {
            let usage = getrusage(who).map_err(|error| error.to_string())?;
            Ok::<f64, String>(seconds(usage.user_time()) + seconds(usage.system_time()))
        };
        let stat = fs::read_to_string("/proc/stat").map_err(|error| format!("/proc/stat: {error}"))?;
        let all = busy_ticks(&stat).ok_or("/proc/stat has no line for all cores")? as f64 / TICKS_A_SECOND;
        Ok(Busy { all, own: usage(UsageWho::RUSAGE_SELF)? + usage(UsageWho::RUSAGE_CHILDREN)? })
    }

    /// Seconds on any core that others took since then.
    pub(crate) fn others_since(self, before: Busy) -> f64 {
        (self.all - before.all) - (self.own - before.own)
    }
}

/// USER_HZ, which is the same wherever Linux runs nowadays.
const TICKS_A_SECOND: f64 = 100.0;

/// All but idle and iowait, the fourth and fifth: proc_stat(5). Guest time is in user time already.
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
