//! A server that was stopped, as by SIGSTOP or on a machine that was suspended, for longer than a peer may be silent.

use core::time::Duration;
use std::fs;
use std::io::{Read, Write};
use std::thread;
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::counters::{count, wait_for_blocks};
use crate::program::LIMIT;
use crate::server::{Server, V4, V6};
use crate::shim::Shimmed;
use crate::sockets::{assert_echo, connect};

tests![no_connection_dies_of_a_stop, no_connection_dies_of_a_stop_that_began_while_it_was_idle,];

fn no_connection_dies_of_a_stop() {
    assert_survive(0, 61);
}

fn no_connection_dies_of_a_stop_that_began_while_it_was_idle() {
    assert_survive(19, 42);
}

/// Connections are idle for so many seconds, and then the server is stopped for so many.
#[track_caller]
fn assert_survive(idle: u64, stopped: u64) {
    let shimmed = Shimmed::start(&[]);
    let mut streams: Vec<_> = [V4, V6].into_iter().cycle().take(8).map(connect).collect();
    streams.iter_mut().for_each(assert_echo);
    shimmed.pass(idle);
    stop(&shimmed.server);
    shimmed.advance(stopped);
    // Some speak meanwhile.
    let (speaking, silent) = streams.split_at_mut(4);
    speaking.iter_mut().for_each(|stream| stream.write_all(b"hello?").unwrap());
    shimmed.server.signal(Signal::SIGCONT);
    // A sleep that was meant to end meanwhile ends now.
    shimmed.wake();
    for stream in speaking {
        let mut echo = [0; 6];
        stream.read_exact(&mut echo).unwrap();
        assert_eq!(&echo, b"HELLO?");
    }
    silent.iter_mut().for_each(assert_echo);
    shimmed.wake();
    let counters = wait_for_blocks(&shimmed.server, 1).pop().unwrap();
    for (what, number) in [("live", 8), ("timed out", 0), ("reset", 0), ("aborted", 0)] {
        assert_eq!(count(&counters, what), number, "{what}: {counters:#?}");
    }
}

/// Stops the server, and waits until it is.
#[track_caller]
fn stop(server: &Server) {
    server.signal(Signal::SIGSTOP);
    let deadline = Instant::now() + LIMIT;
    let is_stopped = || {
        let status = fs::read_to_string(format!("/proc/{}/stat", server.id())).unwrap();
        // Behind the program's name, in parentheses, stands its state.
        status.rsplit_once(") ").unwrap().1.starts_with('T')
    };
    while !is_stopped() {
        assert!(Instant::now() < deadline, "it is not stopped");
        thread::sleep(Duration::from_millis(1));
    }
}
