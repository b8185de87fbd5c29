//! Acceptability (RFC 9293, section 3.10.7.4): segments out of order, duplicate, overlapping, outside the window.
//! Retransmission.

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, None as Plain, Psh, Rst, Syn};

use super::fixture::RTO;
use super::packets::retouched;
use super::peer::{letters, upper};
use super::states::{fill_buffers, half_open, open};
use crate::DropReason;

#[test]
fn segments_out_of_order_are_put_in_order() {
    let (mut net, mut peer) = open();
    for (seq, part) in [(7, b"ghi"), (4, b"def")] {
        net.arrive(peer.segment(Psh, seq, Some(1), part));
        peer.take_ack(&mut net); // at once, so that the peer sends again what is missing (RFC 5681)
    }
    net.arrive(peer.segment(Psh, 1, Some(1), b"abc"));
    peer.next = 10;
    assert_eq!(peer.take_data(&mut net), b"ABCDEFGHI");
}

#[test]
fn a_byte_that_comes_twice_is_echoed_once() {
    let (mut net, mut peer) = open();
    peer.send(&mut net, Psh, b"abcdef");
    assert_eq!(peer.take_data(&mut net), b"ABCDEF");
    // A duplicate, parts of it, and an overlap that has new data too.
    for (seq, part) in [(1, &b"abcdef"[..]), (3, b"cd"), (6, b"f")] {
        net.arrive(peer.segment(Psh, seq, Some(peer.acked), part));
        peer.take_ack(&mut net);
    }
    net.arrive(peer.segment(Psh, 4, Some(peer.acked), b"defghi"));
    peer.next = 10;
    assert_eq!(peer.take_data(&mut net), b"GHI");
    assert_eq!(net.stats().bytes_in, 9);
}

#[test]
fn overlapping_segments_make_one_stream() {
    let (mut net, mut peer) = open();
    for (seq, part) in [(6, &b"fghij"[..]), (4, b"defg"), (9, b"ijkl")] {
        net.arrive(peer.segment(Psh, seq, Some(1), part));
        peer.take_ack(&mut net);
    }
    net.arrive(peer.segment(Psh, 1, Some(1), b"abcdefgh"));
    peer.next = 13;
    assert_eq!(peer.take_data(&mut net), b"ABCDEFGHIJKL");
}

#[test]
fn a_fin_before_its_turn_waits_for_what_is_missing() {
    let (mut net, mut peer) = open();
    net.arrive(peer.segment(Fin, 4, Some(1), b"def"));
    peer.take_ack(&mut net);
    net.arrive(peer.segment(Psh, 1, Some(1), b"abc"));
    peer.next = 7;
    assert_eq!(peer.take_data(&mut net), b"ABCDEF");
    assert_eq!(net.stats().closed, 0);
    peer.send(&mut net, Fin, b"");
    assert_eq!(peer.take(&mut net).control, Fin);
    peer.ack(&mut net);
    assert_eq!(net.stats().closed, 1);
}

#[test]
fn a_fin_is_not_taken_with_data_that_does_not_fit() {
    let (mut net, mut peer) = open();
    let data = letters(2000);
    fill_buffers(&mut net, &mut peer, &data[..1500]);
    assert_eq!(peer.edge - peer.next, 548);
    net.arrive(peer.segment(Fin, peer.next, Some(1), &letters(549)));
    peer.take_ack(&mut net);
    net.dropped_only(DropReason::Unacceptable, 1);

    peer.window = 60_000;
    peer.ack(&mut net);
    let mut echo = peer.take_data(&mut net);
    peer.ack(&mut net);
    echo.extend_from_slice(&peer.take_data(&mut net));
    peer.send(&mut net, Fin, &data[1500..]);
    let last = peer.take(&mut net);
    assert_eq!(last.control, Fin);
    echo.extend_from_slice(&last.data);
    assert!(echo == upper(&data));
}

#[test]
#[cfg_attr(not(feature = "recovery"), ignore = "it is about recovery from loss")]
fn what_is_not_acknowledged_is_sent_again_with_back_off() {
    let (mut net, mut peer) = open();
    peer.send(&mut net, Psh, b"lost");
    peer.take(&mut net);
    // The first is the tail loss probe, before the first timeout.
    for timeouts in [1, 1, 2, 4, 8, 16, 32] {
        net.pass_in_silence(RTO * timeouts);
        let again = peer.take(&mut net);
        net.nothing_sent();
        assert_eq!((again.seq, again.data.as_slice()), (1, &b"LOST"[..]));
    }
    peer.ack(&mut net);
    net.pass_in_silence(Duration::from_secs(20));
    assert_eq!(peer.take(&mut net).seq, 4, "a probe of the idle connection");
}

