//! The TCP client: for each line, exactly as many octets as it has are read
//! back (S4 of the seed note, where a reply of more than 1024 octets was cut).
//!
//! Octets beyond that stay with the kernel and begin the next reply: a stream
//! has no boundaries, and a client that guessed at them would lose some.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::process::ExitCode;

use super::input::{Entry, Input};
use super::target::Target;
use super::wait::{Interest, wait};
use super::{Ended, Output, conclude};

/// How much of a reply is read at once, at most.
const CHUNK: usize = 64 * 1024;

/// Runs `shout tcp`.
pub(crate) fn run(target: &str) -> ExitCode {
    let mut output = Output { replies: &mut io::stdout(), notes: &mut io::stderr() };
    let result = connect_and_converse(target, &mut output);
    conclude(result, &mut output)
}

fn connect_and_converse(target: &str, output: &mut Output<'_>) -> Result<(), Ended> {
    let target: Target = target.parse()?;
    let mut connection = Connection::open(&target)?;
    let mut input = Input::standard()?;
    connection.converse(&mut input, output)
}

/// One connection to a server. The socket does not block: a long line is
/// written and its reply read by turns, since a server with small buffers
/// stops reading until it can write.
struct Connection {
    stream: TcpStream,
    peer: String,
    chunk: Vec<u8>,
}

