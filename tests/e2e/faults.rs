//! `--drop`, `--corrupt` and the other faults on purpose, with which users test their own clients.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::program::run;
use crate::server::{Server, V4, shout};
use crate::sockets::{ask, assert_shouted, bulk, comes_within, connect, exchange, pattern, receive, udp};

tests![
    drop_of_a_hundred_percent_leaves_nothing,
    tcp_gets_over_losses,
    tcp_with_large_buffers_gets_over_losses,
    replies_that_are_lost_come_again_within_a_second,
    tcp_gets_over_corruption,
    the_size_limit_is_for_longer_packets,
    a_lost_packet_holds_up_no_other,
    the_rate_limit_sets_the_pace,
    the_same_seed_loses_the_same_datagrams,
    without_a_seed_the_one_that_was_taken_is_told,
    a_wrong_wish_is_refused,
];

/// A server on a link that is too narrow for IPv6: of its own accord, the kernel would send packets over IPv6, and they
/// would meet some of the faults.
fn start(faults: &str) -> Server {
    let arguments: Vec<&str> = ["--mtu", "1279"].into_iter().chain(faults.split_whitespace()).collect();
    Server::start(&arguments)
}

/// The summary at the server's end.
#[track_caller]
fn summary(server: Server) -> String {
    let log = server.log().clone();
    assert_eq!(server.terminate().code(), Some(0));
    let text = log.wait_until("the summary", |text| text.contains("datagrams/s"));
    text.split_once("served for ").expect("a summary").1.to_owned()
}

