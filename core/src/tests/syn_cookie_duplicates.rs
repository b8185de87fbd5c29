//! SYN cookies: a late duplicate of a handshake's last ACK may bring back a connection that is over, and its slot is free again.

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, None as Plain, Psh, Rst};

use super::fixture::net;
use super::peer::{peer, upper};
use super::syn_cookie::{COOKIE_AGE, evicted, flood, flood_ends};

#[test]
fn what_an_old_acknowledgement_brings_back_ends_with_the_first_probe_or_as_a_dead_peer() {
    for answers in [true, false] {
        let (mut net, mut old) = (net(), peer(40_000));
        old.connect(&mut net);
        let duplicate = old.segment(Plain, 1, Some(1), &[]);
        old.send(&mut net, Fin, b"bye");
        old.take(&mut net);
        old.ack(&mut net);
        assert_eq!(net.stats().closed, 1);
        flood(&mut net, 5);

        net.arrive(duplicate);
        assert_eq!((net.stats().revived, net.stats().live), (1, 1));
        flood_ends(&mut net, 5);
        net.pass_in_silence(COOKIE_AGE);
        net.pass_in_silence(Duration::from_secs(15));
        let probe = old.take(&mut net);
        if answers {
            net.arrive(old.segment(Rst, probe.ack.unwrap(), None, &[]));
        } else {
            net.pass(Duration::from_secs(40));
        }
        let s = net.stats();
        assert_eq!((s.live, s.reset, s.timed_out), (0, u64::from(answers), u64::from(!answers)));
    }
}

#[test]
fn it_and_a_peer_in_time_wait_exchange_two_segments_a_second_until_that_is_over() {
    let (mut net, mut old) = (net(), peer(40_000));
    old.connect(&mut net);
    let duplicate = old.segment(Plain, 1, Some(1), &[]);
    old.send(&mut net, Fin, b"bye");
    old.take(&mut net);
    old.ack(&mut net);
    flood(&mut net, 5);
    net.arrive(duplicate);
    flood_ends(&mut net, 5);
    net.pass_in_silence(COOKIE_AGE);
    net.pass_in_silence(Duration::from_secs(15));
    let time_wait = old.segment(Plain, old.next, Some(old.acked), &[]);
    assert_eq!(old.take(&mut net).data, [0], "the probe");
    // RFC 5961, section 7: ten at once, and then those of the time that passes.
    for _ in 0..10 {
        net.arrive(time_wait.clone());
        assert_eq!(old.take(&mut net).control, Plain);
    }
    for turn in 0..30 {
        for answers in [usize::from(turn > 0), 0, 0] {
            net.arrive(time_wait.clone());
            assert_eq!(net.wire.sent.len(), answers);
            net.wire.sent.clear();
        }
        net.pass(Duration::from_millis(500));
        // An ACK above SND.NXT is no sign of life, so that there are keep-alives now and then.
        net.wire.sent.clear();
    }
    net.arrive(old.segment(Rst, 1, None, &[]));
    assert_eq!((net.stats().live, net.stats().reset), (0, 1));
}

#[test]
fn another_syn_of_the_same_client_is_known_again_too() {
    // The ISS of each is above that of the one before, also where the clock has not advanced so far.
    let (mut net, mut client) = (net(), peer(40_000));
    for turn in 0..8 {
        client.iss = turn * 500; // in the window of the one before
        let before = client.irs;
        client.syn(&mut net);
        assert!(turn == 0 || client.irs.wrapping_sub(before) > 0);
    }
    flood(&mut net, 4);
    client.ack(&mut net);
    assert_eq!(client.exchange(&mut net, b"eighth", 6), b"EIGHTH");
    assert_eq!(net.stats().revived, 1);
}

#[test]
fn the_answer_to_a_syn_that_came_before_the_same_one_again_counts() {
    for first in [&b""[..], b"hello"] {
        let (mut net, mut client) = evicted();
        let early = (client.irs, client.next);
        net.pass(Duration::from_millis(200));
        client.syn(&mut net);
        assert_ne!(client.irs, early.0);
        // It has seen only the first SYN|ACK. A later segment of its has to wait for the first one.
        client.irs = early.0;
        net.arrive(client.segment(Psh, 101, Some(1), b"later"));
        net.nothing_sent();
        client.send(&mut net, Psh, first);
        assert_eq!(client.take_data(&mut net), upper(first));
        assert_eq!(client.exchange(&mut net, b"and on", 6), b"AND ON");
        assert_eq!((net.stats().revived, net.stats().live), (1, 1));
    }

    // Not of another SYN.
    let (mut net, mut old) = evicted();
    let mut new = peer(40_000);
    new.iss = old.iss.wrapping_add(1_000_000);
    new.syn(&mut net);
    old.ack(&mut net);
    assert_eq!(old.take(&mut net).control, Plain, "its number is outside the window");
    new.ack(&mut net);
    assert_eq!(new.exchange(&mut net, b"new", 3), b"NEW");
}
