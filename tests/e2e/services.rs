//! The services of `--service`, with netcat, Python and the program's own clients.

use core::time::Duration;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::capture::Capture;
use crate::program::run;
use crate::server::{Server, V4, V6, shout};
use crate::sockets::{ask, assert_echo, bulk, comes_within, connect, local, pattern, read_to_end, udp};

tests![
    echo_gives_back_what_comes,
    upper_is_the_default,
    discard_answers_nothing_and_takes_all,
    chargen_says_the_lines_of_the_rfc,
    chargen_waits_for_a_client_that_stops_reading,
    chargen_goes_on_after_a_half_close,
    chargen_has_no_udp,
    a_client_without_a_reply_does_not_wait_for_ever,
    a_demo_has_them_too,
    a_shutdown_ends_them,
    python_clients,
];

/// For a datagram that would have been sent before what has been received.
const AT_ONCE: Duration = Duration::from_millis(1);

/// More than all buffers on the way hold.
const PLENTY: usize = 3_000_000;

/// The first `length` bytes of the character generator, computed in another way than the server's: the lines of RFC 864 are
/// windows on the printable characters, repeated.
fn chargen(length: usize) -> Vec<u8> {
    let printable: Vec<u8> = (b' '..=b'~').cycle().take(2 * 95).collect();
    let lines = (0..95).map(|first| [&printable[first..first + 72], b"\r\n"].concat());
    let cycle: Vec<u8> = lines.flatten().collect();
    cycle.into_iter().cycle().take(length).collect()
}

#[track_caller]
fn read_chargen(stream: &mut impl Read, before: usize, length: usize) {
    let mut heard = vec![0; length];
    stream.read_exact(&mut heard).unwrap();
    let expected = &chargen(before + length)[before..];
    let same = expected.iter().zip(&heard).take_while(|(a, b)| a == b).count();
    assert!(expected == heard, "wrong from byte {} on", before + same);
}

/// The server's counters, once it is asked for them for the first time.
#[track_caller]
fn counters(server: &Server) -> String {
    server.signal(Signal::SIGUSR1);
    server.log().wait_until("the counters", |text| text.contains("datagrams/s"))
}

