//! An unprivileged user on a machine as distributions set it up, where `/dev/net/tun` is open to all.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use crate::namespace::{has_other_users, own_mounts};
use crate::program::run;

/// Where the outsider finds a copy of the binary, which may stand below a directory that is closed to others.
const BINARY: &str = "/mnt/shout";

/// The user and group number that Linux keeps for nobody.
const NOBODY: u32 = 65534;

/// The user as whom [`command`] runs its program, as `ip tuntap add ... user` wants it.
pub(crate) fn user() -> u32 {
    if has_other_users() { NOBODY } else { 0 }
}

/// Prepares, for the calling thread, a machine on which anyone may open `/dev/net/tun`.
pub(crate) fn open_machine() {
    own_mounts();
    mount(Some("tmpfs"), "/mnt", Some("tmpfs"), MsFlags::empty(), Some("mode=755")).unwrap();
    // Not by this process: what another test is just starting would hold the file open for writing until it runs, and
    // what is open for writing cannot be run (ETXTBSY).
    let copied = run(Command::new("install").args(["-m", "755", env!("CARGO_BIN_EXE_shout"), BINARY]), b"");
    assert!(copied.status.success(), "{copied}");
    // In a user namespace no device can be made; there the machine's own was open to an ordinary user already.
    if has_other_users() {
        let node = "/mnt/tun";
        mknod(node, SFlag::S_IFCHR, Mode::empty(), makedev(10, 200)).unwrap();
        fs::set_permissions(node, Permissions::from_mode(0o666)).unwrap();
        let none: Option<&str> = None;
        mount(Some(node), "/dev/net/tun", none, MsFlags::MS_BIND, none).unwrap();
    }
}

/// `shout` as a user without any right; after [`open_machine`]. In a user namespace, which maps nobody else, that is
/// its root without a capability.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    if has_other_users() {
        command.args(become_nobody());
    } else {
        command.args(["--bounding-set=-all", "--inh-caps=-all"]);
    }
    command.args(["--", BINARY]).args(arguments).env_remove("RUST_LOG");
    command
}

/// `shout` as a user with a single capability (`CAP_...`) and no other right; after [`open_machine`].
pub(crate) fn command_with_capability(capability: &str, arguments: &[&str]) -> Command {
    let only = format!("-all,+{}", capability.trim_start_matches("CAP_").to_lowercase());
    let mut command = Command::new("setpriv");
    if has_other_users() {
        command.args(become_nobody());
    }
    command.args(["--bounding-set", "--inh-caps", "--ambient-caps"].map(|set| format!("{set}={only}")));
    command.args(["--", BINARY]).args(arguments).env_remove("RUST_LOG");
    command
}

/// `shout` as a user without any right who has made user and network namespaces for it; after [`open_machine`].
pub(crate) fn command_in_own_namespaces(arguments: &[&str]) -> Command {
    let unshare = ["unshare", "--user", "--map-root-user", "--net", "--", BINARY];
    let mut command = Command::new("setpriv");
    // In a user namespace there is no need to become somebody without rights: its root has none on the machine.
    if has_other_users() {
        command.args(become_nobody());
    }
    command.arg("--").args(unshare).args(arguments).env_remove("RUST_LOG");
    command
}

fn become_nobody() -> [String; 3] {
    [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()]
}
