//! `shout`: an uppercase echo server, TCP and UDP, with its own TCP/IP stack behind a TUN device, and its clients.
//!
//! | module | is |
//! |---|---|
//! | `cli`, `values`, `options`, `fault_options` | the command line, and what it asks for, checked |
//! | `serve` | setting up: what can fail, fails here |
//! | `event_loop` | serving |
//! | `tun`, `device` | the TUN device, and what the core makes of it |
//! | `link`, `netlink` | addresses, MTU and link state of this machine's end |
//! | `memory` | what the core works on |
//! | `privileges`, `signals`, `clock`, `logging`, `notify` | the rest of the operating system |
//! | `client` | the interactive clients |
//! | `demo` | server and client in a namespace of their own |
//! | `capture`, `report`, `faults` | watching what passes, and getting in its way |

#![deny(unsafe_code)]

mod capture;
mod cli;
mod client;
mod clock;
mod demo;
mod device;
mod error;
mod event_loop;
mod fault_options;
mod faults;
mod link;
mod logging;
mod memory;
mod netlink;
mod notify;
mod options;
mod privileges;
mod report;
mod serve;
mod signals;
mod tun;
mod values;

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

fn serve(options: options::ServeOptions, log: &Log) -> ExitCode {
    let result = serve::run(options, log);
    if let Err(error) = &result {
        log.fatal(error);
    }
    log.finish();
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
