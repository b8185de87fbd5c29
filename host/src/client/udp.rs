//! The UDP client: each line is a datagram, an empty one too, and its reply is the next datagram that comes back within the
//! timeout. (A client without a timeout waits for ever when a datagram is lost.)
//!
//! Nothing in a datagram says which message it answers, but the port that it comes to can: a message that was not answered in
//! time keeps its socket, and the next message gets a new one. What comes to the old one is late, and can never be taken for
//! another message's reply. While replies come in time one socket serves for all, since to many servers (`nc -u -l` for one) a
//! new port is a new client; with such a server choose a `--timeout` that it can keep.

use core::iter;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use std::collections::VecDeque;
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitCode;
use std::time::Instant;

use nix::errno::Errno;

use super::ended::{Ended, way_to_connect};
use super::input::Input;
use super::line::Entry;
use super::output::Output;
use super::session::{greet, run as run_session};
use super::target::Target;
use super::wait::{Background, Interest, Waiter};
use crate::cli::ClientOptions;

/// How many unanswered messages are listened for at once. The oldest is given up for the next one.
const UNANSWERED: usize = 16;

/// No datagram is longer: its length field has 16 bits (RFC 768).
const LONGEST: usize = 65_535;

/// How many stray datagrams of one socket are named at a time, so that a flood of them does not hold up everything else.
const BURST: usize = 64;

/// A server with a buffer of this size answers so much of a longer datagram, and shout is one.
const USUAL_BUFFER: usize = 1024;

/// How much of a message stands for it in a note, in characters.
const QUOTED: usize = 32;

/// Runs `shout udp`, looking after a background meanwhile if there is one.
pub(crate) fn run(options: &ClientOptions, background: Option<&dyn Background>) -> ExitCode {
    run_session(options.raw, |output| {
        let target = Target::from_words(&options.target)?;
        let mut conversation = Conversation::new(&target, options.timeout, Waiter(background))?;
        let mut input = Input::standard(options.raw)?;
        if background.is_none() {
            greet("datagrams to", &conversation.peer, &input, output);
        }
        conversation.converse(&mut input, output)
    })
}

/// The exchange of datagrams with one server.
struct Conversation<'a> {
    peer: String,
    /// The server's addresses, at least one, the one to use next in front.
    addresses: VecDeque<SocketAddr>,
    timeout: Duration,
    /// What the last message was sent on, if that was answered.
    answered: Option<Asked>,
    /// What messages without an answer were sent on, oldest first.
    unanswered: VecDeque<Asked>,
    /// Whether some message had no reply in time.
    failed: bool,
    datagram: Vec<u8>,
    waiter: Waiter<'a>,
}

/// What became of a message.
enum Outcome {
    /// The reply came: so much of `datagram`.
    Reply(usize),
    /// None came within the timeout.
    NoReply,
    /// The message did not get there.
    Undelivered(io::Error),
}

/// A socket, and the last message that was sent on it. It does not block and is connected: others' datagrams do not come to
/// it, but errors do.
struct Asked {
    socket: UdpSocket,
    message: String,
}

impl<'a> Conversation<'a> {
    fn new(target: &Target, timeout: Duration, waiter: Waiter<'a>) -> Result<Self, Ended> {
        Ok(Self {
            peer: target.to_string(),
            addresses: target.resolve()?.into(),
            timeout,
            answered: None,
            unanswered: VecDeque::new(),
            failed: false,
            waiter,
            datagram: vec![0; LONGEST],
        })
    }

    fn converse(&mut self, input: &mut Input, output: &mut Output<'_>) -> Result<(), Ended> {
        loop {
            match self.next_entry(input, output)? {
                Entry::Line(message) => self.exchange(&message, output)?,
                Entry::Interrupted => return Err(Ended::Interrupted),
                // Whoever types has seen the notes; a script sees the exit code.
                Entry::End if self.failed && !input.is_terminal() => return Err(Ended::Unanswered),
                Entry::End => return Ok(()),
            }
        }
    }

    /// Waits for the next line, and names what else comes meanwhile.
    fn next_entry(&mut self, input: &mut Input, output: &mut Output<'_>) -> Result<Entry, Ended> {
        if let Some(entry) = input.ask() {
            return Ok(entry);
        }
        loop {
            let mut sources = vec![(input.as_fd(), Interest::POLLIN)];
            sources.extend(readable(self.answered.iter().chain(&self.unanswered)));
            if self.waiter.wait(&sources, None)?[0]
                && let Some(entry) = input.read()?
            {
                return Ok(entry);
            }
            for note in self.strays() {
                input.interject(&note, output);
            }
        }
    }

