//! The UDP client against servers of the tests' own on loopback.

use std::fs::File;
use std::io::{BufRead, BufReader, PipeReader, Write};
use std::os::fd::OwnedFd;
use std::thread;

use super::super::pipe::Pipe;
use super::*;

/// For a reply that is sure to come, and for a test that waits for it.
const LONG: Duration = Duration::from_secs(30);
/// For one that is sure not to.
const SHORT: Duration = Duration::from_millis(1);

const ALONE: Waiter<'_> = Waiter(None);

fn server() -> UdpSocket {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    server.set_read_timeout(Some(LONG)).unwrap();
    server
}

fn conversation(server: &UdpSocket, timeout: Duration) -> Conversation<'static> {
    let target = server.local_addr().unwrap().to_string();
    Conversation::new(&target.parse().unwrap(), timeout, ALONE).unwrap()
}

fn receive(server: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; LONGEST];
    let (length, peer) = server.recv_from(&mut buffer).unwrap();
    buffer.truncate(length);
    (buffer, peer)
}

fn echo(server: &UdpSocket, times: usize) {
    for _ in 0..times {
        let (datagram, peer) = receive(server);
        server.send_to(&datagram.to_ascii_uppercase(), peer).unwrap();
    }
}

/// Sends one message; returns what was replied and what was noted.
fn exchange(conversation: &mut Conversation<'_>, message: &[u8]) -> (Vec<u8>, String) {
    let (mut replies, mut notes) = (Vec::new(), Vec::new());
    let mut output = Output { replies: &mut replies, notes: &mut notes, raw: false };
    conversation.exchange(message, &mut output).unwrap();
    (replies, String::from_utf8(notes).unwrap())
}

fn next_note(notes: &mut BufReader<PipeReader>) -> String {
    let source = [(notes.get_ref().as_fd(), Interest::POLLIN)];
    let there = !notes.buffer().is_empty() || ALONE.wait(&source, Some(Instant::now() + LONG)).unwrap()[0];
    assert!(there, "a note is missing");
    let mut line = String::new();
    notes.read_line(&mut line).unwrap();
    line
}

#[test]
fn each_line_is_a_datagram_and_its_reply_a_line_empty_ones_too() {
    let server = server();
    let (reader, mut writer) = io::pipe().unwrap();
    let mut input = Input::Pipe(Pipe::new(File::from(OwnedFd::from(reader)), false));
    writer.write_all("hello\n\n  \n größe \n".as_bytes()).unwrap();
    drop(writer);
    let (mut replies, mut notes) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        scope.spawn(|| echo(&server, 4));
        let mut output = Output { replies: &mut replies, notes: &mut notes, raw: false };
        let mut conversation = conversation(&server, LONG);
        conversation.converse(&mut input, &mut output).unwrap();
    });
    assert_eq!(replies, "HELLO\n\n\nGRößE\n".as_bytes());
    assert!(notes.is_empty());
}

#[test]
fn a_late_reply_is_named_and_not_taken_for_the_next_one() {
    let server = server();
    let mut conversation = conversation(&server, SHORT);
    let (replies, notes) = exchange(&mut conversation, b"one");
    assert_eq!(replies, b"");
    assert_eq!(notes, "note: no reply to \"one\" within 1ms\n");

    conversation.timeout = LONG;
    let (reader, mut writer) = io::pipe().unwrap();
    let mut replies = Vec::new();
    thread::scope(|scope| {
        let server = &server;
        scope.spawn(move || {
            let (_, first) = receive(server);
            let (_, second) = receive(server);
            assert_ne!(first, second);
            server.send_to(b"ONE", first).unwrap();
            let note = next_note(&mut BufReader::new(reader));
            assert_eq!(note, "note: late reply to \"one\": \"ONE\"\n");
            server.send_to(b"TWO", second).unwrap();
        });
        let mut output = Output { replies: &mut replies, notes: &mut writer, raw: false };
        conversation.exchange(b"two", &mut output).unwrap();
    });
    assert_eq!(replies, b"TWO\n");
}

#[test]
fn a_late_reply_is_named_while_the_client_waits_for_input() {
    let server = server();
    let (reader, mut typing) = io::pipe().unwrap();
    let mut input = Input::Pipe(Pipe::new(File::from(OwnedFd::from(reader)), false));
    let (reader, mut writer) = io::pipe().unwrap();
    let mut notes = BufReader::new(reader);
    thread::scope(|scope| {
        let client = scope.spawn(|| {
            let mut output = Output { replies: &mut io::sink(), notes: &mut writer, raw: false };
            conversation(&server, SHORT).converse(&mut input, &mut output)
        });
        typing.write_all(b"one\n").unwrap();
        let (_, peer) = receive(&server);
        assert!(next_note(&mut notes).contains("no reply"));
        server.send_to(b"ONE", peer).unwrap();
        assert!(next_note(&mut notes).contains("late reply"));
        drop(typing);
        let ended = client.join().unwrap().unwrap_err();
        assert!(matches!(ended, Ended::Unanswered), "{ended:?}");
    });
}

#[test]
fn a_reply_that_comes_twice_is_named_and_not_taken_for_the_next_one() {
    let server = server();
    let mut conversation = conversation(&server, LONG);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (_, peer) = receive(&server);
            server.send_to(b"ONE", peer).unwrap();
            server.send_to(b"ONE", peer).unwrap();
        });
        assert_eq!(exchange(&mut conversation, b"one").0, b"ONE\n");
    });
    thread::scope(|scope| {
        scope.spawn(|| echo(&server, 1));
        let (replies, notes) = exchange(&mut conversation, b"two");
        assert_eq!(replies, b"TWO\n");
        assert_eq!(notes, "note: another reply to \"one\": \"ONE\"\n");
    });
}

