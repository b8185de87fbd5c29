//! Giving up every privilege once the device is set up: what comes from the network then meets a process that can do
//! next to nothing.

use std::fs;
use std::io;

use caps::CapSet;
use nix::errno::Errno;
use nix::sys::prctl;
use nix::unistd::{Gid, Uid, geteuid, setgroups, setresgid, setresuid};

use crate::error::Error;

/// `nobody` and `nogroup`, the same on every Linux system (the kernel's overflow identifiers).
const NOBODY: u32 = 65534;

/// Drops all capabilities for good, and root's identity with them. They belong to a thread: call this before
/// another one is started.
pub(crate) fn drop_all() -> Result<(), Error> {
    prctl::set_no_new_privs().map_err(Error::system("setting no_new_privs"))?;
    // Takes CAP_SETPCAP, which a binary with CAP_NET_ADMIN alone lacks; no_new_privs makes up for it.
    if let Err(error) = caps::clear(None, CapSet::Bounding) {
        log::debug!("the capability bounding set stays: {error}");
    }
    if geteuid().is_root() {
        become_nobody()?;
    }
    for set in [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable] {
        let cleared = caps::clear(None, set).map_err(io::Error::other);
        cleared.map_err(Error::system("dropping the capabilities"))?;
    }
    // The ambient set has followed the permitted one (capabilities(7)).
    log::debug!("running on as user {}, without capabilities", geteuid());
    Ok(())
}

/// Root's identity alone opens most files, so it goes too.
fn become_nobody() -> Result<(), Error> {
    let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    let result =
        clear_groups().and_then(|()| setresgid(gid, gid, gid)).and_then(|()| setresuid(uid, uid, uid));
    match result {
        // In a user namespace with one user: its "root" is that user, no more.
        Err(Errno::EINVAL) => {
            log::debug!("this user namespace has no other user to run on as");
            Ok(())
        }
        // A container whose root may not change its identity. It is root without a single capability then.
        Err(Errno::EPERM) => {
            log::warn!(
                "running on as root, without capabilities: CAP_SETUID and CAP_SETGID are missing to change that"
            );
            Ok(())
        }
        result => result.map_err(Error::system("becoming an unprivileged user")),
    }
}

fn clear_groups() -> nix::Result<()> {
    match setgroups(&[]) {
        // An unprivileged user namespace does not allow it at all (user_namespaces(7)).
        Err(Errno::EPERM) if fs::read_to_string("/proc/self/setgroups").is_ok_and(|s| s.trim() == "deny") => {
            Ok(())
        }
        result => result,
    }
}
