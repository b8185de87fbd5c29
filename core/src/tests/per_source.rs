//! `per_source`: what one source may hold of the slots.

use core::num::NonZeroU16;

use log::Level;
use smoltcp::time::Duration;
use smoltcp::wire::IpAddress;
use smoltcp::wire::TcpControl::{Fin, Psh, Rst, Syn};

use super::events::{lines, record};
use super::fixture::{CLIENT, Net, SERVER, TICK, config, net_from, net_with, storage};
use super::peer::{Peer, peer, peer_from};
use crate::{DropReason, Storage};

/// A server of `SLOTS` slots, of which a source may have so many.
fn limited<const SLOTS: usize>(limit: u16) -> Net {
    net_with::<SLOTS>(|config| config.per_source = NonZeroU16::new(limit))
}

fn source(number: u8) -> IpAddress {
    IpAddress::v4(198, 51, 100, number)
}

fn from(number: u8, port: u16) -> Peer {
    peer_from(source(number), SERVER, port)
}

/// The SYN is dropped without a word.
#[track_caller]
fn assert_refused(net: &mut Net, peer: &Peer) {
    let before = net.stats().dropped(DropReason::PerSource);
    net.arrive(peer.segment(Syn, 0, None, &[]));
    net.nothing_sent();
    assert_eq!(net.stats().dropped(DropReason::PerSource), before + 1);
}

#[test]
fn a_source_has_as_many_connections_as_it_may_and_others_have_theirs() {
    let mut net = limited::<8>(2);
    let mut peers = [from(1, 1), from(1, 2)];
    peers.iter_mut().for_each(|peer| peer.connect(&mut net));
    assert_refused(&mut net, &from(1, 3));
    from(2, 1).connect(&mut net);
    for peer in &mut peers {
        assert_eq!(peer.exchange(&mut net, b"alive", 5), b"ALIVE");
    }
    net.dropped_only(DropReason::PerSource, 1);
    assert_eq!(net.stats().refused, 0);
}

/// Whatever ends a connection, its source may have another.
#[test]
fn a_connection_that_has_ended_counts_no_longer() {
    let mut net = limited::<8>(1);
    let ends: [fn(&mut Net, &mut Peer); 3] = [
        |net, peer| net.arrive(peer.segment(Rst, peer.next, None, &[])),
        |net, peer| {
            peer.send(net, Fin, b"");
            assert_eq!(peer.take(net).control, Fin);
            peer.ack(net);
        },
        // A dead peer.
        |net, _| {
            net.pass(Duration::from_secs(60));
            net.wire.sent.clear();
        },
    ];
    for (end, port) in ends.into_iter().zip(1..) {
        let mut peer = from(1, port);
        peer.connect(&mut net);
        assert_refused(&mut net, &from(1, 99));
        end(&mut net, &mut peer);
        assert_eq!(net.stats().live, 0);
    }
    from(1, 99).connect(&mut net);
}

#[test]
fn time_wait_does_not_count_and_what_follows_it_does() {
    let mut net = net_with::<8>(|config| {
        config.per_source = NonZeroU16::new(1);
        config.idle_timeout = Some(Duration::from_secs(5));
    });
    let mut first = from(1, 1);
    first.connect(&mut net);
    net.pass(Duration::from_secs(5));
    assert_eq!(first.take(&mut net).control, Fin);
    first.send(&mut net, Fin, b"");
    first.take_ack(&mut net);
    let mut second = from(1, 2);
    second.connect(&mut net);
    // In TIME-WAIT, with the same 4-tuple.
    first.iss = first.iss.wrapping_add(1 << 20);
    assert_refused(&mut net, &first);
    net.arrive(second.segment(Rst, second.next, None, &[]));
    first.connect(&mut net);
    assert_refused(&mut net, &second);
}

#[test]
fn forged_syns_use_up_a_share_for_as_long_as_a_half_open_slot_lives() {
    let mut net = limited::<8>(2);
    for port in [1, 2] {
        from(1, port).syn(&mut net);
    }
    let mut peer = from(1, 3);
    assert_refused(&mut net, &peer);
    let mut waited = Duration::ZERO;
    while net.stats().abandoned < 2 {
        // The forger says so again, which makes the slots no younger.
        for port in [1, 2] {
            net.arrive(from(1, port).segment(Syn, 0, None, &[]));
        }
        waited += Duration::from_secs(1);
        net.pass(Duration::from_secs(1));
        assert!(waited <= Duration::from_secs(75), "a half-open slot lives for ever");
    }
    net.wire.sent.clear();
    peer.connect(&mut net);
    assert_eq!(peer.exchange(&mut net, b"mine", 4), b"MINE");
}

