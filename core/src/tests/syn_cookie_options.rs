//! SYN cookies: what is lost with the half-open slot are the SYN's options, MSS and window scale.

use std::vec::Vec;

use smoltcp::wire::TcpControl::Psh;

use super::fixture::{net, net_from, storage};
use super::peer::{letters, peer, upper};
use super::syn_cookie::flood;
use crate::DropReason;

#[test]
fn a_window_scale_is_not_offered_where_it_has_no_use() {
    for (buffer, scale) in [(1024, None), (65_535, None), (65_536, Some(1))] {
        let (mut net, mut peer) = (net_from(storage(1, buffer, 0), 1500, |_| {}), peer(40_000));
        peer.scale = Some(7);
        peer.window = 100;
        assert_eq!(peer.syn(&mut net).scale, scale);
        peer.ack(&mut net);
        peer.send(&mut net, Psh, &letters(200));
        let seen = if scale.is_some() { 200 } else { 100 };
        assert_eq!(peer.take(&mut net).data.len(), seen, "of a window of 100 in the header");
    }
}

#[test]
#[cfg_attr(not(feature = "recovery"), ignore = "it is about recovery from loss")]
fn large_windows_keep_their_scale() {
    let data = letters(1_000_000);
    for (scale, offered) in
        [(None, None), (Some(0), Some(3)), (Some(6), Some(3)), (Some(7), Some(3)), (Some(14), Some(3))]
    {
        let (mut net, mut peer) = (net_from(storage(4, 1 << 18, 0), 1500, |_| {}), peer(40_000));
        peer.scale = scale;
        assert_eq!(peer.syn(&mut net).scale, offered);
        flood(&mut net, 4);
        // As a client with this scale has it in its header.
        peer.window = 2 * 536;
        peer.ack(&mut net);
        net.nothing_sent();
        assert_eq!(net.stats().revived, 1);
        peer.send(&mut net, Psh, &data[..60_000]);
        let sent: usize =
            core::iter::from_fn(|| (!net.wire.sent.is_empty()).then(|| peer.take(&mut net).data.len())).sum();
        // Ten segments of 536 bytes are the initial congestion window.
        let least = if scale >= Some(7) { 5360 } else { 2 * 536 };
        assert_eq!(sent, least, "into a window of 1072 with the scale {scale:?}");
        peer.window = 60_000;
        let mut echo = upper(&data[..sent]);
        while echo.len() < 60_000 {
            peer.ack(&mut net);
            echo.extend_from_slice(&peer.take_data(&mut net));
        }
        assert!(echo == upper(&data[..60_000]));
        assert!(peer.exchange(&mut net, &data, 1460) == upper(&data));
        peer.exchange(&mut net, b"x", 1);
        let window = if offered.is_some() { (65_534 - 1024) << 3 } else { 65_535 };
        assert_eq!(peer.edge - peer.next, window);
    }
}

#[test]
fn nothing_behind_the_window_that_was_offered_is_taken() {
    let data = letters(600_000);
    for seq in [65_437, 65_536, 262_145] {
        let (mut net, mut peer) = (net_from(storage(4, 1 << 18, 0), 1500, |_| {}), peer(40_000));
        peer.scale = Some(7);
        peer.syn(&mut net);
        flood(&mut net, 4);
        peer.ack(&mut net);
        net.arrive(peer.segment(Psh, seq, Some(1), &data[usize::try_from(seq).unwrap() - 1..][..100]));
        net.wire.sent.clear(); // a challenge ACK, unless one was sent within the last second
        net.dropped_only(DropReason::Unacceptable, 1);
        assert!(peer.exchange(&mut net, &data, 1460) == upper(&data));
    }
}

#[test]
fn its_segments_are_no_longer_than_every_host_takes() {
    for (mss, buffer, longest) in
        [(Some(1460), 1024, 536), (None, 1024, 536), (Some(1460), 8192, 536), (Some(536), 8192, 536)]
    {
        let (mut net, mut peer) = (net_from(storage(4, buffer, 0), 1500, |_| {}), peer(40_000));
        peer.mss = mss;
        peer.syn(&mut net);
        flood(&mut net, 4);
        peer.ack(&mut net);
        peer.send(&mut net, Psh, &letters(1024));
        let lengths: Vec<usize> =
            core::iter::from_fn(|| (!net.wire.sent.is_empty()).then(|| peer.take(&mut net).data.len()))
                .collect();
        assert_eq!(
            (lengths.iter().max(), lengths.iter().sum()),
            (Some(&longest), 1024),
            "{mss:?}: {lengths:?}"
        );
    }
}

#[test]
fn who_takes_only_smaller_segments_is_not_known_again() {
    let (mut net, mut peer) = (net(), peer(40_000));
    peer.mss = Some(511);
    peer.syn(&mut net);
    flood(&mut net, 4);
    peer.ack(&mut net);
    peer.take_rst(&mut net);
}

/// BSD's SYN has no scale any more when it comes for the fourth time. The options of the SYN that was answered last count.
#[test]
fn a_syn_that_comes_again_with_other_options_has_another_number() {
    let options = [(Some(1460), Some(7)), (Some(1460), Some(0)), (Some(1460), None), (Some(48), None)];
    for first in options {
        for again in options {
            let (mut net, mut peer) = (net_from(storage(4, 1 << 18, 0), 1500, |_| {}), peer(40_000));
            (peer.mss, peer.scale) = first;
            peer.syn(&mut net);
            let irs = peer.irs;
            (peer.mss, peer.scale) = again;
            assert_eq!(peer.syn(&mut net).scale.is_some(), again.1.is_some());
            assert_eq!(peer.irs == irs, first == again, "{first:?}, then {again:?}");
            flood(&mut net, 4);
            peer.window = 100;
            peer.ack(&mut net);
            if again.0 == Some(48) {
                peer.take_rst(&mut net);
                continue;
            }
            net.arrive(peer.segment(Psh, 1, Some(1), &letters(400)));
            let room = if again.1 == Some(7) { 400 } else { 100 };
            assert_eq!(peer.take(&mut net).data.len(), room, "{first:?}, then {again:?}");
        }
    }
}
