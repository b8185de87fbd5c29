//! Single cases that went wrong once, in smoltcp or in the server.

use shout_tests::content::Content;
use shout_tests::ethernet::Neighbour;
use shout_tests::memory::ServerMemory;
use shout_tests::plan::Plan;
use shout_tests::siege::{Rules, Siege};
use shout_tests::wire::{ACK, FIN, PSH};
use smoltcp::phy::Medium;
use smoltcp::time::Duration;

const PORT: u16 = 40_000;

fn peer() -> Neighbour {
    Neighbour { mac: [2, 0, 0, 0, 0, 9], address: Plan::address(0, false) }
}

/// A segment from half the number space away: how far from there it is, and how long.
const FAR: [(i32, usize); 9] = [(0, 0), (0, 1), (0, 10), (1, 0), (1, 1), (1, 10), (-1, 0), (-1, 1), (-1, 10)];

/// Fills the window, with a FIN on top of it, and then sends a segment from far away. As long as smoltcp has not sent the
/// acknowledgement of such a FIN, the right edge of its window lies before the left one, and it panics over what is between
/// them the long way round (`SeqNumber::sub` in 0.14.0). Any other segment makes it set its window right.
fn fill_finish_and_go_far_away(siege: &mut Siege<'_>, peer: &Neighbour, (offset, length): (i32, usize)) {
    let from = (peer.address, PORT).into();
    let first = siege.views[&from].expected;
    let mut full = siege.segment(from, first, ACK | PSH | FIN);
    full.payload = Content(0).part(0, 1024);
    siege.arrive_from(peer, &full.to_packet());
    siege.poll();
    let seq = first.wrapping_add(1024).wrapping_add(1 << 31).wrapping_add_signed(offset);
    let mut far = siege.segment(from, seq, ACK);
    far.payload = Content(0).part(0, length);
    siege.arrive_from(peer, &far.to_packet());
    siege.poll();
    assert_eq!(siege.views[&from].expected, first, "nothing can have been acknowledged yet");
}

/// The data and the FIN were taken.
fn assert_finished(siege: &Siege<'_>, peer: &Neighbour, iss: u32) {
    let view = siege.views[&(peer.address, PORT).into()];
    assert_eq!(view.expected, iss.wrapping_add(1 + 1024 + 1));
    assert_eq!(view.sent, view.initial.1.wrapping_add(1 + 1024 + 1));
}

#[test]
fn a_fin_in_a_full_window_and_a_segment_from_far_away_while_the_device_refuses() {
    for (iss, far) in [0, u32::MAX, 1 << 31].into_iter().flat_map(|iss| FAR.map(|far| (iss, far))) {
        let mut memory = ServerMemory::new(1, 1024, 0);
        let mut siege = Siege::new(Rules::USUAL, &mut memory, |_| {});
        assert!(siege.connect(&peer(), PORT, iss));
        siege.device.room = 0;
        fill_finish_and_go_far_away(&mut siege, &peer(), far);
        assert!(siege.is_blocked());
        siege.device.room = usize::MAX;
        siege.pass(Duration::from_secs(1));
        assert_finished(&siege, &peer(), iss);
    }
}

#[test]
fn a_fin_in_a_full_window_and_a_segment_from_far_away_while_the_router_is_unknown() {
    let router = Neighbour { mac: [2, 0, 0, 0, 0, 9], address: [10, 69, 0, 254].into() };
    let peer = Neighbour { address: [203, 0, 113, 5].into(), ..router };
    let rules = Rules { medium: Medium::Ethernet, ..Rules::USUAL };
    for far in FAR {
        let mut memory = ServerMemory::new(4, 1024, 0);
        let mut siege = Siege::new(rules, &mut memory, |config| {
            config.gateways.push(router.address.into()).unwrap();
        });
        siege.neighbours = vec![router];
        assert!(siege.connect(&peer, PORT, 7));
        // smoltcp forgets neighbours after a minute; the connection is kept.
        siege.neighbours.clear();
        for _ in 0..3 {
            siege.pass(Duration::from_secs(25));
            let alive = siege.segment((peer.address, PORT).into(), 8, ACK);
            siege.arrive_from(&peer, &alive.to_packet());
            siege.poll();
        }
        fill_finish_and_go_far_away(&mut siege, &peer, far);
        siege.neighbours = vec![router];
        siege.pass(Duration::from_secs(5));
        assert_finished(&siege, &peer, 7);
    }
}

#[test]
fn sequence_numbers_wrap_in_both_directions() {
    let mut memory = ServerMemory::new(1, 1024, 0);
    let mut siege = Siege::new(Rules::USUAL, &mut memory, |_| {});
    assert!(siege.connect(&peer(), PORT, u32::MAX - 2000));
    let first = siege.views[&(peer().address, PORT).into()].initial.1;

    // The initial sequence numbers follow a clock, in steps of 8192: some hours later, they begin close to the end.
    let mut memory = ServerMemory::new(1, 1024, 0);
    let mut siege = Siege::new(Rules::USUAL, &mut memory, |_| {});
    let ahead = (u32::MAX - first) / 8192 * 8192;
    siege.now += Duration::from_micros(4 * u64::from(ahead));
    let from = (peer().address, PORT).into();
    siege.witness.expect(from, Content(3), None);
    assert!(siege.connect(&peer(), PORT, u32::MAX - 2000));
    let begin = siege.views[&from].initial.1;
    assert_eq!(begin, first + ahead);
    for turn in 0..20 {
        let view = siege.views[&from];
        let mut segment = siege.segment(from, view.expected, ACK | PSH);
        segment.payload = Content(3).part(turn * 500, 500);
        siege.arrive_from(&peer(), &segment.to_packet());
        siege.poll();
    }
    assert_eq!(siege.stats().octets_out, 10_000);
    assert_eq!(siege.views[&from].sent, begin.wrapping_add(1 + 10_000));
    assert!(siege.views[&from].sent < 10_000, "behind the wrap");
}

#[test]
fn a_packet_without_octets_is_dropped() {
    for medium in [Medium::Ip, Medium::Ethernet] {
        let mut memory = ServerMemory::new(4, 1024, 0);
        let mut siege = Siege::new(Rules { medium, ..Rules::USUAL }, &mut memory, |_| {});
        siege.arrive(Vec::new());
        siege.arrive_from(&peer(), &[]);
        siege.poll();
        assert_eq!(siege.stats().dropped(shout_core::DropReason::Malformed), 2);
    }
}
