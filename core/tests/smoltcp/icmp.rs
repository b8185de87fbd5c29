//! What smoltcp answers without a socket: ICMP errors and resets (RFC 792, RFC 1122, RFC 1812; RFC 9293,
//! section 3.10.7.1).

use smoltcp::wire::{IPV4_HEADER_LEN, TcpControl};

use super::packets::{ICMP, UDP, ipv4, udp_v4};
use super::peer::Peer;
use super::repaired::repaired_by;
use super::segment::{Segment, fin, syn};

const CLOSED: u16 = 9;
const MANY: usize = 300;

/// Nothing listens.
fn closed() -> Peer {
    Peer::new(0, 0)
}

/// Each of three hundred datagrams to a closed port, at one instant, draws an ICMP error. RFC 1812, section
/// 4.3.2.8, and RFC 4443, section 2.4(f) (MUST): errors are limited in rate, for example by a token bucket.
#[test]
fn icmp_errors_have_no_limit() {
    let mut peer = closed();
    for _ in 0..MANY {
        peer.sends_packet(ipv4(UDP, &udp_v4(CLOSED, b"x"), |_| ()));
    }
    let errors = peer.wire.sent.iter().filter(|packet| packet[9] == ICMP).count();
    repaired_by("ip/icmp.rs", errors == MANY);
}

/// Each of three hundred SYNs to a closed port draws a RST. No RFC limits these, but what has no limit serves
/// a forger as a reflector; Linux and the BSDs limit it.
#[test]
fn resets_have_no_limit() {
    let mut peer = closed();
    for _ in 0..MANY {
        peer.sends(syn(-1));
    }
    repaired_by("ip/closed_port.rs", peer.receives().len() == MANY);
}

/// The header that an ICMP error quotes is made anew: type of service, identification and time to live are
/// not those of the packet that came. RFC 1122, section 3.2.2: "the header in the error message is the one
/// that was received".
#[test]
fn icmp_errors_quote_a_header_that_never_came() {
    let mut peer = closed();
    let offending = ipv4(UDP, &udp_v4(CLOSED, b"x"), |header| {
        header[1] = 0x10;
        header[4..6].copy_from_slice(&[0x12, 0x34]);
    });
    peer.sends_packet(offending.clone());
    let error = peer.wire.sent.pop_front().unwrap();
    let quoted = &error[IPV4_HEADER_LEN + 8..][..IPV4_HEADER_LEN];
    assert_eq!((error[9], &quoted[12..20]), (ICMP, &offending[12..20]), "an error about this packet");
    repaired_by("ip/icmp.rs", quoted != &offending[..IPV4_HEADER_LEN]);
}

/// A FIN without ACK draws a RST without ACK, whose number 0 means nothing to its receiver. RFC 9293, section
/// 3.10.7.1: "If the ACK bit is off, sequence number zero is used,
/// <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>".
#[test]
fn the_reset_of_a_segment_without_ack_acknowledges_nothing() {
    let mut peer = closed();
    peer.sends(Segment { ack: None, ..fin(0, b"") });
    let segments = peer.receives();
    assert_eq!(segments[0].control, TcpControl::Rst);
    repaired_by("ip/closed_port.rs", segments[0].ack.is_none());
}
