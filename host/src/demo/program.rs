//! A program in place of the prompt: it gets the signals that are meant for it, and its end is that of the demo.

use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::failure::DemoError;
use super::server::{Server, signals};

/// Runs a program, with `mask` as its blocked signals, to its end and gives its exit code, or 128 and the signal that ended it.
pub(super) fn run(
    name: &OsStr,
    arguments: &[OsString],
    mask: &SigSet,
    server: &Server,
) -> Result<ExitCode, DemoError> {
    let mut watched = signals();
    watched.extend([Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM]);
    // Before the program is there: what it has on the screen may be answered with Ctrl-C before this process runs again.
    watched.thread_swap_mask(SigmaskHow::SIG_BLOCK).map_err(DemoError::system("blocking signals"))?;
    let program =
        start(name, arguments, mask).map_err(|source| DemoError::Program(name.to_owned(), source))?;
    wait_for(program, &watched, server).map_err(DemoError::system("waiting for the program"))
}

/// Starts a program with signals as they were: `std::process::Command` would hand on that they are blocked here.
fn start(name: &OsStr, arguments: &[OsString], mask: &SigSet) -> io::Result<Pid> {
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_flags(PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF)?;
    attributes.set_sigmask(mask)?;
    // Rust's runtime has it ignored.
    attributes.set_sigdefault(&SigSet::from(Signal::SIGPIPE))?;
    let name = CString::new(name.as_bytes())?;
    let mut words = vec![name.clone()];
    for argument in arguments {
        words.push(CString::new(argument.as_bytes())?);
    }
    let environment = env::vars_os()
        .map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(posix_spawnp(&name, &PosixSpawnFileActions::init()?, &attributes, &words, &environment)?)
}

/// Waits for a program's end. Signals that would end this process first do not; those that the program would not get
/// otherwise are passed on, and SIGUSR1 to the server, whose end is told.
fn wait_for(program: Pid, watched: &SigSet, server: &Server) -> io::Result<ExitCode> {
    let signals = SignalFd::with_flags(watched, SfdFlags::SFD_CLOEXEC)?;
    let mut is_served = true;
    loop {
        let code = match waitpid(program, Some(WaitPidFlag::WNOHANG))? {
            WaitStatus::Exited(_, code) => Some(code),
            WaitStatus::Signaled(_, signal, _) => Some(128 + signal as i32),
            _ => None,
        };
        if let Some(code) = code {
            return Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)));
        }
        if is_served && let Some(ending) = server.how_it_ended() {
            is_served = false;
            // On a terminal a shell's prompt may stand there, in a mode in which a line feed does not return the carriage.
            let [before, after] = if io::stderr().is_terminal() { ["\r\n"; 2] } else { ["", "\n"] };
            let line = format!("{before}error: {ending}; what runs here goes on without it{after}");
            // Without standard error there is nobody to tell.
            let _ = io::stderr().write_all(line.as_bytes());
        }
        let Some(info) = signals.read_signal()? else { continue };
        let Ok(Ok(signal)) = i32::try_from(info.ssi_signo).map(Signal::try_from) else { continue };
        if signal == Signal::SIGUSR1 {
            server.show_counters();
        } else if signal != Signal::SIGCHLD
            // What the terminal sends, it sends to the program as well; what a process sends (SI_USER and below), not.
            && info.ssi_code <= 0
        {
            kill(program, signal)?;
        }
    }
}
