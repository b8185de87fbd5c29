//! `shout`: an uppercase echo server, TCP and UDP, with its own TCP/IP stack behind a TUN device, and its clients.
//!
//! This is the program as a library, for `main.rs` and for what makes its manual (`deploy/manual.rs`); nobody else should
//! depend on it.
//!
//! | module | is |
//! |---|---|
//! | `cli` | the command line, and what it asks for, checked |
//! | `serve` | the server: setting up (what can fail, fails here), the event loop, signals, counters |
//! | `device` | the TUN device, what the core makes of it, captures and faults on purpose |
//! | `system` | addresses, MTU and link state of this machine's end; privileges |
//! | `client` | the interactive clients |
//! | `demo` | server and client in a namespace of their own |
//! | `logging`, `error` | what is told to the user |

#![deny(unsafe_code)]

mod cli;
mod client;
mod demo;
mod device;
mod error;
mod logging;
mod serve;
mod system;

use std::ffi::OsString;
use std::process::ExitCode;

pub use cli::pages;

use nix::sys::signal::{SigSet, Signal};

use cli::options::ServeOptions;
use cli::{Command, Invocation};
use logging::Log;

/// Runs the program with these arguments, of which the first is its name. Call it before any thread is started: a process
/// with threads may not enter a user namespace, and each thread has capabilities of its own.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let Invocation { command, level } = match cli::parse(arguments) {
        Ok(invocation) => invocation,
        Err(code) => return code,
    };
    let log = Log::start(level);
    match command {
        Command::Serve(options) => serve(*options, &log),
        Command::Tcp(options) => client::tcp::run(&options, None),
        Command::Udp(options) => client::udp::run(&options, None),
        Command::Demo(options) => demo::run(&options, level, &log),
    }
}

fn serve(options: ServeOptions, log: &Log) -> ExitCode {
    // A server that waits at the start, for whoever reads a FIFO, is to survive `pkill -USR1 shout` as a running one does.
    // If it cannot be blocked, it is no reason not to serve.
    let _ = SigSet::from(Signal::SIGUSR1).thread_block();
    let result = serve::run(options, log);
    if let Err(error) = &result {
        log.fatal(error);
    }
    log.finish();
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The command line as clap knows it, for manual and completions.
pub fn definition() -> clap::Command {
    cli::definition::definition()
}

/// The server's counters, for the manual: what each is called, and what it means.
pub fn counters() -> Vec<(String, String)> {
    serve::counters::manual()
}
