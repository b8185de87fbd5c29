//! RST and SYN on a live connection (RFC 5961): only a RST at exactly RCV.NXT ends it.

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, None as Plain, Psh, Rst, Syn};

use super::fixture::Net;
use super::peer::{Peer, letters, peer, upper};
use super::states::{
    buffers_full, close_wait, closing, fin_wait_1, fin_wait_2, half_open, last_ack, open, time_wait,
};
use crate::DropReason;

/// The states from ESTABLISHED to LAST-ACK.
fn live_states() -> [(&'static str, (Net, Peer)); 7] {
    [
        ("open", open()),
        ("ESTABLISHED, both buffers full", buffers_full()),
        ("CLOSE-WAIT", close_wait()),
        ("LAST-ACK", last_ack()),
        ("FIN-WAIT-1", fin_wait_1()),
        ("FIN-WAIT-2", fin_wait_2()),
        ("CLOSING", closing()),
    ]
}

#[test]
fn an_exact_rst_ends_a_connection_in_every_state() {
    for (state, (mut net, peer)) in live_states() {
        net.arrive(peer.segment(Rst, peer.next, None, &[]));
        net.nothing_sent();
        assert_eq!((net.stats().reset, net.stats().live), (1, 0), "{state}");
        net.pass(Duration::from_secs(100));
        net.nothing_sent();
        assert_eq!(net.last.deadline, None, "{state}");
        // The slot is free, and the connection is not known any more.
        net.arrive(peer.segment(Psh, peer.next, Some(peer.acked), b"?"));
        assert_eq!(net.wire.sent.len(), 1, "{state}");
    }
}

#[test]
fn the_acknowledgement_of_an_exact_rst_does_not_matter() {
    for ack in [None, Some(1), Some(77), Some(i32::MIN)] {
        let (mut net, peer) = open();
        net.arrive(peer.segment(Rst, 1, ack, &[]));
        assert_eq!(net.stats().reset, 1);
    }
}

#[test]
fn a_rst_in_the_window_that_is_not_exact_draws_a_challenge_and_changes_nothing() {
    // The echo of 300 bytes advertised both buffers less these.
    for offset in [1, 2, 2048 - 300 - 1] {
        let (mut net, mut peer) = open();
        peer.exchange(&mut net, &letters(300), 300);
        net.arrive(peer.segment(Rst, peer.next + offset, None, &[]));
        assert_eq!(peer.take_ack(&mut net).window, 2048);
        net.dropped_only(DropReason::Unacceptable, 1);
        assert_eq!(peer.exchange(&mut net, b"alive", 5), b"ALIVE");
    }
}

#[test]
fn a_rst_outside_the_window_is_ignored() {
    for offset in [-1, -300, 2048 - 300, 2048, 1 << 30, i32::MAX, i32::MIN] {
        let (mut net, mut peer) = open();
        peer.exchange(&mut net, &letters(300), 300);
        net.arrive(peer.segment(Rst, peer.next.wrapping_add(offset), None, &[]));
        net.nothing_sent();
        net.dropped_only(DropReason::Unacceptable, 1);
        assert_eq!(peer.exchange(&mut net, b"alive", 5), b"ALIVE");
    }
}

#[test]
fn a_closed_window_has_no_place_for_a_rst_but_the_exact_one() {
    let (mut net, peer) = buffers_full();
    for offset in [-1, 1, 512] {
        net.arrive(peer.segment(Rst, peer.next + offset, None, &[]));
    }
    net.nothing_sent();
    assert_eq!(net.stats().live, 1);
}

#[test]
fn a_syn_draws_a_challenge_and_changes_nothing_in_every_state() {
    for (state, (mut net, mut peer)) in live_states() {
        let (acked, before) = (peer.acked, *net.stats());
        for (seq, ack) in [(0, None), (peer.next, None), (77_777, None), (peer.next, Some(acked))] {
            net.arrive(peer.segment(Syn, seq, ack, &[]));
            let challenge = peer.take(&mut net);
            net.nothing_sent();
            assert_eq!((challenge.control, challenge.ack), (Plain, Some(peer.next)), "{state}");
            net.now += Duration::from_secs(1);
            net.poll();
            net.wire.sent.clear(); // retransmissions and probes that are due anyway
        }
        let after = net.stats();
        assert_eq!(
            (after.live, after.opened, after.bytes_in),
            (1, before.opened, before.bytes_in),
            "{state}"
        );
    }
}

#[test]
fn a_connection_gets_ten_challenges_in_five_seconds() {
    let (mut net, mut peer) = open();
    for _ in 0..3 {
        for _ in 0..5 {
            net.arrive(peer.segment(Syn, 0, None, &[]));
            peer.take_ack(&mut net);
            net.arrive(peer.segment(Rst, 2, None, &[]));
            peer.take_ack(&mut net);
        }
        for millis in [0, 250, 249] {
            net.now += Duration::from_millis(millis);
            net.arrive(peer.segment(Syn, 0, None, &[]));
            net.arrive(peer.segment(Rst, 2, None, &[]));
            net.nothing_sent();
        }
        net.now += Duration::from_millis(1);
        net.arrive(peer.segment(Syn, 0, None, &[]));
        peer.take_ack(&mut net);
        net.now += Duration::from_secs(5);
    }
    net.dropped_only(DropReason::Unacceptable, 3 * (10 + 6 + 1));
}

#[test]
fn a_conversation_goes_on_between_syns_and_rsts() {
    let (mut net, mut peer) = open();
    let data = letters(10_000);
    for part in data.chunks(100) {
        net.arrive(peer.segment(Syn, peer.next + 3, None, &[]));
        net.arrive(peer.segment(Rst, peer.next + 3, None, &[]));
        net.arrive(peer.segment(Syn, peer.next, Some(9), b"junk"));
        net.wire.sent.clear();
        assert!(peer.exchange(&mut net, part, 100) == upper(part));
    }
    assert_eq!(net.stats().dropped(DropReason::Unacceptable), 300);
}

#[test]
fn a_peer_that_restarted_gets_a_new_connection_by_way_of_the_challenge() {
    let (mut net, mut old) = open();
    old.exchange(&mut net, b"before", 6);
    // It has lost its state, and uses the same port again.
    let mut new = peer(40_000);
    new.iss = 123_456;
    net.arrive(new.segment(Syn, 0, None, &[]));
    let challenge = old.take_ack(&mut net);
    // Its answer to the challenge is a RST at SEG.ACK (RFC 9293, section 3.5.1).
    net.arrive(old.segment(Rst, challenge.ack.unwrap(), None, &[]));
    assert_eq!((net.stats().reset, net.stats().live), (1, 0));
    new.connect(&mut net);
    assert_eq!(new.exchange(&mut net, b"after", 5), b"AFTER");
}

#[test]
fn only_an_exact_rst_ends_a_half_open_connection() {
    let (mut net, mut peer) = half_open();
    for offset in [-1, 1, 5000] {
        net.arrive(peer.segment(Rst, 1 + offset, None, &[]));
    }
    net.wire.sent.clear();
    peer.ack(&mut net);
    assert_eq!(net.stats().opened, 1);

    let (mut net, peer) = half_open();
    net.arrive(peer.segment(Rst, 1, Some(1), &[]));
    net.nothing_sent();
    assert_eq!((net.stats().abandoned, net.stats().opened), (1, 0));
}

#[test]
fn a_rst_ends_time_wait_and_is_not_counted_twice() {
    let (mut net, peer) = time_wait();
    net.arrive(peer.segment(Rst, 2, None, &[]));
    net.nothing_sent();
    assert_eq!((net.stats().closed, net.stats().reset, net.stats().live), (1, 0, 0));
}

#[test]
fn segments_without_a_connection_draw_a_rst_and_rsts_nothing() {
    let (mut net, peer) = (super::fixture::net(), peer(40_000));
    net.arrive(peer.segment(Rst, 1, Some(1), &[]));
    net.arrive(peer.segment(Rst, 1, None, &[]));
    net.nothing_sent();
    for (control, data) in [(Plain, &b""[..]), (Psh, b"x"), (Fin, b""), (Syn, b"")] {
        net.arrive(peer.segment(control, 5, Some(4711), data));
        let packet = net.next_sent();
        net.nothing_sent();
        let (_, _, _, payload) = super::packets::ip(&packet);
        let rst = smoltcp::wire::TcpPacket::new_checked(payload).unwrap();
        assert!(rst.rst() && rst.seq_number().0 == 4711);
    }
    assert_eq!(net.last.deadline, None);
}

#[test]
fn a_stray_syn_ack_on_a_live_connection_is_challenged() {
    let (mut net, mut peer) = open();
    net.arrive(peer.segment(Syn, 5, Some(1), &[]));
    peer.take_ack(&mut net);
    assert_eq!(peer.exchange(&mut net, b"alive", 5), b"ALIVE");
}

/// macOS resets with the number of the FIN that it has sent, which is RCV.NXT - 1.
#[test]
fn a_rst_with_the_number_of_the_peers_fin_ends_the_connection() {
    for make in [close_wait, last_ack, closing] {
        let (mut net, peer) = make();
        net.arrive(peer.segment(Rst, peer.next - 1, None, &[]));
        net.nothing_sent();
        assert_eq!((net.stats().reset, net.stats().live), (1, 0));
    }
    let (mut net, peer) = open();
    net.arrive(peer.segment(Rst, peer.next - 1, None, &[]));
    assert_eq!((net.stats().reset, net.stats().live), (0, 1), "there was no FIN");
}

/// RFC 9293, section 3.10.7.3: a peer in SYN-SENT takes a RST only with the acknowledgement of its SYN.
#[test]
fn the_rst_of_a_half_open_connection_acknowledges_the_syn_whatever_the_window() {
    for window in [0, 60_000] {
        let (mut net, mut peer) = (super::fixture::net(), peer(40_000));
        peer.window = window;
        peer.syn(&mut net);
        net.server.shutdown(net.now);
        net.poll();
        let rst = peer.take(&mut net);
        assert_eq!((rst.control, rst.seq, rst.ack), (Rst, 1, Some(1)));
    }
}

#[test]
fn the_rst_of_an_abort_stands_behind_all_that_was_sent_to_an_open_window() {
    let (mut net, mut peer) = open();
    peer.send(&mut net, Psh, b"lost");
    net.server.shutdown(net.now);
    net.pass(Duration::from_secs(1));
    let last = net.wire.sent.pop_back().unwrap();
    net.wire.sent = [last].into();
    let rst = peer.take(&mut net);
    assert_eq!((rst.control, rst.seq), (Rst, 1 + 4 + 1), "behind the data and the FIN");
}
