//! `shout`: an uppercase echo server, TCP and UDP, with its own TCP/IP stack behind a TUN device, and its clients.
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

use std::process::ExitCode;

use cli::{Command, Invocation};
use logging::Log;

fn main() -> ExitCode {
    let Invocation { command, level } = match cli::parse(std::env::args_os()) {
        Ok(invocation) => invocation,
        Err(code) => return code,
    };
    let log = Log::start(level);
    match command {
        Command::Serve(options) => serve(options, &log),
        Command::Tcp { target } => client::tcp::run(&target),
        Command::Udp { target, timeout } => client::udp::run(&target, timeout),
        Command::Demo { visitor } => demo::run(&visitor, level, &log),
    }
}

fn serve(options: cli::options::ServeOptions, log: &Log) -> ExitCode {
    let result = serve::run(options, log);
    if let Err(error) = &result {
        log.fatal(error);
    }
    log.finish();
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
