//! What the server says: one of four services, each of which is a handler of the core's server.

mod chargen;
mod discard;
mod echo;

use clap::ValueEnum;

pub(crate) use chargen::{Chargen, Position};
pub(crate) use discard::Discard;
pub(crate) use echo::Echo;

/// The services that `--service` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Service {
    /// Sends everything back in upper case
    Upper,
    /// Sends everything back unchanged (RFC 862)
    Echo,
    /// Discards everything (RFC 863)
    Discard,
    /// Sends lines of characters without end, over TCP only (RFC 864)
    Chargen,
}

impl Service {
    /// The protocols that it has, as the log names them.
    pub(crate) fn protocols(self) -> &'static str {
        match self {
            Self::Upper | Self::Echo | Self::Discard => "TCP and UDP",
            Self::Chargen => "TCP",
        }
    }

    /// Whether a datagram gets a reply.
    pub(crate) fn answers_datagrams(self) -> bool {
        matches!(self, Self::Upper | Self::Echo)
    }

    /// What the log says of it, unless it is what the program is known for.
    pub(crate) fn title(self) -> Option<&'static str> {
        match self {
            Self::Upper => None,
            Self::Echo => Some("echo (RFC 862)"),
            Self::Discard => Some("discard (RFC 863)"),
            Self::Chargen => Some("chargen (RFC 864)"),
        }
    }
}
