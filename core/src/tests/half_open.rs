//! The deadline of half-open connections, while slots are free and where none is. It is checked one tick before it expires and
//! when it does.

use smoltcp::wire::TcpControl::{None as Plain, Syn};

use super::deadlines::{Make, secs};
use super::fixture::{Net, TICK, net_with};
use super::peer::{Peer, peer};
use super::states::half_open;

/// SYN-RECEIVED, and no slot is free.
fn half_open_and_scarce() -> (Net, Peer) {
    let (mut net, mut peer) = (net_with::<1>(|_| {}), peer(40_000));
    peer.syn(&mut net);
    (net, peer)
}

/// Each with the half-open deadline that it has: while slots are free, and where none is.
const HALF_OPEN: [(Make, u64); 2] = [(half_open, 75), (half_open_and_scarce, 5)];

#[test]
fn a_half_open_connection_is_given_up_after_75_seconds_without_a_word_and_after_5_where_slots_are_scarce() {
    for (make, deadline) in HALF_OPEN {
        let (mut net, mut peer) = make();
        net.pass(secs(deadline) - TICK);
        net.wire.sent.clear(); // the SYN|ACK, again
        assert_eq!(net.stats().abandoned, 0);
        net.pass(TICK);
        net.nothing_sent();
        assert_eq!((net.stats().abandoned, net.stats().opened), (1, 0));
        assert_eq!(net.last.deadline, None);
        net.arrive(peer.segment(Plain, 1, Some(1), &[]));
        peer.take_rst(&mut net);
    }
}

#[test]
fn a_half_open_connection_can_open_until_the_last_moment() {
    for (make, deadline) in HALF_OPEN {
        let (mut net, mut peer) = make();
        net.pass(secs(deadline) - TICK);
        net.wire.sent.clear();
        peer.ack(&mut net);
        net.pass(TICK);
        assert_eq!((net.stats().abandoned, net.stats().opened), (0, 1));
        assert_eq!(peer.exchange(&mut net, b"here", 4), b"HERE");
    }
}

#[test]
fn a_syn_that_comes_again_does_not_prolong_a_half_open_connection() {
    for (make, deadline) in HALF_OPEN {
        let (mut net, peer) = make();
        net.pass(secs(deadline - 1));
        net.arrive(peer.segment(Syn, 0, None, &[]));
        net.pass(secs(1));
        assert_eq!(net.stats().abandoned, 1);
    }
}

/// It waits for 75 seconds, and gives way at once when its slot is needed.
#[test]
fn an_old_half_open_connection_gives_way_to_a_new_one() {
    let (mut net, mut old) = (net_with::<2>(|_| {}), peer(40_000));
    old.syn(&mut net);
    net.pass(secs(40));
    net.wire.sent.clear();
    for port in [1, 2] {
        peer(port).connect(&mut net);
    }
    assert_eq!((net.stats().opened, net.stats().evicted), (2, 1));
    net.arrive(old.segment(Plain, 1, Some(1), &[]));
    old.take_rst(&mut net);
}
