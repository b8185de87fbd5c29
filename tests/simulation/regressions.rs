//! Single cases that failed once, in smoltcp or in the server.

use shout_tests::content::Content;
use shout_tests::ethernet::Neighbour;
use shout_tests::memory::ServerMemory;
use shout_tests::scenario::Scenario;
use shout_tests::single_server::{ServerSetup, SingleServer};
use shout_tests::wire::{ACK, FIN, PSH, RST, SYN};
use smoltcp::phy::Medium;
use smoltcp::time::Duration;

const PORT: u16 = 40_000;

fn peer() -> Neighbour {
    Neighbour { mac: [2, 0, 0, 0, 0, 9], address: Scenario::address(0, false) }
}

/// A segment from half the number space away: how far from there it is, and how long.
const FAR: [(i32, usize); 9] = [(0, 0), (0, 1), (0, 10), (1, 0), (1, 1), (1, 10), (-1, 0), (-1, 1), (-1, 10)];

/// Fills the window, with a FIN after it, and then sends a segment from half the number space away. Until smoltcp has
/// sent the acknowledgement of such a FIN, the right edge of its window is left of RCV.NXT, and it panics over a
/// segment outside that inverted window (`SeqNumber::sub` in 0.14.0). Any other segment makes it correct its window.
fn fill_finish_and_go_far_away(
    single: &mut SingleServer<'_>,
    peer: &Neighbour,
    (offset, length): (i32, usize),
) {
    let from = (peer.address, PORT).into();
    let first = single.views[&from].expected;
    let mut full = single.segment(from, first, ACK | PSH | FIN);
    full.payload = Content(0).part(0, 1024);
    single.arrive_from(peer, &full.to_packet());
    single.poll();
    let seq = first.wrapping_add(1024).wrapping_add(1 << 31).wrapping_add_signed(offset);
    let mut far = single.segment(from, seq, ACK);
    far.payload = Content(0).part(0, length);
    single.arrive_from(peer, &far.to_packet());
    single.poll();
    assert_eq!(single.views[&from].expected, first, "nothing can have been acknowledged yet");
}

/// The data and the FIN were taken.
fn assert_finished(single: &SingleServer<'_>, peer: &Neighbour, iss: u32) {
    let view = single.views[&(peer.address, PORT).into()];
    assert_eq!(view.expected, iss.wrapping_add(1 + 1024 + 1));
    assert_eq!(view.sent, view.initial.1.wrapping_add(1 + 1024 + 1));
}

#[test]
fn a_fin_in_a_full_window_and_a_segment_from_far_away_while_the_device_refuses() {
    for (iss, far) in [0, u32::MAX, 1 << 31].into_iter().flat_map(|iss| FAR.map(|far| (iss, far))) {
        let mut memory = ServerMemory::new(1, 1024, 0);
        let mut single = SingleServer::new(ServerSetup::USUAL, &mut memory, |_| {});
        assert!(single.connect(&peer(), PORT, iss));
        single.device.room = 0;
        fill_finish_and_go_far_away(&mut single, &peer(), far);
        assert!(single.is_blocked());
        single.device.room = usize::MAX;
        // Before the first of it is sent again.
        single.pass(Duration::from_millis(100));
        assert_finished(&single, &peer(), iss);
    }
}

#[test]
fn a_fin_in_a_full_window_and_a_segment_from_far_away_while_the_router_is_unknown() {
    let router = Neighbour { mac: [2, 0, 0, 0, 0, 9], address: [10, 69, 0, 254].into() };
    let peer = Neighbour { address: [203, 0, 113, 5].into(), ..router };
    let setup = ServerSetup { medium: Medium::Ethernet, ..ServerSetup::USUAL };
    for far in FAR {
        let mut memory = ServerMemory::new(4, 1024, 0);
        let mut single = SingleServer::new(setup, &mut memory, |config| {
            config.gateways.push(router.address.into()).unwrap();
        });
        single.neighbours = vec![router];
        assert!(single.connect(&peer, PORT, 7));
        // smoltcp's neighbour entries expire after a minute; the connection does not.
        single.neighbours.clear();
        for _ in 0..3 {
            single.pass(Duration::from_secs(25));
            let alive = single.segment((peer.address, PORT).into(), 8, ACK);
            single.arrive_from(&peer, &alive.to_packet());
            single.poll();
        }
        fill_finish_and_go_far_away(&mut single, &peer, far);
        single.neighbours = vec![router];
        let expected = |single: &SingleServer<'_>| single.views[&(peer.address, PORT).into()].expected;
        let (before, end) = (expected(&single), single.now + Duration::from_secs(5));
        // Before the first of it is sent again.
        while expected(&single) == before && single.now < end {
            single.pass(Duration::from_millis(100));
        }
        assert_finished(&single, &peer, 7);
    }
}

