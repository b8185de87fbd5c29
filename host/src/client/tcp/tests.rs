//! The TCP client against servers of the tests' own on loopback.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::fs::File;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Instant;

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, getsockname, listen, socket,
};

use super::super::pipe::Pipe;
use super::super::wait::Background;
use super::*;

/// Long enough for whatever a test waits for: it fails rather than hangs.
const LONG: Duration = Duration::from_secs(30);

const ALONE: Waiter<'_> = Waiter(None);

/// How a client fared.
struct Fare {
    result: Result<(), Ended>,
    replies: Vec<u8>,
}

/// A conversation with `server`, which serves one client. The input is
/// `typed`; it ends there, or stays open until the client has ended.
fn converse_with(server: impl FnOnce(TcpStream) + Send, typed: &[u8], input_stays_open: bool) -> Fare {
    converse(server, typed, input_stays_open, false)
}

fn converse(server: impl FnOnce(TcpStream) + Send, typed: &[u8], input_stays_open: bool, raw: bool) -> Fare {
    converse_within(LONG, server, typed, input_stays_open, raw)
}

fn converse_within(
    timeout: Duration,
    server: impl FnOnce(TcpStream) + Send,
    typed: &[u8],
    input_stays_open: bool,
    raw: bool,
) -> Fare {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let (reader, mut writer) = io::pipe().unwrap();
    let mut input = Input::Pipe(Pipe::new(File::from(OwnedFd::from(reader)), raw));
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
        let mut output = Output { replies: &mut replies, notes: &mut io::sink(), raw };
        let mut connection = open(&target.parse().unwrap(), timeout, &mut output).unwrap();
        let result = connection.converse(&mut input, &mut output);
        drop((connection, input, ended));
        serving.join().unwrap();
        typing.join().unwrap();
        result
    });
    Fare { result, replies }
}

fn open(target: &Target, timeout: Duration, output: &mut Output<'_>) -> Result<Connection<'static>, Ended> {
    connect(target, timeout, ALONE, output).map(|stream| Connection::new(stream, target, timeout, ALONE))
}

/// The same where nobody listens to what it says.
fn open_quietly(target: &Target) -> Result<Connection<'static>, Ended> {
    open(target, LONG, &mut Output { replies: &mut io::sink(), notes: &mut io::sink(), raw: false })
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
        assert!(fare.replies[..length].iter().all(|&byte| byte == b'X'));
    }
}

