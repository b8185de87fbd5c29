//! Processor time of the load generator and of the server, in the kernel too.

use core::time::Duration;

use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// Processor time so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CpuTime {
    pub(crate) client: Duration,
    pub(crate) server: Duration,
}

impl CpuTime {
    /// Of this process and of the server with this process id.
    pub(crate) fn now(server: Pid) -> Result<CpuTime, String> {
        let read = || {
            let client = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?.into();
            let server = clock_gettime(clock_getcpuclockid(server)?)?.into();
            Ok(CpuTime { client, server })
        };
        read().map_err(|error: nix::Error| format!("cannot read how long the server ran: {error}"))
    }

    pub(crate) fn since(self, before: CpuTime) -> CpuTime {
        CpuTime { client: self.client - before.client, server: self.server - before.server }
    }
}
