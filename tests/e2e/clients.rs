//! `shout tcp` and `shout udp`, with servers that behave and servers that do not.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, UdpSocket};
use std::thread;
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::note_programs;
use crate::program::{LIMIT, Output, Program, run};
use crate::server::{Server, V4, V6, shout};
use crate::sockets::uninterrupted;

tests![
    a_long_line_is_read_back_whole,
    a_long_line_comes_back_from_the_notes_server_too,
    a_name_is_looked_up,
    a_name_that_nobody_has_ends_with_1,
    utf_8_passes,
    input_without_a_newline_at_its_end_is_a_line_too,
    no_input_ends_with_0,
    a_refusal_is_said_and_ends_with_1,
    the_servers_close_is_said_and_ends_with_1,
    a_close_in_the_middle_of_a_reply_is_said,
    a_reset_is_said_and_ends_with_1,
    a_udp_reply_that_does_not_come_is_said_and_it_goes_on,
    a_late_udp_reply_is_named_as_late,
    a_closed_udp_port_is_said_and_it_goes_on,
    a_reply_from_elsewhere_is_not_taken,
    a_server_that_does_not_answer_is_given_up,
    host_and_port_may_be_two_words,
    raw_lines_pass_as_they_are,
    a_longer_datagram_than_the_server_reads_is_told,
    sigusr1_does_no_harm,
];

#[track_caller]
fn client(arguments: &[&str], input: &str) -> Output {
    run(&mut shout(arguments), input.as_bytes())
}

/// Checks that a client's complaint is one line that names what it is about.
#[track_caller]
fn assert_complaint(output: &Output, parts: &[&str]) {
    let lines: Vec<_> = output.stderr.lines().collect();
    let [line] = lines[..] else { panic!("not one line: {output}") };
    for part in parts {
        assert!(line.contains(part), "{part:?} is missing in: {line}");
    }
}

fn a_long_line_is_read_back_whole() {
    let _server = Server::start(&[]);
    for address in [V4, V6] {
        let line = "abcdefghi ".repeat(500).trim_end().to_owned() + "!";
        assert_eq!(line.len(), 5000);
        let output = client(&["tcp", address], &format!("{line}\nnext\n"));
        assert_eq!(output.stdout(), format!("{}\nNEXT\n", line.to_uppercase()), "{}", output.stderr);
        assert_eq!(output.code(), Some(0));
    }
}

fn a_long_line_comes_back_from_the_notes_server_too() {
    let _note = note_programs::server(note_programs::TCP_SERVER);
    let output = client(&["tcp", note_programs::ADDRESS], &("x".repeat(5000) + "\nnext\n"));
    assert_eq!(output.stdout(), "X".repeat(5000) + "\nNEXT\n", "{}", output.stderr);
}

fn a_name_is_looked_up() {
    let _tcp = note_programs::server(note_programs::TCP_SERVER);
    let _udp = note_programs::server(note_programs::UDP_SERVER_THREADING);
    // The note's servers (`note/README.md`) have no IPv6: where a name has two addresses, both are tried.
    for protocol in ["tcp", "udp"] {
        let output = client(&[protocol, "localhost:8080"], "by name\n");
        assert_eq!((output.stdout().as_str(), output.code()), ("BY NAME\n", Some(0)), "{protocol}: {output}");
    }
}

fn a_name_that_nobody_has_ends_with_1() {
    for protocol in ["tcp", "udp"] {
        let output = client(&[protocol, "no-such-host.invalid:8080"], "hello\n");
        assert_eq!(output.code(), Some(1), "{output}");
        assert_complaint(&output, &["no-such-host.invalid"]);
    }
}

fn utf_8_passes() {
    let _server = Server::start(&[]);
    for protocol in ["tcp", "udp"] {
        let output = client(&[protocol, V4], "grüße, 世界 🦀\n");
        assert_eq!((output.stdout().as_str(), output.code()), ("GRüßE, 世界 🦀\n", Some(0)), "{output}");
    }
}

