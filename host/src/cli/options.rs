//! The options of `serve`: each is declared here once, with its default, its range and its help.

use core::num::NonZeroU16;
use core::time::Duration;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Args};
use ipnet::IpNet;
use smoltcp::wire::EthernetAddress;

use crate::cli::addresses::{Ends, Link, UsageError};
use crate::cli::faults::FaultOptions;
use crate::cli::values::{cidr, device_name, duration, hardware_addr, nonzero, nonzero_duration, number};
use crate::serve::service::Service;

/// What `serve` has been asked for.
///
/// Each option is right in itself. Whether they fit each other, and the default addresses, is what
/// [`complete`](Self::complete) sees to.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct ServeOptions {
    /// The TUN device: created if it does not exist, otherwise attached to
    ///
    /// A device that shout creates is removed when shout ends. One that existed before stays.
    #[arg(long, value_name = "NAME", default_value = "shout0", value_parser = device_name)]
    pub(crate) tun: String,
    /// The server's own address; may be repeated, 8 at most [default: 192.168.69.1/24 and fd69::1/64]
    ///
    /// With the prefix length of its subnet. The default of a family applies where neither --address nor --host-address names
    /// an address of that family.
    #[arg(long = "address", value_name = "CIDR", value_parser = cidr)]
    pub(crate) addresses: Vec<IpNet>,
    /// This machine's end of the link; may be repeated [default: 192.168.69.100/24 and fd69::100/64]
    ///
    /// Each --address needs one in its subnet, unless there is --tap.
    #[arg(long = "host-address", value_name = "CIDR", value_parser = cidr)]
    pub(crate) host_addresses: Vec<IpNet>,
    /// A TAP device (Ethernet) instead of a TUN device: for a bridge, then without --host-address
    ///
    /// The server has a hardware address of its own, and answers ARP and neighbour discovery. Once the device is a port of a
    /// bridge, the server is a host of the network behind it.
    #[arg(long)]
    pub(crate) tap: bool,
    /// With --tap, the server's own hardware address [default: a locally administered one that depends on --tun]
    #[arg(long, value_name = "ADDRESS", value_parser = hardware_addr, requires = "tap")]
    pub(crate) mac: Option<EthernetAddress>,
    /// No IPv6: leave the default IPv6 addresses out
    #[arg(short = '4')]
    pub(crate) ipv4_only: bool,
    /// The port, TCP and UDP, 1 to 65535
    #[arg(long, value_name = "PORT", default_value = "8080", value_parser = number(1..=u16::MAX))]
    pub(crate) port: u16,
    /// The link's MTU, 576 to 65535; below 1280 IPv4 only
    #[arg(long, value_name = "BYTES", default_value = "1500", value_parser = number(576..=u16::MAX))]
    pub(crate) mtu: u16,
    /// TCP connections at once, 1 to 65535
    ///
    /// All their memory is allocated at the start. When every connection is in use, new clients get no answer until one becomes
    /// free.
    #[arg(long, value_name = "N", default_value = "1024", value_parser = number(1..=u16::MAX))]
    pub(crate) connections: u16,
    /// TCP connections of one source at once: an IPv4 address, an IPv6 /64 [default: no limit]
    ///
    /// Half-open ones count too. A client above the limit gets no answer until another connection of its source has ended.
    #[arg(long, value_name = "N", value_parser = nonzero)]
    pub(crate) per_source: Option<NonZeroU16>,
    /// Size of each TCP send and receive buffer, 64 to 1048576
    ///
    /// Larger buffers are faster over links with a long delay.
    #[arg(long, value_name = "BYTES", default_value = "1024", value_parser = number(64..=1_048_576_u32))]
    pub(crate) buffer: u32,
    /// The service: what the server replies
    #[arg(long, value_name = "NAME", default_value = "upper")]
    pub(crate) service: Service,
    /// Close a connection that carries no data for this long, such as 10m [default: never]
    #[arg(long, value_name = "D", value_parser = nonzero_duration)]
    pub(crate) idle_timeout: Option<Duration>,
    /// Send each UDP reply this long after its request, such as 10s or 250ms [default: at once]
    ///
    /// TCP and other clients do not wait.
    #[arg(long, value_name = "D", value_parser = duration)]
    pub(crate) delay: Option<Duration>,
    /// Poll the device for this long before sleeping: less delay, more CPU
    #[arg(long, value_name = "D", default_value = "0", value_parser = duration)]
    pub(crate) busy_poll: Duration,
    /// Leave the addresses, MTU and state of the device as they are: it has been set up already
    #[arg(long = "no-configure", action = ArgAction::SetFalse)]
    pub(crate) configure: bool,
    /// Record all packets to this file, for Wireshark; - for standard output
    ///
    /// With a FIFO, shout waits for a reader before it starts. A slow reader loses packets (they are counted) but never blocks the
    /// server. The file is valid at any time, for tshark and tcpdump too. With - in a demo, COMMAND must write elsewhere, such as
    /// `sh -c 'nc 192.168.69.1 8080 >&2'`.
    #[arg(long, value_name = "FILE")]
    pub(crate) pcap: Option<PathBuf>,
    /// Log the counters this often, such as 10s (SIGUSR1 logs them at once) [default: never]
    #[arg(long, value_name = "D", value_parser = nonzero_duration)]
    pub(crate) stats: Option<Duration>,
    /// Write the counters to this file in Prometheus' text format, as often as --stats says [default: every 15s]
    #[arg(long, value_name = "FILE")]
    pub(crate) stats_file: Option<PathBuf>,
    /// Serve without the seccomp filter that kills the server at a system call it does not need: for debuggers
    #[arg(long = "no-sandbox", action = ArgAction::SetFalse)]
    pub(crate) sandbox: bool,
    /// What to do to packets.
    #[command(flatten)]
    pub(crate) faults: FaultOptions,
    /// Started by `shout demo`: tell it when ready, and end with it. See [`parent_is_demo`](super::definition::parent_is_demo).
    #[arg(skip)]
    pub(crate) parent_is_demo: bool,
}

