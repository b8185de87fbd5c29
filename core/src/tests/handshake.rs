//! The handshake: SYN, SYN|ACK, MSS, window scale, initial sequence numbers.
//!
//! The server's MSS is 1460 = 1500 - 20 (IPv4) - 20 (TCP), and its segments have at most half of a send buffer: 512 =
//! 1024 / 2.

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, None as Plain, Psh, Rst, Syn};

use super::fixture::{FAMILIES, net, net_from, storage};
use super::peer::{letters, peer, peer_from, upper};
use super::states::{half_open, open};
use crate::DropReason;

#[test]
fn a_syn_is_answered_with_the_window_and_the_segment_size_of_the_device() {
    for (&(client, server), mss) in FAMILIES.iter().zip([1460, 1440]) {
        let (mut net, mut peer) = (net(), peer_from(client, server, 40_000));
        let answer = peer.syn(&mut net);
        assert_eq!((answer.window, answer.mss, answer.scale), (2048, Some(mss), None));
        assert_eq!((net.stats().opened, net.stats().live), (0, 0));

        peer.ack(&mut net);
        net.nothing_sent();
        assert_eq!((net.stats().opened, net.stats().live, net.stats().most_live), (1, 1, 1));
    }
}

#[test]
fn the_peers_segment_size_holds_up_to_a_buffer() {
    for (mss, largest) in [
        (None, 536), // RFC 9293, section 3.7.1: 536 bytes without the option
        (Some(0), 536),
        (Some(1460), 1024),
        (Some(1025), 1024),
        (Some(1023), 1023),
        (Some(100), 100),
        (Some(47), 48), // smoltcp uses no MSS below 48
        (Some(1), 48),
    ] {
        let (mut net, mut peer) = (net(), peer(40_000));
        peer.mss = mss;
        peer.connect(&mut net);
        peer.send(&mut net, Psh, &letters(1024));
        let mut lengths = std::vec::Vec::new();
        while !net.wire.sent.is_empty() {
            lengths.push(peer.take(&mut net).data.len());
            if net.wire.sent.is_empty() {
                assert!(lengths.len() <= 10 || lengths.iter().sum::<usize>() == 1024, "RFC 6928, section 2");
                peer.ack(&mut net);
            }
        }
        assert_eq!(lengths.iter().max(), Some(&largest), "{mss:?}: {lengths:?}");
        assert_eq!(lengths.iter().sum::<usize>(), 1024);
    }
}

#[test]
fn segments_are_no_longer_than_the_device_carries() {
    // Below 1280 bytes there is no IPv6.
    let mut net = net_from(storage(1, 8192, 0), 576, |config| config.addresses.truncate(1));
    let mut peer = peer(40_000);
    peer.mss = None;
    assert_eq!(peer.syn(&mut net).mss, Some(536));
    peer.ack(&mut net);
    assert_eq!(peer.exchange(&mut net, &letters(20_000), 536), upper(&letters(20_000)));
}

#[test]
fn a_window_above_65535_is_scaled_if_the_peer_scales_its_own() {
    let (mut net, mut peer) = (net_from(storage(2, 1 << 18, 0), 1500, |_| {}), peer(40_000));
    peer.scale = Some(7);
    let answer = peer.syn(&mut net);
    assert_eq!((answer.window, answer.scale), (65_535, Some(3)));
    peer.ack(&mut net);
    net.nothing_sent();
    let data = letters(1_000_000);
    assert!(peer.exchange(&mut net, &data, 1460) == upper(&data));
    peer.exchange(&mut net, b"x", 1);
    // Both buffers, less what is not acknowledged, a step, and what is set aside; a window has 16 bits and a scale of 3.
    assert_eq!(peer.edge - peer.next, (65_534 - 1024) << 3);
}

#[test]
fn a_large_window_stays_below_65536_if_the_peer_does_not_scale() {
    let (mut net, mut peer) = (net_from(storage(2, 1 << 18, 0), 1500, |_| {}), peer(40_000));
    let answer = peer.syn(&mut net);
    assert_eq!((answer.window, answer.scale), (65_535, None));
    peer.ack(&mut net);
    let data = letters(300_000);
    assert!(peer.exchange(&mut net, &data, 1460) == upper(&data));
    assert_eq!(peer.edge - peer.next, 65_535);
}

