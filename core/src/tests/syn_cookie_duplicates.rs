//! SYN cookies: a late duplicate of a handshake's last ACK may bring back a connection that is over, and its slot is free again.

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, None as Plain, Rst};

use super::fixture::net;
use super::peer::peer;
use super::syn_cookie::{COOKIE_AGE, flood, flood_ends};

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