#[test]
#[cfg_attr(not(feature = "recovery"), ignore = "it is about recovery from loss")]
fn the_third_duplicate_acknowledgement_brings_the_lost_segment_at_once() {
    let (mut net, mut peer) = open();
    peer.send(&mut net, Psh, &letters(1024));
    assert_eq!(peer.take_data(&mut net).len(), 1024);
    for _ in 0..2 {
        net.arrive(peer.segment(Plain, peer.next, Some(1), &[]));
        net.nothing_sent();
    }
    net.arrive(peer.segment(Plain, peer.next, Some(1), &[]));
    let again = peer.take(&mut net);
    net.nothing_sent();
    assert_eq!((again.seq, again.data.len()), (1, 1024));
    peer.ack(&mut net);
    assert_eq!(peer.exchange(&mut net, b"on", 2), b"ON");
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_is_challenged_and_its_data_not_taken() {
    let (mut net, mut peer) = open();
    for ack in [2, 1000, i32::MAX] {
        net.arrive(peer.segment(Psh, 1, Some(ack), b"guess"));
        peer.take_ack(&mut net);
        net.pass(Duration::from_secs(1));
    }
    assert_eq!(net.stats().bytes_in, 0);
    assert_eq!(peer.exchange(&mut net, b"true", 4), b"TRUE");
}

#[test]
fn data_with_an_acknowledgement_from_long_ago_is_not_taken() {
    let (mut net, mut peer) = open();
    for ack in [-1, -100_000, i32::MIN + 2] {
        net.arrive(peer.segment(Psh, 1, Some(ack), b"guess"));
        peer.take_ack(&mut net); // RFC 5961, section 5.2: a challenge ACK
    }
    assert_eq!(net.stats().bytes_in, 0);
    assert_eq!(peer.exchange(&mut net, b"true", 4), b"TRUE");
}

#[test]
fn a_segment_without_an_acknowledgement_does_nothing() {
    for (mut net, mut peer) in [open(), half_open()] {
        for control in [Plain, Psh, Fin] {
            net.arrive(peer.segment(control, 1, None, b"x"));
        }
        net.nothing_sent();
        net.dropped_only(DropReason::Unacceptable, 3);
        peer.ack(&mut net);
        assert_eq!(peer.exchange(&mut net, b"true", 4), b"TRUE");
    }
}

#[test]
fn segments_from_far_away_are_challenged_and_do_nothing() {
    let (mut net, mut peer) = open();
    let mut count = 0;
    for seq in [1 << 30, i32::MAX, i32::MIN, -(1 << 30)] {
        for control in [Plain, Psh, Fin] {
            net.arrive(peer.segment(control, seq.wrapping_add(2), Some(1), b""));
            peer.take_ack(&mut net);
            count += 1;
        }
        net.pass(Duration::from_secs(2));
    }
    assert_eq!(net.stats().dropped(DropReason::Unacceptable), count - 3, "the last three are near enough");
    assert_eq!(peer.exchange(&mut net, b"true", 4), b"TRUE");
}

#[test]
fn urgent_data_are_data() {
    let (mut net, mut peer) = open();
    let urgent = retouched(peer.segment(Psh, 1, Some(1), b"now"), |header| {
        header[13] |= 0x20; // URG
        header[19] = 2; // the urgent pointer
    });
    net.arrive(urgent);
    peer.next = 4;
    assert_eq!(peer.take_data(&mut net), b"NOW");
}

#[test]
fn options_that_make_no_sense_do_no_harm() {
    let (mut net, mut peer) = (super::fixture::net(), super::peer::peer(40_000));
    // The SYN's only option is MSS: kind 2, length 4. Here it is one that is unknown, then one that ends early.
    for option in [[254, 4, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]] {
        net.arrive(retouched(peer.segment(Syn, 0, None, &[]), |header| {
            header[20..24].copy_from_slice(&option);
        }));
        peer.take_syn_ack(&mut net);
        peer.ack(&mut net);
        assert_eq!(peer.exchange(&mut net, b"well", 4), b"WELL");
        peer.iss = peer.iss.wrapping_add(1_000_000);
        peer.port += 1;
    }
    // Illegal lengths: 0, one that reaches beyond the header, and another than that of the kind (RFC 9293, MUST-7).
    for option in [[2, 0, 0, 0], [2, 40, 0, 0], [2, 3, 0, 1], [3, 4, 0, 0]] {
        net.arrive(retouched(peer.segment(Syn, 0, None, &[]), |header| {
            header[20..24].copy_from_slice(&option);
        }));
        peer.take_syn_ack(&mut net);
        peer.ack(&mut net);
        assert_eq!(peer.exchange(&mut net, b"well", 4), b"WELL");
        net.arrive(peer.segment(Rst, peer.next, None, &[]));
        peer.iss = peer.iss.wrapping_add(1_000_000);
    }
    net.dropped_only(DropReason::Malformed, 0);
}

/// What stands before an option of illegal length counts, and what stands behind one whose length can be.
#[test]
fn options_beside_one_of_illegal_length_count() {
    for options in [[2, 4, 0, 100, 9, 0, 1, 1], [3, 4, 0, 0, 2, 4, 0, 100]] {
        let (mut net, mut peer) = (super::fixture::net(), super::peer::peer(40_000));
        // The second four bytes are payload until the header is said to be longer.
        net.arrive(retouched(peer.segment(Syn, 0, None, &[0; 4]), |header| {
            header[12] = 7 << 4;
            header[20..28].copy_from_slice(&options);
        }));
        peer.take_syn_ack(&mut net);
        peer.ack(&mut net);
        peer.send(&mut net, Psh, &letters(150));
        assert_eq!(peer.take(&mut net).data.len(), 100, "{options:?}");
    }
}
