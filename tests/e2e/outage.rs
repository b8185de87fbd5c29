//! Outages: what a client sends arrives, and nothing comes back for a while; or nothing arrives at all.

use core::time::Duration;
use std::io::{ErrorKind, Read, Write};
use std::thread;
use std::time::SystemTime;

use crate::capture::Capture;
use crate::counters::{count, wait_for_blocks};
use crate::gap_analysis::Segment;
use crate::lossy_link::filter;
use crate::namespace::ip;
use crate::server::{Server, V4, V6};
use crate::shim::Shimmed;
use crate::sockets::{assert_echo, assert_shouted, connect, local, pattern, uninterrupted};

tests![
    an_echo_comes_soon_after_an_outage,
    large_buffers_are_echoed_soon_after_an_outage,
    a_peer_that_is_not_heard_for_a_minute_is_dead,
];

/// Linux's timeouts double from this one on, and the server's from 206 ms on: neither sends again at the same time as the
/// other by chance.
const RTO_MIN: &str = "150ms";
/// Two seconds later, a client sends again for the eighth time. Seven seconds after that the server would, by itself.
const OUTAGE: Duration = Duration::from_secs(17);
/// How long after a sign of life the echo may come.
const SOON: Duration = Duration::from_secs(2);

/// What the server sends is dropped on its way to the clients.
const NOTHING_COMES_BACK: &str = "iifname shout0 tcp sport 8080 drop";

fn an_echo_comes_soon_after_an_outage() {
    assert_survives(&[], 9);
}

fn large_buffers_are_echoed_soon_after_an_outage() {
    assert_survives(&["--buffer", "65535"], 60_000);
}

/// Clients over IPv4 and IPv6 send a message of this length while nothing comes back.
#[track_caller]
fn assert_survives(arguments: &[&str], length: usize) {
    let _server = Server::start(arguments);
    ip(&format!("route change 192.168.69.0/24 dev shout0 src 192.168.69.100 rto_min {RTO_MIN}"));
    ip(&format!("-6 route replace fd69::/64 dev shout0 metric 256 rto_min {RTO_MIN}"));
    let capture = Capture::start();
    let message = pattern(length);
    let mut streams = [V4, V6].map(connect);
    streams.iter_mut().for_each(assert_echo);
    filter(NOTHING_COMES_BACK);
    streams.iter_mut().for_each(|stream| stream.write_all(&message).unwrap());
    thread::sleep(OUTAGE);
    filter("");
    let restored = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut echo = vec![0; length];
    for stream in &mut streams {
        stream.read_exact(&mut echo).unwrap();
        assert_shouted(&message, &echo);
        assert_echo(stream);
    }
    let segments = capture.finish();
    for stream in &streams {
        let is_after =
            |segment: &&Segment| segment.client_port == local(stream).port() && segment.time > restored;
        let mut after = segments.iter().filter(is_after);
        let heard = after.clone().find(|segment| !segment.from_server).unwrap().time;
        let echoed = after.find(|segment| segment.from_server && segment.length > 0).unwrap().time;
        // The server may have sent again by itself before.
        let waited = echoed.saturating_sub(heard);
        assert!(waited < SOON, "the echo came {waited:?} after the first sign of life");
    }
}

fn a_peer_that_is_not_heard_for_a_minute_is_dead() {
    let shimmed = Shimmed::start(&[]);
    let mut streams = [V4, V6].map(connect);
    streams.iter_mut().for_each(assert_echo);
    // They hear no probe, and so answer none.
    filter(NOTHING_COMES_BACK);
    let capture = Capture::start();
    shimmed.pass(58);
    let alive = wait_for_blocks(&shimmed.server, 1).pop().unwrap();
    assert_eq!((count(&alive, "live"), count(&alive, "timed out")), (2, 0), "{alive:#?}");
    let probes = capture.finish().iter().filter(|segment| segment.from_server).count();
    assert!(probes >= 2 * 8, "{probes} probes of two connections");
    shimmed.pass(5);
    let dead = wait_for_blocks(&shimmed.server, 1).pop().unwrap();
    assert_eq!((count(&dead, "live"), count(&dead, "timed out")), (0, 2), "{dead:#?}");
    filter("");
    for stream in &mut streams {
        stream.write_all(b"still there?").unwrap();
        let error = uninterrupted(|| stream.read(&mut [0])).expect_err("nobody knows this connection");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    }
}
