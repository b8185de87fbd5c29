//! The 4-tuple index under attack: addresses and ports chosen to collide do not, for an attacker without the key.

use std::vec::Vec;

use siphasher::sip::SipHasher13;
use smoltcp::wire::{IpAddress, IpEndpoint};

use super::fixture::SERVER;
use crate::tcp::demux::{Bucket, Demux, DemuxEntry, Tuple};
use crate::tcp::slots::SlotId;

const SLOTS: u16 = 1024;
const KEY: (u64, u64) = (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
/// The key that the attacker assumes.
const GUESS: (u64, u64) = (KEY.0, KEY.1 ^ 1);

fn flow(address: u32, port: u16) -> Tuple {
    let [a, b, c, d] = address.to_be_bytes();
    Tuple { remote: IpEndpoint::new(IpAddress::v4(a, b, c, d), port), local: SERVER }
}

/// Flows that all fall into the first bucket under this key, with as many buckets as slots.
fn colliding(key: (u64, u64)) -> Vec<Tuple> {
    let (mut entries, mut buckets) = ([DemuxEntry::EMPTY; 1], [Bucket::EMPTY; 1]);
    let flows = Demux::new(&mut entries, &mut buckets, SipHasher13::new_with_keys(key.0, key.1));
    let all =
        (0_u32..).map(|number| flow(0xc633_6400 | number >> 16, u16::try_from(number & 0xffff).unwrap()));
    let first = |flow: &Tuple| flows.hash(flow) < u32::MAX / u32::from(SLOTS);
    all.filter(first).take(usize::from(SLOTS)).collect()
}

/// The longest chain, and the steps that it takes to find all of them, in an index filled with them.
fn cost(flows: &[Tuple]) -> (usize, usize) {
    let mut entries = [DemuxEntry::EMPTY; SLOTS as usize];
    let mut buckets = [Bucket::EMPTY; SLOTS as usize];
    let mut index = Demux::new(&mut entries, &mut buckets, SipHasher13::new_with_keys(KEY.0, KEY.1));
    assert_eq!(flows.len(), usize::from(SLOTS));
    for (slot, &flow) in (0..).filter_map(SlotId::new).zip(flows) {
        let hash = index.hash(&flow);
        index.insert(slot, flow, hash);
    }
    let chains = flows.iter().map(|flow| index.chain(index.hash(flow)));
    (chains.clone().max().unwrap(), chains.sum())
}

#[test]
fn chosen_addresses_and_ports_cost_no_more_than_any_others() {
    let slots = u32::from(SLOTS);
    // Numbers without a pattern (the multiplier is Knuth's).
    let any = |n: u32| {
        flow(n.wrapping_mul(2_654_435_761), u16::try_from(n.wrapping_mul(40_503) >> 3 & 0xffff).unwrap())
    };
    let choices: [(&str, Vec<Tuple>); 6] = [
        ("no choice", (1..=slots).map(any).collect()),
        ("ports in a row", (0..SLOTS).map(|port| flow(0xc633_6401, port)).collect()),
        ("addresses in a row", (0..slots).map(|number| flow(0xc633_0000 + number, 40_000)).collect()),
        (
            "addresses that differ in their first bytes",
            (0..slots).map(|n| flow(n << 22 | 1, 40_000)).collect(),
        ),
        (
            "ports and addresses that add up",
            (0..SLOTS).map(|n| flow(0xc633_6400 + u32::from(n), u16::MAX - n)).collect(),
        ),
        ("collisions under another key", colliding(GUESS)),
    ];
    for (what, flows) in choices {
        let (longest, sum) = cost(&flows);
        std::println!("{what}: {longest} at most, {sum} in all");
        // With random flows and as many buckets as slots, finding one takes 2 steps on average. A chain of 10 has a
        // probability of one in a million.
        assert!(longest < 10 && sum < 2200, "{what}: a chain of {longest}, {sum} in all");
    }
}

#[test]
fn the_key_is_all_that_protects() {
    assert_eq!(cost(&colliding(KEY)), (usize::from(SLOTS), usize::from(SLOTS) * usize::from(SLOTS)));
}