fn input_without_a_newline_at_its_end_is_a_line_too() {
    let _server = Server::start(&[]);
    for protocol in ["tcp", "udp"] {
        let output = client(&[protocol, V4], "one\r\ntwo");
        assert_eq!((output.stdout().as_str(), output.code()), ("ONE\nTWO\n", Some(0)), "{output}");
    }
}

fn no_input_ends_with_0() {
    let _server = Server::start(&[]);
    for protocol in ["tcp", "udp"] {
        let output = client(&[protocol, V4], "");
        assert_eq!((output.stdout().as_str(), output.code()), ("", Some(0)), "{output}");
        assert_eq!(output.stderr, "");
    }
}

fn a_refusal_is_said_and_ends_with_1() {
    let output = client(&["tcp", "127.0.0.1:8080"], "hello\n");
    assert_eq!((output.stdout().as_str(), output.code()), ("", Some(1)), "{output}");
    assert_complaint(&output, &["127.0.0.1:8080", "refused"]);
}

/// A TCP server that does what it is told with its one client, on its address.
fn tcp_server(serve: impl FnOnce(std::net::TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || serve(listener.accept().unwrap().0));
    address.to_string()
}

fn the_servers_close_is_said_and_ends_with_1() {
    let address = tcp_server(|mut stream| {
        stream.read_exact(&mut [0; 3]).unwrap();
        stream.write_all(b"ONE").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        // What comes after that would otherwise be answered with a RST, which may be faster.
        stream.read_to_end(&mut Vec::new()).unwrap();
    });
    let output = client(&["tcp", &address], "one\ntwo\nthree\n");
    assert_eq!((output.stdout().as_str(), output.code()), ("ONE\n", Some(1)), "{output}");
    assert_complaint(&output, &[&address, "closed"]);
}

fn a_close_in_the_middle_of_a_reply_is_said() {
    let address = tcp_server(|mut stream| {
        stream.read_exact(&mut [0; 5]).unwrap();
        stream.write_all(b"HEL").unwrap();
    });
    let output = client(&["tcp", &address], "hello\n");
    assert_eq!(output.code(), Some(1), "{output}");
    assert_complaint(&output, &[&address, "closed"]);
}

fn a_reset_is_said_and_ends_with_1() {
    let address = tcp_server(|mut stream| {
        stream.read_exact(&mut [0; 5]).unwrap();
        crate::sockets::reset(stream);
    });
    let output = client(&["tcp", &address], "hello\n");
    assert_eq!((output.stdout().as_str(), output.code()), ("", Some(1)), "{output}");
    assert_complaint(&output, &[&address]);
}

/// A UDP server that is told what to do with the messages it gets.
fn udp_server(serve: impl FnOnce(&UdpSocket) + Send + 'static) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || serve(&socket));
    address.to_string()
}

#[track_caller]
fn next_message(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut message = [0; 1024];
    let (length, from) = uninterrupted(|| socket.recv_from(&mut message)).unwrap();
    (message[..length].to_ascii_uppercase(), from)
}

fn a_udp_reply_that_does_not_come_is_said_and_it_goes_on() {
    let address = udp_server(|socket| {
        next_message(socket);
        let (reply, client) = next_message(socket);
        socket.send_to(&reply, client).unwrap();
    });
    let start = Instant::now();
    let output = client(&["udp", "--timeout", "1s", &address], "lost\nfound\n");
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!((output.stdout().as_str(), output.code()), ("FOUND\n", Some(1)), "{output}");
    assert_complaint(&output, &["1s"]);
}

