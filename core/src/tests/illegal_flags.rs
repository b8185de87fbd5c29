//! Flags and options that no TCP sends (RFC 9293, section 3.10.7), as port scanners and fuzzers send them: in every
//! state of a connection, and where there is none.

use std::vec::Vec;

use smoltcp::wire::TcpControl::{Fin, None as Plain, Psh, Rst, Syn};
use smoltcp::wire::TcpPacket;

use super::fixture::{FAMILIES, Net, net, net_from, storage};
use super::packets::{ip, retouched};
use super::peer::{Peer, letters, peer, peer_from, upper};
use super::states::{
    buffers_full, close_wait, closing, fin_wait_1, fin_wait_2, half_open, last_ack, open, time_wait,
};
use crate::DropReason;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const URG: u8 = 0x20;

/// SYN and FIN exclude each other.
const CONTRADICTIONS: [u8; 4] =
    [SYN | FIN, SYN | FIN | ACK, SYN | FIN | PSH | URG, SYN | FIN | PSH | ACK | URG];

/// RFC 9293, section 3.10.7.4, looks at RST before SYN and FIN.
const RESETS: [u8; 6] = [
    SYN | RST,
    FIN | RST,
    SYN | FIN | RST,
    FIN | RST | ACK,
    SYN | RST | PSH,
    SYN | FIN | RST | PSH | ACK | URG,
];

/// Every segment of a connection but its SYN has ACK set.
const WITHOUT_ACK: [u8; 5] = [0, FIN, PSH, URG, FIN | PSH | URG];

