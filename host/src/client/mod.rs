//! The interactive clients: a prompt, a line, its reply, as in the seed note.
//!
//! | module     | is                                                              |
//! |------------|-----------------------------------------------------------------|
//! | `tcp`      | the conversation over a connection                              |
//! | `udp`      | the conversation in datagrams, late replies told apart          |
//! | `target`   | `HOST:PORT` and its addresses                                   |
//! | `input`    | stripped lines out of a pipe or a terminal                      |
//! | `terminal` | the line editor, on a thread of its own                         |
//! | `output`   | replies to standard output, notes and errors to standard error  |
//! | `wait`     | `poll(2)` on the input and the sockets at once                  |
//!
//! A client ends with 0 at the end of its input, with 1 when the conversation
//! cannot go on, with 2 for a target that is not `HOST:PORT`, and with 130 on
//! Ctrl-C: at the prompt the editor reads it as a key, elsewhere it is SIGINT,
//! and a shell shows 130 for both. It ends with 0 and without a word when
//! nobody reads its output any more (`shout tcp ... | head -1`).

mod input;
mod output;
mod target;
pub(crate) mod tcp;
mod terminal;
pub(crate) mod udp;
mod wait;

use std::io;
use std::process::ExitCode;

use output::Output;

/// Why a client ended before the end of its input.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("interrupted")]
    Interrupted,
    #[error("nobody reads the output any more")]
    OutputClosed,
    #[error("{0:?} is not HOST:PORT: {1}")]
    BadTarget(String, &'static str),
    #[error("cannot find the address of {0}: {1}; check the name, or give an IP address")]
    Unresolved(String, io::Error),
    #[error("cannot connect to {0}: {1}; check that a server listens there")]
    Unconnected(String, io::Error),
    #[error("the server at {0} closed the connection")]
    Closed(String),
    #[error("the server at {0} closed the connection after {1} of {2} octets of its reply")]
    ClosedInReply(String, usize, usize),
    #[error("the server at {0} closed the connection with a reset; what was under way is lost")]
    Reset(String),
    #[error("the connection to {0} broke: {1}")]
    Broken(String, io::Error),
    #[error("cannot read standard input: {0}")]
    Input(io::Error),
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
    #[error("cannot wait for input and network: {0}")]
    Wait(io::Error),
}

impl Ended {
    fn exit_code(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Unresolved(..)
            | Self::Unconnected(..)
            | Self::Closed(_)
            | Self::ClosedInReply(..)
            | Self::Reset(_)
            | Self::Broken(..)
            | Self::Input(_)
            | Self::Output(_)
            | Self::Wait(_) => 1,
            Self::BadTarget(..) => 2,
            Self::Interrupted => 130,
        }
    }
}

/// Says how a client ended, where that is news to its user.
fn conclude(result: Result<(), Ended>, output: &mut Output<'_>) -> ExitCode {
    let Err(ended) = result else {
        return ExitCode::SUCCESS;
    };
    if !matches!(ended, Ended::Interrupted | Ended::OutputClosed) {
        output.error(&ended);
    }
    ExitCode::from(ended.exit_code())
}
