//! A seccomp filter for the time after set-up: whatever a packet might make of this process, it can do no more than serve.
//!
//! A system call that is not in the list ends the process (SIGSYS). It is meant to be that strict: do not be tempted to
//! answer with an error, as code that goes on after one is not where the process ought to be.

use std::collections::BTreeMap;
use std::env;

use nix::errno::Errno;
use nix::libc;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// Serving itself: packets, signals, the log's lines and a capture are read and written, and waited for.
const SERVE: [i64; 6] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_ppoll,
    libc::SYS_futex,
    // Where the vDSO has no clock, and when a stopped process goes on.
    libc::SYS_clock_gettime,
    libc::SYS_restart_syscall,
];

/// The allocator, for the log's lines. Memory that could be run has another rule.
const ALLOCATE: [i64; 4] = [libc::SYS_brk, libc::SYS_munmap, libc::SYS_mremap, libc::SYS_madvise];

/// Calls with a protection as their third argument, by which memory could be made executable.
const PROTECT: [i64; 2] = [libc::SYS_mmap, libc::SYS_mprotect];

/// The end of a thread and of the process, by a panic or by an abort too.
const END: [i64; 10] = [
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
];

/// What `--pcap` takes: a record that did not fit is cut off again.
const CAPTURE: [i64; 1] = [libc::SYS_ftruncate];

/// What `--stats-file` takes: a new file, renamed into place. C libraries differ in how they rename.
const STATS_FILE: [i64; 4] = [libc::SYS_openat, libc::SYS_fchmod, libc::SYS_renameat, libc::SYS_renameat2];

/// What the server does besides serving.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Needs {
    /// It records packets.
    pub(crate) capture: bool,
    /// It writes a file of counters.
    pub(crate) stats_file: bool,
}

/// From now on, this process can do little more than serve. A kernel without seccomp filters is no reason not to.
pub(crate) fn enter(needs: Needs) {
    let program = match program(needs) {
        Ok(program) => program,
        // An architecture that the crate does not know.
        Err(error) => return log::debug!("serving without a seccomp filter: {error}"),
    };
    match seccompiler::apply_filter_all_threads(&program) {
        Ok(()) => log::debug!("a seccomp filter forbids system calls that the server does not need"),
        Err(seccompiler::Error::Seccomp(error))
            if matches!(error.raw_os_error().map(Errno::from_raw), Some(Errno::ENOSYS | Errno::EINVAL)) =>
        {
            log::debug!("this kernel has no seccomp filters: {error}");
        }
        Err(error) => log::warn!("serving without a seccomp filter, which was refused: {error}"),
    }
}

fn program(needs: Needs) -> Result<BpfProgram, BackendError> {
    let architecture = TargetArch::try_from(env::consts::ARCH)?;
    let filter =
        SeccompFilter::new(rules(needs)?, SeccompAction::KillProcess, SeccompAction::Allow, architecture)?;
    filter.try_into()
}

/// The calls that are allowed; those without a rule of their own with whatever arguments.
fn rules(needs: Needs) -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    let mut calls = [&SERVE[..], &ALLOCATE, &END].concat();
    if needs.capture {
        calls.extend(CAPTURE);
    }
    if needs.stats_file {
        calls.extend(STATS_FILE);
        #[cfg(target_arch = "x86_64")]
        calls.push(libc::SYS_rename);
    }
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        calls.into_iter().map(|call| (call, Vec::new())).collect();
    let executable = SeccompCmpOp::MaskedEq(u64::from(libc::PROT_EXEC.cast_unsigned()));
    for call in PROTECT {
        rules.insert(call, Vec::from([only_if(2, executable.clone(), 0)?]));
    }
    // A build with debug assertions looks whether a file is open before it closes it.
    rules.insert(libc::SYS_fcntl, Vec::from([only_if(1, SeccompCmpOp::Eq, libc::F_GETFD)?]));
    Ok(rules)
}

/// A rule on one argument of a call, counted from 0.
fn only_if(argument: u8, operator: SeccompCmpOp, value: libc::c_int) -> Result<SeccompRule, BackendError> {
    let value = u64::from(value.cast_unsigned());
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?;
    SeccompRule::new(Vec::from([condition]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_is_allowed() {
        let calls = |needs| rules(needs).unwrap().into_keys().collect::<Vec<_>>();
        let least = calls(Needs::default());
        for forbidden in
            [libc::SYS_socket, libc::SYS_execve, libc::SYS_openat, libc::SYS_ftruncate, libc::SYS_clone]
        {
            assert!(!least.contains(&forbidden), "{forbidden}");
        }
        assert!(calls(Needs { stats_file: true, ..Needs::default() }).contains(&libc::SYS_openat));
        assert!(calls(Needs { capture: true, ..Needs::default() }).contains(&libc::SYS_ftruncate));
    }

    #[test]
    fn the_filter_can_be_compiled() {
        let all = Needs { capture: true, stats_file: true };
        assert!(program(all).unwrap().len() > program(Needs::default()).unwrap().len());
    }
}