fn drop_of_a_hundred_percent_leaves_nothing() {
    let server = start("--drop 100");
    let address: SocketAddr = V4.parse().unwrap();
    let error = TcpStream::connect_timeout(&address, Duration::from_millis(200)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let socket = udp(V4);
    socket.send(b"anybody there?").unwrap();
    assert!(!comes_within(&socket, Duration::from_millis(200)));
    server.signal(Signal::SIGUSR1);
    let line = server.log().wait_for_line(&["on purpose "]);
    assert_eq!(line, "on purpose   2 lost and 0 corrupted in, 0 lost and 0 corrupted out");
}

fn tcp_gets_over_losses() {
    let server = start("--drop 5 --seed 1");
    let data = pattern(50_000);
    assert_shouted(&data, &bulk(connect(V4), &data));
    let summary = summary(server);
    assert!(!summary.contains("on purpose   0 lost") && !summary.contains(" in, 0 lost"), "{summary}");
}

/// With a window of 45 segments, each of which loses some, smoltcp's timer alone would double without end.
fn tcp_with_large_buffers_gets_over_losses() {
    for drop in ["5", "10"] {
        let server = start(&format!("--drop {drop} --buffer 65535 --seed 1"));
        let data = pattern(1_000_000);
        assert_shouted(&data, &bulk(connect(V4), &data));
        assert_eq!(server.terminate().code(), Some(0));
    }
}

/// One exchange of ten meets a loss; smoltcp's timer alone would take a second and more for each.
fn replies_that_are_lost_come_again_within_a_second() {
    let server = start("--drop 5 --seed 1");
    let mut stream = connect(V4);
    let mut took: Vec<Duration> = (0..200)
        .map(|_| {
            let begun = Instant::now();
            assert_eq!(exchange(&mut stream, b"again"), b"AGAIN");
            begun.elapsed()
        })
        .collect();
    took.sort();
    assert!(took[180] < Duration::from_millis(900), "{:?} and more", took[180]);
    assert_eq!(server.terminate().code(), Some(0));
}

fn tcp_gets_over_corruption() {
    let server = start("--corrupt 5 --seed 1");
    let data = pattern(50_000);
    assert_shouted(&data, &bulk(connect(V4), &data));
    let summary = summary(server);
    // A flipped bit always shows in a checksum, unless it makes the packet look like nothing.
    assert!(!summary.contains("dropped      none") && summary.contains(" checksum"), "{summary}");
    assert!(!summary.contains("and 0 corrupted"), "{summary}");
}

fn the_size_limit_is_for_longer_packets() {
    let _server = start("--size-limit 628");
    let socket = udp(V4);
    // 20 bytes of IP and 8 of UDP come before them.
    socket.send(&[b'x'; 601]).unwrap();
    assert_eq!(ask(&socket, &[b'x'; 600]), [b'X'; 600], "the longer one is lost");
}

/// Packets that are there at once are read in a row and answered in a row.
fn a_lost_packet_holds_up_no_other() {
    let server = start("--size-limit 628");
    let socket = udp(V4);
    assert_eq!(ask(&socket, b"is it up"), b"IS IT UP");
    // The last one of several, so that an answer waits; and one of several, so that packets wait.
    for lengths in [&[1, 2, 601][..], &[1, 2, 601, 3, 4]] {
        server.signal(Signal::SIGSTOP);
        for &length in lengths {
            socket.send(&vec![b'x'; length]).unwrap();
        }
        server.signal(Signal::SIGCONT);
        for &length in lengths.iter().filter(|&&length| length <= 600) {
            assert_eq!(receive(&socket).len(), length);
        }
    }
}

fn the_rate_limit_sets_the_pace() {
    let interval = Duration::from_millis(200);
    let server = start("--rate-limit 2 --shaping-interval 200ms");
    let socket = udp(V4);
    let start = Instant::now();
    let (mut sent, mut answered) = (0_u32, 0_u32);
    while start.elapsed() < 6 * interval {
        // Several, so that more are sent than may pass, however long the machine takes to come here again.
        for _ in 0..5 {
            socket.send(b"tick").unwrap();
            sent += 1;
        }
        while comes_within(&socket, Duration::from_millis(2)) {
            answered += 1;
        }
    }
    // The first interval begins with the first packet, and the last one may just have begun.
    let intervals = u32::try_from(start.elapsed().as_millis() / interval.as_millis()).unwrap() + 1;
    assert!((4..=2 * intervals).contains(&answered), "{answered} of {sent} in {intervals} intervals");
    assert!(sent > 2 * answered, "{answered} of {sent}: too few were sent to say anything");
    assert!(summary(server).contains("on purpose "));
}

/// Which of a hundred datagrams are answered.
fn answered(faults: &str) -> Vec<u8> {
    let _server = start(faults);
    let socket = udp(V4);
    for number in 0..100 {
        socket.send(&[number]).unwrap();
    }
    let mut answered = Vec::new();
    loop {
        // Behind the hundred, so that these change nothing for them.
        socket.send(b"end").unwrap();
        while comes_within_and_stays(&socket) {
            match receive(&socket)[..] {
                [number] => answered.push(number),
                _ => return answered,
            }
        }
    }
}

fn comes_within_and_stays(socket: &std::net::UdpSocket) -> bool {
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    socket.peek(&mut [0; 4]).is_ok()
}

fn the_same_seed_loses_the_same_datagrams() {
    let first = answered("--drop 30 --seed 42");
    assert!((20..80).contains(&first.len()), "{} of 100 are answered at 30% in each direction", first.len());
    assert_eq!(answered("--drop 30 --seed 42"), first);
    assert_ne!(answered("--drop 30 --seed 43"), first);
}

fn without_a_seed_the_one_that_was_taken_is_told() {
    let first = start("--drop 30 --rate-limit 1000");
    let line = first.log().wait_for_line(&["WARN", "faults on purpose", "30% lost", "1000 every 1s"]);
    let seed = line.split_once("(--seed ").unwrap().1.trim_end_matches(')').to_owned();
    drop(first);
    let second = start(&format!("--drop 30 --seed {seed}"));
    second.log().wait_for_line(&["faults on purpose", &format!("(--seed {seed})")]);
    drop(second);
    // Where chance has no part, `--seed` would be refused.
    let unseeded = start("--rate-limit 9").log().wait_for_line(&["faults on purpose", "9 every 1s"]);
    assert!(!unseeded.contains("seed"), "{unseeded}");
    assert!(!start("--drop 0").log().text().contains("faults"));
}

fn a_wrong_wish_is_refused() {
    for line in [
        "--drop 101",
        "--corrupt x",
        "--size-limit 0",
        "--rate-limit 0",
        "--shaping-interval 1s",
        "--seed -1",
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let output = run(&mut shout(&arguments), b"");
        assert_eq!(output.code(), Some(2), "{line}: {output}");
        assert_eq!(output.stderr.lines().count(), 1, "{output}");
    }
}
