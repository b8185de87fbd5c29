//! The persist timer, and what becomes of data behind a window that has closed (RFC 9293, section 3.8.6.1).

use smoltcp::socket::tcp::State;
use smoltcp::time::Duration;

use super::peer::{ENDLESS, Peer};
use super::repaired::repaired_by;
use super::segment::ack;

const HOUR: Duration = Duration::from_secs(3600);

/// Probes of a closed window come a minute apart in the end, and so a window update that was lost costs a
/// minute. RFC 9293, section 3.8.6.1 (SHLD-30) lets the interval grow without saying how far.
#[test]
fn probes_of_a_closed_window_back_off_to_a_minute() {
    let mut peer = Peer::connected();
    peer.service_writes(500);
    peer.sends(ack(0, 0).window(0));
    let gaps: Vec<_> = (0..10).map(|_| peer.waits_for_segments(HOUR).0).collect();
    repaired_by("tcp/socket/persist.rs", gaps.last() == Some(&Duration::from_secs(60)));
}

/// In FIN-WAIT-2 the persist timer still runs, is never rearmed, and each turn sends a probe: without end.
/// RFC 9293, section 3.8.6.1: a probe is for data that wait, and behind an acknowledged FIN there are none.
#[test]
fn a_closed_window_is_probed_without_end_in_fin_wait_2() {
    let mut peer = Peer::connected();
    peer.service_writes(1);
    peer.sends(ack(0, 0).window(0));
    peer.socket().close();
    peer.waits(Duration::from_secs(2));
    // Acknowledges the probe's byte, and the FIN behind it.
    peer.sends(ack(0, 2).window(0));
    assert_eq!(peer.state(), State::FinWait2);
    peer.now += Duration::from_secs(120);
    repaired_by("tcp/socket/endless_probe.rs", peer.turn() == ENDLESS);
}

/// A window that shrinks to 0 with data in flight stops every timer: neither are the data sent again, nor is
/// the window probed. RFC 9293, section 3.8.6 (MUST-34): a sender must be robust against a window that
/// shrinks; section 3.8.6.1 (SHLD-29): the first probe is sent when the window has been 0 for a
/// retransmission timeout.
#[test]
fn a_window_that_shrinks_leaves_no_timer() {
    let mut peer = Peer::connected();
    peer.service_writes(3);
    peer.turn();
    peer.receives();
    peer.sends(ack(0, 0).window(0));
    let (_, segments) = peer.waits_for_segments(HOUR);
    repaired_by("tcp/socket/stall.rs", segments.is_empty() && peer.due().is_none());
}

/// Data that was lost before the window shrank to 0 is never sent again once it has opened. The
/// acknowledgement of a part of it started the persist timer in place of the retransmission timer, and the
/// opening stops it. RFC 6298, section 5: the timer runs while data is in flight.
#[test]
fn data_in_flight_when_the_window_shrank_is_never_sent_again() {
    let mut peer = Peer::connected();
    peer.service_writes(400);
    peer.turn();
    peer.sends(ack(0, 100).window(0));
    peer.sends(ack(0, 100).window(60_000));
    peer.receives();
    let (_, segments) = peer.waits_for_segments(HOUR);
    repaired_by("tcp/socket/shrunk_window.rs", segments.is_empty() && peer.due().is_none());
}

/// The probes of a window that has shrunk to 0 stand behind all that was sent, and are empty where all was. RFC 9293, section
/// 3.8.6.1: a probe has a byte, or else a peer whose window update was lost does not answer it.
#[test]
fn a_window_that_shrank_with_an_ack_is_probed_without_data() {
    let mut peer = Peer::connected();
    peer.service_writes(400);
    peer.turn();
    peer.receives();
    peer.sends(ack(0, 100).window(0));
    let (_, segments) = peer.waits_for_segments(HOUR);
    let empty = segments.iter().all(|segment| (segment.seq, segment.data.len()) == (400, 0));
    repaired_by("tcp/socket/shrunk_window.rs", !segments.is_empty() && empty);
}

#[test]
fn control_data_in_flight_is_sent_again() {
    let mut peer = Peer::connected();
    peer.service_writes(400);
    peer.turn();
    peer.sends(ack(0, 100));
    peer.receives();
    let (_, segments) = peer.waits_for_segments(HOUR);
    assert_eq!((segments[0].seq, segments[0].data.len()), (100, 300));
}
