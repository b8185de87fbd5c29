//! What the log says of clients.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::thread;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{OpenptyResult, openpty};
use nix::sys::signal::Signal;
use nix::sys::stat::fstat;
use nix::sys::termios::{FlowArg, tcflow};

use crate::program::{Program, run};
use crate::server::{Server, V4, V6, shout};
use crate::sockets::{ask, assert_echo, connect, local, reset, udp};

tests![
    readiness_names_addresses_port_and_device,
    each_client_is_logged_as_it_connects_and_leaves,
    a_flood_of_connections_is_not_a_flood_of_lines,
    a_full_pipe_holds_up_nobody,
    a_closed_pipe_is_no_matter,
    a_stopped_terminal_holds_up_nobody,
    who_asks_for_more_reads_of_udp_and_of_each_drop,
    in_the_journal_each_line_has_a_priority_and_no_time,
];

fn readiness_names_addresses_port_and_device() {
    let server = Server::start(&[]);
    let expected = "listening on 192.168.69.1:8080 and [fd69::1]:8080 (TCP and UDP) through shout0";
    assert!(server.ready.ends_with(expected), "{}", server.ready);
}

fn each_client_is_logged_as_it_connects_and_leaves() {
    let server = Server::start(&[]);
    for address in [V4, V6] {
        let stream = connect(address);
        let client = local(&stream);
        server.logs_arrival(client);
        drop(stream);
        let line = server.logs_departure(client);
        assert!(!line.contains("connected"), "{line}");
    }
    let mut stream = connect(V4);
    assert_echo(&mut stream);
    let client = local(&stream);
    reset(stream);
    server.logs_departure(client);
}

fn a_flood_of_connections_is_not_a_flood_of_lines() {
    let server = Server::start(&[]);
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..125 {
                    let mut stream = connect(V4);
                    assert_echo(&mut stream);
                    reset(stream);
                }
            });
        }
    });
    let seconds = start.elapsed().as_secs();
    let log = server.log().clone();
    assert_eq!(server.terminate().code(), Some(0));
    let lines = log.text().lines().filter(|line| line.contains("192.168.69.100:")).count();
    // Each of 500 comes and goes; of these lines twenty are allowed in every second, the first and the last begun.
    let allowed = 20 * (usize::try_from(seconds).unwrap() + 2);
    assert!(allowed < 1000, "500 connections took {seconds} s: this says nothing");
    assert!((1..=allowed).contains(&lines), "{lines} lines in {seconds} s");
}

fn a_full_pipe_holds_up_nobody() {
    let (reader, mut writer) = io::pipe().unwrap();
    let mut server = Program::start_with_own_errors(shout(&[]).stderr(writer.try_clone().unwrap()));
    let _reader = read_until_ready(reader);
    // A pipe is writable while a page fits, so a page at a time never blocks.
    while has_room(&writer) {
        writer.write_all(&[b'.'; 4096]).unwrap();
    }
    for address in [V4, V6] {
        assert_echo(&mut connect(address));
    }
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait().code(), Some(0));
}

/// Whether something can be written at once.
fn has_room(stream: &dyn AsFd) -> bool {
    let mut descriptors = [PollFd::new(stream.as_fd(), PollFlags::POLLOUT)];
    poll(&mut descriptors, PollTimeout::ZERO).unwrap() > 0
}

fn a_closed_pipe_is_no_matter() {
    let (reader, writer) = io::pipe().unwrap();
    let mut server = Program::start_with_own_errors(shout(&["-vv"]).stderr(writer));
    drop(read_until_ready(reader));
    // Each is worth several lines, and the counters are some more.
    for address in [V4, V6, V4] {
        assert_echo(&mut connect(address));
        server.signal(Signal::SIGUSR1);
    }
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait().code(), Some(0));
}

fn a_stopped_terminal_holds_up_nobody() {
    let OpenptyResult { master, slave } = openpty(None, None).unwrap();
    let terminal = slave.try_clone().unwrap();
    let mut server = Program::start_with_own_errors(shout(&["-vv"]).stderr(slave));
    let _reader = read_until_ready(File::from(master));
    // As Ctrl-S does.
    tcflow(&terminal, FlowArg::TCOOFF).unwrap();
    assert!(!has_room(&terminal));
    // More lines than wait in the program.
    let mut stream = connect(V4);
    for _ in 0..500 {
        assert_echo(&mut stream);
    }
    assert!(!has_room(&terminal), "it was not stopped meanwhile");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait().code(), Some(0));
}

/// Reads a server's log up to the line that says that it is ready, and no further.
fn read_until_ready<R: Read>(reader: R) -> BufReader<R> {
    let mut reader = BufReader::new(reader);
    let mut line = String::new();
    while !line.contains("listening on ") {
        line.clear();
        assert_ne!(reader.read_line(&mut line).unwrap(), 0, "the server ended");
    }
    reader
}

fn who_asks_for_more_reads_of_udp_and_of_each_drop() {
    let server = Server::start(&["-vv"]);
    let socket = udp(V4);
    for _ in 0..3 {
        assert_eq!(ask(&socket, b"hello"), b"HELLO");
    }
    let client = socket.local_addr().unwrap();
    server.log().wait_for_line(&["DEBUG", &format!("{client} asks over UDP")]);
    // The server's own port as source.
    let suspect = UdpSocket::bind(("192.168.69.100", 8080)).unwrap();
    suspect.send_to(b"for ever", V4).unwrap();
    server.log().wait_for_line(&["TRACE", "dropped: echo loop: a datagram of 192.168.69.100:8080"]);
    assert_eq!(server.log().text().matches(" asks over UDP").count(), 1);
}

fn in_the_journal_each_line_has_a_priority_and_no_time() {
    // A pipe in the journal's place, and its number in the variable that names the journal.
    let (reader, writer) = io::pipe().unwrap();
    let status = fstat(&writer).unwrap();
    let mut command = shout(&[]);
    let mut server = Program::start_with_own_errors(
        command.env("JOURNAL_STREAM", format!("{}:{}", status.st_dev, status.st_ino)).stderr(writer),
    );
    // It holds the pipe open, too.
    drop(command);
    let mut lines = BufReader::new(reader).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    assert!(first.starts_with("<6>listening on 192.168.69.1:8080"), "{first}");
    // An error has its own.
    let (reader, writer) = io::pipe().unwrap();
    let status = fstat(&writer).unwrap();
    let mut command = shout(&[]);
    command.env("JOURNAL_STREAM", format!("{}:{}", status.st_dev, status.st_ino)).stderr(writer);
    let mut second = Program::start_with_own_errors(&mut command);
    assert_eq!(second.wait().code(), Some(1));
    drop(command);
    let error = io::read_to_string(reader).unwrap();
    assert!(error.starts_with("<3>error: the device shout0 is held"), "{error}");
    // A variable that was handed on means nothing.
    let server_without = {
        let mut command = shout(&["--tun", "other0"]);
        run(command.env("JOURNAL_STREAM", "1:2"), b"")
    };
    assert!(server_without.stderr.starts_with("error: "), "{server_without}");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait().code(), Some(0));
    // The counters at the end are several.
    let rest: Vec<String> = lines.collect();
    assert!(rest.len() > 5 && rest.iter().all(|line| line.starts_with("<6>")), "{rest:?}");
}
