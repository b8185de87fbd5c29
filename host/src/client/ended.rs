//! How a client's conversation ends before its input does.

use core::time::Duration;
use std::io;

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
    #[error("cannot connect to {0}: {1}; check that a server listens there")]
    Unconnected(String, io::Error),
    #[error(
        "no answer from {0} within {1:?}: check the address, and that no firewall drops what is sent to it; --timeout \
         waits longer"
    )]
    TimedOut(String, Duration),
    #[error("the server at {0} closed the connection")]
    Closed(String),
    #[error("the server at {0} closed the connection after {1} of {2} bytes of its reply")]
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
    #[error("the server at {0} closed the connection with a reset; what was under way is lost")]
    Reset(String),
    #[error("the connection to {0} broke: {1}")]
    Broken(String, io::Error),
    /// What a client's background says.
    #[error("{0}")]
    Background(String),
    #[error("cannot read standard input: {0}")]
    Input(io::Error),
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
    #[error("cannot wait for input and network: {0}")]
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
