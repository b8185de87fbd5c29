//! The program under test, as a server.

use core::net::SocketAddr;
use std::process::{Command, ExitStatus};

use nix::sys::signal::Signal;

use crate::program::{Program, Transcript};

/// Where the server is unless told otherwise.
pub(crate) const V4: &str = "192.168.69.1:8080";
/// Where the server is unless told otherwise.
pub(crate) const V6: &str = "[fd69::1]:8080";

/// The program with these arguments, as if typed by someone who has set no log level.
pub(crate) fn shout(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shout"));
    command.args(arguments).env_remove("RUST_LOG");
    command
}

/// The same on a terminal of its own.
pub(crate) fn shout_on_a_terminal(arguments: &str) -> Program {
    on_a_terminal(&format!("{} {arguments}", env!("CARGO_BIN_EXE_shout")))
}

/// A command on a terminal of its own, by way of script(1), which has a shell read it.
pub(crate) fn on_a_terminal(command: &str) -> Program {
    // Without `exec`, dash stays in between, and the terminal's Ctrl-C ends it: script(1) takes that for the program's end.
    let line = format!("exec {command}");
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    Program::start(command.env_remove("RUST_LOG"))
}

/// A server that is ready, killed when dropped.
pub(crate) struct Server {
    program: Program,
    /// The line in which it said so.
    pub(crate) ready: String,
}

impl Server {
    /// Starts `shout` with these arguments and waits until it says that it listens.
    #[track_caller]
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_as(&mut shout(arguments))
    }

    /// Starts a server in a way of the caller's and waits until it says that it listens.
    #[track_caller]
    pub(crate) fn start_as(command: &mut Command) -> Self {
        let program = Program::start(command);
        let ready = program.errors.wait_for_line(&["listening on "]);
        Self { program, ready }
    }

    pub(crate) fn id(&self) -> u32 {
        self.program.id()
    }

    pub(crate) fn log(&self) -> &Transcript {
        &self.program.errors
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.program.signal(signal);
    }

    /// Waits for the server's end.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.program.wait()
    }

    /// Asks the server to end, as an init system does, and waits until it has.
    #[track_caller]
    pub(crate) fn terminate(mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    /// Waits until the log says that this client has come.
    #[track_caller]
    pub(crate) fn logs_arrival(&self, client: SocketAddr) -> String {
        self.log().wait_for_line(&[&format!("{client} connected")])
    }

    /// Waits until the log says that this client has gone: its second line.
    #[track_caller]
    pub(crate) fn logs_departure(&self, client: SocketAddr) -> String {
        let of_client = format!("{client} ");
        let lines = |text: &str| text.lines().filter(|line| line.contains(&of_client)).count();
        let text =
            self.log().wait_until("a client's departure", |text| text.ends_with('\n') && lines(text) >= 2);
        text.lines().rfind(|line| line.contains(&of_client)).unwrap().to_owned()
    }
}
