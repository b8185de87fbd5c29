//! Reuse of a slot, and of a 4-tuple: nothing of the previous connection is left.

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, None as Plain, Psh, Rst, Syn};

use super::fixture::{RTO, net_with};
use super::peer::{letters, peer, upper};
use super::states::{IDLE, buffers_full, open, time_wait};
use crate::DropReason;

#[test]
fn a_thousand_connections_one_after_the_other_through_one_slot() {
    let mut net = net_with::<1>(|config| config.idle_timeout = Some(IDLE));
    for turn in 0..1000 {
        let mut peer = peer(40_000 + turn);
        peer.syn(&mut net);
        match turn % 5 {
            0 => net.arrive(peer.segment(Rst, 1, None, &[])), // reset at once
            1 => {
                peer.ack(&mut net);
                peer.send(&mut net, Fin, b"bye");
                assert_eq!(peer.take(&mut net).control, Fin);
                peer.ack(&mut net);
            }
            2 => {
                peer.ack(&mut net);
                peer.send(&mut net, Psh, &letters(700));
                net.arrive(peer.segment(Rst, peer.next, None, &[]));
                net.wire.sent.clear();
            }
            3 => {
                peer.ack(&mut net);
                net.pass_in_silence(IDLE);
                assert_eq!(peer.take(&mut net).control, Fin);
                peer.send(&mut net, Fin, b"");
                peer.take_ack(&mut net); // TIME-WAIT, which is evicted by the next
            }
            _ => {
                peer.ack(&mut net);
                net.pass(IDLE + Duration::from_secs(5)); // FIN and RST
                net.wire.sent.clear();
            }
        }
        net.nothing_sent();
        assert_eq!(net.stats().live, 0);
    }
    let s = net.stats();
    assert_eq!((s.opened, s.closed, s.reset, s.timed_out, s.aborted), (800, 400, 200, 200, 0));
    assert_eq!((s.abandoned, s.evicted, s.refused, s.most_live), (200, 0, 0, 1));
    assert_eq!((s.bytes_in, s.bytes_out), (200 * 703, 200 * 703));
    assert!(DropReason::ALL.iter().all(|&reason| s.dropped(reason) == 0));
}

#[test]
fn the_same_addresses_and_ports_connect_again_at_once() {
    let mut net = net_with::<1>(|_| {});
    for _ in 0..100 {
        let mut peer = peer(40_000);
        peer.connect(&mut net);
        peer.send(&mut net, Fin, b"again");
        assert_eq!(peer.take(&mut net).data, b"AGAIN");
        peer.ack(&mut net);
    }
    assert_eq!((net.stats().closed, net.stats().live), (100, 0));
}

#[test]
fn nothing_is_left_in_the_buffers() {
    let mut net = net_with::<1>(|_| {});
    let mut old = peer(40_000);
    old.connect(&mut net);
    super::states::fill_buffers(&mut net, &mut old, &letters(2048));
    net.arrive(old.segment(Psh, old.next + 3, Some(1), b"a hole before this"));
    net.arrive(old.segment(Rst, old.next, None, &[]));
    net.wire.sent.clear();
    assert_eq!(net.stats().reset, 1);

    let mut new = peer(40_001);
    assert_eq!(new.syn(&mut net).window, 2048);
    new.ack(&mut net);
    let data = letters(5000);
    assert!(new.exchange(&mut net, &data, 512) == upper(&data));
}

#[test]
#[cfg_attr(not(feature = "recovery"), ignore = "it is about recovery from loss")]
fn nothing_is_left_of_the_peers_options_and_timers() {
    let mut net = net_with::<1>(|_| {});
    let mut old = peer(40_000);
    (old.mss, old.scale) = (Some(48), Some(14));
    old.connect(&mut net);
    old.send(&mut net, Psh, b"unanswered");
    net.pass(Duration::from_secs(10)); // the retransmission timer backs off
    net.arrive(old.segment(Rst, old.next, None, &[]));
    net.wire.sent.clear();

    let mut new = peer(40_001);
    new.window = 512;
    assert_eq!(new.syn(&mut net).scale, None);
    new.ack(&mut net);
    new.send(&mut net, Psh, &letters(1000));
    assert_eq!(new.take(&mut net).data.len(), 512);
    net.nothing_sent(); // a window of 512 is not scaled any more
    net.pass_in_silence(RTO);
    assert_eq!(new.take(&mut net).seq, 1);
}

