//! Networks of the tests' own, so that the machine's is never touched.

use std::fs;
use std::process::Command;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

/// Moves the process, which must have no second thread yet, into a network namespace of its own: by right where it may,
/// else through a user namespace, in which it is root.
pub(crate) fn isolate_process() -> Result<(), String> {
    let own = CloneFlags::CLONE_NEWNET;
    let result = match unshare(own) {
        Err(Errno::EPERM) => {
            let (user, group) = (geteuid(), getegid());
            unshare(CloneFlags::CLONE_NEWUSER | own).and_then(|()| {
                let written = fs::write("/proc/self/setgroups", "deny")
                    .and_then(|()| fs::write("/proc/self/uid_map", format!("0 {user} 1")))
                    .and_then(|()| fs::write("/proc/self/gid_map", format!("0 {group} 1")));
                written.map_err(|_| Errno::EPERM)
            })
        }
        result => result,
    };
    result.map_err(|error| format!("these tests need a network namespace of their own: {error}"))
}

/// Moves the calling thread, and those it starts from now on, into an empty network.
pub(crate) fn isolate_thread() {
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
}

/// Runs `ip` with these arguments.
#[track_caller]
pub(crate) fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split_whitespace()).status().unwrap();
    assert!(status.success(), "ip {arguments}");
}