/// How many came in and went out, on the line that begins with one of `names`.
#[track_caller]
fn in_and_out(counters: &str, names: &[&str]) -> (u64, u64) {
    let is_named = |line: &&str| names.contains(&line.split(' ').next().unwrap_or_default());
    let line = counters.lines().find(is_named).unwrap_or_else(|| panic!("no {names:?} in:\n{counters}"));
    let mut numbers = line.split([' ', ',']).filter_map(|word| word.parse().ok());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// Bytes over TCP.
const BYTES: &[&str] = &["bytes"];
const DATAGRAMS: &[&str] = &["datagrams"];

fn upper_is_the_default() {
    let server = Server::start(&["--service", "upper"]);
    assert!(server.ready.ends_with("(TCP and UDP) through shout0"), "{}", server.ready);
    assert_echo(&mut connect(V4));
}

fn echo_gives_back_what_comes() {
    let server = Server::start(&["--service", "echo"]);
    assert!(server.ready.contains("(TCP and UDP)") && server.ready.contains("RFC 862"), "{}", server.ready);
    let data = pattern(PLENTY);
    for address in [V4, V6] {
        assert!(bulk(connect(address), &data) == data, "not the same bytes");
        let datagram = pattern(1024);
        assert_eq!(ask(&udp(address), &datagram), datagram);
    }
    let output = run(Command::new("nc").args(["-N", "192.168.69.1", "8080"]), b"Hello, netcat\n");
    assert_eq!(output.stdout(), "Hello, netcat\n", "{output}");
    let client = run(&mut shout(&["tcp", V4]), b"Hello, World!\n");
    assert_eq!((client.stdout().as_str(), client.code()), ("Hello, World!\n", Some(0)), "{client}");
}

fn discard_answers_nothing_and_takes_all() {
    let server = Server::start(&["--service", "discard"]);
    assert!(server.ready.contains("(TCP and UDP)") && server.ready.contains("RFC 863"), "{}", server.ready);
    for address in [V4, V6] {
        assert_eq!(bulk(connect(address), &pattern(PLENTY)), b"", "it answers");
    }
    let output = run(Command::new("nc").args(["-N", "192.168.69.1", "8080"]), &pattern(100_000));
    assert!(output.status.success() && output.bytes.is_empty(), "{output}");
    let socket = udp(V4);
    socket.send(b"anybody?").unwrap();
    // The counters are read after the datagram: packets are taken in order.
    assert_eq!(bulk(connect(V4), b"after the datagram"), b"");
    let counters = counters(&server);
    assert_eq!(in_and_out(&counters, BYTES), (2 * PLENTY as u64 + 100_000 + 18, 0), "{counters}");
    assert_eq!(in_and_out(&counters, DATAGRAMS), (1, 0), "{counters}");
    assert!(!comes_within(&socket, AT_ONCE));
}

fn chargen_says_the_lines_of_the_rfc() {
    let server = Server::start(&["--service", "chargen"]);
    assert!(server.ready.contains("(TCP) ") && server.ready.contains("RFC 864"), "{}", server.ready);
    for address in [V4, V6] {
        let capture = Capture::start();
        let mut stream = connect(address);
        read_chargen(&mut stream, 0, 200_000);
        // What is said to it is thrown away.
        stream.write_all(&pattern(5000)).unwrap();
        read_chargen(&mut stream, 200_000, 200_000);
        // A client that leaves with unread bytes sends a RST in place of what it has not sent yet.
        capture.wait_until_acknowledged(5000);
        let client = local(&stream);
        drop(stream);
        server.logs_departure(client);
    }
    let (heard, said) = in_and_out(&counters(&server), BYTES);
    assert!(heard == 10_000 && said >= 800_000, "{heard} in, {said} out");
    let nc = "head -c 100000 /dev/zero | nc 192.168.69.1 8080 | head -n 2";
    let output = run(Command::new("sh").args(["-c", nc]), b"");
    assert_eq!(output.bytes, chargen(148), "{output}");
}

fn chargen_waits_for_a_client_that_stops_reading() {
    let _server = Server::start(&["--service", "chargen"]);
    let mut stream = connect(V4);
    read_chargen(&mut stream, 0, 10_000);
    // Another client is served meanwhile.
    let mut other = connect(V6);
    read_chargen(&mut other, 0, 1_000_000);
    drop(other);
    read_chargen(&mut stream, 10_000, PLENTY);
}

fn chargen_goes_on_after_a_half_close() {
    let _server = Server::start(&["--service", "chargen"]);
    let mut stream = connect(V4);
    stream.write_all(b"that is all").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    read_chargen(&mut stream, 0, 500_000);
}

fn chargen_has_no_udp() {
    let server = Server::start(&["--service", "chargen"]);
    let socket = udp(V4);
    socket.send(b"say something").unwrap();
    read_chargen(&mut connect(V4), 0, 1000);
    let counters = counters(&server);
    assert_eq!(in_and_out(&counters, DATAGRAMS), (1, 0), "{counters}");
    assert!(!comes_within(&socket, AT_ONCE));
}

fn a_client_without_a_reply_does_not_wait_for_ever() {
    let _server = Server::start(&["--service", "discard"]);
    let output = run(&mut shout(&["tcp", "--timeout", "300ms", V4]), b"hello\nworld\n");
    assert_eq!((output.stdout().as_str(), output.code()), ("", Some(1)), "{output}");
    for part in ["0 of 5 bytes", V4, "300ms", "--timeout"] {
        assert!(output.stderr.contains(part), "{part:?} is missing: {output}");
    }
    assert_eq!(output.stderr.lines().count(), 1, "{output}");
    let output = run(&mut shout(&["udp", "--timeout", "300ms", V4]), b"hello\n");
    assert!(output.code() == Some(1) && output.stderr.contains("no reply"), "{output}");
}

fn a_demo_has_them_too() {
    let output = run(&mut shout(&["demo", "--service", "echo"]), b"Hello, World!\n");
    assert_eq!((output.stdout().as_str(), output.code()), ("Hello, World!\n", Some(0)), "{output}");
    let command = "nc 192.168.69.1 8080 | head -n 1";
    let output = run(&mut shout(&["demo", "--service", "chargen", "--", "sh", "-c", command]), b"");
    assert_eq!(output.bytes, chargen(74), "{output}");
    let discard = ["demo", "--service", "discard", "--", "nc", "-N", "192.168.69.1", "8080"];
    let output = run(&mut shout(&discard), b"hello\n");
    assert_eq!((output.stdout().as_str(), output.code()), ("", Some(0)), "{output}");
}

fn a_shutdown_ends_them() {
    for service in ["echo", "discard", "chargen"] {
        let server = Server::start(&["--service", service]);
        let mut stream = connect(V4);
        stream.write_all(b"hello").unwrap();
        server.logs_arrival(local(&stream));
        let reader = std::thread::spawn(move || read_to_end(&mut stream));
        assert_eq!(server.terminate().code(), Some(0), "{service}");
        let heard = reader.join().unwrap();
        match service {
            "echo" => assert_eq!(heard, b"hello"),
            "discard" => assert_eq!(heard, b""),
            _ => assert_eq!(heard, chargen(heard.len())),
        }
    }
}

fn python_clients() {
    let program = "\
import socket, sys
s = socket.create_connection(('192.168.69.1', 8080), timeout=20)
s.sendall(b'Hello')
s.shutdown(socket.SHUT_WR)
sys.stdout.write(s.makefile('rb').read(74).decode())
";
    for (service, heard) in [("echo", b"Hello".to_vec()), ("discard", Vec::new()), ("chargen", chargen(74))] {
        let server = Server::start(&["--service", service]);
        let output = run(Command::new("python3").args(["-c", program]), b"");
        assert!(output.status.success() && output.bytes == heard, "{service}: {output}");
        assert_eq!(server.terminate().code(), Some(0));
    }
}
