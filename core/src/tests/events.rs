//! Log lines: one when a connection opens, one when it ends, and a limit on both.

use std::format;
use std::string::{String, ToString};
use std::sync::Once;
use std::vec::Vec;

use core::cell::RefCell;

use log::{Level, LevelFilter, Log, Metadata, Record};
use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, Rst, Syn};

use super::fixture::{Net, TICK, net, net_with};
use super::peer::{Peer, peer};

std::thread_local! {
    /// The lines of this thread, and so of this test.
    static LINES: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
}

struct Recorder;

impl Log for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        LINES.with_borrow_mut(|lines| lines.push((record.level(), record.args().to_string())));
    }

    fn flush(&self) {}
}

/// From here on, the lines of this test are kept.
pub(super) fn record() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Recorder).unwrap();
        log::set_max_level(LevelFilter::Trace);
    });
    lines();
}

/// What was logged since the last call, of what is logged without `-v`.
pub(super) fn lines() -> Vec<(Level, String)> {
    let mut lines = LINES.with_borrow_mut(core::mem::take);
    lines.retain(|&(level, _)| level <= Level::Info);
    lines
}

/// What was logged at this level since the last call of this or of [`lines`].
pub(super) fn lines_at(wanted: Level) -> Vec<String> {
    let lines = LINES.with_borrow_mut(core::mem::take);
    lines.into_iter().filter(|&(level, _)| level == wanted).map(|(_, line)| line).collect()
}

#[track_caller]
fn assert_logged(expected: &[&str]) {
    let lines = lines();
    assert!(lines.iter().all(|&(level, _)| level == Level::Info));
    assert_eq!(lines.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>(), expected);
}

/// Opens and resets a connection: two lines.
fn come_and_go(net: &mut Net, port: u16) {
    let mut peer = peer(port);
    peer.connect(net);
    net.arrive(peer.segment(Rst, 1, None, &[]));
}

#[test]
fn each_connection_is_logged_as_it_comes_and_goes() {
    record();
    let (mut net, mut peer) = (net_with::<2>(|_| {}), peer(40_000));
    peer.syn(&mut net);
    assert_logged(&[]); // a SYN alone is nothing
    peer.ack(&mut net);
    assert_logged(&["192.0.2.100:40000 connected"]);
    peer.exchange(&mut net, b"hello", 5);
    assert_logged(&[]);
    peer.send(&mut net, Fin, b"");
    assert_logged(&[]);
    peer.take(&mut net);
    peer.ack(&mut net);
    assert_logged(&["192.0.2.100:40000 closed"]);

    come_and_go(&mut net, 40_001);
    assert_logged(&["192.0.2.100:40001 connected", "192.0.2.100:40001 reset by the peer"]);

    self::peer(40_002).connect(&mut net);
    net.pass(Duration::from_secs(60));
    assert_logged(&["192.0.2.100:40002 connected", "192.0.2.100:40002 timed out"]);

    net.wire.sent.clear();
    self::peer(40_003).connect(&mut net);
    net.server.shutdown(net.now);
    net.pass(Duration::from_secs(1) - TICK);
    net.now += TICK;
    net.server.poll(net.now, &mut net.wire);
    assert_logged(&["192.0.2.100:40003 connected", "192.0.2.100:40003 aborted"]);
}

#[test]
fn an_idle_connection_is_said_to_be_one() {
    record();
    let mut net = net_with::<2>(|config| config.idle_timeout = Some(Duration::from_secs(9)));
    peer(40_000).connect(&mut net);
    net.pass(Duration::from_secs(9));
    assert_logged(&["192.0.2.100:40000 connected", "192.0.2.100:40000 has been idle for too long: closing"]);
}

#[cfg(feature = "ipv6")]
#[test]
fn ipv6_addresses_are_logged_so_that_the_port_can_be_told() {
    record();
    let mut peer = super::peer::peer_from(super::fixture::CLIENT_V6, super::fixture::SERVER_V6, 40_000);
    peer.connect(&mut net());
    assert_logged(&["[2001:db8::100]:40000 connected"]);
}

#[test]
fn of_a_flood_20_lines_a_second_are_logged_and_the_rest_counted() {
    record();
    let mut net = net();
    for port in 0..50 {
        come_and_go(&mut net, 40_000 + port);
    }
    assert_eq!(lines().len(), 20);
    net.pass(Duration::from_secs(1) - TICK);
    assert_logged(&[]);
    net.pass(TICK);
    assert_logged(&["80 more events of connections within a second"]);
    assert_eq!(net.last.deadline, None);

    // The next second has its own 20.
    for port in 0..11 {
        come_and_go(&mut net, 41_000 + port);
    }
    assert_eq!(lines().len(), 20);
    come_and_go(&mut net, 42_000);
    net.pass(Duration::from_secs(1));
    assert_logged(&["4 more events of connections within a second"]);
    net.pass(Duration::from_secs(10));
    assert_logged(&[]);
}

#[test]
fn what_was_left_out_is_said_though_nothing_else_happens() {
    record();
    let mut net = net_with::<25>(|_| {});
    let mut peers: Vec<Peer> = (40_000..40_025).map(peer).collect();
    for peer in &mut peers {
        peer.syn(&mut net);
    }
    net.pass(Duration::from_millis(300)); // no other deadline coincides with that of the summary
    for peer in &mut peers {
        peer.ack(&mut net);
    }
    assert_eq!(lines().len(), 20);
    net.pass(Duration::from_secs(1) - TICK);
    assert_logged(&[]);
    assert_eq!(net.last.deadline, Some(net.now + TICK));
    net.pass(TICK);
    assert_logged(&["5 more events of connections within a second"]);
}

#[test]
fn what_was_left_out_is_said_before_the_next_line() {
    record();
    let mut net = net();
    for port in 0..11 {
        come_and_go(&mut net, 40_000 + port);
    }
    assert_eq!(lines().len(), 20);
    net.now += Duration::from_secs(7); // `poll` is called late
    net.arrive(peer(41_000).segment(Syn, 0, None, &[]));
    assert_logged(&["2 more events of connections within a second"]);
}

#[test]
fn that_there_is_no_slot_is_logged_once_a_second() {
    record();
    let mut net = net_with::<1>(|_| {});
    peer(40_000).connect(&mut net);
    lines();
    for millis in [0, 999, 1, 999, 1] {
        net.now += Duration::from_millis(millis);
        for port in 0..10 {
            net.arrive(peer(41_000 + port).segment(Syn, 0, None, &[]));
        }
    }
    let warnings = lines();
    assert_eq!(warnings.len(), 3);
    for (level, line) in warnings {
        assert_eq!(level, Level::Warn);
        assert_eq!(
            line,
            format!(
                "every slot is in use: {}:41000 gets no answer until one is free",
                super::fixture::CLIENT
            )
        );
    }
    assert_eq!(net.stats().refused, 50);
}