    /// Sends one message and passes its reply on, or says what became of it. Whatever did, the conversation goes on.
    fn exchange(&mut self, message: &[u8], output: &mut Output<'_>) -> Result<(), Ended> {
        for note in self.strays() {
            output.note(&note);
        }
        let quoted = quote(message);
        let mut addresses_left = self.addresses.len();
        loop {
            match self.attempt(message, &quoted, output)? {
                Outcome::Reply(length) => {
                    output.reply(&self.datagram[..length])?;
                    output.end_reply()?;
                    if let Some(sentence) = shortfall(&quoted, message.len(), length) {
                        output.note(&sentence);
                    }
                    return Ok(());
                }
                Outcome::NoReply => {
                    self.failed = true;
                    let timeout = self.timeout;
                    output.note(&format_args!("no reply to {quoted} within {timeout:?}"));
                    return Ok(());
                }
                Outcome::Undelivered(error) => {
                    // Another address may have a server: a name such as localhost stands for one of each family.
                    self.addresses.rotate_left(1);
                    addresses_left -= 1;
                    if addresses_left == 0 {
                        self.failed = true;
                        let (peer, reason) = (&self.peer, explain(&error));
                        output.note(&format_args!("{quoted} did not reach {peer}: {reason}"));
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Sends `message` to the first address and waits for what comes of it.
    fn attempt(&mut self, message: &[u8], quoted: &str, output: &mut Output<'_>) -> Result<Outcome, Ended> {
        let asked = match self.send(message, quoted) {
            Ok(asked) => asked,
            Err(error) => return Ok(Outcome::Undelivered(error)),
        };
        // A timeout beyond what the clock can count to never ends.
        let deadline = Instant::now().checked_add(self.timeout);
        loop {
            let sockets = iter::once(&asked).chain(&self.unanswered);
            if self.waiter.wait(&readable(sockets), deadline)?[0] {
                match asked.socket.recv(&mut self.datagram) {
                    Ok(length) => {
                        self.answered = Some(asked);
                        return Ok(Outcome::Reply(length));
                    }
                    Err(error) if is_passing(&error) => {}
                    Err(error) => return Ok(Outcome::Undelivered(error)),
                }
            }
            for note in self.strays() {
                output.note(&note);
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                if self.unanswered.len() == UNANSWERED {
                    self.unanswered.pop_front();
                }
                self.unanswered.push_back(asked);
                return Ok(Outcome::NoReply);
            }
        }
    }

    fn send(&mut self, message: &[u8], quoted: &str) -> io::Result<Asked> {
        let socket = match self.answered.take() {
            Some(asked) => asked.socket,
            None => open(self.addresses[0])?,
        };
        socket.send(message)?;
        Ok(Asked { socket, message: quoted.to_owned() })
    }

    /// Receives what nobody waits for, and names it.
    fn strays(&mut self) -> Vec<String> {
        let mut notes = Vec::new();
        let late = self.unanswered.iter().map(|asked| ("late", asked));
        let further = self.answered.iter().map(|asked| ("another", asked));
        for (which, Asked { socket, message }) in late.chain(further) {
            for _ in 0..BURST {
                // An error is as good as silence: what it is about was said to be without a reply before.
                let Ok(length) = socket.recv(&mut self.datagram) else {
                    break;
                };
                let text = String::from_utf8_lossy(&self.datagram[..length]);
                notes.push(format!("{which} reply to {message}: {text:?}"));
            }
        }
        notes
    }
}

/// A socket that is connected to `address`, from a port of its own.
fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?,
        SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?,
    };
    socket.connect(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn readable<'a>(asked: impl Iterator<Item = &'a Asked>) -> Vec<(BorrowedFd<'a>, Interest)> {
    asked.map(|asked| (asked.socket.as_fd(), Interest::POLLIN)).collect()
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// What is to be said of a reply that is shorter than its message.
fn shortfall(quoted: &str, sent: usize, received: usize) -> Option<String> {
    let why = if received == USUAL_BUFFER { ": the server reads no more of a datagram" } else { "" };
    (received < sent).then(|| format!("the reply to {quoted} has {received} of {sent} bytes{why}"))
}

/// The beginning of a message, fit for a line of text.
fn quote(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

fn explain(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        return "nobody listens there (port unreachable); start the server and try again".into();
    }
    if error.raw_os_error() == Some(Errno::EMSGSIZE as i32) {
        return "it is longer than a datagram can be; send it in parts".into();
    }
    format!("{error}; {}", way_to_connect(error))
}

#[cfg(test)]
mod tests;
