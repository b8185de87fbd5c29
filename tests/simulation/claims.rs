//! The note's claims that need loss, or a clock that nobody has to wait for.

use shout_tests::asker::Request;
use shout_tests::caller::{Outcome, Pace};
use shout_tests::content::Content;
use shout_tests::ethernet::Neighbour;
use shout_tests::link::Faults;
use shout_tests::memory::ServerMemory;
use shout_tests::plan::{AskerPlan, BEGIN, CallerPlan, Plan};
use shout_tests::siege::{Rules, Siege};
use shout_tests::wire::{ACK, PSH};
use shout_tests::world::World;
use smoltcp::time::{Duration, Instant};

use crate::run::run;

#[test]
fn claim_1_tcp_is_reliable_nothing_is_lost_when_packets_are() {
    let mut plan = Plan { faults: Faults { duplicate: 20, corrupt: 20, ..Faults::loss(50) }, ..Plan::new(1) };
    plan.callers = (0..16).map(|index| CallerPlan::new(BEGIN, 20_000 + index)).collect();
    let tally = run(&plan);
    assert_eq!(tally.outcomes.get(&Outcome::Served), Some(&16), "{tally:?}");
    assert!(tally.faults.lost > 50 && tally.faults.corrupted > 10, "{tally:?}");
}

#[test]
fn claim_2_tcp_is_a_stream_messages_stick_together_or_are_split() {
    let mut memory = ServerMemory::new(1, 1024, 0);
    let mut siege = Siege::new(Rules::USUAL, &mut memory, |_| {});
    let peer = Neighbour { mac: [2; 6], address: Plan::address(0, false) };
    assert!(siege.connect(&peer, 40_000, 0));
    siege.sent.clear();

    // Two messages of 60 octets each, and room for 100.
    let from = (peer.address, 40_000).into();
    for first in [1, 61] {
        let mut message = siege.segment(from, first, ACK | PSH);
        message.payload = Content(2).part(first - 1, 60);
        message.window = if first == 1 { 100 } else { 40 };
        siege.arrive_from(&peer, &message.to_packet());
        siege.poll();
    }
    let mut acknowledgement = siege.segment(from, 121, ACK);
    acknowledgement.window = 60_000;
    siege.arrive_from(&peer, &acknowledgement.to_packet());
    siege.poll();

    let lengths: Vec<_> = siege.sent.iter().map(|segment| segment.payload.len()).filter(|&n| n > 0).collect();
    assert_eq!(lengths, [60, 40, 20], "one message came back whole, and the other in two parts");
    let echo: Vec<u8> = siege.sent.iter().flat_map(|segment| segment.payload.clone()).collect();
    Content(2).assert_echo(0, &echo);
}

#[test]
fn claim_4_udp_sends_and_forgets_a_lost_datagram_is_not_sent_again() {
    let request = |seconds| Request { at: BEGIN + secs(seconds), payload: b"lost".to_vec(), replies: 0 };
    let asker = AskerPlan { ipv6: false, requests: vec![request(0), request(1000), request(2000)] };
    let mut memory = ServerMemory::new(1, 1024, 0);
    let mut world = World::new(Plan::new(4), &mut memory);
    world.add_asker(&asker);

    // The first request arrives, and its reply is lost.
    world.pass(Duration::ZERO);
    world.link.faults.lose = 1000;
    world.pass(secs(500));
    assert_eq!((world.stats().datagrams_in, world.stats().datagrams_out, world.link.done.lost), (1, 1, 1));
    // The second one is lost itself.
    world.pass(secs(1000));
    assert_eq!((world.stats().datagrams_in, world.stats().datagrams_out, world.link.done.lost), (1, 1, 2));
    // The third one and its reply arrive.
    world.link.faults.lose = 0;
    world.pass(secs(1000));
    assert_eq!((world.stats().datagrams_in, world.stats().datagrams_out), (2, 2));
    let replies: Vec<u32> =
        world.askers().flat_map(|asker| &asker.requests).map(|request| request.replies).collect();
    assert_eq!(replies, [0, 0, 1]);
}

#[test]
fn claim_5_udp_keeps_boundaries_datagrams_never_stick_together() {
    let lengths = [0, 1, 1, 0, 500, 1023, 1024, 1025, 1472, 0];
    let request = |(at, length)| Request { at: BEGIN, payload: Content(5).part(at, length), replies: 0 };
    let asker = AskerPlan { ipv6: false, requests: (0..).zip(lengths).map(request).collect() };
    let mut memory = ServerMemory::new(1, 1024, 0);
    let mut world = World::new(Plan::new(5), &mut memory);
    world.add_asker(&asker);
    world.pass(secs(1));
    // Each was compared with its request as it arrived.
    assert!(world.askers().flat_map(|asker| &asker.requests).all(|request| request.replies == 1));
    assert_eq!((world.stats().datagrams_in, world.stats().datagrams_out), (10, 10));
}

#[test]
fn claim_7_a_slow_client_or_a_slow_reply_holds_up_no_other_client() {
    let alone = served_at(&Plan { callers: vec![CallerPlan::new(BEGIN + secs(1), 30_000)], ..Plan::new(7) });
    let mut plan = Plan { delay: Some(secs(10)), ..Plan::new(7) };
    plan.callers.push(CallerPlan::new(BEGIN + secs(1), 30_000));
    for _ in 0..10 {
        let mut slow = CallerPlan::new(BEGIN, 60_000);
        slow.manners.reads = Pace { octets: 1, pause: secs(100), pauses: u32::MAX };
        plan.callers.push(slow);
    }
    let request = Request { at: BEGIN + secs(1), payload: b"slow".to_vec(), replies: 0 };
    plan.askers.push(AskerPlan { ipv6: false, requests: vec![request] });
    assert_eq!(served_at(&plan), alone);
}

/// When the first client of a plan has been served.
fn served_at(plan: &Plan) -> Instant {
    let mut memory = ServerMemory::new(plan.slots, plan.buffer, 16);
    let mut world = World::new(plan.clone(), &mut memory);
    plan.callers.iter().for_each(|caller| world.add_caller(caller, None));
    plan.askers.iter().for_each(|asker| world.add_asker(asker));
    while world.callers().next().is_some_and(|caller| caller.outcome.is_none()) {
        assert!(world.now < BEGIN + secs(60), "the client is not served at all");
        world.pass(Duration::from_millis(1));
    }
    assert_eq!(world.callers().next().and_then(|caller| caller.outcome), Some(Outcome::Served));
    world.now
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