#[test]
fn sequence_numbers_wrap_in_both_directions() {
    let mut memory = ServerMemory::new(1, 1024, 0);
    let mut single = SingleServer::new(ServerSetup::USUAL, &mut memory, |_| {});
    assert!(single.connect(&peer(), PORT, u32::MAX - 2000));
    let first = single.views[&(peer().address, PORT).into()].initial.1;

    // The ISS follows a clock in steps of 8192: some hours later it is just below 2^32.
    let mut memory = ServerMemory::new(1, 1024, 0);
    let mut single = SingleServer::new(ServerSetup::USUAL, &mut memory, |_| {});
    let ahead = (u32::MAX - first) / 8192 * 8192;
    single.now += Duration::from_micros(4 * u64::from(ahead));
    let from = (peer().address, PORT).into();
    single.invariants.expect(from, Content(3), None);
    assert!(single.connect(&peer(), PORT, u32::MAX - 2000));
    let begin = single.views[&from].initial.1;
    assert_eq!(begin, first + ahead);
    for turn in 0..20 {
        let view = single.views[&from];
        let mut segment = single.segment(from, view.expected, ACK | PSH);
        segment.payload = Content(3).part(turn * 500, 500);
        single.arrive_from(&peer(), &segment.to_packet());
        single.poll();
    }
    assert_eq!(single.stats().bytes_out, 10_000);
    assert_eq!(single.views[&from].sent, begin.wrapping_add(1 + 10_000));
    assert!(single.views[&from].sent < 10_000, "behind the wrap");
}

#[test]
fn a_packet_without_bytes_is_dropped() {
    for medium in [Medium::Ip, Medium::Ethernet] {
        let mut memory = ServerMemory::new(4, 1024, 0);
        let mut single = SingleServer::new(ServerSetup { medium, ..ServerSetup::USUAL }, &mut memory, |_| {});
        single.arrive(Vec::new());
        single.arrive_from(&peer(), &[]);
        single.poll();
        assert_eq!(single.stats().dropped(shout_core::DropReason::Malformed), 2);
    }
}

/// An attacker may compute a SYN cookie from one that it was given, and so begin a connection whose numbers also fit one that it
/// had before.
#[test]
fn a_syn_cookie_that_its_peer_has_computed() {
    let mut memory = ServerMemory::new(1, 1024, 0);
    let mut single = SingleServer::new(ServerSetup { slots: 1, ..ServerSetup::USUAL }, &mut memory, |_| {});
    let (from, content) = ((peer().address, PORT).into(), Content(3));
    single.invariants.expect(from, content, Some(0));
    let send = |single: &mut SingleServer<'_>, port: u16, seq: u32, flags: u8, ack: u32, length: usize| {
        let mut segment = single.segment((peer().address, port).into(), seq, flags);
        (segment.ack, segment.payload) = (ack, content.part(seq, length));
        single.arrive_from(&peer(), &segment.to_packet());
        single.poll();
    };
    send(&mut single, PORT, 1000, SYN, 0, 0);
    let iss = single.views[&from].initial.1;
    // Another SYN evicts it, and is reset.
    send(&mut single, PORT + 1, 1000, SYN, 0, 0);
    send(&mut single, PORT + 1, 1001, RST, 0, 0);
    for (revived, off) in [(1, 0), (2, 1)] {
        let (seq, ack) = (1001 + off, iss + 1 + 2 * off);
        send(&mut single, PORT, seq, ACK | PSH, ack, 10);
        assert_eq!(single.stats().revived, revived);
        let echo = single.sent.last().unwrap();
        assert_eq!((echo.seq, echo.ack), (ack, seq + 10));
        content.assert_echo(seq, &echo.payload);
        send(&mut single, PORT, seq + 10, RST, 0, 0);
        assert_eq!(single.stats().live, 0);
    }
}
