//! Which segments are acceptable, and what their control bits do (RFC 9293, section 3.10.7.4; RFC 5961).

use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use smoltcp::socket::tcp::State;
use smoltcp::time::Duration;
use smoltcp::wire::TcpControl;

use super::peer::{BUFFER, Peer};
use super::repaired::repaired_by;
use super::segment::{Segment, ack, altered, data, fin, rst, syn};

/// Byte 13 of the TCP header has the control bits.
const FLAGS: usize = 13;
const FIN: u8 = 1;

/// A RST anywhere in the window closes. RFC 5961, section 3.2: only SEG.SEQ = RCV.NXT does; elsewhere in the
/// window, a challenge ACK.
#[test]
fn an_inexact_rst_in_the_window_closes() {
    let mut peer = Peer::connected();
    peer.sends(rst(5));
    repaired_by("tcp/socket/rfc5961.rs", peer.state() == State::Closed);
}

#[test]
fn control_a_rst_outside_the_window_is_dropped() {
    let mut peer = Peer::connected();
    peer.sends(rst(5000));
    assert_eq!(peer.state(), State::Established);
}

/// A RST that carries data is refused where the window is closed, although its number is exact. RFC 9293,
/// section 3.5.3: a RST is valid if its sequence number is in the window; RFC 5961, section 3.2: at RCV.NXT
/// it resets.
#[test]
fn an_exact_rst_with_data_at_a_closed_window_is_dropped() {
    let mut peer = Peer::connected();
    peer.sends(data(0, &[b'x'; BUFFER]));
    peer.sends(Segment { data: b"why".to_vec(), ..rst(1024) });
    repaired_by("tcp/socket/rfc5961.rs", peer.state() == State::Established);
}

/// A RST with FIN set is dropped as malformed. RFC 9293, section 3.10.7.4 looks at RST before SYN and FIN:
/// the RST counts.
#[test]
fn a_rst_with_fin_set_is_dropped() {
    let mut peer = Peer::connected();
    let packet = altered(peer.packet(&rst(0)), |header| header[FLAGS] |= FIN);
    peer.sends_packet(packet);
    repaired_by("tcp/malformed.rs", peer.state() == State::Established);
}

/// A segment is dropped for an option of illegal length, for ever, as it comes again with the same option.
/// RFC 9293, section 3.1 (MUST-7): "be prepared to handle an illegal option length".
#[test]
fn a_segment_with_an_option_of_illegal_length_is_dropped() {
    let mut peer = Peer::connected();
    // The MSS option has the length 4; 3 is none that it can have.
    let packet = altered(peer.packet(&data(0, b"data").mss(1460)), |header| header[21] = 3);
    peer.sends_packet(packet);
    repaired_by("tcp/malformed.rs", peer.socket().recv_queue() == 0);
}

#[test]
fn control_a_segment_with_an_option_of_legal_length_is_taken() {
    let mut peer = Peer::connected();
    peer.sends(data(0, b"data").mss(1460));
    assert_eq!(peer.socket().recv_queue(), 4);
}

/// A RST with the number of the peer's FIN, as macOS sends it after the FIN, is refused, and the connection
/// stays for as long as it likes. RFC 5961, section 3.2 asks for RCV.NXT; Linux takes RCV.NXT - 1 too once
/// the FIN has come.
#[test]
fn a_rst_with_the_number_of_the_fin_is_dropped() {
    let mut peer = Peer::connected();
    peer.sends(fin(0, b""));
    peer.sends(rst(0));
    repaired_by("tcp/socket/rfc5961.rs", peer.state() == State::CloseWait);
}

/// A SYN on a live connection draws nothing, in the window or out of it. RFC 5961, section 4.2: a challenge
/// ACK, by which a peer that has lost its state finds out that we have not.
#[test]
fn a_syn_on_a_live_connection_draws_no_challenge_ack() {
    let mut peer = Peer::connected();
    peer.sends(syn(5));
    peer.sends(syn(500_000));
    repaired_by("tcp/socket/rfc5961.rs", peer.receives().is_empty());
}

/// A SYN that comes again in SYN-RECEIVED, as its SYN|ACK was lost, draws nothing before the retransmission
/// timer of the SYN|ACK. RFC 9293, section 3.10.7.4, first check: an unacceptable segment draws an
/// acknowledgement.
#[test]
fn a_syn_that_comes_again_in_syn_received_draws_nothing() {
    let mut peer = Peer::new(1, BUFFER);
    peer.begins(&syn(-1));
    peer.sends(syn(-1));
    repaired_by("tcp/socket/new_connection.rs", peer.receives().is_empty());
}

/// TIME-WAIT takes no new SYN, however far above RCV.NXT. RFC 9293, section 3.6.1 (MAY-2); RFC 1122, section
/// 4.2.2.13: a server may reopen the connection then, with a higher initial sequence number.
#[test]
fn time_wait_takes_no_new_syn() {
    let mut peer = Peer::connected();
    peer.socket().close();
    peer.turn();
    peer.sends(fin(0, b"").acks(1));
    assert_eq!(peer.state(), State::TimeWait);
    peer.receives();
    peer.sends(syn(900_000));
    let segments = peer.receives();
    repaired_by("tcp/socket/new_connection.rs", segments.iter().all(|s| s.control != TcpControl::Syn));
}

