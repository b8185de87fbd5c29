//! Shutdown by signal, and what connected clients get.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::thread;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::sys::socket::{setsockopt, sockopt};

use crate::namespace::{has_link, ip, snapshot};
use crate::program::LIMIT;
use crate::server::{Server, V4, V6};
use crate::sockets::{
    ask, assert_echo, assert_shouted, connect, deaf_clients, local, pattern, read_to_end, udp, uninterrupted,
};

tests![
    sigterm_sigint_and_sighup_end_with_0_and_take_the_device_away,
    under_nohup_sighup_is_ignored,
    a_second_signal_ends_the_server_at_once,
    sigterm_in_mid_transfer_leaves_a_correct_prefix_and_hangs_nobody,
    sigterm_under_full_load_leaves_correct_prefixes_and_hangs_nobody,
    a_client_that_never_reads_is_reset_not_left_hanging,
    what_has_been_received_is_echoed_before_the_close,
    sigusr1_is_harmless,
    after_sigkill_nothing_is_left_and_the_next_server_serves_at_once,
    after_sigkill_an_attached_device_can_be_attached_to_again,
];

/// The second that connections are given to end, and as much again for a busy machine.
const SOON: Duration = Duration::from_secs(2);

fn sigterm_sigint_and_sighup_end_with_0_and_take_the_device_away() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let mut server = Server::start(&[]);
        assert!(has_link("shout0"));
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0), "{signal}: {}", server.log().text());
        assert!(!has_link("shout0"), "{signal}");
        assert!(server.log().text().contains("served for "), "{signal}: there is no summary");
    }
}

fn under_nohup_sighup_is_ignored() {
    let mut command = Command::new("nohup");
    command.arg(env!("CARGO_BIN_EXE_shout")).env_remove("RUST_LOG");
    let server = Server::start_as(&mut command);
    server.signal(Signal::SIGHUP);
    // Two signals are read in the order of their numbers, so that this one comes after SIGHUP.
    server.signal(Signal::SIGUSR1);
    server.log().wait_for_line(&["rates over"]);
    assert_echo(&mut connect(V4));
    assert_eq!(server.terminate().code(), Some(0));
}

fn a_second_signal_ends_the_server_at_once() {
    let mut server = Server::start(&[]);
    // Its echo waits to be read for as long as the server allows.
    let mut deaf = connect(V4);
    deaf.write_all(&[b'x'; 100]).unwrap();
    server.logs_arrival(local(&deaf));
    server.signal(Signal::SIGTERM);
    server.signal(Signal::SIGINT);
    assert_eq!(server.wait().code(), Some(0));
    assert!(server.log().text().contains("a second signal: ending at once"), "{}", server.log().text());
}

fn sigterm_in_mid_transfer_leaves_a_correct_prefix_and_hangs_nobody() {
    let mut server = Server::start(&[]);
    let data = pattern(1 << 24);
    let mut stream = connect(V4);
    let mut idle = connect(V6);
    assert_echo(&mut idle);
    let mut writer = stream.try_clone().unwrap();
    let cut_off = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| cut_off.store(writer.write_all(&data).is_err(), Ordering::Release));
        let mut received = vec![0; 100_000];
        stream.read_exact(&mut received).unwrap();

        let start = Instant::now();
        server.signal(Signal::SIGTERM);
        let mut chunk = [0; 65536];
        // The server's FIN ends this, or a RST.
        while let Ok(length @ 1..) = uninterrupted(|| stream.read(&mut chunk)) {
            received.extend_from_slice(&chunk[..length]);
        }
        assert!(received.len() < data.len());
        assert_shouted(&data[..received.len()], &received);
        assert_eq!(server.wait().code(), Some(0), "{}", server.log().text());
        assert!(start.elapsed() < SOON, "it took {:?}", start.elapsed());
        // The writer would hang if all it heard were silence.
        drop(stream);
    });
    assert!(cut_off.into_inner());
    assert!(read_to_end(&mut idle).is_empty(), "an idle client is told by a FIN");
    assert!(!has_link("shout0"));
}

fn sigterm_under_full_load_leaves_correct_prefixes_and_hangs_nobody() {
    let mut server = Server::start(&["--connections", "64"]);
    let data = pattern(1 << 24);
    let (running, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let (data, running, over) = (&data[..], &running, &over);
        for address in [V4, V6] {
            scope.spawn(move || ask_until(over, address, &data[..1400]));
        }
        let clients: Vec<_> = (0..32)
            .map(|index| scope.spawn(move || transfer_until_cut_off([V4, V6][index % 2], data, running)))
            .collect();
        let start = Instant::now();
        while running.load(Ordering::Acquire) < 32 {
            assert!(start.elapsed() < LIMIT, "not everybody is served");
            thread::sleep(Duration::from_millis(1));
        }
        let start = Instant::now();
        server.signal(Signal::SIGTERM);
        assert_eq!(server.wait().code(), Some(0), "{}", server.log().text());
        assert!(start.elapsed() < 2 * SOON, "it took {:?}", start.elapsed());
        for client in clients {
            client.join().unwrap();
        }
        over.store(true, Ordering::Release);
    });
    assert!(!has_link("shout0"));
}

