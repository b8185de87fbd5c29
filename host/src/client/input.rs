//! Where a client's lines come from.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};

use super::ended::Ended;
use super::line::Entry;
use super::output::Output;
use super::pipe::Pipe;
use super::terminal::Terminal;

/// A source of lines that can be waited for together with sockets: call `ask`, and if that has no answer yet, `read` whenever
/// the descriptor is readable.
pub(super) enum Input {
    /// A person, who gets a prompt, line editing and history.
    Terminal(Terminal),
    /// A pipe or a file: no prompt.
    Pipe(Pipe),
}

impl Input {
    /// The standard input. `raw`: lines come as they are, with their line feeds.
    pub(super) fn standard(raw: bool) -> Result<Self, Ended> {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            return Terminal::open(raw).map(Self::Terminal).map_err(Ended::Input);
        }
        // Not `Stdin` itself: whether its buffer still holds a line cannot be seen from outside, and `poll` knows of the
        // descriptor only.
        let descriptor = stdin.as_fd().try_clone_to_owned().map_err(Ended::Input)?;
        Ok(Self::Pipe(Pipe::new(File::from(descriptor), raw)))
    }

    /// Whether somebody types.
    pub(super) fn is_terminal(&self) -> bool {
        matches!(self, Self::Terminal(_))
    }

    /// Asks for the next line; returns it if it is there already.
    pub(super) fn ask(&mut self) -> Option<Entry> {
        match self {
            Self::Terminal(terminal) => {
                terminal.ask();
                None
            }
            Self::Pipe(pipe) => pipe.take_line(),
        }
    }

    /// Reads what has come, without blocking if the descriptor is readable. Without an entry the line is not complete yet.
    pub(super) fn read(&mut self) -> Result<Option<Entry>, Ended> {
        match self {
            Self::Terminal(terminal) => terminal.read(),
            Self::Pipe(pipe) => pipe.read(),
        }
        .map_err(Ended::Input)
    }

    /// Says something while a prompt may stand there.
    pub(super) fn interject(&mut self, sentence: &str, output: &mut Output<'_>) {
        match self {
            Self::Terminal(terminal) => terminal.interject(sentence, output),
            Self::Pipe(_) => output.note(&sentence),
        }
    }
}

impl AsFd for Input {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Terminal(terminal) => terminal.as_fd(),
            Self::Pipe(pipe) => pipe.as_fd(),
        }
    }
}
