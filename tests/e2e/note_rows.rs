//! The programs S1 to S6 of the teaching note (`note/README.md`): its clients with this server, and `shout tcp` and
//! `shout udp` with this server and with the note's servers. S7 is in `cloud.rs`.

use core::time::Duration;
use std::process::Command;
use std::thread;
use std::time::Instant;

use crate::note_programs;
use crate::program::{Program, run};
use crate::server::{Server, V4, V6, shout};
use crate::sockets::{ask, assert_echo, connect, local, reset, udp};

tests![
    s1_serial_udp_server_with_a_delay,
    s2_udp_client_of_part_1,
    s3_concurrent_tcp_server,
    s4_tcp_client_of_part_2,
    s5_concurrent_udp_server,
    s6_udp_client_of_part_3,
];

/// Runs one of the note's clients with these lines as input. At their end `input()` raises EOFError, and it exits with 1.
#[track_caller]
fn assert_note_client(program: &str, lines: &str, expected: &str) {
    let output = run(&mut note_programs::client(program), lines.as_bytes());
    assert_eq!(output.stdout(), expected, "{output}");
    assert!(output.stderr.contains("EOFError"), "{output}");
}

/// Runs `shout tcp` or `shout udp` with these lines as input.
#[track_caller]
fn assert_client(command: &mut Command, lines: &str, expected: &str) {
    let output = run(command, lines.as_bytes());
    assert_eq!((output.stdout().as_str(), output.code()), (expected, Some(0)), "{output}");
}

fn s1_serial_udp_server_with_a_delay() {
    let delay = Duration::from_secs(2);
    let _server = Server::start(&["--delay", "2s"]);
    let start = Instant::now();
    thread::scope(|scope| {
        for address in [V4, V6, V4, V6] {
            scope.spawn(move || assert_eq!(ask(&udp(address), b"hello"), b"HELLO"));
        }
    });
    let elapsed = start.elapsed();
    // The note's serial server would need four delays for four clients.
    assert!((delay..delay * 3).contains(&elapsed), "{elapsed:?}");
}

fn s2_udp_client_of_part_1() {
    let server = Server::start(&["--delay", "10ms"]);
    assert_note_client(note_programs::UDP_CLIENT, "hello\n  world \n", ">>: HELLO\n>>: WORLD\n>>: ");
    assert_client(&mut shout(&["udp", V4]), "hello\n  world \n", "HELLO\nWORLD\n");
    assert_eq!(server.terminate().code(), Some(0));
    // The note's server, with a shorter sleep.
    let _note = note_programs::server(&note_programs::UDP_SERVER_SERIAL.replace("sleep(10)", "sleep(0.3)"));
    assert_client(&mut shout(&["udp", note_programs::ADDRESS]), "hello\n世界\n", "HELLO\n世界\n");
}

fn s3_concurrent_tcp_server() {
    let server = Server::start(&[]);
    let mut clients: Vec<_> = (0..6).map(|_| connect(V4)).collect();
    for client in &mut clients {
        assert_echo(client);
        server.logs_arrival(local(client));
    }
    // A reset raises an exception in the note's handler, which ends that conversation only.
    let victim = local(&clients[3]);
    reset(clients.remove(3));
    server.logs_departure(victim);
    clients.iter_mut().for_each(assert_echo);
    for client in clients {
        let address = local(&client);
        drop(client);
        server.logs_departure(address);
    }
}

fn s4_tcp_client_of_part_2() {
    let lines = "hello\n\n   \n  world \n";
    let server = Server::start(&[]);
    // An empty line is not sent, and the prompt comes again.
    assert_note_client(note_programs::TCP_CLIENT, lines, ">>: HELLO\n>>: >>: >>: WORLD\n>>: ");
    assert_client(&mut shout(&["tcp", V4]), lines, "HELLO\nWORLD\n");
    assert_client(&mut shout(&["tcp", V6]), lines, "HELLO\nWORLD\n");
    assert_eq!(server.terminate().code(), Some(0));
    let note = note_programs::server(note_programs::TCP_SERVER);
    assert_client(&mut shout(&["tcp", note_programs::ADDRESS]), lines, "HELLO\nWORLD\n");
    note.output.wait_for_line(&["('127.0.0.1', "]);
}

fn s5_concurrent_udp_server() {
    let _server = Server::start(&["--delay", "1s"]);
    let mut impatient = Program::start(&mut note_programs::client(note_programs::UDP_CLIENT));
    impatient.say("first\n");
    impatient.output.wait_until("the prompt", |text| text.contains(">>: "));
    let start = Instant::now();
    // Thirty clients, each of which waits for its own slow reply only.
    thread::scope(|scope| {
        for i in 0..30 {
            scope.spawn(move || {
                let message = format!("client {i}");
                assert_eq!(ask(&udp(V4), message.as_bytes()), message.to_uppercase().into_bytes());
            });
        }
    });
    let elapsed = start.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(8)).contains(&elapsed), "{elapsed:?}");
    impatient.output.wait_for_line(&[">>: FIRST"]);
}

fn s6_udp_client_of_part_3() {
    let server = Server::start(&[]);
    // Unlike the TCP client, this one sends an empty line, and gets an empty datagram back.
    assert_note_client(note_programs::UDP_CLIENT, "hello\n\nworld\n", ">>: HELLO\n>>: \n>>: WORLD\n>>: ");
    assert_client(&mut shout(&["udp", V4]), "hello\n\nworld\n", "HELLO\n\nWORLD\n");
    assert_client(&mut shout(&["udp", V6]), "hello\n\nworld\n", "HELLO\n\nWORLD\n");
    assert_eq!(server.terminate().code(), Some(0));
    let _note = note_programs::server(note_programs::UDP_SERVER_THREADING);
    assert_client(&mut shout(&["udp", note_programs::ADDRESS]), "hello\n\nworld\n", "HELLO\n\nWORLD\n");
}
