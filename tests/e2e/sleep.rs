//! The server sleeps while it has nothing to do, in whatever states its connections are.

use core::time::Duration;
use std::fs;
use std::io::Write;
use std::net::Shutdown;
use std::thread;
use std::time::Instant;

use crate::namespace::ip;
use crate::program::LIMIT;
use crate::server::{Server, V4, V6};
use crate::sockets::{assert_echo, connect, deaf_clients, udp};

tests![
    an_idle_server_sleeps,
    a_server_whose_clients_read_nothing_sleeps,
    a_server_that_holds_replies_back_sleeps,
    a_server_whose_link_is_down_sleeps,
];

/// Checks that the server comes to rest, in which it hardly runs for half a second. What was under way before may take
/// a while to settle on a busy machine; a loop that spins never does.
#[track_caller]
fn assert_asleep(server: &Server) {
    let period = Duration::from_millis(500);
    let deadline = Instant::now() + LIMIT;
    loop {
        let before = time_on_a_processor(server);
        thread::sleep(period);
        let used = time_on_a_processor(server) - before;
        if used < period / 50 {
            break;
        }
        assert!(Instant::now() < deadline, "it ran for {used:?} in {period:?}");
    }
}

/// How long all of the program's threads have run.
fn time_on_a_processor(server: &Server) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.id())).unwrap();
    let of_one = |task: fs::DirEntry| {
        let text = fs::read_to_string(task.path().join("schedstat")).unwrap();
        Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
    };
    tasks.map(|task| of_one(task.unwrap())).sum()
}

fn an_idle_server_sleeps() {
    let server = Server::start(&[]);
    assert_asleep(&server);
    let mut streams = [connect(V4), connect(V6)];
    streams.iter_mut().for_each(assert_echo);
    assert_asleep(&server);
}

fn a_server_whose_clients_read_nothing_sleeps() {
    let server = Server::start(&[]);
    let deaf = deaf_clients(8);
    // These have closed, too, behind data that will not be read.
    for stream in &deaf[4..] {
        stream.shutdown(Shutdown::Write).unwrap();
    }
    assert_asleep(&server);
}

fn a_server_that_holds_replies_back_sleeps() {
    let server = Server::start(&["--delay", "2s"]);
    for _ in 0..10 {
        udp(V4).send(b"later").unwrap();
    }
    assert_asleep(&server);
}

fn a_server_whose_link_is_down_sleeps() {
    // It has replies to send meanwhile, and data to send again.
    let server = Server::start(&["--delay", "100ms"]);
    let mut stream = connect(V4);
    assert_echo(&mut stream);
    udp(V4).send(b"no reply will come").unwrap();
    stream.write_all(b"nor here").unwrap();
    ip("link set shout0 down");
    assert_asleep(&server);
}
