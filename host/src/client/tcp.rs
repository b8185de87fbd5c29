//! The TCP client: for each line, exactly as many bytes as it has are read back. (A client that reads once, with room for
//! 1024 bytes, cuts off a longer reply, and shows the rest as the reply to its next line.)
//!
//! Bytes beyond that stay with the kernel and begin the next reply: a stream has no boundaries, and a client that guessed at
//! them would lose some.

use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::Instant;

use super::connect::connect;
use super::ended::Ended;
use super::input::Input;
use super::line::Entry;
use super::output::Output;
use super::session::{greet, run as run_session};
use super::target::Target;
use super::wait::{Background, Interest, Waiter};
use crate::cli::ClientOptions;

/// How much of a reply is read at once, at most.
const CHUNK: usize = 64 * 1024;

/// Runs `shout tcp`, looking after a background meanwhile if there is one.
pub(crate) fn run(options: &ClientOptions, background: Option<&dyn Background>) -> ExitCode {
    run_session(options.raw, |output| {
        let target = Target::from_words(&options.target)?;
        let waiter = Waiter(background);
        let stream = connect(&target, options.timeout, waiter, output)?;
        let mut connection = Connection::new(stream, &target, options.timeout, waiter);
        let mut input = Input::standard(options.raw)?;
        if background.is_none() {
            greet("connected to", &connection.peer, &input, output);
        }
        connection.converse(&mut input, output)
    })
}

/// One connection to a server. The socket does not block: a long line is written and its reply read by turns, since a server
/// with small buffers stops reading until it can write.
struct Connection<'a> {
    stream: TcpStream,
    peer: String,
    /// How long a reply may stand still.
    timeout: Duration,
    chunk: Vec<u8>,
    waiter: Waiter<'a>,
}

/// A line under way, and its reply.
struct Echo<'a> {
    line: &'a [u8],
    /// What of the line is still to be sent.
    unsent: &'a [u8],
    /// Bytes of the reply that have come.
    received: usize,
    /// Why the rest of the line cannot be sent. The server's last bytes may still wait to be read.
    unsendable: Option<Ended>,
}

impl Echo<'_> {
    /// Bytes of the reply that are still to come.
    fn missing(&self) -> usize {
        self.line.len() - self.received
    }
}

impl<'a> Connection<'a> {
    fn new(stream: TcpStream, target: &Target, timeout: Duration, waiter: Waiter<'a>) -> Self {
        Self { stream, peer: target.to_string(), timeout, chunk: vec![0; CHUNK], waiter }
    }

    fn converse(&mut self, input: &mut Input, output: &mut Output<'_>) -> Result<(), Ended> {
        loop {
            match self.next_entry(input)? {
                Entry::Line(line) => self.exchange(&line, output)?,
                Entry::Interrupted => return Err(Ended::Interrupted),
                Entry::End => {
                    // A connection that is gone by now is no longer needed.
                    let _ = self.stream.shutdown(Shutdown::Write);
                    return Ok(());
                }
            }
        }
    }

    /// Waits for the next line, and for the server to close meanwhile. Input that is there already goes first: whether its end
    /// or the server's is seen must not depend on chance.
    fn next_entry(&self, input: &mut Input) -> Result<Entry, Ended> {
        if let Some(entry) = input.ask() {
            return Ok(entry);
        }
        let mut interest = Interest::POLLIN;
        loop {
            let ready = self
                .waiter
                .wait(&[(input.as_fd(), Interest::POLLIN), (self.stream.as_fd(), interest)], None)?;
            if ready[0] {
                if let Some(entry) = input.read()? {
                    return Ok(entry);
                }
            } else if interest.is_empty() {
                // Only a reset gets through then.
                return Err(Ended::Reset(self.peer.clone()));
            } else {
                match self.stream.peek(&mut [0]) {
                    Ok(0) => return Err(Ended::Closed(self.peer.clone())),
                    // The next reply begins here; what follows it cannot be seen before it is read.
                    Ok(_) => interest = Interest::empty(),
                    Err(error) => self.unless_passing(error)?,
                }
            }
        }
    }

    /// Sends `line` and passes as many bytes of reply on: for an empty line, none at all. What came of a reply that broke off
    /// is a line of output, too.
    fn exchange(&mut self, line: &[u8], output: &mut Output<'_>) -> Result<(), Ended> {
        let mut echo = Echo { line, unsent: line, received: 0, unsendable: None };
        let result = self.take_turns(&mut echo, output);
        if echo.received > 0 {
            output.end_reply()?;
        }
        result
    }

    /// Writes the line and reads its reply, whichever is possible.
    fn take_turns(&mut self, echo: &mut Echo<'_>, output: &mut Output<'_>) -> Result<(), Ended> {
        while echo.missing() > 0 || !echo.unsent.is_empty() {
            self.wait_for(echo)?;
            if !echo.unsent.is_empty() {
                self.send(echo);
            }
            if echo.missing() > 0 {
                self.receive(echo, output)?;
            }
        }
        echo.unsendable.take().map_or(Ok(()), Err)
    }

    /// Waits until something of an echo can be sent or received.
    fn wait_for(&self, echo: &Echo<'_>) -> Result<(), Ended> {
        let mut interest = Interest::empty();
        interest.set(Interest::POLLIN, echo.missing() > 0);
        interest.set(Interest::POLLOUT, !echo.unsent.is_empty());
        // From now on: whatever moved on, in either direction, gives the reply its time again. A timeout beyond what the clock
        // can count to never ends.
        let deadline = Instant::now().checked_add(self.timeout);
        if self.waiter.wait(&[(self.stream.as_fd(), interest)], deadline)?[0]
            || deadline.is_none_or(|deadline| Instant::now() < deadline)
        {
            return Ok(());
        }
        Err(Ended::NoReply {
            peer: self.peer.clone(),
            received: echo.received,
            length: echo.line.len(),
            timeout: self.timeout,
        })
    }

    fn send(&mut self, echo: &mut Echo<'_>) {
        match self.stream.write(echo.unsent) {
            Ok(count) => echo.unsent = &echo.unsent[count..],
            Err(error) => {
                if let Err(ended) = self.unless_passing(error) {
                    echo.unsendable = Some(ended);
                    echo.unsent = &[];
                }
            }
        }
    }

    fn receive(&mut self, echo: &mut Echo<'_>, output: &mut Output<'_>) -> Result<(), Ended> {
        let most = echo.missing().min(CHUNK);
        match self.stream.read(&mut self.chunk[..most]) {
            Ok(0) => Err(echo
                .unsendable
                .take()
                .unwrap_or_else(|| Ended::ClosedInReply(self.peer.clone(), echo.received, echo.line.len()))),
            Ok(count) => {
                echo.received += count;
                output.reply(&self.chunk[..count])
            }
            Err(error) => self.unless_passing(error),
        }
    }

    fn unless_passing(&self, error: io::Error) -> Result<(), Ended> {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(()),
            // What Linux makes of a reset that answers bytes sent after the server's close.
            io::ErrorKind::BrokenPipe => Err(Ended::Closed(self.peer.clone())),
            io::ErrorKind::ConnectionReset => Err(Ended::Reset(self.peer.clone())),
            _ => Err(Ended::Broken(self.peer.clone(), error)),
        }
    }
}

#[cfg(test)]
mod tests;
