//! Namespaces of the benchmark's own: it does not touch the machine's network, and it leaves no server behind.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process::{Command, ExitStatus};

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{getegid, geteuid};

/// Sockets at once, in the client and in a server: 4000 idle connections and the active ones.
const DESCRIPTORS: u64 = 8192;
const CONGESTION_CONTROL: &str = "ipv4/tcp_congestion_control";

/// Moves this process into a network namespace, and the programs that it starts into a PID namespace: by right where it may,
/// else through a user namespace, in which it is root. The process must not have a second thread yet.
///
/// # Errors
///
/// A sentence that says which namespace cannot be made and what to do.
pub(crate) fn enter_namespaces() -> Result<(), String> {
    match unshare(NAMESPACES) {
        Err(Errno::EPERM) => become_root_of_a_user_namespace(),
        result => result.map_err(|error| format!("cannot make a network namespace: {error}")),
    }
}

const NAMESPACES: CloneFlags = CloneFlags::CLONE_NEWNET.union(CloneFlags::CLONE_NEWPID);

/// Runs a program as the first of the PID namespace, and waits for its end.
///
/// However the program ends, the kernel then kills every other process in the namespace, such as the servers that the
/// program started. setpriv(1) makes the program end if this process does, even by SIGKILL. The servers cannot be
/// protected in that way each: a process that changes its user loses the setting (prctl(2), PR_SET_PDEATHSIG).
///
/// # Errors
///
/// A sentence that says that the program cannot be run.
pub(crate) fn run_as_init(
    program: &Path,
    configure: impl FnOnce(&mut Command),
) -> Result<ExitStatus, String> {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    configure(&mut command);
    command.status().map_err(|error| format!("cannot run setpriv: {error}; install util-linux"))
}

/// Ends this process when its parent ends, such as `cargo bench` that has been killed.
pub(crate) fn end_with_parent() -> Result<(), String> {
    set_pdeathsig(Signal::SIGTERM).map_err(|error| format!("cannot follow the parent process: {error}"))
}

/// Prepares the network namespace for the benchmark.
///
/// # Errors
///
/// A sentence that says what is missing and what to do.
pub(crate) fn prepare_network() -> Result<(), String> {
    let tun = "/dev/net/tun";
    OpenOptions::new().read(true).write(true).open(tun).map_err(|error| {
        format!(
            "the benchmark needs {tun}, which cannot be opened: {error}; \
             load the kernel's module (`modprobe tun`) or, if permission is what is missing, run it as root"
        )
    })?;
    ip("link set lo up")?;
    // Each connection that a client closes would keep its port for a minute, and there are ports for some seconds only.
    sysctl("ipv4/tcp_max_tw_buckets", "0")?;
    sysctl("ipv4/ip_local_port_range", "10000 65000")?;
    // The kernel sends IPv6 packets of its own on every device. Where there is no IPv6, there is nothing to switch off.
    let _ = sysctl("ipv6/conf/default/disable_ipv6", "1");
    raise_descriptors()
}

/// Runs ip(8) with these arguments, separated by blanks, in the namespace of the calling thread.
pub(crate) fn ip(arguments: &str) -> Result<(), String> {
    let status = Command::new("ip").args(arguments.split(' ')).status();
    let status = status.map_err(|error| format!("cannot run ip: {error}; install iproute2"))?;
    if status.success() { Ok(()) } else { Err(format!("`ip {arguments}` failed: {status}")) }
}

/// Sets the congestion control of connections that are opened from now on, at either end.
pub(crate) fn set_congestion_control(name: &str) -> Result<(), String> {
    sysctl(CONGESTION_CONTROL, name)
}

/// The congestion control that is set.
pub(crate) fn congestion_control() -> Result<String, String> {
    let path = path(CONGESTION_CONTROL);
    let name = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    Ok(name.trim_end().to_owned())
}

/// Whether connections can be given this congestion control.
pub(crate) fn has_congestion_control(name: &str) -> bool {
    let available = fs::read_to_string(path("ipv4/tcp_available_congestion_control")).unwrap_or_default();
    available.split_whitespace().any(|available| available == name)
}

fn become_root_of_a_user_namespace() -> Result<(), String> {
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | NAMESPACES).map_err(|error| {
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

/// Sets a variable below `/proc/sys/net` in the namespace of the calling thread.
pub(crate) fn sysctl(name: &str, value: &str) -> Result<(), String> {
    let path = path(name);
    fs::write(&path, value).map_err(|error| format!("{path}: {error}"))
}

fn path(name: &str) -> String {
    format!("/proc/sys/net/{name}")
}

/// Raises the limit on open files. The servers inherit it.
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
