//! `shout demo`: a server and a visitor in a network of their own, which nobody else sees and which ends with them.
//!
//! The server is a process of its own, `shout serve` as ever: it gives its privileges up, which the visitor may need, and
//! gets none of the terminal's signals. It is told apart by `--attended` only: it says when it is ready, and ends with
//! the process that started it, however that ends.

mod program;

use core::time::Duration;
use std::ffi::OsString;
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::{env, fs};

use log::LevelFilter;
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getegid, geteuid};
use thiserror::Error;

use crate::cli::values::Visitor;
use crate::client;
use crate::error;
use crate::logging::Log;
use crate::system::netlink::Netlink;

/// Where a server is that was told nothing else.
const TARGET: &str = "192.168.69.1:8080";

/// How long `shout udp` waits for a reply unless told otherwise.
const UDP_TIMEOUT: Duration = Duration::from_secs(2);

/// Why there was no demonstration.
#[derive(Debug, Error)]
enum DemoError {
    #[error("user namespaces are not allowed here ({source}): {remedy}, or run `sudo {program} demo`")]
    UserNamespace { source: io::Error, remedy: &'static str, program: String },
    #[error(
        "a network namespace cannot be made ({0}): see that `sysctl user.max_net_namespaces` is not 0 and that the kernel \
         was built with CONFIG_NET_NS"
    )]
    NetworkNamespace(io::Error),
    #[error("{0} failed: {1}")]
    System(&'static str, io::Error),
    #[error("the server ended before it was ready: {0}")]
    Server(ExitStatus),
    #[error("{} cannot be run: {}", .0.display(), .1)]
    Program(OsString, io::Error),
}

impl DemoError {
    fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::System(what, source.into())
    }

    /// For a program that cannot be run, what a shell makes of it.
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Program(_, source) if source.kind() == ErrorKind::NotFound => ExitCode::from(127),
            Self::Program(..) => ExitCode::from(126),
            _ => ExitCode::FAILURE,
        }
    }
}

/// Runs `shout demo`. Call it before any thread is started: a process with threads may not enter a user namespace.
pub(crate) fn run(visitor: &Visitor, level: LevelFilter, log: &Log) -> ExitCode {
    demonstrate(visitor, level).unwrap_or_else(|error| {
        // A server that failed in good order has said why.
        if !matches!(&error, DemoError::Server(status) if status.code() == Some(1)) {
            log.fatal(&error);
        }
        error.exit_code()
    })
}

fn demonstrate(visitor: &Visitor, level: LevelFilter) -> Result<ExitCode, DemoError> {
    enter_namespaces()?;
    set_loopback_up().map_err(DemoError::system("setting lo up"))?;
    let _server = Server::start(level)?;
    Ok(match visitor {
        Visitor::Tcp => {
            welcome("TCP");
            client::tcp::run(TARGET)
        }
        Visitor::Udp => {
            welcome("UDP");
            client::udp::run(TARGET, UDP_TIMEOUT)
        }
        Visitor::Program(name, arguments) => program::run(name, arguments)?,
    })
}

/// For whoever sees a prompt next.
fn welcome(protocol: &str) {
    if io::stdin().is_terminal() {
        let line = format!("{TARGET} ({protocol}) is yours alone: type a line and see; Ctrl-D ends it all\n");
        // Without standard error there is nobody to welcome.
        let _ = io::stderr().write_all(line.as_bytes());
    }
}

/// Moves into a network namespace of its own: by right where there is one, else through a user namespace.
fn enter_namespaces() -> Result<(), DemoError> {
    match unshare(CloneFlags::CLONE_NEWNET) {
        Err(Errno::EPERM) => enter_user_namespace(),
        result => result.map_err(|error| DemoError::NetworkNamespace(error.into())),
    }
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

/// The server, ended when dropped.
struct Server(Child);

impl Server {
    /// Starts a server and waits until it is ready.
    fn start(level: LevelFilter) -> Result<Self, DemoError> {
        let mut command = Command::new("/proc/self/exe");
        command.arg0("shout").args(["serve", "--attended"]);
        if env::var_os("RUST_LOG").is_none() {
            command.env("RUST_LOG", level.as_str());
        }
        // In a process group of its own, since the terminal's Ctrl-C and Ctrl-Z are for the visitor.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
        let mut server = Self(command.spawn().map_err(DemoError::system("starting the server"))?);
        if let Some(mut output) = server.0.stdout.take()
            && output.read_exact(&mut [0]).is_ok()
        {
            return Ok(server);
        }
        let status = server.0.wait().map_err(DemoError::system("waiting for the server"))?;
        Err(DemoError::Server(status))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It takes its time, a second at most, to end the connections that are left. Both fail if it has ended already.
        let _ = kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// For the server: arranges to end with the process that started it, and tells that all is ready.
pub(crate) fn report_readiness() -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGTERM)?;
    // If that process has ended before, nobody reads this, and it fails.
    io::stdout().write_all(b"\n")
}