#[test]
fn a_new_connection_from_time_wait_begins_behind_the_old_ones_numbers() {
    let (mut net, old) = time_wait();
    for ahead in [1, 100_000, 1 << 30] {
        let mut new = peer(40_000);
        new.iss = old.iss.wrapping_add(2 + ahead);
        new.connect(&mut net);
        assert!(new.irs.wrapping_sub(old.irs) > 2);
        assert_eq!(new.exchange(&mut net, b"anew", 4), b"ANEW");
        // Into TIME-WAIT again.
        net.pass(IDLE);
        assert_eq!(new.take(&mut net).control, Fin);
        new.send(&mut net, Fin, b"");
        new.take_ack(&mut net);
    }
    assert_eq!((net.stats().opened, net.stats().closed, net.stats().live), (4, 4, 0));
}

#[test]
fn a_new_connection_from_time_wait_begins_behind_the_old_one_though_the_clock_has_not_come_so_far() {
    // A megabyte without time passing: the clock of the initial sequence numbers does not advance.
    let mut net = net_with::<1>(|config| config.idle_timeout = Some(Duration::from_millis(1)));
    let mut old = peer(40_000);
    old.connect(&mut net);
    let data = letters(1_000_000);
    assert!(old.exchange(&mut net, &data, 512) == upper(&data));
    net.pass(Duration::from_millis(1));
    assert_eq!(old.take(&mut net).control, Fin);
    old.send(&mut net, Fin, b"");
    old.take_ack(&mut net);

    let mut new = peer(40_000);
    new.iss = old.iss.wrapping_add(old.next + 1);
    new.connect(&mut net);
    assert!(new.irs.wrapping_sub(old.irs.wrapping_add(old.acked)) > 0);
    assert_eq!(new.exchange(&mut net, b"anew", 4), b"ANEW");
}

#[test]
fn segments_of_the_old_connection_do_nothing_to_the_new_one() {
    let (mut net, old) = buffers_full();
    net.arrive(old.segment(Rst, old.next, None, &[]));
    let mut new = peer(40_000);
    new.iss = old.iss.wrapping_add(1_000_000);
    net.pass(Duration::from_secs(1));
    new.connect(&mut net);
    for control in [Plain, Psh, Fin, Rst, Syn] {
        net.arrive(old.segment(control, old.next, Some(1), b""));
        net.arrive(old.segment(control, 1, Some(1), b"old"));
    }
    net.wire.sent.clear();
    assert_eq!(new.exchange(&mut net, b"new", 3), b"NEW");
    assert_eq!(net.stats().live, 1);
}

#[test]
fn a_closed_connection_is_not_known_any_more() {
    let (mut net, mut peer) = open();
    peer.send(&mut net, Fin, b"");
    peer.take(&mut net);
    peer.ack(&mut net);
    net.arrive(peer.segment(Psh, peer.next, Some(peer.acked), b"?"));
    peer.take_rst(&mut net);
}

/// RFC 9293, section 3.6.1. An old duplicate of a SYN would else leave half a connection behind.
#[test]
fn time_wait_answers_an_old_syn_and_goes_on() {
    let (mut net, mut old) = time_wait();
    for behind in [0, 1, 2, 1000, 1 << 30] {
        net.arrive(old.segment(Syn, old.next - behind, None, &[]));
        old.take_ack(&mut net);
        net.pass(Duration::from_secs(1));
    }
    assert_eq!((net.stats().opened, net.stats().abandoned), (1, 0));
}
