//! A network of the benchmark's own, so that the machine's is never touched.

use std::fs::{self, OpenOptions};
use std::process::Command;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{getegid, geteuid};

/// Sockets at once, on each side: 4000 idle connections and all else.
const DESCRIPTORS: u64 = 8192;
const CONGESTION_CONTROL: &str = "ipv4/tcp_congestion_control";

/// Moves the process, which must have no second thread yet, into a network namespace of its own: by right where it may,
/// else through a user namespace, in which it is root.
pub(crate) fn isolate() -> Result<(), String> {
    match unshare(CloneFlags::CLONE_NEWNET) {
        Err(Errno::EPERM) => become_root_of_a_user_namespace()?,
        result => result.map_err(|error| format!("cannot make a network namespace: {error}"))?,
    }
    let tun = "/dev/net/tun";
    OpenOptions::new().read(true).write(true).open(tun).map_err(|error| {
        format!(
            "the benchmark needs {tun}, which cannot be opened: {error}; \
             load the kernel's module (`modprobe tun`) or, if permission is what is missing, run it as root"
        )
    })?;
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status();
    if !up.map_err(|error| format!("cannot run ip: {error}; install iproute2"))?.success() {
        return Err("`ip link set lo up` failed".to_owned());
    }
    // Each connection that a client closes would keep its port for a minute: there are 28,000, for some seconds' worth.
    sysctl("ipv4/tcp_max_tw_buckets", "0")?;
    sysctl("ipv4/ip_local_port_range", "10000 65000")?;
    // Nothing but the clients' packets on the devices. Where there is no IPv6, there is nothing to switch off.
    let _ = sysctl("ipv6/conf/default/disable_ipv6", "1");
    raise_descriptors()
}

/// The congestion control of connections that are opened from now on, at either end.
pub(crate) fn set_congestion_control(name: &str) -> Result<(), String> {
    sysctl(CONGESTION_CONTROL, name)
}

/// The one that there is.
pub(crate) fn congestion_control() -> Result<String, String> {
    let path = path(CONGESTION_CONTROL);
    let name = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    Ok(name.trim_end().to_owned())
}

fn become_root_of_a_user_namespace() -> Result<(), String> {
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET).map_err(|error| {
        format!("the benchmark needs a network namespace, by root's right or in a user namespace: {error}")
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

fn sysctl(name: &str, value: &str) -> Result<(), String> {
    let path = path(name);
    fs::write(&path, value).map_err(|error| format!("{path}: {error}"))
}

fn path(name: &str) -> String {
    format!("/proc/sys/net/{name}")
}

/// The servers inherit it.
fn raise_descriptors() -> Result<(), String> {
    let limit = Resource::RLIMIT_NOFILE;
    let (soft, hard) = getrlimit(limit).map_err(|error| error.to_string())?;
    if soft >= DESCRIPTORS {
        return Ok(());
    }
    setrlimit(limit, DESCRIPTORS, hard.max(DESCRIPTORS)).map_err(|error| {
        format!("{DESCRIPTORS} open files are needed, and {hard} are allowed: {error}; raise `ulimit -Hn`")
    })
}