fn a_late_udp_reply_is_named_as_late() {
    let address = udp_server(|socket| {
        let (late, to) = next_message(socket);
        let next = next_message(socket);
        for (reply, client) in [(late, to), next] {
            socket.send_to(&reply, client).unwrap();
        }
        let (last, client) = next_message(socket);
        socket.send_to(&last, client).unwrap();
    });
    let output = client(&["udp", "--timeout", "1s", &address], "one\ntwo\nthree\n");
    assert_eq!(output.code(), Some(1), "{output}");
    let all = output.stdout() + &output.stderr;
    let late = |line: &str| line.contains("late") && line.contains("ONE");
    assert!(all.lines().any(late), "the reply to the first is late: {output}");
    assert_eq!(output.stdout(), "TWO\nTHREE\n", "{output}");
}

fn a_closed_udp_port_is_said_and_it_goes_on() {
    let output = client(&["udp", "--timeout", "300ms", "127.0.0.1:8080"], "hello\n");
    assert_eq!((output.stdout().as_str(), output.code()), ("", Some(1)), "{output}");
    assert_complaint(&output, &["127.0.0.1:8080"]);
    for protocol in ["tcp", "udp"] {
        let output = client(&[protocol, "203.0.113.1:8080"], "hello\n");
        assert_eq!(output.code(), Some(1), "{output}");
        assert_complaint(&output, &["203.0.113.1:8080", "unreachable", "the route to it (`ip route`)"]);
    }
}

fn a_reply_from_elsewhere_is_not_taken() {
    let address = udp_server(|socket| {
        let (reply, client) = next_message(socket);
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"FORGED", client).unwrap();
        socket.send_to(&reply, client).unwrap();
    });
    let output = client(&["udp", &address], "hello\n");
    assert_eq!((output.stdout().as_str(), output.code()), ("HELLO\n", Some(0)), "{output}");
}

/// Nobody has this address on the device, and nobody says so.
fn a_server_that_does_not_answer_is_given_up() {
    let _server = Server::start(&[]);
    let output = client(&["tcp", "--timeout", "1500ms", "192.168.69.77:8080"], "never sent\n");
    assert_eq!((output.stdout().as_str(), output.code()), ("", Some(1)), "{output}");
    let lines: Vec<&str> = output.stderr.lines().collect();
    let [waiting, error] = lines[..] else { panic!("{output}") };
    assert_eq!(waiting, "note: connecting to 192.168.69.77:8080 ...");
    assert!(error.starts_with("error: no answer from 192.168.69.77:8080 within 1.5s"), "{error}");
}

fn host_and_port_may_be_two_words() {
    let _server = Server::start(&[]);
    for protocol in ["tcp", "udp"] {
        for host in ["192.168.69.1", "fd69::1"] {
            let output = client(&[protocol, host, "8080"], "two words\n");
            assert_eq!((output.stdout().as_str(), output.code()), ("TWO WORDS\n", Some(0)), "{output}");
        }
    }
}

fn raw_lines_pass_as_they_are() {
    let _server = Server::start(&[]);
    for protocol in ["tcp", "udp"] {
        let output = client(&[protocol, "--raw", V4], " one\t\n\n  two ");
        assert_eq!((output.stdout().as_str(), output.code()), (" ONE\t\n\n  TWO ", Some(0)), "{output}");
    }
}

fn a_longer_datagram_than_the_server_reads_is_told() {
    let _server = Server::start(&[]);
    let output = client(&["udp", V4], &"x".repeat(1400));
    assert_eq!((output.stdout(), output.code()), ("X".repeat(1024) + "\n", Some(0)), "{output}");
    assert_complaint(&output, &["note:", "1024 of 1400 bytes"]);
}

/// `pkill -USR1 shout` is for servers.
fn sigusr1_does_no_harm() {
    let _server = Server::start(&[]);
    for arguments in [&["tcp", V4][..], &["udp", V4], &["demo"], &["demo", "--udp"]] {
        let mut client = Program::start(&mut shout(arguments));
        client.say("before\n");
        client.output.wait_for_line(&["BEFORE"]);
        client.signal(Signal::SIGUSR1);
        client.say("after\n");
        client.output.wait_for_line(&["AFTER"]);
        client.end_input();
        assert_eq!(client.wait().code(), Some(0), "{arguments:?}");
    }
}