/// A half-open slot that is evicted for another source leaves its own source room.
#[test]
fn an_evicted_slot_counts_no_longer() {
    let mut net = limited::<2>(2);
    for port in [1, 2] {
        from(1, port).syn(&mut net);
    }
    from(2, 1).connect(&mut net);
    assert_eq!(net.stats().evicted, 1);
    from(1, 3).connect(&mut net);
}

/// A client whose slot was evicted comes back with its acknowledgement, but not above the limit.
#[test]
fn an_evicted_client_does_not_come_back_above_the_limit() {
    let mut net = limited::<2>(1);
    let mut evicted = from(1, 1);
    evicted.syn(&mut net);
    for number in [2, 3] {
        from(number, 1).syn(&mut net);
    }
    assert_eq!(net.stats().evicted, 1);
    let mut other = from(1, 2);
    other.connect(&mut net);
    net.arrive(evicted.segment(Psh, 1, Some(1), b"back"));
    net.nothing_sent();
    net.dropped_only(DropReason::PerSource, 1);
    net.arrive(other.segment(Rst, other.next, None, &[]));
    evicted.send(&mut net, Psh, b"back");
    assert_eq!(evicted.take_data(&mut net), b"BACK");
}

/// 16 sources with a limit of 64 cannot hold more than 1024 slots.
#[test]
fn few_sources_cannot_hold_all_slots() {
    let mut net = limited::<100>(4);
    let mut open = 0;
    for number in 1..=16 {
        for port in 1..=10 {
            let mut peer = from(number, port);
            net.arrive(peer.segment(Syn, 0, None, &[]));
            if !net.wire.sent.is_empty() {
                peer.take_syn_ack(&mut net);
                peer.ack(&mut net);
                open += 1;
            }
        }
    }
    assert_eq!((open, net.stats().live), (16 * 4, 16 * 4));
    let mut client = peer(1);
    client.connect(&mut net);
    assert_eq!(client.exchange(&mut net, b"room", 4), b"ROOM");
}

#[cfg(feature = "ipv6")]
#[test]
fn an_ipv6_source_is_a_64() {
    use super::fixture::SERVER_V6;
    let mut net = limited::<8>(1);
    let at = |subnet, host| peer_from(IpAddress::v6(0x2001, 0xdb8, 9, subnet, 0, 0, 0, host), SERVER_V6, 1);
    at(1, 1).connect(&mut net);
    assert_refused(&mut net, &at(1, 2));
    at(2, 1).connect(&mut net);
}

#[test]
fn without_a_limit_a_source_may_have_all_slots() {
    let mut net = net_with::<8>(|_| {});
    for port in 1..=8 {
        from(1, port).connect(&mut net);
    }
    assert_eq!(net.stats().live, 8);
}

#[test]
fn it_is_logged_once_a_second() {
    record();
    let mut net = limited::<8>(1);
    peer(1).connect(&mut net);
    lines();
    for _ in 0..3 {
        assert_refused(&mut net, &peer(2));
    }
    let expected =
        (Level::Warn, std::format!("{CLIENT}:2 gets no answer: its source has 1 connections already"));
    assert_eq!(lines(), core::slice::from_ref(&expected));
    net.pass(Duration::from_secs(1) - TICK);
    net.wire.sent.clear();
    assert_refused(&mut net, &peer(2));
    assert_eq!(lines(), []);
    net.now += TICK;
    assert_refused(&mut net, &peer(2));
    assert_eq!(lines(), [expected]);
}

#[test]
fn a_limit_needs_memory() {
    use smoltcp::phy::Medium;
    let memory = || Storage { sources: &mut [], ..storage(4, 1024, 0) };
    net_from(memory(), 1500, |_| {});
    let mut limited = config(Medium::Ip);
    limited.per_source = NonZeroU16::new(1);
    let mut wire = super::wire::Wire::new(Medium::Ip, 1500);
    let refused = crate::Server::new(&limited, memory(), &mut wire, smoltcp::time::Instant::ZERO);
    assert_eq!(refused.err(), Some(crate::ConfigError::Storage("sources", 4)));
}