#[test]
fn the_window_is_even_though_the_buffer_is_not() {
    for (buffer, window) in [(1024, 2048), (1025, 2048), (32_767, 65_532)] {
        let (mut net, mut peer) = (net_from(storage(3, buffer, 0), 1500, |_| {}), peer(40_000));
        assert_eq!(peer.syn(&mut net).window, window);
        peer.ack(&mut net);
        let data = letters(300_000);
        assert!(peer.exchange(&mut net, &data, 1460) == upper(&data));
        peer.exchange(&mut net, b"x", 1);
        assert_eq!(peer.edge - peer.next, i32::from(window) - 1);
    }
}

#[test]
fn nothing_behind_the_window_of_the_syn_ack_is_taken_though_smoltcp_scales_it() {
    let data = letters(600_000);
    // The first two segments fit into the window, the third reaches beyond it, and the last two are beyond it.
    for seq in [65_437, 65_536, 262_100, 262_145, 524_000] {
        let (mut net, mut peer) = (net_from(storage(1, 1 << 18, 0), 1500, |_| {}), peer(40_000));
        peer.scale = Some(7);
        peer.syn(&mut net);
        net.arrive(peer.segment(Psh, seq, Some(1), &data[usize::try_from(seq).unwrap() - 1..][..100]));
        assert_eq!(peer.take_ack(&mut net).ack, Some(1));
        net.dropped_only(DropReason::Unacceptable, 1);
        peer.ack(&mut net);
        assert!(peer.exchange(&mut net, &data, 1460) == upper(&data));
    }
}

#[test]
fn data_on_a_syn_is_not_taken_until_it_comes_again() {
    for length in [5, 1000] {
        let (mut net, mut peer, data) = (net(), peer(40_000), letters(length));
        net.arrive(peer.segment(Syn, 0, None, &data));
        peer.take_syn_ack(&mut net);
        peer.send(&mut net, Psh, &data);
        assert!(peer.take_data(&mut net) == upper(&data));
        assert_eq!(net.stats().bytes_in, length as u64);
    }
}

/// RFC 9293, section 3.7.1 has 536 where nothing is said.
#[test]
fn a_segment_size_of_0_counts_as_none() {
    let (mut net, mut peer) = (net(), peer(40_000));
    peer.mss = Some(0);
    peer.connect(&mut net);
    peer.send(&mut net, Psh, &letters(1000));
    assert_eq!([peer.take(&mut net).data.len(), peer.take(&mut net).data.len()], [536, 464]);
}

#[test]
fn a_syn_ack_without_an_answer_is_sent_again_after_1_and_3_seconds() {
    let (mut net, mut peer) = half_open();
    for seconds in [1, 2] {
        net.pass_in_silence(Duration::from_secs(seconds));
        let again = peer.take(&mut net);
        assert_eq!((again.control, again.seq, again.ack), (Syn, 0, Some(1)));
        assert_eq!((again.window, again.mss), (2048, Some(1460)));
    }
    peer.ack(&mut net);
    assert_eq!(net.stats().opened, 1);
    assert_eq!(peer.exchange(&mut net, b"late", 4), b"LATE");
}

#[test]
fn the_same_syn_again_draws_the_same_syn_ack_at_once() {
    let (mut net, mut peer) = half_open();
    for _ in 0..3 {
        let irs = peer.irs;
        net.arrive(peer.segment(Syn, 0, None, &[]));
        peer.take_syn_ack(&mut net);
        net.nothing_sent();
        assert_eq!(peer.irs, irs);
        net.pass(Duration::from_millis(300));
    }
    net.dropped_only(DropReason::Unacceptable, 0);
    peer.ack(&mut net);
    assert_eq!((net.stats().opened, net.stats().abandoned), (1, 0));
    assert_eq!(peer.exchange(&mut net, b"hello", 5), b"HELLO");
}

/// RFC 9293, section 3.10.7.4, first check. An old duplicate would else reset the client.
#[test]
fn a_syn_outside_the_window_does_not_take_the_place_of_a_half_open_connection() {
    for away in [-1, 1 << 30, i32::MIN, 1 + 65_536] {
        let (mut net, mut peer) = half_open();
        net.arrive(peer.segment(Syn, away, None, &[]));
        let answer = peer.take(&mut net);
        net.nothing_sent();
        assert_eq!((answer.control, answer.seq, answer.ack), (Plain, 1, Some(1)), "{away}");
        peer.ack(&mut net);
        assert_eq!((net.stats().opened, net.stats().abandoned), (1, 0));
        assert_eq!(peer.exchange(&mut net, b"hello", 5), b"HELLO");
    }
}

