//! The command line: what can be given, and its translation into a [`Command`] that cannot be wrong any more.
//!
//! | module | is |
//! |---|---|
//! | `definition` | the commands and what each takes; help, manual and completions are made from it |
//! | `options`, `faults` | the options of `serve`: a new one goes there, and nowhere else |
//! | `addresses` | the default addresses, and whether those that are given fit each other |
//! | `values` | parsers for single values |
//! | `pages` | what help and manual say beyond the options: examples, exit status, signals |
//! | `mistakes` | what is said of a wrong command line |

pub(crate) mod addresses;
pub(crate) mod definition;
pub(crate) mod faults;
mod mistakes;
pub(crate) mod options;
pub mod pages;
#[cfg(test)]
mod tests;
pub(crate) mod values;

use core::time::Duration;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::FromArgMatches;
use clap::error::{ErrorKind, Result as ClapResult};
use log::LevelFilter;

use definition::{Arguments, PARENT_IS_DEMO, Words, definition};
use options::ServeOptions;

/// The exit code of a wrong command line.
const WRONG_USAGE: u8 = 2;

/// How long the TCP client waits for a connection, and for a reply that stands still, unless told otherwise.
pub(crate) const TCP_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the UDP client waits for a reply unless told otherwise.
pub(crate) const UDP_TIMEOUT: Duration = Duration::from_secs(2);

/// What to do, and how much to say meanwhile.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// What to do.
    pub(crate) command: Command,
    /// The log level, unless `RUST_LOG` says otherwise.
    pub(crate) level: LevelFilter,
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Serve.
    Serve(Box<ServeOptions>),
    /// The interactive TCP client.
    Tcp(ClientOptions),
    /// The interactive UDP client.
    Udp(ClientOptions),
    /// Server and client in a namespace of their own.
    Demo(DemoOptions),
}

/// What a client has been asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientOptions {
    /// `HOST:PORT`, or `HOST` and `PORT`.
    pub(crate) target: Vec<String>,
    /// How long to wait: over TCP for the connection, and for a reply that stands still; over UDP for a reply.
    pub(crate) timeout: Duration,
    /// Whether lines are sent, and replies shown, byte for byte.
    pub(crate) raw: bool,
}

/// What `demo` has been asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DemoOptions {
    /// Who speaks to the server.
    pub(crate) client: DemoClient,
    /// The server's options.
    pub(crate) serve: Box<ServeOptions>,
    /// The same as words, for the server's own command line.
    pub(crate) words: Vec<OsString>,
}

/// Who speaks to the server of `shout demo`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DemoClient {
    /// The interactive TCP client.
    Tcp,
    /// The interactive UDP client.
    Udp,
    /// A program and its arguments.
    Program(OsString, Vec<OsString>),
}

impl DemoClient {
    /// The command if one was given, else the prompt.
    fn new(udp: bool, command: Vec<OsString>) -> Self {
        let mut words = command.into_iter();
        match words.next() {
            Some(program) => Self::Program(program, words.collect()),
            None if udp => Self::Udp,
            None => Self::Tcp,
        }
    }
}

/// Reads the command line. What is not to be carried out (a mistake, `--help`, `--version`) has been printed when this
/// returns an exit code.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, ExitCode> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    read(&arguments).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => match error.print() {
            // Whoever closes the pipe has seen enough.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                tell(&format!(
                    "error: cannot write to standard output: {error}; free some space, or write elsewhere\n"
                ));
                ExitCode::FAILURE
            }
            _ => ExitCode::SUCCESS,
        },
        _ => {
            tell(&mistakes::complaint(&error, &arguments));
            ExitCode::from(WRONG_USAGE)
        }
    })
}

/// Writes to standard error. `eprint!` would panic where nobody reads it.
fn tell(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

fn read(arguments: &[OsString]) -> ClapResult<Invocation> {
    let mut definition =
        definition().mut_subcommand("serve", |serve| serve.arg(definition::parent_is_demo()));
    let matches = definition.try_get_matches_from_mut(arguments)?;
    let parsed = Arguments::from_arg_matches(&matches)?;
    let level = match parsed.verbose {
        _ if parsed.quiet => LevelFilter::Error,
        // Lines of the server's would get in the way of the prompt.
        0 if matches!(parsed.command, Some(Words::Demo { .. })) => LevelFilter::Warn,
        0 => LevelFilter::Info,
        1 => LevelFilter::Debug,
        2.. => LevelFilter::Trace,
    };
    let complete =
        |options: ServeOptions| options.complete().map(Box::new).map_err(|error| error.to_string());
    let command = match parsed.command {
        None => complete(parsed.serve).map(Command::Serve),
        // What stands before the command word would otherwise be ignored in silence.
        Some(_) if !ServeOptions::given(&matches).is_empty() => {
            Err("an option stands before the command word: those of `serve` and `demo` go after it, and no \
                 other command takes them"
                .to_owned())
        }
        Some(Words::Serve(serve)) => complete(*serve).map(|mut options| {
            options.parent_is_demo =
                matches.subcommand_matches("serve").is_some_and(|serve| serve.get_flag(PARENT_IS_DEMO));
            Command::Serve(options)
        }),
        Some(Words::Tcp { timeout, raw, target }) => {
            Ok(Command::Tcp(ClientOptions { target, timeout: timeout.unwrap_or(TCP_TIMEOUT), raw }))
        }
        Some(Words::Udp { timeout, raw, target }) => {
            Ok(Command::Udp(ClientOptions { target, timeout: timeout.unwrap_or(UDP_TIMEOUT), raw }))
        }
        Some(Words::Demo { udp, serve, command }) => complete(*serve).and_then(|serve| {
            let client = DemoClient::new(udp, command);
            let words = matches.subcommand_matches("demo").map(ServeOptions::given).unwrap_or_default();
            check_demo(&client, &serve)?;
            Ok(Command::Demo(DemoOptions { client, serve, words }))
        }),
    };
    let mistake = |sentence| definition.error(ErrorKind::ValueValidation, sentence);
    Ok(Invocation { command: command.map_err(mistake)?, level })
}

/// Refuses what a demo cannot do.
fn check_demo(client: &DemoClient, serve: &ServeOptions) -> Result<(), String> {
    let is_prompt = !matches!(client, DemoClient::Program(..));
    if is_prompt && serve.pcap.as_deref() == Some(Path::new("-")) {
        return Err(
            "`--pcap -` and the prompt would both write to standard output: give a file, or a COMMAND \
                    that writes elsewhere, such as `sh -c 'nc ... >&2'`"
                .to_owned(),
        );
    }
    if !serve.configure {
        return Err(
            "a demo has a network of its own, in which nobody has set a device up: leave --no-configure out"
                .to_owned(),
        );
    }
    Ok(())
}
