//! The options of `serve`, one by one.

use core::net::SocketAddr;
use core::time::Duration;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::process::Stdio;
use std::thread;
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::namespace::{has_link, ip};
use crate::program::{LIMIT, Program, run};
use crate::server::{Server, V4, V6, shout};
use crate::sockets::{
    ask, assert_echo, assert_shouted, bulk, connect, exchange, local, pattern, read_to_end, udp,
    uninterrupted,
};

tests![
    serve_may_be_named,
    idle_timeout_closes_a_silent_connection,
    idle_timeout_spares_one_that_talks,
    with_two_connections_the_third_waits_its_turn,
    port,
    the_smallest_mtu_is_ipv4_only,
    the_smallest_mtu_for_ipv6,
    the_largest_mtu,
    the_smallest_and_a_large_buffer,
    busy_poll_serves_as_well,
    tun_names_the_device,
    quiet_says_nothing_and_verbose_more,
    version_and_help_say_what_is_asked,
    help_that_nobody_reads_is_no_error_and_help_that_cannot_be_written_is_one,
    a_wrong_command_line_ends_with_2_though_nobody_reads_why,
];

fn serve_may_be_named() {
    let server = Server::start(&["serve"]);
    assert_echo(&mut connect(V4));
    assert_eq!(server.terminate().code(), Some(0));
}

fn idle_timeout_closes_a_silent_connection() {
    let server = Server::start(&["--idle-timeout", "1s"]);
    let mut stream = connect(V4);
    let start = Instant::now();
    assert_echo(&mut stream);
    assert!(read_to_end(&mut stream).is_empty());
    let elapsed = start.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(5)).contains(&elapsed), "{elapsed:?}");
    let client = local(&stream);
    drop(stream);
    server.logs_departure(client);
}

fn idle_timeout_spares_one_that_talks() {
    let _server = Server::start(&["--idle-timeout", "3s"]);
    let mut silent = connect(V6);
    let mut talking = connect(V4);
    // The silent one's close, which comes first, is the signal that more than the timeout has passed.
    silent.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let deadline = Instant::now() + LIMIT;
    loop {
        assert!(Instant::now() < deadline, "the silent connection was not closed");
        assert_echo(&mut talking);
        match uninterrupted(|| silent.read(&mut [0])) {
            Ok(0) => break,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            result => panic!("{result:?}"),
        }
    }
    assert_echo(&mut talking);
}

fn with_two_connections_the_third_waits_its_turn() {
    let server = Server::start(&["--connections", "2"]);
    let mut first = connect(V4);
    let mut second = connect(V6);
    assert_echo(&mut first);
    assert_echo(&mut second);
    let address: SocketAddr = V4.parse().unwrap();
    let refused = TcpStream::connect_timeout(&address, Duration::from_millis(300)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TimedOut, "its SYN is dropped without a word");
    thread::scope(|scope| {
        // Its SYN is sent again after a second, and comes through.
        let third = scope.spawn(|| assert_echo(&mut connect(V4)));
        assert_echo(&mut first);
        let client = local(&first);
        drop(first);
        server.logs_departure(client);
        third.join().unwrap();
    });
    assert_echo(&mut second);
}

