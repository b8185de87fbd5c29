//! Why `serve` ends with 1: each a sentence with its remedy.

use core::net::IpAddr;
use std::io;

use nix::errno::Errno;
use thiserror::Error;

/// Why `serve` could not start or go on.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// The kernel has no TUN driver, or there is no node for it.
    #[error(
        "{TUN_NODE} is not there ({0}): load the driver with `sudo modprobe tun`, make the node with `sudo mkdir -p \
         /dev/net && sudo mknod -m 666 {TUN_NODE} c 10 200`, or start the container with `--device {TUN_NODE}`"
    )]
    NoTun(io::Error),
    /// The node is there and may not be opened.
    #[error(
        "{TUN_NODE} may not be opened ({0}): run shout with sudo, open it to all with `sudo chmod 666 {TUN_NODE}`, or \
         start the container with `--device {TUN_NODE}`"
    )]
    TunRefused(io::Error),
    /// No right to make the device, or to attach to it.
    #[error(
        "the device {device} can be neither created nor attached to without CAP_NET_ADMIN; one of these helps:\n  \
         run shout with sudo, or its container with `--cap-add NET_ADMIN`\n  \
         give it that capability with `sudo setcap cap_net_admin+ep {program}`\n  \
         create the device with `sudo ip tuntap add dev {device} mode {kind} user $USER`, set it up, and use --no-configure\n  \
         try shout in a private namespace, without privileges, with `{program} demo`"
    )]
    NoPrivilege {
        /// The device.
        device: String,
        /// The mode that `ip tuntap` makes it in.
        kind: &'static str,
        /// The path of this program.
        program: String,
    },
    /// No right to set the device up.
    #[error(
        "{what} was refused: it needs CAP_NET_ADMIN (run shout with sudo, or give it that capability with `sudo setcap \
         cap_net_admin+ep {program}`); if {device} has been set up already, use --no-configure"
    )]
    ConfigureRefused {
        /// What was being done.
        what: String,
        /// The device.
        device: String,
        /// The path of this program.
        program: String,
    },
    /// There is no device, and none is to be made.
    #[error(
        "there is no device {device}, and --no-configure uses an existing one: create it with `sudo ip tuntap add dev \
         {device} mode {kind} user $USER`, give it an address (`sudo ip address add {host_address} dev {device}`) and set it up \
         (`sudo ip link set {device} up`), or leave --no-configure out"
    )]
    NoDevice {
        /// The device.
        device: String,
        /// The mode that `ip tuntap` makes it in.
        kind: &'static str,
        /// An address for this machine's end of the link, with its prefix.
        host_address: String,
    },
    /// Another program has the device.
    #[error(
        "the device {device} is held by another program: end that one (another shout?), or choose another device with \
         --tun and other addresses with --address and --host-address"
    )]
    DeviceBusy {
        /// The device.
        device: String,
    },
    /// The name is that of something else.
    #[error("{device} exists already and is not a plain {kind} device: choose another name with --tun")]
    NotTun {
        /// The device.
        device: String,
        /// What it should be.
        kind: String,
    },
    /// Two stations with one hardware address on the link.
    #[error(
        "{mac} (--mac) is the hardware address of {device} itself, and the server needs one of its own: choose another with --mac, \
         or leave --mac out"
    )]
    MacInUse {
        /// The device.
        device: String,
        /// The hardware address.
        mac: String,
    },
    /// The device cannot be opened for another reason.
    #[error("the device {device} cannot be opened: {source}; {}", remedy(source))]
    Open {
        /// The device.
        device: String,
        /// Why.
        source: io::Error,
    },
    /// An address that this machine has already.
    #[error(
        "{address} ({option}) is in use already: it is this machine's address on {interface}; choose others with \
         --address and --host-address"
    )]
    AddressInUse {
        /// The address.
        address: IpAddr,
        /// The option that asks for it.
        option: &'static str,
        /// Who has it.
        interface: String,
    },
    /// An address that this machine would look for on another network.
    #[error(
        "this machine looks for {address} on {interface}, not on {device}: its subnet is that of {interface} too; choose \
         another with --address and --host-address"
    )]
    RoutedElsewhere {
        /// The address.
        address: IpAddr,
        /// The device that it should be found on.
        device: String,
        /// The one that the route leads to.
        interface: String,
    },
    /// Only IPv6 addresses were asked for, on a machine without IPv6.
    #[error(
        "this machine has no IPv6 and no IPv4 address was given: enable IPv6 (`sudo sysctl \
         net.ipv6.conf.default.disable_ipv6=0`), or add an IPv4 --address and --host-address"
    )]
    NoIpv6,
    /// The slots and their buffers do not fit.
    #[error(
        "{connections} connections with two buffers of {buffer} bytes each do not fit in memory ({needed} needed, \
         {available}): ask for fewer with --connections or smaller ones with --buffer"
    )]
    Memory {
        /// The number of slots.
        connections: u16,
        /// The size of a buffer.
        buffer: u32,
        /// What it comes to, readable.
        needed: String,
        /// What there is, readable, or why it cannot be had.
        available: String,
    },
    /// The file of the capture cannot be opened.
    #[error(
        "{path} (--pcap) cannot be opened for writing: {source}; choose another file, or check that its directory exists and may be written"
    )]
    Capture {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The file of the counters cannot be written.
    #[error(
        "{path} (--stats-file) cannot be written by the user as whom shout serves: {source}; {}",
        way_to_write(source, *user)
    )]
    StatsFile {
        /// The file.
        path: String,
        /// The number of the user.
        user: u32,
        /// Why.
        source: io::Error,
    },
    /// No thread could be started.
    #[error(
        "the thread that writes the log cannot be started ({0}): allow more processes to the user that shout runs as (`ulimit \
         -u`, `TasksMax=` of a systemd unit)"
    )]
    NoThread(io::Error),
    /// The core refused its configuration.
    #[error("the server cannot start: {0}")]
    Server(#[from] shout_core::ConfigError),
    /// The device was deleted.
    #[error("the device {device} is gone: it was deleted while shout served on it; start shout again")]
    DeviceGone {
        /// The device.
        device: String,
    },
    /// The device failed in a way that it should not.
    #[error("the device {device} failed: {source}; start shout again")]
    Device {
        /// The device.
        device: String,
        /// How.
        source: io::Error,
    },
    /// The system refused something that it usually grants.
    #[error("{what} failed: {source}; {}", remedy(source))]
    System {
        /// What was being done.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

/// The node of the TUN driver.
pub(crate) const TUN_NODE: &str = "/dev/net/tun";

impl Error {
    /// For `map_err`: the system refused `what`.
    pub(crate) fn system<E: Into<io::Error>>(what: &str) -> impl FnOnce(E) -> Error {
        let what = what.to_owned();
        move |source| Error::System { what, source: source.into() }
    }
}

/// What to do where that user cannot write a file.
fn way_to_write(error: &io::Error, user: u32) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space, or choose another file".to_owned()
        }
        // Root without a right: the only user of its user namespace, and another one outside of it, or root in a container.
        _ if user == 0 => "choose a directory that whoever started shout may write to".to_owned(),
        _ => {
            format!("give that user the directory (`sudo install -d -o {user} DIRECTORY`), or choose another")
        }
    }
}