#[test]
fn bytes_beyond_the_reply_begin_the_next_one() {
    let fare = converse_with(
        |mut stream| {
            stream.read_exact(&mut [0; 3]).unwrap();
            stream.write_all(b"ONET").unwrap();
            stream.read_exact(&mut [0; 3]).unwrap();
            for byte in b"WO" {
                stream.write_all(&[*byte]).unwrap();
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
fn a_reply_that_stands_still_ends_the_conversation() {
    let timeout = Duration::from_millis(50);
    let started = Instant::now();
    let fare = converse_within(
        timeout,
        |mut stream| {
            stream.write_all(b"HE").unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap();
        },
        b"hello\nnever sent\n",
        false,
        false,
    );
    assert!(started.elapsed() >= timeout);
    let ended = fare.result.unwrap_err();
    assert!(matches!(ended, Ended::NoReply { received: 2, length: 5, .. }), "{ended:?}");
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
fn a_reset_ends_the_wait_for_input_too_even_behind_unread_bytes() {
    let fare = converse_with(
        |mut stream| {
            stream.write_all(b"A?").unwrap();
            // Closing with bytes unread resets (RFC 2525, section 2.17).
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
    assert!(open_quietly(&target).is_ok());
    drop(listener);

    // An address of this test's own, whose port nobody else picks.
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 69, 3), 0)).unwrap();
    let target = listener.local_addr().unwrap().to_string().parse().unwrap();
    drop(listener);
    let Err(ended) = open_quietly(&target) else {
        panic!("nobody listens there");
    };
    assert!(matches!(ended, Ended::Unconnected(..)), "{ended:?}");
    assert_eq!(ended.exit_code(), 1);
}

/// A listener whose backlog is full: Linux drops a SYN that comes then without a word.
struct Deaf {
    target: Target,
    _listener: OwnedFd,
    _backlog: Vec<TcpStream>,
}

impl Deaf {
    fn new() -> Self {
        let flags = SockFlag::SOCK_CLOEXEC;
        let listener = socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap();
        bind(listener.as_raw_fd(), &SockaddrIn::new(127, 0, 69, 4, 0)).unwrap();
        listen(&listener, Backlog::new(0).unwrap()).unwrap();
        let address: SockaddrIn = getsockname(listener.as_raw_fd()).unwrap();
        let address = address.to_string();
        // A backlog of n holds n + 1.
        let backlog = vec![TcpStream::connect(&address).unwrap()];
        Self { target: address.parse().unwrap(), _listener: listener, _backlog: backlog }
    }
}

#[test]
fn a_server_that_does_not_answer_is_waited_for_aloud_and_not_for_ever() {
    let deaf = Deaf::new();
    let mut notes = Vec::new();
    let mut output = Output { replies: &mut io::sink(), notes: &mut notes, raw: false };
    let timeout = Duration::from_millis(1500);
    let started = Instant::now();
    let Err(ended) = open(&deaf.target, timeout, &mut output) else {
        panic!("there was room in the backlog")
    };
    assert!(started.elapsed() >= timeout);
    assert!(matches!(ended, Ended::TimedOut(..)), "{ended:?}");
    assert_eq!(ended.exit_code(), 1);
    assert!(ended.to_string().contains("within 1.5s"), "{ended}");
    assert_eq!(String::from_utf8(notes).unwrap(), format!("note: connecting to {} ...\n", deaf.target));
}

/// Nothing is said where the time is over before anybody would wonder.
#[test]
fn a_short_timeout_is_kept_without_a_note() {
    let deaf = Deaf::new();
    let mut notes = Vec::new();
    let mut output = Output { replies: &mut io::sink(), notes: &mut notes, raw: false };
    let Err(ended) = open(&deaf.target, Duration::from_millis(10), &mut output) else {
        panic!("it has answered")
    };
    assert!(matches!(ended, Ended::TimedOut(..)), "{ended:?}");
    assert_eq!(notes, b"");
}

/// A background that ends the conversation at once.
struct Over(io::PipeReader);

impl Background for Over {
    fn as_fd(&self) -> BorrowedFd<'_> {
        AsFd::as_fd(&self.0)
    }

    fn attend(&self) -> Result<(), String> {
        Err("it is over".to_owned())
    }
}

#[test]
fn the_background_is_looked_after_while_the_client_connects_and_while_it_waits_for_input() {
    let (reader, writer) = io::pipe().unwrap();
    drop(writer);
    let over = Over(reader);
    let deaf = Deaf::new();
    let mut output = Output { replies: &mut io::sink(), notes: &mut io::sink(), raw: false };
    let ended = connect(&deaf.target, LONG, Waiter(Some(&over)), &mut output).unwrap_err();
    assert_eq!(ended.to_string(), "it is over");

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target: Target = listener.local_addr().unwrap().to_string().parse().unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (reader, _open) = io::pipe().unwrap();
    let mut input = Input::Pipe(Pipe::new(File::from(OwnedFd::from(reader)), false));
    let mut connection = Connection::new(stream, &target, LONG, Waiter(Some(&over)));
    assert_eq!(connection.converse(&mut input, &mut output).unwrap_err().to_string(), "it is over");
}

#[test]
fn raw_lines_are_sent_as_they_are_and_replies_shown_as_they_come() {
    let fare = converse(echo, b"  one \n\ntwo", false, true);
    assert!(fare.result.is_ok());
    assert_eq!(fare.replies, b"  ONE \n\nTWO");
}
