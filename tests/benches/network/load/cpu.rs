//! Time on a core: the load generator's own and the server's.

use core::time::Duration;
use std::fs;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::unistd::{SysconfVar, sysconf};

/// Time on a core so far, in the kernel too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CpuTime {
    pub(crate) client: Duration,
    pub(crate) server: Duration,
}

impl CpuTime {
    /// Of this process and of the server with this process id.
    pub(crate) fn now(server: u32) -> CpuTime {
        let duration = |time: TimeVal| {
            let micros = i128::from(time.tv_sec()) * 1_000_000 + i128::from(time.tv_usec());
            Duration::from_micros(u64::try_from(micros).unwrap_or(0))
        };
        let client = getrusage(UsageWho::RUSAGE_SELF)
            .map_or(Duration::ZERO, |usage| duration(usage.user_time()) + duration(usage.system_time()));
        CpuTime { client, server: of_process(server).unwrap_or(Duration::ZERO) }
    }

    pub(crate) fn since(self, before: CpuTime) -> CpuTime {
        CpuTime {
            client: self.client.saturating_sub(before.client),
            server: self.server.saturating_sub(before.server),
        }
    }
}

/// From /proc/PID/stat, whose second field may hold blanks and brackets: proc_pid_stat(5).
fn of_process(id: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    let ticks_a_second = u64::try_from(sysconf(SysconfVar::CLK_TCK).ok()??).ok()?;
    Some(Duration::from_millis(ticks * 1000 / ticks_a_second))
}
