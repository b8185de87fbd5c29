//! The server of a demo: a process of its own, `shout serve` as ever, that is told apart by one option only: it says when it is
//! ready, and ends with the process that started it, however that ends.

use std::env;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use log::LevelFilter;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::failure::{DemoError, ending};
use crate::cli::DemoOptions;
use crate::cli::definition::PARENT_IS_DEMO;
use crate::client::Background;

/// A running server, ended when dropped.
pub(super) struct Server(Child);

impl Server {
    /// Starts a server and waits until it is ready.
    pub(super) fn start(options: &DemoOptions, level: LevelFilter) -> Result<Self, DemoError> {
        let starting = || DemoError::system("starting the server");
        // Through its standard input the server says that it is ready: standard output may be wanted for `--pcap -`.
        let (mut ours, theirs) = UnixStream::pair().map_err(starting())?;
        let to_stdout = options.serve.pcap.as_deref() == Some(Path::new("-"));
        let mut command = Command::new("/proc/self/exe");
        command.arg0("shout").arg("serve").arg(format!("--{PARENT_IS_DEMO}")).args(&options.words);
        if env::var_os("RUST_LOG").is_none() {
            command.env("RUST_LOG", level.as_str());
        }
        command.stdin(OwnedFd::from(theirs));
        command.stdout(if to_stdout { Stdio::inherit() } else { Stdio::null() });
        // In a process group of its own, since the terminal's Ctrl-C and Ctrl-Z are for the client.
        let server = Self(command.process_group(0).spawn().map_err(starting())?);
        // What has been given to the server is to be closed when that ends, and not held open here.
        drop(command);
        if ours.read_exact(&mut [0]).is_ok() {
            return Ok(server);
        }
        let ended = server.wait_id(WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
        Err(DemoError::Server(ended.map_err(DemoError::system("waiting for the server"))?))
    }

    fn id(&self) -> Pid {
        Pid::from_raw(self.0.id().cast_signed())
    }

    fn wait_id(&self, flags: WaitPidFlag) -> io::Result<WaitStatus> {
        Ok(waitid(Id::Pid(self.id()), flags)?)
    }

    /// A sentence that says how the server ended, if it has.
    pub(super) fn how_it_ended(&self) -> Option<String> {
        // It stays to be waited for, so that its number is not another process's.
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match self.wait_id(flags) {
            Ok(WaitStatus::StillAlive) | Err(_) => None,
            Ok(status) => Some(format!("the server of this demo has ended: {}", ending(&status))),
        }
    }

    /// Asks the server for its counters.
    pub(super) fn show_counters(&self) {
        // It fails only for a server that has ended, which shows nothing more.
        let _ = kill(self.id(), Signal::SIGUSR1);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It takes its time, a second at most, to end the connections that are left. Both fail if it has ended already.
        let _ = kill(self.id(), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// What the prompt looks after: SIGUSR1 is passed on to the server, and without a server there is nothing to talk to.
pub(super) struct ServerWatch<'a> {
    server: &'a Server,
    signals: SignalFd,
}

impl<'a> ServerWatch<'a> {
    /// Looks after `server`. Both signals must be blocked.
    pub(super) fn new(server: &'a Server) -> io::Result<Self> {
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok(Self { server, signals: SignalFd::with_flags(&signals(), flags)? })
    }
}

/// The signals that a demo gets for its server: to be blocked before that is started, or one could be missed.
pub(super) fn signals() -> SigSet {
    SigSet::from_iter([Signal::SIGUSR1, Signal::SIGCHLD])
}

impl Background for ServerWatch<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        AsFd::as_fd(&self.signals)
    }

    fn attend(&self) -> Result<(), String> {
        while let Ok(Some(info)) = self.signals.read_signal() {
            if i32::try_from(info.ssi_signo) == Ok(Signal::SIGUSR1 as i32) {
                self.server.show_counters();
            }
        }
        match self.server.how_it_ended() {
            None => Ok(()),
            Some(ending) => Err(format!("{ending}; start the demo again")),
        }
    }
}

/// For the server: arranges to end with the process that started it, and tells that all is ready.
pub(crate) fn report_readiness() -> io::Result<()> {
    // As `/proc/self/exe` it would be called "exe" by top and pgrep.
    prctl::set_name(c"shout")?;
    prctl::set_pdeathsig(Signal::SIGTERM)?;
    // If that process has ended before, nobody reads this, and it fails.
    UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?).write_all(b"\n")
}