/// RFC 9293, section 3.5, figure 9: what the answer to the new SYN acknowledges is a surprise to the peer, and its RST frees the slot.
#[test]
fn a_peer_that_forgot_its_half_open_connection_can_begin_another() {
    let (mut net, old) = half_open();
    let mut new = peer(40_000);
    new.iss = 5_000_000;
    net.arrive(new.segment(Syn, 0, None, &[]));
    let mut answered = peer(40_000);
    (answered.iss, answered.irs) = (old.iss, old.irs);
    let answer = answered.take(&mut net);
    net.arrive(answered.segment(Rst, answer.ack.unwrap(), None, &[]));
    assert_eq!(net.stats().abandoned, 1);
    new.connect(&mut net);
    assert_eq!(new.exchange(&mut net, b"new", 3), b"NEW");
}

#[test]
fn a_syn_in_the_window_takes_the_place_of_the_first() {
    let (mut net, mut old) = half_open();
    let mut new = peer(40_000);
    new.iss = old.iss.wrapping_add(1000);
    new.syn(&mut net);
    assert!(new.irs.wrapping_sub(old.irs) > 0);
    new.ack(&mut net);
    assert_eq!((net.stats().opened, net.stats().abandoned, net.stats().evicted), (1, 1, 0));
    old.ack(&mut net); // not acceptable: the new connection's numbers are elsewhere
    net.wire.sent.clear();
    assert_eq!(new.exchange(&mut net, b"new", 3), b"NEW");
}

#[test]
fn a_wrong_acknowledgement_of_the_syn_ack_draws_a_rst_and_opens_nothing() {
    let (mut net, mut peer) = half_open();
    for wrong in [0, 2, -70_000, i32::MAX] {
        net.arrive(peer.segment(Plain, 1, Some(wrong), &[]));
        let rst = peer.take(&mut net);
        assert_eq!((rst.control, rst.seq), (Rst, wrong));
    }
    net.nothing_sent();
    assert_eq!(net.stats().opened, 0);
    peer.ack(&mut net);
    assert_eq!(net.stats().opened, 1);
}

#[test]
fn the_acknowledgement_may_bring_data_and_a_fin_with_it() {
    let (mut net, mut peer) = half_open();
    peer.send(&mut net, Psh, b"at once");
    assert_eq!(peer.take_data(&mut net), b"AT ONCE");

    let (mut net, mut peer) = half_open();
    peer.send(&mut net, Fin, b"at once");
    let answer = peer.take(&mut net);
    assert_eq!((answer.control, answer.data.as_slice(), answer.ack), (Fin, &b"AT ONCE"[..], Some(9)));
    peer.ack(&mut net);
    assert_eq!((net.stats().opened, net.stats().closed), (1, 1));
}

#[test]
fn a_rst_frees_a_half_open_slot() {
    let (mut net, peer) = half_open();
    net.arrive(peer.segment(Rst, 1, None, &[]));
    net.nothing_sent();
    assert_eq!((net.stats().opened, net.stats().abandoned), (0, 1));
    net.pass(Duration::from_secs(100));
    net.nothing_sent();
    assert_eq!(net.last.deadline, None);
}

#[test]
fn initial_sequence_numbers_tell_nothing_about_those_of_others() {
    let mut net = net();
    let mut numbers: std::vec::Vec<i32> = (40_000..40_004)
        .map(|port| {
            let mut peer = peer(port);
            peer.syn(&mut net);
            peer.irs
        })
        .collect();
    let first = numbers[0];
    numbers.iter_mut().for_each(|number| *number = number.wrapping_sub(first));
    numbers.sort_unstable();
    for pair in numbers.windows(2) {
        assert!(pair[1].abs_diff(pair[0]) > 100_000, "{numbers:?}");
    }
}

#[test]
fn initial_sequence_numbers_of_one_peer_follow_the_clock() {
    let (mut net, first) = open();
    net.arrive(first.segment(Rst, first.next, Some(1), &[]));
    net.pass(Duration::from_secs(2));
    let mut again = peer(40_000);
    again.syn(&mut net);
    // RFC 6528: one every 4 µs, 250,000 a second; the clock advances by 8192 at a time.
    let ahead = again.irs.wrapping_sub(first.irs);
    assert!((500_000 - 8192..=500_000 + 8192).contains(&ahead), "{ahead}");
}

#[test]
fn a_segment_outside_the_window_opens_nothing() {
    let (mut net, mut peer) = half_open();
    // Nor does it where it has another window than the SYN.
    for window in [peer.window, 50_000] {
        peer.window = window;
        net.arrive(peer.segment(Psh, peer.edge, Some(1), b"x"));
        assert_eq!(net.stats().opened, 0);
    }
}
