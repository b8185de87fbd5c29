//! When smoltcp sends again, and what (RFC 6298, RFC 5681, RFC 6582, RFC 6675, RFC 8985).

use smoltcp::socket::tcp::State;
use smoltcp::time::Duration;
use smoltcp::wire::TcpControl;

use super::peer::Peer;
use super::repaired::repaired_by;
use super::segment::{Segment, ack, data, syn};

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);
/// A buffer of several segments of [`MSS`].
const LARGE: usize = 16_384;
const MSS: usize = 1000;

/// Four segments of [`MSS`] are in flight.
fn four_in_flight() -> Peer {
    let mut peer = Peer::connected_by(LARGE, &syn(-1).mss(1000).sack_permitted());
    peer.service_writes(4 * MSS);
    peer.turn();
    assert_eq!(peer.receives_data(), [(0, MSS), (1000, MSS), (2000, MSS), (3000, MSS)]);
    peer
}

/// One segment is sent and lost, and its retransmission acknowledged after a while. Returns how long that
/// took.
fn loses_one(peer: &mut Peer, sent_before: i32) -> Duration {
    peer.service_writes(100);
    peer.turn();
    assert_eq!(peer.receives_data(), [(sent_before, 100)]);
    let (after, again) = peer.waits_for_segments(MINUTE * 10);
    assert_eq!((again[0].seq, again[0].data.len()), (sent_before, 100));
    peer.sends(ack(0, sent_before + 100));
    after
}

/// While each window loses a segment, no round trip is measured, as Karn's rule has it, and the timer doubles
/// from loss to loss although every loss is made good. RFC 6298, section 5: the back-off is for a segment
/// that is lost again and again.
#[test]
fn the_retransmission_timer_doubles_without_end() {
    let mut peer = Peer::connected();
    let waits: Vec<_> = (0..6).map(|window| loses_one(&mut peer, window * 100)).collect();
    repaired_by("tcp/socket/retransmission_timer.rs", waits.windows(2).all(|pair| pair[1] == pair[0] * 2));
}

/// The acknowledgement of a segment that was sent again leaves the timer backed off until a round trip is
/// measured. RFC 6298, section 5: the back-off is for a segment that is lost again and again; Linux takes it
/// back when SND.UNA advances.
#[test]
fn the_back_off_is_kept_when_snd_una_advances() {
    let mut peer = Peer::connected();
    let first = loses_one(&mut peer, 0);
    repaired_by("tcp/socket/retransmission_timer.rs", loses_one(&mut peer, 100) == first * 2);
}

/// A peer that is heard again after an outage brings no retransmission forward: it comes when the backed-off
/// timer says, half a minute later. RFC 6298 leaves that open; the back-off is for a path that is down or
/// crowded, and this one is up.
#[test]
fn a_peer_that_is_heard_again_waits_for_the_timer() {
    let mut peer = Peer::connected();
    peer.service_writes(100);
    peer.waits(Duration::from_secs(33));
    peer.receives();
    peer.sends(data(0, b"again"));
    assert_eq!(peer.receives_data(), [], "an ACK alone");
    let (after, again) = peer.waits_for_segments(MINUTE);
    assert_eq!(again[0].data.len(), 100);
    repaired_by("tcp/socket/retransmission_timer.rs", after == Duration::from_secs(30));
}

/// The last segment of a reply, once lost, waits for the retransmission timer, which has a second at least,
/// however short the round trip. RFC 8985, section 7: a tail loss probe after two round trips; Linux's timer
/// has 200 ms at least.
#[test]
fn a_lost_last_segment_waits_for_a_second() {
    let mut peer = Peer::connected();
    for exchange in 0..10 {
        peer.service_writes(10);
        peer.turn();
        peer.waits(Duration::from_millis(1));
        peer.sends(ack(0, exchange * 10 + 10));
    }
    peer.receives();
    repaired_by("tcp/socket/tail_loss_probe.rs", loses_one(&mut peer, 100) == SECOND);
}

/// The third duplicate acknowledgement draws a whole segment, whatever the peer's window, and the excess
/// counts as in flight from then on. RFC 9293, section 3.8.6: nothing is sent beyond the window; RFC 5681,
/// section 3.2.
#[test]
fn a_fast_retransmission_ignores_the_window() {
    let mut peer = Peer::connected();
    peer.service_writes(400);
    peer.turn();
    peer.receives();
    for _ in 0..5 {
        peer.sends(ack(0, 0).window(100));
    }
    repaired_by("tcp/socket/fast_retransmit.rs", peer.receives_data() == [(0, 400)]);
}

/// Duplicate acknowledgements come for 400 bytes in flight, while the device has no room for the retransmission.
fn refuse_a_fast_retransmission(peer: &mut Peer) {
    peer.service_writes(400);
    peer.turn();
    peer.receives();
    peer.wire.room = 0;
    for _ in 0..5 {
        peer.sends(ack(0, 0).window(1000));
    }
    peer.wire.room = usize::MAX;
}

/// A fast retransmission that the device has no room for takes its timer with it: the data is never sent
/// again. RFC 6298, section 5: the timer runs while data is in flight.
#[test]
fn a_refused_fast_retransmission_is_never_sent() {
    let mut peer = Peer::connected();
    refuse_a_fast_retransmission(&mut peer);
    let (_, segments) = peer.waits_for_segments(MINUTE * 60);
    repaired_by("ip/device.rs", segments.is_empty() && peer.socket().send_queue() == 400);
}

