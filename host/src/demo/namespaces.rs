//! The namespaces of a demo: a network that nobody else sees, made without privileges.

use std::fs;
use std::io::{self, ErrorKind};

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::unistd::{getegid, geteuid};

use super::failure::DemoError;
use crate::error;
use crate::system::netlink::Netlink;

/// Whose root a program in the namespaces is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    /// The machine's, who started the demo.
    Machine,
    /// Nobody's: that of a user namespace with one user.
    Nobody,
}

/// Moves into a network namespace of its own, in which `lo` is up: by right where there is one, else through a user namespace.
pub(super) fn enter() -> Result<Root, DemoError> {
    let root = match unshare(CloneFlags::CLONE_NEWNET) {
        Ok(()) => Root::Machine,
        Err(Errno::EPERM) => {
            enter_user_namespace()?;
            Root::Nobody
        }
        Err(error) => return Err(DemoError::NetworkNamespace(error.into())),
    };
    set_loopback_up().map_err(DemoError::system("setting lo up"))?;
    Ok(root)
}

fn enter_user_namespace() -> Result<(), DemoError> {
    let (user, group) = (geteuid(), getegid());
    let refused = |source| DemoError::UserNamespace { source, remedy: remedy(), program: error::program() };
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET).map_err(|error| refused(error.into()))?;
    // The files below belong to root for a program that has got capabilities with its file (proc_pid(5)).
    prctl::set_dumpable(true).map_err(DemoError::system("setting the dumpable flag"))?;
    // A group map may be written only where setgroups(2) has been given up (user_namespaces(7)).
    for (file, line) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {user} 1")),
        ("gid_map", format!("0 {group} 1")),
    ] {
        // AppArmor lets one make a user namespace and refuses this.
        fs::write(format!("/proc/self/{file}"), line).map_err(refused)?;
    }
    Ok(())
}

/// What has to be changed for user namespaces to be allowed, as far as can be seen from here.
fn remedy() -> &'static str {
    let is = |name: &str, refusing: &str| {
        fs::read_to_string(format!("/proc/sys/{name}")).is_ok_and(|value| value.trim() == refusing)
    };
    if is("user/max_user_namespaces", "0") {
        "allow them with `sudo sysctl user.max_user_namespaces=1000`"
    } else if is("kernel/unprivileged_userns_clone", "0") {
        "allow them with `sudo sysctl kernel.unprivileged_userns_clone=1`"
    } else if is("kernel/apparmor_restrict_unprivileged_userns", "1") {
        "allow them with `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`"
    } else {
        "in a container, start it with `--privileged` or run shout outside of it"
    }
}

fn set_loopback_up() -> io::Result<()> {
    let netlink = Netlink::open()?;
    let lo = netlink.link("lo")?.ok_or(ErrorKind::NotFound)?;
    netlink.set_up(lo.index, true)
}