impl Connection {
    fn open(target: &Target) -> Result<Self, Ended> {
        let peer = target.to_string();
        let addresses = target.resolve()?;
        // Tries each in order; the error is that of the last one.
        let connected = TcpStream::connect(addresses.as_slice()).and_then(|stream| {
            stream.set_nonblocking(true)?;
            // The end of a long line shall not wait for an acknowledgement.
            stream.set_nodelay(true)?;
            Ok(stream)
        });
        match connected {
            Ok(stream) => Ok(Self { stream, peer, chunk: vec![0; CHUNK] }),
            Err(error) => Err(Ended::Unconnected(peer, error)),
        }
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

    /// Waits for the next line, and for the server to close meanwhile. Input
    /// that is there already goes first: whether its end or the server's is
    /// seen must not depend on chance.
    fn next_entry(&self, input: &mut Input) -> Result<Entry, Ended> {
        if let Some(entry) = input.ask() {
            return Ok(entry);
        }
        let mut interest = Interest::POLLIN;
        loop {
            let ready = wait(&[(input.as_fd(), Interest::POLLIN), (self.stream.as_fd(), interest)], None)?;
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
                    // The next reply begins here; what follows it cannot be
                    // seen before it is read.
                    Ok(_) => interest = Interest::empty(),
                    Err(error) => self.unless_passing(error)?,
                }
            }
        }
    }

    /// Sends `line` and passes as many octets of reply on: for an empty line,
    /// none at all. What came of a reply that broke off is a line of output, too.
    fn exchange(&mut self, line: &[u8], output: &mut Output<'_>) -> Result<(), Ended> {
        let mut received = 0;
        let result = self.take_turns(line, &mut received, output);
        if received > 0 {
            output.reply(b"\n")?;
        }
        result
    }

    fn take_turns(
        &mut self,
        line: &[u8],
        received: &mut usize,
        output: &mut Output<'_>,
    ) -> Result<(), Ended> {
        let mut unsent = line;
        let mut unsendable = None;
        while *received < line.len() || !unsent.is_empty() {
            let missing = line.len() - *received;
            let mut interest = Interest::empty();
            interest.set(Interest::POLLIN, missing > 0);
            interest.set(Interest::POLLOUT, !unsent.is_empty());
            wait(&[(self.stream.as_fd(), interest)], None)?;

            if !unsent.is_empty() {
                match self.stream.write(unsent) {
                    Ok(count) => unsent = &unsent[count..],
                    Err(error) => {
                        if let Err(ended) = self.unless_passing(error) {
                            // The server's last octets may still wait to be read.
                            unsendable = Some(ended);
                            unsent = &[];
                        }
                    }
                }
            }
            if missing > 0 {
                let most = missing.min(CHUNK);
                match self.stream.read(&mut self.chunk[..most]) {
                    Ok(0) => {
                        return Err(unsendable.unwrap_or_else(|| {
                            Ended::ClosedInReply(self.peer.clone(), *received, line.len())
                        }));
                    }
                    Ok(count) => {
                        *received += count;
                        output.reply(&self.chunk[..count])?;
                    }
                    Err(error) => self.unless_passing(error)?,
                }
            }
        }
        unsendable.map_or(Ok(()), Err)
    }

    fn unless_passing(&self, error: io::Error) -> Result<(), Ended> {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(()),
            // What Linux makes of a reset that answers octets sent after the server's close.
            io::ErrorKind::BrokenPipe => Err(Ended::Closed(self.peer.clone())),
            io::ErrorKind::ConnectionReset => Err(Ended::Reset(self.peer.clone())),
            _ => Err(Ended::Broken(self.peer.clone(), error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;
    use core::time::Duration;
    use std::fs::File;
    use std::net::TcpListener;
    use std::os::fd::OwnedFd;
    use std::sync::mpsc::{self, RecvTimeoutError};
    use std::thread;

    use super::super::input::Pipe;
    use super::*;

    /// Long enough for whatever a test waits for: it fails rather than hangs.
    const LONG: Duration = Duration::from_secs(30);

    /// How a client fared.
    struct Fare {
        result: Result<(), Ended>,
        replies: Vec<u8>,
    }

    /// A conversation with `server`, which serves one client. The input is
    /// `typed`; it ends there, or stays open until the client has ended.
    fn converse_with(server: impl FnOnce(TcpStream) + Send, typed: &[u8], input_stays_open: bool) -> Fare {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let target = listener.local_addr().unwrap().to_string();
        let (reader, mut writer) = io::pipe().unwrap();
        let mut input = Input::Pipe(Pipe::new(File::from(OwnedFd::from(reader))));
        let mut replies = Vec::new();
        let result = thread::scope(|scope| {
            let serving = scope.spawn(move || {
                let (stream, _) = listener.accept().unwrap();
                stream.set_read_timeout(Some(LONG)).unwrap();
                stream.set_write_timeout(Some(LONG)).unwrap();
                server(stream);
            });
            let (ended, end) = mpsc::channel::<()>();
            let typing = scope.spawn(move || {
                // Fails when the client ends first, as it shall in some tests.
                let _ = writer.write_all(typed);
                if input_stays_open {
                    assert_eq!(end.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
                }
            });
            let mut connection = Connection::open(&target.parse().unwrap()).unwrap();
            let mut output = Output { replies: &mut replies, notes: &mut io::sink() };
            let result = connection.converse(&mut input, &mut output);
            drop((connection, input, ended));
            serving.join().unwrap();
            typing.join().unwrap();
            result
        });
        Fare { result, replies }
    }

    fn echo(mut stream: TcpStream) {
        let mut buffer = [0; 1024];
        loop {
            let count = stream.read(&mut buffer).unwrap();
            if count == 0 {
                return;
            }
            buffer.make_ascii_uppercase();
            stream.write_all(&buffer[..count]).unwrap();
        }
    }

    #[test]
    fn a_line_s_reply_is_a_line_and_empty_lines_are_not_sent() {
        let fare = converse_with(
            |mut stream| {
                let mut got = String::new();
                // Up to the end of the stream: the client closes cleanly.
                stream.write_all("HELLOÄ".as_bytes()).unwrap();
                stream.read_to_string(&mut got).unwrap();
                assert_eq!(got, "helloä");
            },
            "\n  \n hello\u{3000}\n\nä".as_bytes(),
            false,
        );
        assert!(fare.result.is_ok());
        assert_eq!(fare.replies, "HELLO\nÄ\n".as_bytes());
    }

    #[test]
    fn a_line_longer_than_any_buffer_comes_back_whole() {
        // More than the kernel holds in both directions together, so that a
        // client that sent all of it first would wait for ever.
        for length in [5_000, 40_000_000] {
            let mut typed = vec![b'x'; length];
            typed.push(b'\n');
            let fare = converse_with(echo, &typed, false);
            assert!(fare.result.is_ok());
            assert_eq!(fare.replies.len(), length + 1);
            assert!(fare.replies[..length].iter().all(|&octet| octet == b'X'));
        }
    }

    #[test]
    fn octets_beyond_the_reply_begin_the_next_one() {
        let fare = converse_with(
            |mut stream| {
                stream.read_exact(&mut [0; 3]).unwrap();
                stream.write_all(b"ONET").unwrap();
                stream.read_exact(&mut [0; 3]).unwrap();
                for octet in b"WO" {
                    stream.write_all(&[*octet]).unwrap();
                }
                // A close before the end of the input would be an error.
                assert_eq!(stream.read(&mut [0]).unwrap(), 0);
            },
            b"one\ntwo\n",
            false,
        );
        assert!(fare.result.is_ok());
        assert_eq!(fare.replies, b"ONE\nTWO\n");
    }

    #[test]
    fn what_came_of_a_reply_is_passed_on_when_the_server_closes() {
        let fare = converse_with(
            |mut stream| {
                stream.read_exact(&mut [0; 5]).unwrap();
                stream.write_all(b"HE").unwrap();
            },
            b"hello\nnever sent\n",
            false,
        );
        let ended = fare.result.unwrap_err();
        assert!(matches!(ended, Ended::ClosedInReply(_, 2, 5)), "{ended:?}");
        assert_eq!(ended.exit_code(), 1);
        assert_eq!(fare.replies, b"HE\n");
    }

    #[test]
    fn the_server_s_close_ends_the_wait_for_input() {
        let fare = converse_with(
            |mut stream| {
                stream.read_exact(&mut [0; 5]).unwrap();
                stream.write_all(b"HELLO").unwrap();
            },
            b"hello\nhalf a line",
            true,
        );
        let ended = fare.result.unwrap_err();
        assert!(matches!(ended, Ended::Closed(_)), "{ended:?}");
        assert_eq!(ended.exit_code(), 1);
        assert_eq!(fare.replies, b"HELLO\n");
    }

    #[test]
    fn a_reset_ends_the_wait_for_input_too_even_behind_unread_octets() {
        let fare = converse_with(
            |mut stream| {
                stream.write_all(b"A?").unwrap();
                // Closing with octets unread resets (RFC 2525, section 2.17).
                stream.peek(&mut [0]).unwrap();
            },
            b"a\n",
            true,
        );
        let ended = fare.result.unwrap_err();
        assert!(matches!(ended, Ended::Reset(_)), "{ended:?}");
        assert_eq!(ended.exit_code(), 1);
        assert_eq!(fare.replies, b"A\n");
    }

    #[test]
    fn a_refusal_is_an_error_and_a_name_s_next_address_is_tried() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let target: Target = format!("localhost:{port}").parse().unwrap();
        assert!(Connection::open(&target).is_ok());
        drop(listener);

        // An address of this test's own, whose port nobody else picks.
        let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 69, 3), 0)).unwrap();
        let target = listener.local_addr().unwrap().to_string().parse().unwrap();
        drop(listener);
        let Err(ended) = Connection::open(&target) else {
            panic!("nobody listens there");
        };
        assert!(matches!(ended, Ended::Unconnected(..)), "{ended:?}");
        assert_eq!(ended.exit_code(), 1);
    }
}
