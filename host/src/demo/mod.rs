//! `shout demo`: a server and its client in a network of their own, which nobody else sees and which ends with them.
//!
//! The server is a process of its own: it gives its privileges up, which the client may need, and gets none of the terminal's
//! signals.
//!
//! | module | is |
//! |---|---|
//! | `namespaces` | the network, made without privileges |
//! | `server` | the server's process |
//! | `program` | a program in place of the prompt |
//! | `failure` | why there was no demonstration |

mod failure;
mod namespaces;
mod program;
mod server;

use core::net::{IpAddr, SocketAddr};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use log::LevelFilter;
use nix::sys::signal::SigmaskHow;
use nix::sys::wait::WaitStatus;

use crate::cli::options::ServeOptions;
use crate::cli::{ClientOptions, DemoClient, DemoOptions, TCP_TIMEOUT, UDP_TIMEOUT};
use crate::client;
use crate::logging::Log;
use failure::DemoError;
use namespaces::Root;
pub(crate) use server::report_readiness;
use server::{Server, ServerWatch};

/// Runs `shout demo`. Call it before any thread is started: a process with threads may not enter a user namespace.
pub(crate) fn run(options: &DemoOptions, level: LevelFilter, log: &Log) -> ExitCode {
    demonstrate(options, level).unwrap_or_else(|error| {
        // A server that failed in good order has said why.
        if !matches!(&error, DemoError::Server(WaitStatus::Exited(_, 1))) {
            log.fatal(&error);
        }
        error.exit_code()
    })
}

fn demonstrate(options: &DemoOptions, level: LevelFilter) -> Result<ExitCode, DemoError> {
    let inherited = server::signals()
        .thread_swap_mask(SigmaskHow::SIG_BLOCK)
        .map_err(DemoError::system("blocking signals"))?;
    let root = namespaces::enter()?;
    let server = Server::start(options, level)?;
    match &options.client {
        DemoClient::Tcp => {
            welcome(options, "TCP");
            prompt(&server, |watch| client::tcp::run(&client_options(options, TCP_TIMEOUT), watch))
        }
        DemoClient::Udp => {
            welcome(options, "UDP");
            // The server makes each reply wait.
            let timeout = UDP_TIMEOUT + options.serve.delay.unwrap_or_default();
            prompt(&server, |watch| client::udp::run(&client_options(options, timeout), watch))
        }
        DemoClient::Program(name, arguments) => {
            welcome_to_a_program(&options.serve, root);
            program::run(name, arguments, &inherited, &server)
        }
    }
}

/// Runs a client that looks after the server meanwhile.
fn prompt(
    server: &Server,
    client: impl FnOnce(Option<&dyn client::Background>) -> ExitCode,
) -> Result<ExitCode, DemoError> {
    let watch = ServerWatch::new(server).map_err(DemoError::system("waiting for signals"))?;
    Ok(client(Some(&watch)))
}

fn client_options(options: &DemoOptions, timeout: core::time::Duration) -> ClientOptions {
    // There is an address at least.
    let target = endpoints(&options.serve).into_iter().take(1).collect();
    ClientOptions { target, timeout, raw: false }
}

/// Where the server is, as clients write it.
fn endpoints(options: &ServeOptions) -> Vec<String> {
    let endpoint = |address| match address {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => format!("[{v6}%{}]:{}", options.tun, options.port),
        address => SocketAddr::new(address, options.port).to_string(),
    };
    options.addresses.iter().map(|net| endpoint(net.addr())).collect()
}

/// For whoever sees a prompt next.
fn welcome(options: &DemoOptions, protocol: &str) {
    let endpoints = endpoints(&options.serve);
    let endpoint = endpoints.first().map_or("", String::as_str);
    greet(&format!(
        "the server is at {endpoint} ({protocol}), yours alone\n\
         type a line (white space at its ends is not sent), or press Ctrl-D to quit\n"
    ));
}

/// For whoever sees a shell next.
fn welcome_to_a_program(options: &ServeOptions, root: Root) {
    let root = match root {
        Root::Machine => "",
        Root::Nobody => "; you seem to be root in here, with no more rights on the machine than before",
    };
    let endpoints = endpoints(options).join(" and ");
    greet(&format!("the server is at {endpoints} (TCP and UDP), yours alone{root}\n"));
}

fn greet(line: &str) {
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        // Without standard error there is nobody to greet.
        let _ = io::stderr().write_all(line.as_bytes());
    }
}
