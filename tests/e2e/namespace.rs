//! Network namespaces of the tests' own, so that the machine's network is never touched.

use std::fs::{self, OpenOptions};
use std::process::Command;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

use crate::program::run;

/// Moves the process, which must have no second thread yet, into network and mount namespaces of its own: by right
/// where it may, else through a user namespace, in which it is root. Says what is missing where that cannot be.
pub(crate) fn isolate_process() -> Result<(), String> {
    let own = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS;
    match unshare(own) {
        Err(Errno::EPERM) => become_root_of_a_user_namespace(own)?,
        result => result.map_err(|error| format!("cannot make a network namespace: {error}"))?,
    }
    keep_mounts_private();
    let tun = "/dev/net/tun";
    OpenOptions::new().read(true).write(true).open(tun).map_err(|error| {
        format!(
            "these tests need {tun}, which cannot be opened: {error}; \
             load the kernel's module (`modprobe tun`) or, if permission is what is missing, run them as root"
        )
    })?;
    Ok(())
}

fn become_root_of_a_user_namespace(own: CloneFlags) -> Result<(), String> {
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | own).map_err(|error| {
        format!("these tests need a network namespace, by root's right or in a user namespace: {error}")
    })?;
    // A group map may be written only where setgroups(2) has been given up: user_namespaces(7).
    for (file, line) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {user} 1")),
        ("gid_map", format!("0 {group} 1")),
    ] {
        fs::write(format!("/proc/self/{file}"), line)
            .map_err(|error| format!("cannot write {file}: {error}"))?;
    }
    Ok(())
}

fn keep_mounts_private() {
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
}

/// Moves the calling thread, and the programs and threads it starts from now on, into an empty network in which only
/// `lo` is up.
pub(crate) fn isolate_thread() {
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    ip("link set lo up");
}

/// Gives the calling thread mounts of its own, for a test that changes what `/dev` holds.
pub(crate) fn own_mounts() {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    keep_mounts_private();
}

/// An empty disk of that size at `/mnt`, which the calling thread alone sees.
pub(crate) fn disk(size: &str) {
    own_mounts();
    let options = format!("size={size},mode=777");
    mount(Some("tmpfs"), "/mnt", Some("tmpfs"), MsFlags::empty(), Some(options.as_str())).unwrap();
}

/// Whether users other than this one exist here: not so in a user namespace that maps a single one.
pub(crate) fn has_other_users() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap();
    map.split_whitespace().nth(2).is_some_and(|count| count != "1")
}

/// Runs `ip` with these arguments and gives what it prints.
#[track_caller]
pub(crate) fn ip(arguments: &str) -> String {
    let output = run(Command::new("ip").args(arguments.split_whitespace()), b"");
    assert!(output.status.success(), "ip {arguments}: {}", output.stderr);
    output.stdout()
}

/// What `ip` knows of this network, but for what the kernel changes a moment after an IPv6 address has been given.
pub(crate) fn snapshot() -> String {
    let all = ["-o link", "-o addr", "route show table all", "-6 route show table all"].map(ip).concat();
    let settled = all.lines().filter(|line| !line.starts_with("local ") && !line.starts_with("anycast "));
    settled.map(|line| line.replace(" tentative", "") + "\n").collect()
}

/// Whether this network has a link of this name.
pub(crate) fn has_link(name: &str) -> bool {
    let links = ip("-o link");
    links.lines().any(|line| line.split(": ").nth(1).is_some_and(|link| link.split('@').next() == Some(name)))
}

/// Sets one of this network's settings below `/proc/sys/net`.
#[track_caller]
pub(crate) fn sysctl(name: &str, value: &str) {
    let path = format!("/proc/sys/net/{name}");
    fs::write(&path, value).unwrap_or_else(|error| panic!("{path}: {error}"));
}