#[test]
fn the_client_may_start_before_the_server() {
    // An address of this test's own, whose port nobody else picks.
    let own = Ipv4Addr::new(127, 0, 69, 1);
    let early = UdpSocket::bind((own, 0)).unwrap();
    let address = early.local_addr().unwrap();
    let mut conversation = conversation(&early, LONG);
    drop(early);
    let (replies, notes) = exchange(&mut conversation, b"hello");
    assert_eq!(replies, b"");
    assert!(notes.contains("\"hello\" did not reach 127.0.69.1"), "{notes}");

    let server = UdpSocket::bind(address).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| echo(&server, 1));
        assert_eq!(exchange(&mut conversation, b"hello").0, b"HELLO\n");
    });
}

#[test]
fn a_server_on_another_address_of_the_name_is_found() {
    let server = server();
    let mut conversation = conversation(&server, LONG);
    let port = server.local_addr().unwrap().port();
    let deaf = SocketAddr::from((Ipv4Addr::new(127, 0, 69, 2), port));
    conversation.addresses.push_front(deaf);
    thread::scope(|scope| {
        scope.spawn(|| echo(&server, 2));
        for _ in 0..2 {
            let (replies, notes) = exchange(&mut conversation, b"hello");
            assert_eq!((replies, notes), (b"HELLO\n".to_vec(), String::new()));
        }
    });
}

#[test]
fn the_longest_datagram_is_exchanged_and_a_longer_one_said_to_be_too_long() {
    let server = server();
    let mut conversation = conversation(&server, LONG);
    // 65,535 bytes of IPv4, of which 28 are headers.
    let longest = vec![b'x'; 65_507];
    thread::scope(|scope| {
        scope.spawn(|| echo(&server, 1));
        let (_, notes) = exchange(&mut conversation, &[longest.as_slice(), b"x"].concat());
        assert!(notes.contains("longer than a datagram"), "{notes}");
        let (replies, notes) = exchange(&mut conversation, &longest);
        assert_eq!((replies.len(), notes.as_str()), (longest.len() + 1, ""));
    });
}

#[test]
fn the_sockets_of_unanswered_messages_are_bounded() {
    let server = server();
    let mut conversation = conversation(&server, Duration::ZERO);
    for _ in 0..2 * UNANSWERED {
        exchange(&mut conversation, b"hello");
    }
    assert_eq!(conversation.unanswered.len(), UNANSWERED);
}

#[test]
fn a_timeout_beyond_the_clock_s_range_waits() {
    let server = server();
    let mut conversation = conversation(&server, Duration::MAX);
    thread::scope(|scope| {
        scope.spawn(|| echo(&server, 1));
        assert_eq!(exchange(&mut conversation, b"hello").0, b"HELLO\n");
    });
}

/// Lines from a pipe, to a server that answers the first and is gone then.
#[test]
fn a_line_that_gets_no_reply_is_told_by_the_exit_code() {
    let server = server();
    for (timeout, lines, code) in [(LONG, "one\n", None), (SHORT, "one\ntwo\n", Some(1))] {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut input = Input::Pipe(Pipe::new(File::from(OwnedFd::from(reader)), false));
        writer.write_all(lines.as_bytes()).unwrap();
        drop(writer);
        let mut output = Output { replies: &mut io::sink(), notes: &mut io::sink(), raw: false };
        let result = thread::scope(|scope| {
            scope.spawn(|| echo(&server, 1));
            conversation(&server, timeout).converse(&mut input, &mut output)
        });
        assert_eq!(result.err().map(|ended| ended.exit_code()), code);
    }
    let (reader, mut writer) = io::pipe().unwrap();
    let mut input = Input::Pipe(Pipe::new(File::from(OwnedFd::from(reader)), false));
    writer.write_all(&[[b'x'; 65_508].as_slice(), b"\n"].concat()).unwrap_or_default();
    drop(writer);
    let mut output = Output { replies: &mut io::sink(), notes: &mut io::sink(), raw: false };
    let ended = conversation(&server, LONG).converse(&mut input, &mut output).unwrap_err();
    assert!(matches!(ended, Ended::Unanswered) && !ended.is_news(), "too long to be sent: {ended:?}");
}

#[test]
fn a_reply_that_is_shorter_than_its_message_gets_a_note() {
    let server = server();
    let mut conversation = conversation(&server, LONG);
    for (sent, received, note) in [
        (1024, 1024, ""),
        (1025, 1024, "has 1024 of 1025 bytes: the server reads no more of a datagram\n"),
        (5, 3, "note: the reply to \"xxxxx\" has 3 of 5 bytes\n"),
        (5, 9, ""),
    ] {
        thread::scope(|scope| {
            scope.spawn(|| {
                let (_, peer) = receive(&server);
                server.send_to(&vec![b'X'; received], peer).unwrap();
            });
            let (replies, notes) = exchange(&mut conversation, &vec![b'x'; sent]);
            assert_eq!(replies.len(), received + 1);
            assert!(notes.ends_with(note) && notes.is_empty() == note.is_empty(), "{notes}");
        });
        assert!(!conversation.failed);
    }
}

#[test]
fn a_message_is_quoted_on_one_line_and_not_at_length() {
    assert_eq!(quote(b""), "\"\"");
    assert_eq!(quote("\u{7}ä\n\"".as_bytes()), "\"\\u{7}ä\\n\\\"\"");
    assert_eq!(quote(b"\xff"), "\"\u{fffd}\"");
    assert_eq!(quote(&[b'x'; QUOTED]), format!("{:?}", "x".repeat(QUOTED)));
    let long = "ä".repeat(QUOTED + 1);
    assert_eq!(quote(long.as_bytes()), format!("{:?}...", "ä".repeat(QUOTED)));
}