impl ServeOptions {
    /// Adds the default addresses and checks that the options fit each other.
    pub(super) fn complete(mut self) -> Result<Self, UsageError> {
        let link =
            Link { mtu: self.mtu, ipv4_only: self.ipv4_only, configure: self.configure, tap: self.tap };
        let ends = Ends { addresses: self.addresses, host_addresses: self.host_addresses };
        Ends { addresses: self.addresses, host_addresses: self.host_addresses } = ends.complete(link)?;
        self.delay = self.delay.filter(|delay| !delay.is_zero());
        Ok(self)
    }

    /// Those of these options that stand on the command line, as words for another one.
    pub(super) fn given(matches: &ArgMatches) -> Vec<OsString> {
        let declared = Self::augment_args(clap::Command::new("serve"));
        let mut words = Vec::new();
        for option in declared.get_arguments() {
            let id = option.get_id().as_str();
            if matches.value_source(id) != Some(ValueSource::CommandLine) {
                continue;
            }
            let name = match (option.get_long(), option.get_short()) {
                (Some(long), _) => format!("--{long}"),
                (None, Some(short)) => format!("-{short}"),
                (None, None) => continue,
            };
            if option.get_action().takes_values() {
                for value in matches.get_raw(id).into_iter().flatten() {
                    // In one word, so that a value may begin with a hyphen.
                    let mut word = OsString::from(format!("{name}="));
                    word.push(value);
                    words.push(word);
                }
            } else {
                words.push(name.into());
            }
        }
        words
    }
}

/// The options of an empty command line.
#[cfg(test)]
impl Default for ServeOptions {
    fn default() -> Self {
        use clap::FromArgMatches;

        let matches = Self::augment_args(clap::Command::new("serve")).get_matches_from(["serve"]);
        Self::from_arg_matches(&matches).unwrap().complete().unwrap()
    }
}
