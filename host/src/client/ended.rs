//! How a client's conversation ends before its input does.

use core::time::Duration;
use std::io;

use crate::error::remedy;

/// What to do where nothing can be sent to a server.
pub(super) fn way_to_connect(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => {
            "check that a server listens there"
        }
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            "check the address, and the route to it (`ip route`)"
        }
        _ => "check the address and the port",
    }
}

/// Why a client ended before the end of its input, or not well at its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("interrupted")]
    Interrupted,
    #[error("nobody reads the output any more")]
    OutputClosed,
    /// Each of these lines has had a note of its own.
    #[error("not every line got a reply")]
    Unanswered,
    #[error("{0:?} is not HOST:PORT: {1}")]
    BadTarget(String, String),
    #[error("cannot find the address of {0}: {1}; check the name, or give an IP address")]
    Unresolved(String, io::Error),
    #[error("cannot connect to {}: {}; {}", .0, .1, way_to_connect(.1))]
    Unconnected(String, io::Error),
    #[error(
        "no answer from {0} within {1:?}: check the address, and that no firewall drops what is sent to it; --timeout \
         waits longer"
    )]
    TimedOut(String, Duration),
    #[error("the server at {0} closed the connection: start again for another one")]
    Closed(String),
    #[error(
        "the server at {0} closed the connection after {1} of {2} bytes of its reply: start again for another one"
    )]
    ClosedInReply(String, usize, usize),
    #[error(
        "{received} of {length} bytes of a reply came from {peer}, and nothing more for {timeout:?}: check that its service \
         answers (discard does not); --timeout waits longer"
    )]
    NoReply {
        /// The server.
        peer: String,
        /// Bytes of the reply that came.
        received: usize,
        /// Bytes that it should have.
        length: usize,
        /// How long nothing moved on.
        timeout: Duration,
    },
    #[error(
        "the server at {0} reset the connection, and what was under way is lost: start again for another one"
    )]
    Reset(String),
    #[error("the connection to {0} broke: {1}; start again for another one")]
    Broken(String, io::Error),
    /// What a client's background says.
    #[error("{0}")]
    Background(String),
    #[error("cannot read standard input: {0}; give a file, a pipe or a terminal that can be read")]
    Input(io::Error),
    #[error("cannot write to standard output: {0}; free some space, or write elsewhere")]
    Output(io::Error),
    #[error("cannot wait for input and network: {}; {}", .0, remedy(.0))]
    Wait(io::Error),
}

impl Ended {
    /// The exit code of a client that ended so.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Unanswered
            | Self::Unresolved(..)
            | Self::Unconnected(..)
            | Self::TimedOut(..)
            | Self::Closed(_)
            | Self::ClosedInReply(..)
            | Self::NoReply { .. }
            | Self::Reset(_)
            | Self::Broken(..)
            | Self::Background(_)
            | Self::Input(_)
            | Self::Output(_)
            | Self::Wait(_) => 1,
            Self::BadTarget(..) => 2,
            Self::Interrupted => 130,
        }
    }

    /// Whether the user does not know of it yet.
    pub(super) fn is_news(&self) -> bool {
        !matches!(self, Self::Interrupted | Self::OutputClosed | Self::Unanswered)
    }
}
