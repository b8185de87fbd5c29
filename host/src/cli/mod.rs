//! The command line: what can be given, and its translation into a [`Command`] that cannot be wrong any more.

pub(crate) mod faults;
pub(crate) mod options;
pub(crate) mod values;

use core::time::Duration;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ErrorKind, Result as ClapResult};
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, value_parser};
use ipnet::IpNet;
use log::LevelFilter;

use crate::cli::faults::FaultArgs;
use crate::cli::options::{ServeOptions, UsageError};
use crate::cli::values::{Visitor, cidr, device_name, duration, nonzero_duration};

/// The exit code of a wrong command line.
pub(crate) const WRONG_USAGE: u8 = 2;

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
    Serve(ServeOptions),
    /// The interactive TCP client.
    Tcp {
        /// `HOST:PORT`.
        target: String,
    },
    /// The interactive UDP client.
    Udp {
        /// `HOST:PORT`.
        target: String,
        /// How long to wait for a reply.
        timeout: Duration,
    },
    /// Server and client in a namespace of their own.
    Demo {
        /// Who speaks to the server.
        visitor: Visitor,
    },
}

/// Reads the command line. What is not to be carried out (a mistake, `--help`, `--version`) has been printed when this
/// returns an exit code.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, ExitCode> {
    read(arguments).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => match error.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        _ => {
            eprintln!("{}", one_line(&error));
            ExitCode::from(WRONG_USAGE)
        }
    })
}

fn read(arguments: impl IntoIterator<Item = OsString>) -> ClapResult<Invocation> {
    let arguments = Arguments::try_parse_from(arguments)?;
    // Lines of the server's would get in the way of the prompt.
    let least = u8::from(!matches!(arguments.subcommand, Some(Words::Demo { .. })));
    let level = match arguments.verbose.saturating_add(least) {
        _ if arguments.quiet => LevelFilter::Error,
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        2 => LevelFilter::Debug,
        3.. => LevelFilter::Trace,
    };
    let command = match arguments.subcommand {
        None => Command::Serve(validate(arguments.serve)?),
        // What stands before the command word would otherwise be ignored in silence.
        Some(_) if arguments.serve != ServeArgs::default() => {
            return Err(mistake("the options of `serve` go after that word, and go with no other command"));
        }
        Some(Words::Serve(serve)) => Command::Serve(validate(serve)?),
        Some(Words::Tcp { target }) => Command::Tcp { target },
        Some(Words::Udp { timeout, target }) => Command::Udp { target, timeout },
        Some(Words::Demo { udp, command }) => Command::Demo { visitor: Visitor::new(udp, command) },
    };
    Ok(Invocation { command, level })
}

fn validate(arguments: ServeArgs) -> ClapResult<ServeOptions> {
    ServeOptions::try_from(arguments).map_err(|error: UsageError| mistake(&error.to_string()))
}

fn mistake(sentence: &str) -> clap::Error {
    definition().error(ErrorKind::ValueValidation, sentence)
}

/// The command line as clap knows it. The manual and the shells' completions are made from it too (`deploy/manual.rs`).
pub(crate) fn definition() -> clap::Command {
    Arguments::command()
}

/// clap's first paragraph: what is wrong, without the usage and the tip that follow.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let paragraph = text.lines().take_while(|line| !line.trim().is_empty());
    let words: Vec<&str> = paragraph.flat_map(str::split_whitespace).collect();
    format!("{} (see shout --help)", words.join(" "))
}

/// An uppercase echo server, TCP and UDP, on its own TCP/IP stack behind a TUN device.
#[derive(Debug, Parser)]
#[command(name = "shout", version, about, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    subcommand: Option<Words>,
    #[command(flatten)]
    serve: ServeArgs,
    /// Say more; twice: still more
    #[arg(short = 'v', action = ArgAction::Count, global = true)]
    verbose: u8,
    /// Say nothing but errors
    #[arg(short = 'q', global = true, conflicts_with = "verbose")]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Words {
    /// Serve; the default command
    Serve(ServeArgs),
    /// The interactive TCP client
    Tcp {
        /// The server
        #[arg(value_name = "HOST:PORT")]
        target: String,
    },
    /// The interactive UDP client
    Udp {
        /// How long to wait for a reply, such as 2s or 250ms
        #[arg(long, value_name = "D", default_value = "2s", value_parser = duration)]
        timeout: Duration,
        /// The server
        #[arg(value_name = "HOST:PORT")]
        target: String,
    },
    /// Server and prompt (or COMMAND) in a private namespace: no root, the machine is not touched
    Demo {
        /// Talk UDP
        #[arg(long)]
        udp: bool,
        /// Run this instead of the prompt, such as `nc 192.168.69.1 8080` or `bash`
        #[arg(last = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
}

