//! Initial sequence numbers (RFC 6528) as peers see them: for one 4-tuple they advance with the clock, and between
//! 4-tuples there is no pattern.

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, Rst};

use super::fixture::{CLIENT, FAMILIES, Net, SERVER, net_with};
use super::peer::{Peer, peer_from};

/// The server's clock has ticks of 32.8 ms, which are as many numbers of 4 µs each (see `tcp/isn.rs`).
const TICK: i32 = 1 << 13;

/// The ISS of a connection that is reset at once.
#[track_caller]
fn number(net: &mut Net, mut peer: Peer) -> i32 {
    peer.syn(net);
    net.arrive(peer.segment(Rst, 1, None, &[]));
    net.nothing_sent();
    peer.irs
}

/// The ISS of the first connection of a server with this secret.
fn first_number(entropy: [u8; 16], port: u16) -> i32 {
    number(&mut net_with::<1>(|config| config.entropy = entropy), peer_from(CLIENT, SERVER, port))
}

/// Fails unless about half of the bits differ on average, and no two numbers are close.
#[track_caller]
fn assert_unrelated(pairs: impl Iterator<Item = (i32, i32)>) {
    let (mut count, mut bits) = (0, 0);
    for (a, b) in pairs {
        assert!(a.wrapping_sub(b).unsigned_abs() > 1000, "{a} and {b} are close");
        count += 1;
        bits += (a ^ b).count_ones();
    }
    // 16 of 32, give or take five standard deviations of 100 pairs.
    assert!(count >= 100 && (15 * count..=17 * count).contains(&bits), "{bits} bits in {count} pairs");
}

#[test]
fn later_connections_of_a_tuple_are_ahead_by_the_elapsed_clock() {
    for &(client, server) in FAMILIES {
        let mut net = net_with::<1>(|_| {});
        let mut before = number(&mut net, peer_from(client, server, 40_000));
        // The last ones are longer than the clock's period of 4.77 hours (2^32 × 4 µs).
        for micros in [1, 3, 4, 5, 1_000_003, 60_000_000, 4 << 31, 18_000_000_001, 86_400_000_000] {
            net.pass(Duration::from_micros(micros));
            let mut peer = peer_from(client, server, 40_000);
            // The peer's ISS is an input of the hash.
            peer.iss = i32::from_ne_bytes(u32::to_ne_bytes((micros * 7919 % (1 << 32)).try_into().unwrap()));
            let after = number(&mut net, peer);
            let ticks = i32::from_ne_bytes(u32::to_ne_bytes((micros / 4 % (1 << 32)).try_into().unwrap()));
            let off = after.wrapping_sub(before).wrapping_sub(ticks);
            assert!((-TICK..=TICK).contains(&off), "{micros} µs: {before} and {after}");
            before = after;
        }
    }
}

#[test]
fn a_tuple_that_closed_is_served_again_at_once_and_its_old_numbers_mean_nothing() {
    let mut net = net_with::<1>(|_| {});
    let mut old = peer_from(CLIENT, SERVER, 40_000);
    old.connect(&mut net);
    old.send(&mut net, Fin, b"over");
    assert_eq!(old.take(&mut net).control, Fin);
    old.ack(&mut net);
    net.pass(Duration::from_millis(1));
    let mut new = peer_from(CLIENT, SERVER, 40_000);
    new.iss = old.iss.wrapping_add(old.next);
    new.connect(&mut net);
    assert!((-TICK..=250 + TICK).contains(&new.irs.wrapping_sub(old.irs)));
    // A late ACK of the old connection is not acceptable in the new one.
    net.arrive(old.segment(Fin, 1, Some(1), b"over"));
    net.wire.sent.clear();
    assert_eq!(new.exchange(&mut net, b"again", 5), b"AGAIN");
}

#[test]
fn a_restart_gives_numbers_that_tell_nothing_about_those_before() {
    let secret = *b"0123456789abcdef";
    // Each bit of the secret counts.
    let others = (0..128).map(|bit: usize| {
        let mut other = secret;
        other[bit / 8] ^= 1 << (bit % 8);
        other
    });
    assert_unrelated(others.map(|other| (first_number(secret, 40_000), first_number(other, 40_000))));
}

#[test]
fn the_distance_between_two_tuples_tells_nothing_about_that_after_a_restart() {
    let distances = |entropy: [u8; 16]| {
        (1024..1128)
            .map(move |port| first_number(entropy, port).wrapping_sub(first_number(entropy, port + 1)))
            .collect::<std::vec::Vec<_>>()
    };
    let (before, after) = (distances([1; 16]), distances([2; 16]));
    assert_unrelated(before.into_iter().zip(after));
}

#[test]
fn neighbouring_tuples_have_numbers_without_a_pattern() {
    let ports = (1024..1128).map(|port| (first_number([7; 16], port), first_number([7; 16], port + 1)));
    assert_unrelated(ports);
    let addresses = |last: u8| {
        let client = smoltcp::wire::IpAddress::v4(192, 0, 2, last);
        number(&mut net_with::<1>(|_| {}), peer_from(client, SERVER, 40_000))
    };
    assert_unrelated((2..110).map(|last| (addresses(last), addresses(last + 1))));
}