type State = (&'static str, fn() -> (Net, Peer));

const STATES: [State; 9] = [
    ("SYN-RECEIVED", half_open),
    ("ESTABLISHED", open),
    ("ESTABLISHED, both buffers full", buffers_full),
    ("CLOSE-WAIT", close_wait),
    ("LAST-ACK", last_ack),
    ("FIN-WAIT-1", fin_wait_1),
    ("FIN-WAIT-2", fin_wait_2),
    ("CLOSING", closing),
    ("TIME-WAIT", time_wait),
];

/// The next segment in order, with these flags.
fn flagged(peer: &Peer, flags: u8, data: &[u8]) -> Vec<u8> {
    retouched(peer.segment(Psh, peer.next, Some(peer.acked), data), |tcp| tcp[13] = flags)
}

#[test]
fn flags_that_make_no_sense_change_nothing_in_any_state() {
    for (state, make) in STATES {
        for flags in CONTRADICTIONS.into_iter().chain(WITHOUT_ACK) {
            let (mut net, peer) = make();
            let before = *net.stats();
            net.arrive(flagged(&peer, flags, b""));
            net.arrive(flagged(&peer, flags, b"data"));
            net.nothing_sent();
            let after = *net.stats();
            let reason =
                if WITHOUT_ACK.contains(&flags) { DropReason::Unacceptable } else { DropReason::Malformed };
            assert_eq!(after.dropped(reason), before.dropped(reason) + 2, "{state}, flags {flags:#04x}");
            let counted = |s: &crate::Stats| {
                (s.opened, s.closed, s.reset, s.abandoned, s.timed_out, s.aborted, s.bytes_in)
            };
            assert_eq!(counted(&before), counted(&after), "{state}, flags {flags:#04x}");
            // The connection is still there: an exact RST ends it.
            net.arrive(peer.segment(Rst, peer.next, None, &[]));
            net.arrive(flagged(&peer, PSH | ACK, b"?"));
            let rst = net.next_sent();
            assert_eq!(ip(&rst).3[13] & RST, RST, "{state}, flags {flags:#04x}");
        }
    }
}

#[test]
fn a_rst_counts_whatever_other_flags_there_are() {
    for (state, make) in STATES {
        for flags in RESETS {
            for data in [&b""[..], b"why"] {
                let (mut net, mut peer) = make();
                // One that is not exact draws a challenge, and does not end the connection.
                net.arrive(retouched(flagged(&peer, flags, data), |tcp| tcp[4..8].fill(0x55)));
                net.arrive(flagged(&peer, flags, data));
                net.wire.sent.clear();
                net.arrive(flagged(&peer, PSH | ACK, b"?"));
                peer.take_rst(&mut net);
                assert_eq!(net.stats().live, 0, "{state}, flags {flags:#04x}");
                assert_eq!(net.stats().dropped(DropReason::Malformed), 0);
            }
        }
    }
}

#[test]
fn a_conversation_goes_on_between_illegal_segments() {
    let (mut net, mut peer) = open();
    let data = letters(5000);
    for (part, flags) in data.chunks(50).zip(CONTRADICTIONS.into_iter().chain(WITHOUT_ACK).cycle()) {
        net.arrive(flagged(&peer, flags, b"junk"));
        assert!(peer.exchange(&mut net, part, 50) == upper(part));
    }
}

/// RFC 9293, section 3.10.7.2: LISTEN drops what is neither RST, ACK nor SYN.
#[test]
fn a_scan_of_the_listening_port_takes_no_slot_and_draws_nothing() {
    for &(client, server) in FAMILIES {
        for flags in CONTRADICTIONS.into_iter().chain(RESETS).chain(WITHOUT_ACK) {
            let mut net = net();
            let peer = peer_from(client, server, 40_000);
            net.arrive(retouched(peer.segment(Psh, 7, None, b""), |tcp| tcp[13] = flags));
            assert_eq!(net.last.deadline, None, "a slot was taken");
            assert!(net.wire.sent.is_empty(), "flags {flags:#04x} draw an answer");
        }
    }
}

/// The first four bytes of the payload become TCP options.
fn with_option(peer: &Peer, option: [u8; 4], data: &[u8]) -> Vec<u8> {
    let payload = [&option[..], data].concat();
    retouched(peer.segment(Psh, peer.next, Some(peer.acked), &payload), |tcp| tcp[12] = 0x60)
}

/// MUST-7. What comes again with the same options would be dropped for ever.
#[test]
fn data_behind_malformed_options_is_taken() {
    // A length of 0, of 1, beyond the header, and wrong ones for MSS, window scale and SACK.
    let malformed = [
        [254, 0, 0, 0],
        [254, 1, 0, 0],
        [254, 5, 0, 0],
        [2, 3, 0, 0],
        [3, 2, 0, 0],
        [5, 255, 0, 0],
        [5, 4, 0, 0],
        [1, 1, 1, 254],
    ];
    for length in [0, 1, 512, 1024] {
        let (mut net, mut peer) = open();
        let data = letters(length);
        for option in malformed {
            net.arrive(with_option(&peer, option, &data));
            peer.next += i32::try_from(length).unwrap();
            assert!(peer.take_data(&mut net) == upper(&data), "{length} bytes behind {option:?}");
            assert_eq!(peer.exchange(&mut net, b"again", 5), b"AGAIN");
        }
        net.dropped_only(DropReason::Malformed, 0);
    }
}

/// As on any other segment to no connection, however long it is.
#[test]
fn a_stray_segment_with_malformed_options_draws_its_rst() {
    for length in [5, 1000] {
        let (mut net, mut peer) = (net(), peer(40_000));
        (peer.next, peer.acked) = (5, 7);
        net.arrive(with_option(&peer, [2, 0, 0, 0], &letters(length)));
        peer.take_rst(&mut net);
    }
}

#[test]
fn options_before_a_malformed_one_count() {
    let mut net = net_from(storage(2, 1 << 18, 0), 1500, |_| {});
    let mut peer = peer(40_000);
    // A window scale, SACK permitted, and an option without a length.
    let options = [3, 3, 7, 4, 2, 254, 0, 0];
    net.arrive(retouched(peer.segment(Syn, 0, None, &options), |tcp| {
        tcp.copy_within(24..32, 20);
        tcp[12] = 0x70;
    }));
    let syn_ack = net.wire.sent[0].clone();
    let offered = TcpPacket::new_unchecked(&syn_ack[20..]);
    let offers = |wanted: &[u8]| offered.options().windows(wanted.len()).any(|option| option == wanted);
    assert!(offers(&[3, 3, 3]) && offers(&[4, 2]), "{:?}", offered.options());
    peer.take_syn_ack(&mut net);
}

#[test]
#[cfg_attr(not(feature = "recovery"), ignore = "it is about recovery from loss")]
fn sack_blocks_before_a_malformed_option_count() {
    let (mut net, mut peer) = (net_from(storage(2, 65_535, 0), 1500, |_| {}), peer(40_000));
    (peer.mss, peer.sack) = (Some(1000), Some([None; 3]));
    peer.connect(&mut net);
    for _ in 0..8 {
        net.arrive(peer.segment(Psh, peer.next, Some(1), &letters(1000)));
        peer.next += 1000;
    }
    net.wire.sent.clear();
    // The first of eight segments was lost.
    for right in [2001, 3001, 4001] {
        net.nothing_sent();
        let number = |at: i32| peer.irs.wrapping_add(at).to_be_bytes();
        let options = [&[5, 10][..], &number(1001), &number(right), &[254, 0]].concat();
        net.arrive(retouched(peer.segment(Plain, peer.next, Some(1), &options), |tcp| tcp[12] = 0x80));
    }
    let again = peer.take(&mut net);
    assert_eq!((again.seq, again.data.len()), (1, 1000));
}

/// Nobody could be answered there (RFC 9293, section 3.1 has no such port).
#[test]
fn a_segment_from_port_0_is_dropped_with_malformed_options_too() {
    let (mut net, peer) = (net(), peer(40_000));
    let syn = retouched(peer.segment(Syn, 0, None, &[]), |tcp| tcp[20..24].copy_from_slice(&[2, 3, 0, 0]));
    for segment in [syn, with_option(&peer, [2, 3, 0, 0], b"data")] {
        net.arrive(retouched(segment, |tcp| tcp[..2].fill(0)));
    }
    net.nothing_sent();
    net.dropped_only(DropReason::Malformed, 2);
}

#[test]
fn options_that_do_not_belong_to_a_live_connection_are_not_looked_at() {
    let (mut net, mut peer) = open();
    // A segment size of 1, a window scale of 14, SACK permitted, an unknown one, and the end of the list with more
    // behind it.
    for option in [[2, 4, 0, 1], [3, 3, 14, 0], [4, 2, 1, 1], [254, 4, 1, 1], [0, 255, 255, 255]] {
        net.arrive(with_option(&peer, option, b"taken"));
        peer.next += 5;
        assert_eq!(peer.take_data(&mut net), b"TAKEN");
    }
    peer.ack(&mut net);
    // Neither MSS nor window scale has changed: a scale would let all 1024 bytes go.
    peer.window = 512;
    peer.ack(&mut net);
    peer.send(&mut net, Psh, &letters(1024));
    assert_eq!(peer.take(&mut net).data.len(), 512);
    net.nothing_sent();
}

#[test]
fn a_syn_of_options_only_opens_a_connection() {
    for option in [[1; 4], [0; 4], [3, 3, 255, 1], [4, 2, 1, 1], [253, 4, 0xf9, 0x89]] {
        let (mut net, mut peer) = (net(), peer(40_000));
        let syn = peer.segment(Syn, 0, None, &[]);
        net.arrive(retouched(syn, |tcp| tcp[20..24].copy_from_slice(&option)));
        peer.take_syn_ack(&mut net);
        peer.ack(&mut net);
        assert_eq!(peer.exchange(&mut net, b"well", 4), b"WELL", "{option:?}");
    }
}

#[test]
fn a_fin_behind_malformed_options_ends_all_of_its_data() {
    let (mut net, mut peer) = open();
    let data = letters(1000);
    let fin = peer.segment(Fin, peer.next, Some(peer.acked), &[&[2, 3, 0, 0], &data[..]].concat());
    net.arrive(retouched(fin, |tcp| tcp[12] = 0x60));
    let echo = peer.take(&mut net);
    assert!(echo.control == Fin && echo.data == upper(&data) && echo.ack == Some(1002), "{echo:?}");
}