/// Sends datagrams as fast as replies come: more would fill the device's queue, and keep TCP out.
fn ask_until(over: &AtomicBool, address: &str, message: &[u8]) {
    let socket = udp(address);
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    while !over.load(Ordering::Acquire) {
        // Once the device is gone, so is the way.
        let _ = socket.send(message).and_then(|_| socket.recv(&mut [0; 2000]));
    }
}

/// A transfer that counts as `running` once some of it has come back, and that the server ends before it is complete.
fn transfer_until_cut_off(address: &str, data: &[u8], running: &AtomicUsize) {
    let mut stream = connect(address);
    let mut writer = stream.try_clone().unwrap();
    let mut received = vec![0; 10_000];
    thread::scope(|scope| {
        scope.spawn(move || {
            // Cut off by a RST, or by the reader below.
            let _ = writer.write_all(data);
        });
        stream.read_exact(&mut received).unwrap();
        running.fetch_add(1, Ordering::AcqRel);
        let mut chunk = [0; 65536];
        while let Ok(length @ 1..) = uninterrupted(|| stream.read(&mut chunk)) {
            received.extend_from_slice(&chunk[..length]);
        }
        let _ = stream.shutdown(Shutdown::Both);
    });
    assert!(received.len() < data.len());
    assert_shouted(&data[..received.len()], &received);
}

fn a_client_that_never_reads_is_reset_not_left_hanging() {
    let mut server = Server::start(&[]);
    // Some windows close on what is on its way: the server has sent more than these clients take, and a RST has to name
    // the byte that the client is waiting for (RFC 5961, section 3.2).
    let deaf = deaf_clients(12);
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait().code(), Some(0), "{}", server.log().text());
    for mut stream in deaf {
        stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let error = stream.read_to_end(&mut Vec::new()).expect_err("its echo cannot have been completed");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    }
}

fn what_has_been_received_is_echoed_before_the_close() {
    let mut server = Server::start(&[]);
    let mut stream = connect(V4);
    setsockopt(&stream, sockopt::RcvBuf, &4096).unwrap();
    setsockopt(&stream, sockopt::SndBuf, &4096).unwrap();
    let data = pattern(1 << 20);
    // As this client does not read, both of the server's buffers fill, and the client's own.
    stream.set_nonblocking(true).unwrap();
    let mut sent = 0;
    while let Ok(length) = stream.write(&data[sent..]) {
        sent += length;
    }
    stream.set_nonblocking(false).unwrap();
    let acknowledged = sent - unacknowledged(&stream);
    server.signal(Signal::SIGTERM);
    let mut received = Vec::new();
    // RST may end this: it answers what the client had still to send.
    let _ = stream.read_to_end(&mut received);
    assert!(received.len() >= acknowledged, "{} of {acknowledged} bytes came back", received.len());
    assert_shouted(&data[..received.len()], &received);
    assert_eq!(server.wait().code(), Some(0), "{}", server.log().text());
}

/// How much of what this client has sent is not yet acknowledged.
fn unacknowledged(stream: &TcpStream) -> usize {
    let table = fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
    let port = format!(":{:04X}", local(stream).port());
    // The columns are: number, local address, remote address, state, transmit and receive queue.
    let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let line = lines.find(|columns| columns[1].ends_with(&port)).expect("the connection is in the table");
    let (transmit, _) = line[4].split_once(':').unwrap();
    usize::from_str_radix(transmit, 16).unwrap()
}

fn sigusr1_is_harmless() {
    let server = Server::start(&[]);
    server.signal(Signal::SIGUSR1);
    assert_echo(&mut connect(V4));
    assert_eq!(server.terminate().code(), Some(0));
}

fn after_sigkill_nothing_is_left_and_the_next_server_serves_at_once() {
    let before = snapshot();
    let mut server = Server::start(&[]);
    let mut old = [connect(V4), connect(V6)];
    old.iter_mut().for_each(assert_echo);
    server.signal(Signal::SIGKILL);
    assert_eq!(server.wait().signal(), Some(Signal::SIGKILL as i32));
    assert_eq!(snapshot(), before);

    let server = Server::start(&[]);
    assert_echo(&mut connect(V4));
    assert_echo(&mut connect(V6));
    assert_eq!(ask(&udp(V4), b"again"), b"AGAIN");
    // Those of before are told that nobody knows them.
    for stream in &mut old {
        stream.write_all(b"still there?").unwrap();
        let error = uninterrupted(|| stream.read(&mut [0])).expect_err("nobody knows this connection");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    }
    assert_eq!(server.terminate().code(), Some(0));
    assert_eq!(snapshot(), before);
}

fn after_sigkill_an_attached_device_can_be_attached_to_again() {
    ip("tuntap add dev shout0 mode tun");
    for _ in 0..3 {
        let mut server = Server::start(&[]);
        assert_echo(&mut connect(V4));
        assert_echo(&mut connect(V6));
        server.signal(Signal::SIGKILL);
        assert_eq!(server.wait().signal(), Some(Signal::SIGKILL as i32));
        assert!(has_link("shout0"), "it was there before");
    }
}