fn port() {
    let server = Server::start(&["--port", "7"]);
    assert!(server.ready.contains("192.168.69.1:7 and [fd69::1]:7 "), "{}", server.ready);
    assert_echo(&mut connect("192.168.69.1:7"));
    assert_eq!(ask(&udp("[fd69::1]:7"), b"seven"), b"SEVEN");
    let default: SocketAddr = V4.parse().unwrap();
    assert_eq!(TcpStream::connect(default).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

/// Bulk data, and datagrams as long as they may be, through a device of this MTU.
#[track_caller]
fn assert_mtu(mtu: usize, addresses: &[&str]) {
    let server = Server::start(&["--mtu", &mtu.to_string()]);
    let link = ip("-o link show shout0");
    assert!(link.contains(&format!(" mtu {mtu} ")), "{link}");
    for address in addresses {
        let headers = if address.starts_with('[') { 40 + 8 } else { 20 + 8 };
        let data = pattern(100_000);
        assert_shouted(&data, &bulk(connect(address), &data));
        let datagram = &data[..(mtu - headers).min(65_507)];
        assert_shouted(&datagram[..datagram.len().min(1024)], &ask(&udp(address), datagram));
    }
    assert_eq!(server.terminate().code(), Some(0));
}

fn the_smallest_mtu_is_ipv4_only() {
    assert_mtu(576, &[V4]);
    assert_mtu(1279, &[V4]);
}

fn the_smallest_mtu_for_ipv6() {
    assert_mtu(1280, &[V4, V6]);
}

fn the_largest_mtu() {
    assert_mtu(65535, &[V4, V6]);
}

fn the_smallest_and_a_large_buffer() {
    for (buffer, length) in [("64", 5_000), ("65535", 1 << 20), ("1048576", 1 << 20)] {
        let server = Server::start(&["--buffer", buffer, "--connections", "16"]);
        for address in [V4, V6] {
            let data = pattern(length);
            assert_shouted(&data, &bulk(connect(address), &data));
            assert_eq!(exchange(&mut connect(address), b"x"), b"X");
        }
        assert_eq!(server.terminate().code(), Some(0));
    }
}

fn busy_poll_serves_as_well() {
    let server = Server::start(&["--busy-poll", "2ms"]);
    let data = pattern(100_000);
    assert_shouted(&data, &bulk(connect(V4), &data));
    assert_eq!(ask(&udp(V6), b"busy"), b"BUSY");
    assert_eq!(server.terminate().code(), Some(0));
}

fn tun_names_the_device() {
    let server = Server::start(&["--tun", "fifteen-letters"]);
    assert!(server.ready.ends_with(" through fifteen-letters"), "{}", server.ready);
    assert!(has_link("fifteen-letters") && !has_link("shout0"));
    assert_echo(&mut connect(V4));
    assert_eq!(server.terminate().code(), Some(0));
    assert!(!has_link("fifteen-letters"));
}

fn quiet_says_nothing_and_verbose_more() {
    let lines = |arguments: &[&str]| {
        let server = Server::start(arguments);
        assert_echo(&mut connect(V4));
        let log = server.log().clone();
        assert_eq!(server.terminate().code(), Some(0));
        log.text().lines().count()
    };
    assert!(lines(&["-vv"]) > lines(&[]), "no more is said than without -vv");

    for command in [&mut shout(&["--quiet"]), shout(&[]).env("RUST_LOG", "error")] {
        let mut quiet = Program::start(command);
        // It says nothing, not even that it is ready; that a client is served shows that it is. Before there is a way, an
        // attempt fails at once, and from then on the SYN waits in the device's queue for the server.
        let deadline = Instant::now() + LIMIT;
        while let Err(error) = TcpStream::connect_timeout(&V4.parse().unwrap(), LIMIT) {
            assert!(Instant::now() < deadline, "{error}");
            thread::sleep(Duration::from_millis(1));
        }
        quiet.signal(Signal::SIGTERM);
        assert_eq!(quiet.wait().code(), Some(0));
        assert_eq!(quiet.errors.text(), "");
    }
}

fn version_and_help_say_what_is_asked() {
    let version = run(&mut shout(&["--version"]), b"");
    assert!(version.status.success() && version.stdout().starts_with("shout "), "{version}");
    let help = run(&mut shout(&["--help"]), b"");
    assert_eq!(help.code(), Some(0));
    let short = run(&mut shout(&["-h"]), b"");
    assert!(short.code() == Some(0) && short.bytes.len() < help.bytes.len(), "{short}");
    assert!(short.stdout().lines().all(|line| line.len() <= 100), "{short}");
    for heading in ["Examples:", "Exit status:", "Signals:", "Environment:"] {
        assert!(help.stdout().contains(heading) && !short.stdout().contains(heading), "{heading}");
    }
    assert_eq!(run(&mut shout(&["help"]), b"").stdout(), help.stdout());
    let demo = run(&mut shout(&["help", "demo"]), b"").stdout();
    assert!(demo.contains("[-- COMMAND...]") || demo.contains("-- COMMAND..."), "{demo}");
    for option in [
        "--tun",
        "--address",
        "--host-address",
        "--port",
        "--mtu",
        "--connections",
        "--buffer",
        "--idle-timeout",
        "--delay",
        "--busy-poll",
        "--no-configure",
        "--pcap",
        "--stats",
        "--stats-file",
        "--no-sandbox",
        "--drop",
        "--corrupt",
        "--size-limit",
        "--rate-limit",
        "--shaping-interval",
        "--seed",
        "-4",
        "--verbose",
        "--quiet",
    ] {
        assert!(help.stdout().contains(option), "{option} is missing in:\n{help}");
    }
}

fn help_that_nobody_reads_is_no_error_and_help_that_cannot_be_written_is_one() {
    for arguments in [&["--help"][..], &["help", "demo"], &["tcp", "-h"], &["--version"]] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let unread = shout(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!((unread.status.code(), unread.stderr), (Some(0), vec![]), "{arguments:?}");
        let full = File::options().write(true).open("/dev/full").unwrap();
        let unwritten = shout(arguments).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let complaint = String::from_utf8(unwritten.stderr).unwrap();
        assert_eq!(unwritten.status.code(), Some(1), "{complaint}");
        assert!(complaint.starts_with("error: cannot write to standard output: "), "{complaint}");
    }
}

fn a_wrong_command_line_ends_with_2_though_nobody_reads_why() {
    for arguments in [&["--port", "x"][..], &["tcp", "nowhere"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        assert_eq!(shout(arguments).stderr(full).status().unwrap().code(), Some(2), "{arguments:?}");
    }
}