/// The options of `serve` as they were given, each right in itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub(crate) struct ServeArgs {
    /// The TUN device: made if absent, attached to if it is there [default: shout0]
    #[arg(long, value_name = "NAME", value_parser = device_name)]
    pub(crate) tun: Option<String>,
    /// The server's own address; may be repeated, 8 at most [default: 192.168.69.1/24 and fd69::1/64]
    #[arg(long = "address", value_name = "CIDR", value_parser = cidr)]
    pub(crate) addresses: Vec<IpNet>,
    /// This machine's end of the link; may be repeated [default: 192.168.69.100/24 and fd69::100/64]
    #[arg(long = "host-address", value_name = "CIDR", value_parser = cidr)]
    pub(crate) host_addresses: Vec<IpNet>,
    /// The port, TCP and UDP [default: 8080]
    #[arg(long, value_name = "PORT", value_parser = value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// The link's MTU, 576 to 65535; below 1280 IPv4 only [default: 1500]
    #[arg(long, value_name = "BYTES", value_parser = value_parser!(u16).range(576..))]
    pub(crate) mtu: Option<u16>,
    /// TCP connections at once, 1 to 65535 [default: 1024]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..))]
    pub(crate) connections: Option<u16>,
    /// Bytes a direction of a TCP connection, 64 to 1048576 [default: 1024]
    #[arg(long, value_name = "BYTES", value_parser = value_parser!(u32).range(64..=1_048_576))]
    pub(crate) buffer: Option<u32>,
    /// Close a connection that carries nothing for this long, such as 10m [default: never]
    #[arg(long, value_name = "D", value_parser = nonzero_duration)]
    pub(crate) idle_timeout: Option<Duration>,
    /// Send each UDP reply this long after its request, such as 10s or 250ms [default: at once]
    #[arg(long, value_name = "D", value_parser = duration)]
    pub(crate) delay: Option<Duration>,
    /// Keep looking at the device this long before sleeping: less delay for more CPU [default: 0]
    #[arg(long, value_name = "D", value_parser = duration)]
    pub(crate) busy_poll: Option<Duration>,
    /// The device has been set up already: set no address, MTU or link state
    #[arg(long)]
    pub(crate) no_configure: bool,
    /// Write what passes to this file, for Wireshark
    #[arg(long, value_name = "FILE")]
    pub(crate) pcap: Option<PathBuf>,
    /// Log the counters this often, such as 10s (SIGUSR1 logs them at once) [default: never]
    #[arg(long, value_name = "D", value_parser = nonzero_duration)]
    pub(crate) stats: Option<Duration>,
    /// Say on standard output when ready, and end with the parent process
    #[arg(long, hide = true)]
    pub(crate) attended: bool,
    #[command(flatten)]
    pub(crate) faults: FaultArgs,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Invocation, String> {
        let arguments = line.split_whitespace().map(OsString::from);
        super::read(core::iter::once(OsString::from("shout")).chain(arguments)).map_err(|e| one_line(&e))
    }

    #[track_caller]
    fn served(line: &str) -> ServeOptions {
        match read(line).unwrap().command {
            Command::Serve(options) => options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[track_caller]
    fn refused(line: &str) -> String {
        let message = read(line).unwrap_err();
        assert!(message.starts_with("error: "), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
        message
    }

    #[test]
    fn the_declaration_is_consistent() {
        definition().debug_assert();
    }

    #[test]
    fn serve_is_the_default_command() {
        assert_eq!(served(""), served("serve"));
        assert_eq!(served("--port 9000"), served("serve --port 9000"));
    }

    #[test]
    fn the_defaults_are_those_of_the_manual() {
        let options = served("");
        assert_eq!(options.tun, "shout0");
        assert_eq!(options.port, 8080);
        assert_eq!(options.mtu, 1500);
        assert_eq!(options.connections, 1024);
        assert_eq!(options.buffer, 1024);
        assert_eq!(options.idle_timeout, None);
        assert_eq!(options.delay, None);
        assert_eq!(options.busy_poll, Duration::ZERO);
        assert!(options.configure);
    }

    #[test]
    fn every_option_is_read() {
        let options = served(
            "serve --tun t0 --address 10.1.0.1/16 --host-address 10.1.0.2/16 --port 1 --mtu 65535 --connections 65535 \
             --buffer 1048576 --idle-timeout 10s --delay 250ms --busy-poll 50us --no-configure",
        );
        assert_eq!(options.tun, "t0");
        assert_eq!((options.port, options.mtu), (1, 65535));
        assert_eq!((options.connections, options.buffer), (65535, 1_048_576));
        assert_eq!(options.idle_timeout, Some(Duration::from_secs(10)));
        assert_eq!(options.delay, Some(Duration::from_millis(250)));
        assert_eq!(options.busy_poll, Duration::from_micros(50));
        assert!(!options.configure);
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for line in [
            "--port 0",
            "--port 65536",
            "--mtu 10",
            "--mtu 575",
            "--mtu 65536",
            "--connections 0",
            "--connections 65536",
            "--buffer 0",
            "--buffer 63",
            "--buffer 1048577",
            "--drop 101",
            "--corrupt 101",
            "--size-limit 0",
            "--size-limit 65536",
            "--rate-limit 0",
            "--seed 18446744073709551616",
        ] {
            let option = line.split(' ').next().unwrap();
            assert!(refused(line).contains(option), "{line}");
        }
    }

    #[test]
    fn malformed_values_are_refused() {
        for line in [
            "--address 192.168.69.1",
            "--address 192.168.69.1/33",
            "--address 192.168.69/24",
            "--host-address fd69::1/129",
            "--tun sixteencharacter",
            "--tun a/b",
            "--tun ..",
            "--tun tun%d",
            "--idle-timeout 10",
            "--idle-timeout 0",
            "--idle-timeout 1ns",
            "--delay soon",
            "--delay 366d",
            "--stats 0",
            "--drop -1",
            "--corrupt 5%",
            "--shaping-interval 1s",
            "--rate-limit 1 --shaping-interval 0",
            "--rate-limit 1 --seed 1",
            "--pcap",
            "demo bash",
            "demo --tcp",
            "--drop 1 demo",
            "--port 80 --port 81",
            "--frobnicate",
            "listen",
            "tcp",
            "udp",
            "tcp a:1 b:2",
            "-q -v",
        ] {
            refused(line);
        }
    }

    #[test]
    fn a_zero_delay_or_busy_poll_is_none() {
        assert_eq!(served("--delay 0 --busy-poll 0"), served(""));
        assert_eq!(served("--drop 0 --corrupt 0 --seed 7"), served(""));
    }

    #[test]
    fn options_of_serve_before_another_command_are_refused() {
        assert!(refused("--port 80 tcp a:1").contains("`serve`"));
        assert!(refused("--no-configure serve").contains("`serve`"));
    }

    #[test]
    fn verbosity_goes_before_and_after_the_command() {
        assert_eq!(read("").unwrap().level, LevelFilter::Info);
        assert_eq!(read("-q").unwrap().level, LevelFilter::Error);
        assert_eq!(read("-v serve").unwrap().level, LevelFilter::Debug);
        assert_eq!(read("tcp a:1 -vv").unwrap().level, LevelFilter::Trace);
    }

    #[test]
    fn a_demo_leaves_the_terminal_to_the_visitor() {
        for (line, level) in [
            ("demo", LevelFilter::Warn),
            ("-v demo", LevelFilter::Info),
            ("demo -vvv", LevelFilter::Trace),
            ("demo -q", LevelFilter::Error),
            ("demo -- program -v", LevelFilter::Warn),
        ] {
            assert_eq!(read(line).unwrap().level, level, "{line}");
        }
    }

    #[test]
    fn a_demo_takes_a_protocol_or_a_command() {
        let visitor = |line| match read(line).unwrap().command {
            Command::Demo { visitor } => visitor,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(visitor("demo"), Visitor::Tcp);
        assert_eq!(visitor("demo --udp"), Visitor::Udp);
        let program = Visitor::Program("nc".into(), vec!["-u".into(), "--".into(), "a".into()]);
        assert_eq!(visitor("demo -- nc -u -- a"), program);
    }

    #[test]
    fn the_clients_take_a_target() {
        let tcp = read("tcp [fd69::1]:8080").unwrap().command;
        assert!(matches!(tcp, Command::Tcp { target } if target == "[fd69::1]:8080"));
        let udp = read("udp --timeout 250ms a:1").unwrap().command;
        assert!(matches!(udp, Command::Udp { target, timeout }
            if target == "a:1" && timeout == Duration::from_millis(250)));
        assert!(matches!(read("udp a:1").unwrap().command, Command::Udp { timeout, .. }
            if timeout == Duration::from_secs(2)));
    }
}