/// What to do about an error of the system's that nobody foresaw where it came from.
pub(crate) fn remedy(error: &io::Error) -> &'static str {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EMFILE | Errno::ENFILE) => "allow more open files (`ulimit -n`)",
        Some(Errno::EAGAIN) => "allow more processes to this user (`ulimit -u`)",
        Some(Errno::ENOMEM | Errno::ENOBUFS) => {
            "free some memory, or raise the limit of this process's control group"
        }
        Some(Errno::EPERM | Errno::EACCES) => {
            "a container, a sandbox or a security module forbids it: allow it there, or run shout outside"
        }
        _ => "try again with -vv to see what went before, and report it if it stays",
    }
}

/// The path of this program, for commands that the user can copy.
pub(crate) fn program() -> String {
    std::env::current_exe().map_or_else(|_| "shout".to_owned(), |path| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_a_file_is_one_that_helps() {
        let way = |kind: io::ErrorKind, user| way_to_write(&kind.into(), user);
        assert!(way(io::ErrorKind::PermissionDenied, 65534).contains("install -d -o 65534"));
        assert!(way(io::ErrorKind::NotFound, 0).contains("whoever started shout"));
        assert!(way(io::ErrorKind::StorageFull, 65534).contains("free some space"));
    }

    #[test]
    fn an_error_that_nobody_foresaw_has_a_remedy_too() {
        let message = |errno: Errno| Error::system("something")(errno).to_string();
        assert_eq!(
            message(Errno::EMFILE),
            "something failed: Too many open files (os error 24); allow more open files (`ulimit -n`)"
        );
        assert!(message(Errno::EPERM).contains("allow it there"));
        assert!(message(Errno::EIO).contains("-vv"));
    }
}