#[test]
fn control_a_fast_retransmission_that_is_not_refused_is_sent() {
    let mut peer = Peer::connected();
    peer.service_writes(400);
    peer.turn();
    peer.receives();
    for _ in 0..5 {
        peer.sends(ack(0, 0).window(1000));
    }
    assert_eq!(peer.receives_data(), [(0, 400)]);
}

/// Where only our FIN is in flight, the third duplicate acknowledgement stops the timer and sends nothing:
/// the FIN is never sent again. RFC 6298, section 5: the timer runs while anything is in flight; RFC 5681,
/// section 3.2.
#[test]
fn a_fast_retransmission_of_a_fin_alone_is_never_sent() {
    let mut peer = Peer::connected();
    peer.socket().close();
    peer.turn();
    assert_eq!(peer.receives()[0].control, TcpControl::Fin);
    for _ in 0..3 {
        peer.sends(ack(0, 0));
    }
    let (_, segments) = peer.waits_for_segments(MINUTE * 60);
    repaired_by("tcp/socket/fast_retransmit.rs", segments.is_empty() && peer.state() == State::FinWait1);
}

#[test]
fn control_a_fin_alone_is_sent_again() {
    let mut peer = Peer::connected();
    peer.socket().close();
    peer.turn();
    peer.receives();
    for _ in 0..2 {
        peer.sends(ack(0, 0));
    }
    let (_, segments) = peer.waits_for_segments(MINUTE * 60);
    assert_eq!(segments[0].control, TcpControl::Fin);
}

/// Acknowledgements that ride on data, as most of a conversation's do, never count as duplicates, although
/// SACK tells that something arrived behind a hole. RFC 6675, section 2: with SACK, a duplicate is any
/// segment that reports new data.
#[test]
fn duplicate_acks_that_carry_data_draw_no_fast_retransmission() {
    let mut peer = four_in_flight();
    for (segment, right) in [2000, 3000, 4000].into_iter().enumerate() {
        let seq = i32::try_from(segment * 10).unwrap();
        peer.sends(data(seq, &[b'x'; 10]).sack(1000, right));
    }
    repaired_by("tcp/socket/fast_recovery.rs", peer.receives_data().is_empty());
}

#[test]
fn control_bare_duplicate_acks_draw_a_fast_retransmission() {
    let mut peer = four_in_flight();
    for right in [2000, 3000, 4000] {
        peer.sends(ack(0, 0).sack(1000, right));
    }
    assert_eq!(peer.receives_data(), [(0, MSS)]);
}

/// After a fast retransmission, the acknowledgement of a part says that the next segment was lost too, and
/// smoltcp waits for the timer. RFC 6582, section 3.2, step 3: a partial acknowledgement draws the first
/// unacknowledged segment at once.
#[test]
fn a_partial_ack_draws_nothing() {
    let mut peer = four_in_flight();
    for _ in 0..3 {
        peer.sends(ack(0, 0));
    }
    assert_eq!(peer.receives_data(), [(0, MSS)]);
    peer.sends(ack(0, 1000));
    repaired_by("tcp/socket/fast_recovery.rs", peer.receives_data().is_empty());
}

/// Of two holes that the peer tells of, by SACK, the first is filled by fast retransmission, and the second
/// waits for another round trip, or the timer. RFC 6675, section 5: what is known to be lost is sent again as
/// the window allows.
#[test]
fn a_second_hole_that_sack_tells_of_is_not_filled() {
    let mut peer = four_in_flight();
    peer.service_writes(2 * MSS);
    peer.turn();
    peer.receives();
    for right in [4000, 5000, 6000] {
        peer.sends(Segment { sack: [Some((3000, right)), Some((1000, 2000)), None], ..ack(0, 0) });
    }
    repaired_by("tcp/socket/holes.rs", peer.receives_data() == [(0, MSS)]);
}

/// After a timeout, what the peer has told to have is sent again too. RFC 6675, section 5.1: a sender may
/// keep what SACK told it across a timeout, if it notices a receiver that has thrown data away.
#[test]
fn what_sack_says_has_arrived_is_sent_again() {
    let mut peer = four_in_flight();
    peer.sends(ack(0, 0).sack(1000, 4000));
    let (_, again) = peer.waits_for_segments(MINUTE);
    let again: Vec<_> = again.iter().map(|segment| segment.seq).collect();
    repaired_by("tcp/socket/sack_scoreboard.rs", again == [0, 1000, 2000, 3000]);
}

/// The timeout that smoltcp offers ends a healthy connection that is idle. RFC 9293, section 3.8.3: it is for
/// data that nobody acknowledges; section 3.8.4: whoever answers keep-alives is alive.
#[test]
fn a_timeout_ends_a_healthy_idle_connection() {
    let mut peer = Peer::connected();
    peer.socket().set_timeout(Some(MINUTE));
    peer.waits(MINUTE + SECOND);
    repaired_by("tcp/socket/keep_alive.rs", peer.state() == State::Closed);
}

/// A keep-alive carries a byte of zero with the number before SND.NXT. If the byte with that number is in
/// flight and was lost, the peer takes the zero for it. RFC 9293, section 3.8.4 (MUST-26): a keep-alive is
/// only sent when no sent data is outstanding.
#[test]
fn a_keep_alive_takes_the_place_of_a_byte_in_flight() {
    let mut peer = Peer::connected();
    peer.socket().set_keep_alive(Some(SECOND));
    refuse_a_fast_retransmission(&mut peer);
    let (_, segments) = peer.waits_for_segments(MINUTE);
    assert_eq!(segments[0].seq, 399);
    repaired_by("tcp/socket/keep_alive.rs", segments[0].data == [0]);
}
