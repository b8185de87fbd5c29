//! Writes to the device that the kernel refuses: its queue is full, or it has no memory.

use core::time::Duration;
use std::io::Read;
use std::thread;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::signal::Signal;

use crate::server::{Server, V4, V6};
use crate::shim::Shimmed;
use crate::sockets::{ask, assert_echo, assert_shouted, bulk, comes_within, connect, pattern, receive, udp};

tests![
    a_kernel_that_refuses_every_other_packet_loses_nothing,
    a_kernel_that_takes_nothing_for_a_while_holds_up_and_loses_nothing,
    sigterm_ends_a_server_whose_packets_nobody_takes,
    a_queue_that_overflows_loses_datagrams_and_nothing_else,
];

/// What write(2) says when the queue of the device is full, and when the kernel has no memory for the packet.
const REFUSALS: [Errno; 3] = [Errno::EAGAIN, Errno::ENOBUFS, Errno::ENOMEM];

fn a_kernel_that_refuses_every_other_packet_loses_nothing() {
    let data = pattern(100_000);
    for error in REFUSALS {
        let shimmed = Shimmed::start(&[]);
        shimmed.refuse(error, 2);
        for server in [V4, V6] {
            assert_shouted(&data, &bulk(connect(server), &data));
            // Not one of these is asked again: were a reply lost, this would be seen.
            let socket = udp(server);
            for length in 0..100 {
                assert_shouted(&data[..length], &ask(&socket, &data[..length]));
            }
        }
        assert!(shimmed.accept() > 200, "{error}: hardly any packet was refused");
        assert_echo(&mut connect(V4));
        assert_eq!(shimmed.terminate(), Some(0), "{error}");
    }
}

fn a_kernel_that_takes_nothing_for_a_while_holds_up_and_loses_nothing() {
    for error in REFUSALS {
        let shimmed = Shimmed::start(&[]);
        let mut stream = connect(V4);
        assert_echo(&mut stream);
        let socket = udp(V6);
        shimmed.refuse(error, 1);
        socket.send(b"in time").unwrap();
        assert!(!comes_within(&socket, Duration::from_millis(100)));
        shimmed.accept();
        assert_eq!(receive(&socket), b"IN TIME");
        assert_echo(&mut stream);
        if error != Errno::EAGAIN {
            // One attempt a millisecond, and not as many as a processor has time for. (That poll(2) says of a full queue
            // when there is room is more than this library can pretend.)
            assert!(shimmed.writes() < 2000, "{} attempts in a tenth of a second", shimmed.writes());
        }
    }
}

fn sigterm_ends_a_server_whose_packets_nobody_takes() {
    for error in REFUSALS {
        let shimmed = Shimmed::start(&[]);
        let mut stream = connect(V4);
        assert_echo(&mut stream);
        shimmed.refuse(error, 1);
        let start = Instant::now();
        assert_eq!(shimmed.terminate(), Some(0), "{error}");
        assert!(start.elapsed() < Duration::from_secs(3), "{error}: it took {:?}", start.elapsed());
        // The device went with it, so nothing more can come; the client is not told, but its own kernel will find out.
        stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        stream.read(&mut [0]).expect_err("nothing was taken");
    }
}

/// The other direction: what comes for a server that does not read is dropped by the kernel.
fn a_queue_that_overflows_loses_datagrams_and_nothing_else() {
    let server = Server::start(&[]);
    let mut stream = connect(V4);
    let socket = udp(V4);
    server.signal(Signal::SIGSTOP);
    // A TUN device's queue holds 500 packets.
    for _ in 0..2000 {
        socket.send(b"one of many").unwrap();
    }
    let writer = thread::spawn(move || {
        assert_echo(&mut stream);
        stream
    });
    server.signal(Signal::SIGCONT);
    let mut stream = writer.join().unwrap();
    let mut replies = 0;
    while comes_within(&socket, Duration::from_millis(200)) {
        replies += 1;
    }
    assert!((1..2000).contains(&replies), "{replies} replies");
    assert_echo(&mut stream);
    assert_eq!(ask(&socket, b"still here"), b"STILL HERE");
    assert_eq!(server.terminate().code(), Some(0));
}