/// A segment about 2^31 away from RCV.NXT panics once the window is full and a FIN has been taken: RCV.NXT is
/// then past the window's right edge. RFC 9293, section 3.4: comparisons are modulo 2^32, and none may fail.
#[test]
fn a_segment_two_to_the_31_away_panics() {
    let panics = |away: i32| {
        catch_unwind(AssertUnwindSafe(|| {
            let mut peer = Peer::connected();
            peer.arrives(peer.packet(&fin(0, &[b'x'; BUFFER])));
            peer.arrives(peer.packet(&data(away, b"x")));
        }))
        .is_err()
    };
    let full = 1024;
    let farthest = i32::MIN;
    repaired_by("tcp/socket/far_segment.rs", (farthest..=farthest + full + 2).any(panics));
}

#[test]
fn control_a_segment_nearby_does_not_panic() {
    let mut peer = Peer::connected();
    peer.arrives(peer.packet(&fin(0, &[b'x'; BUFFER])));
    peer.arrives(peer.packet(&data(1025, b"x")));
}

/// A segment that overruns the window loses its last byte, and yet its FIN is taken, so that the end of the
/// stream seems to be reached. RFC 9293, section 3.10.7.4: the FIN is the last number of the segment, and cut
/// off with what is outside.
#[test]
fn the_fin_of_a_segment_that_is_cut_is_taken() {
    let mut peer = Peer::connected();
    peer.sends(fin(0, &[b'x'; BUFFER + 1]));
    assert_eq!(peer.socket().recv_queue(), BUFFER);
    repaired_by("tcp/socket/cut_fin.rs", peer.state() == State::CloseWait);
}

/// Data behind a FIN are handed to the service. RFC 9293, section 3.10.7.4: "This should not occur since a
/// FIN has been received from the remote side. Ignore the segment text."
#[test]
fn text_after_a_fin_is_taken() {
    let mut peer = Peer::connected();
    peer.sends(fin(0, b""));
    peer.sends(data(1, b"late"));
    repaired_by("tcp/socket/text_after_fin.rs", peer.socket().recv_queue() == 4);
}

/// A FIN that comes again together with data already received is never taken, and the connection hangs. RFC
/// 9293, section 3.10.7.4: a segment is acceptable if any part of it is in the window, and the FIN is a part
/// of it. lwIP sends so.
#[test]
fn a_fin_that_comes_again_with_received_data_is_never_taken() {
    let mut peer = Peer::connected();
    peer.sends(fin(5, b"67890"));
    peer.sends(data(0, b"12345"));
    for _ in 0..10 {
        peer.sends(fin(5, b"67890"));
        peer.waits(Duration::from_secs(1));
    }
    assert_eq!(peer.socket().recv_queue(), 10);
    repaired_by("tcp/socket/fin_again.rs", peer.state() == State::Established);
}

#[test]
fn control_a_fin_that_comes_again_alone_is_taken() {
    let mut peer = Peer::connected();
    peer.sends(fin(5, b"67890"));
    peer.sends(data(0, b"12345"));
    peer.sends(fin(10, b""));
    assert_eq!(peer.state(), State::CloseWait);
}

/// A FIN whose data overlap what has been received, and begin before it, is taken only if some byte is new.
#[test]
fn a_fin_behind_all_of_the_received_data_is_never_taken() {
    let mut peer = Peer::connected();
    peer.sends(data(0, b"0123456789abcdef"));
    peer.sends(fin(8, b"89abcdef"));
    peer.sends(fin(0, b"0123456789abcdef"));
    repaired_by("tcp/socket/fin_again.rs", peer.state() == State::Established);
}

/// Keep-alive probes and empty segments outside the window are acknowledged once a second. RFC 5961, section
/// 7 suggests a limit like ten in five seconds, and RFC 9293, section 3.8.4 has each probe answered: a peer
/// that asks twice takes the silence for our death.
#[test]
fn keep_alive_probes_are_answered_once_a_second() {
    let mut peer = Peer::connected();
    for _ in 0..5 {
        peer.sends(ack(-1, 0));
        peer.waits(Duration::from_millis(100));
    }
    repaired_by("tcp/socket/challenge_rate.rs", peer.receives().len() == 1);
}

/// A FIN without data that comes again is acknowledged once a second. RFC 9293, section 3.10.7.4, first
/// check: an unacceptable segment draws an acknowledgement.
#[test]
fn a_fin_that_comes_again_is_acknowledged_once_a_second() {
    let mut peer = Peer::connected();
    peer.sends(fin(0, b""));
    peer.receives();
    for _ in 0..5 {
        peer.waits(Duration::from_millis(100));
        peer.sends(fin(0, b""));
    }
    repaired_by("tcp/socket/challenge_rate.rs", peer.receives().len() == 1);
}
