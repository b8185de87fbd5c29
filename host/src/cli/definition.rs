//! The command line as clap knows it. Help, the manual pages and the shells' completions are made from it.

use core::time::Duration;
use std::ffi::OsString;

use clap::{Arg, ArgAction, CommandFactory, Parser, Subcommand};

use crate::cli::options::ServeOptions;
use crate::cli::pages::{self, Page};
use crate::cli::values::{duration, nonzero_duration};

/// An uppercase echo server, TCP and UDP, on its own TCP/IP stack behind a TUN device
///
/// shout answers at an address of its own: what any program such as netcat sends to it over TCP or UDP comes back in upper
/// case (ASCII letters only). It has its own TCP/IP stack. The kernel only passes IP packets to it through a TUN device, which
/// shout creates and sets up.
#[derive(Debug, Parser)]
#[command(name = "shout", version, after_help = "Examples, exit status and signals: shout --help")]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<Words>,
    #[command(flatten)]
    pub(super) serve: ServeOptions,
    /// Log more; -vv: even more
    #[arg(short = 'v', long, action = ArgAction::Count, global = true)]
    pub(super) verbose: u8,
    /// Log only errors
    #[arg(short = 'q', long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Words {
    /// The server; the default command
    ///
    /// Serves until SIGINT, SIGTERM or SIGHUP. It needs CAP_NET_ADMIN to create and set up the device. After that it gives up all
    /// privileges, and if root started it, runs on as an unprivileged user.
    Serve(Box<ServeOptions>),
    /// The interactive TCP client
    ///
    /// Connects, then sends each line and shows its reply: as many bytes as the line has. A line is sent without its newline
    /// and without white space at either end; see --raw. There is a prompt when standard input is a terminal, none when it is
    /// a pipe or a file.
    Tcp {
        /// How long to wait for the connection, and for each further part of a reply, such as 10s [default: 10s]
        #[arg(long, value_name = "D", value_parser = nonzero_duration)]
        timeout: Option<Duration>,
        /// Send each line as it is, with its newline, and show the reply as it comes
        #[arg(long)]
        raw: bool,
        /// The server, as HOST:PORT or HOST PORT
        #[arg(value_name = "HOST:PORT", num_args = 1..=2, required = true)]
        target: Vec<String>,
    },
    /// The interactive UDP client
    ///
    /// Sends each line as a datagram, an empty one too, and shows the reply. A line is sent without its newline and without
    /// white space at either end; see --raw. A reply that comes after its timeout is shown as late, and never taken for the
    /// next line's.
    Udp {
        /// How long to wait for a reply, such as 2s or 250ms [default: 2s]
        #[arg(long, value_name = "D", value_parser = duration)]
        timeout: Option<Duration>,
        /// Send each line as it is, with its newline, and show the reply as it comes
        #[arg(long)]
        raw: bool,
        /// The server, as HOST:PORT or HOST PORT
        #[arg(value_name = "HOST:PORT", num_args = 1..=2, required = true)]
        target: Vec<String>,
    },
    /// Server and prompt (or COMMAND) in a private namespace: no root, the machine is not touched
    ///
    /// Runs a server and a prompt, or COMMAND, in a network namespace of their own. It needs no privilege, and leaves nothing
    /// behind. COMMAND appears to run as root there, but has no more rights on the machine than you have. Background processes
    /// started by COMMAND outlive the demo, without the server.
    Demo {
        /// A prompt for UDP instead of TCP
        #[arg(long)]
        udp: bool,
        #[command(flatten)]
        serve: Box<ServeOptions>,
        /// Run this instead of the prompt, such as `nc 192.168.69.1 8080` or `bash`
        #[arg(last = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
}

/// The command line as clap knows it.
pub(crate) fn definition() -> clap::Command {
    let mut definition = completed(Arguments::command(), &pages::SHOUT);
    for page in &pages::COMMANDS {
        definition = definition.mut_subcommand(page.command, |command| completed(command, page));
    }
    definition
}

/// A command with the page that goes with it.
fn completed(command: clap::Command, page: &Page) -> clap::Command {
    command
        .override_usage(page.usage())
        .after_long_help(page.help())
        // A number below 0 is a value out of range, not an unknown option.
        .mut_args(|arg| {
            let takes_value = arg.get_action().takes_values() && !arg.is_positional();
            arg.allow_negative_numbers(takes_value)
        })
}

/// The name of [`parent_is_demo`].
pub(crate) const PARENT_IS_DEMO: &str = "parent-is-demo";

/// The option that tells a server that `shout demo` has started it. Help does not show it, and it is not part of the
/// definition, since completions offer even what is hidden.
pub(super) fn parent_is_demo() -> Arg {
    Arg::new(PARENT_IS_DEMO).long(PARENT_IS_DEMO).action(ArgAction::SetTrue).hide(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        definition().debug_assert();
    }

    #[test]
    fn nothing_is_hidden() {
        let definition = definition();
        for command in definition.get_subcommands().chain([&definition]) {
            assert!(!command.is_hide_set(), "{}", command.get_name());
            for arg in command.get_arguments() {
                assert!(!arg.is_hide_set() && arg.get_id() != PARENT_IS_DEMO, "{}", arg.get_id());
                assert!(arg.get_help().is_some(), "{} has no help", arg.get_id());
            }
        }
    }

    #[test]
    fn every_command_has_a_page() {
        let definition = definition();
        let commands: Vec<&str> = definition.get_subcommands().map(clap::Command::get_name).collect();
        assert_eq!(commands, pages::COMMANDS.each_ref().map(|page| page.command));
    }

    #[test]
    fn the_long_help_is_more_than_the_short_one() {
        for name in ["shout", "serve", "tcp", "udp", "demo"] {
            let mut definition = definition();
            let command = definition.find_subcommand_mut(name).cloned().unwrap_or(definition);
            let (short, long) = (command.clone().render_help(), command.clone().render_long_help());
            let (short, long) = (short.to_string(), long.to_string());
            for heading in ["Examples:", "Exit status:", "Signals:"] {
                assert!(long.contains(heading) && !short.contains(heading), "{name}: {long}");
            }
        }
    }
}
