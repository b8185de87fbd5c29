//! Windows: where the right edge is, which segments move it, and silly ones (RFC 9293, sections 3.8.6 and
//! 3.10.7.4; RFC 7323, section 2).

use std::panic::catch_unwind;

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl;

use super::peer::{BUFFER, Peer};
use super::repaired::repaired_by;
use super::segment::{Segment, ack, data, fin, syn};

/// A buffer that needs a window scale.
const LARGE: usize = 65_536;

/// The window of the SYN|ACK, which is not scaled, is remembered as if it were: the right edge seems to be
/// far beyond the buffer, data out there are accepted, and smoltcp panics. RFC 7323, section 2.2: the window
/// field of a SYN is never scaled.
#[test]
fn the_window_of_the_syn_ack_is_scaled() {
    let overruns = catch_unwind(|| {
        let mut peer = Peer::connected_by(LARGE, &syn(-1).window_scale(0));
        peer.arrives(peer.packet(&data(65_536, &[7; 100])));
        for kilobyte in 0..64 {
            peer.arrives(peer.packet(&data(kilobyte * 1024, &[1; 1024])));
        }
    });
    repaired_by("tcp/socket/scaled_syn_window.rs", overruns.is_err());
}

#[test]
fn control_data_within_the_window_of_the_syn_ack_is_taken() {
    let mut peer = Peer::connected_by(LARGE, &syn(-1).window_scale(0));
    for kilobyte in 0..63 {
        peer.arrives(peer.packet(&data(kilobyte * 1024, &[1; 1024])));
    }
    assert_eq!(peer.socket().recv_queue(), LARGE - 1024);
}

/// A scaled window is rounded down each time, and so its right edge moves left. RFC 9293, section 3.8.6
/// (SHLD-14): a receiver does not shrink the window; RFC 7323, section 2.4.
#[test]
fn the_right_edge_of_a_scaled_window_moves_left() {
    let mut peer = Peer::connected_by(LARGE, &syn(-1).window_scale(0));
    let mut edge = |bytes: i32| {
        peer.sends(data(bytes - 1, b"x"));
        let segment = peer.receives().pop().unwrap();
        segment.ack.unwrap() + i32::from(segment.window) * 2
    };
    let (first, second) = (edge(1), edge(2));
    assert_eq!(second, i32::try_from(LARGE).unwrap(), "an even number of bytes leaves the whole buffer");
    repaired_by("tcp/socket/window_rounding.rs", first == second - 1 && edge(3) == first);
}

/// The window that smoltcp offers with a probe of the peer's window is not remembered: what the peer then
/// sends in it is cut at the edge before. RFC 9293, section 3.8.6 (SHLD-14): the right edge does not move
/// left.
#[test]
fn the_window_offered_with_a_probe_is_not_remembered() {
    let mut peer = Peer::connected();
    peer.service_writes(2);
    peer.sends(ack(0, 0).window(0));
    peer.sends(data(0, &[1; 524]).window(0));
    assert_eq!(peer.receives().last().unwrap().window, 500);
    peer.service_reads(400);
    assert!(peer.receives().is_empty());
    let (_, probe) = peer.waits_for_segments(Duration::from_secs(2));
    assert_eq!((probe[0].data.len(), probe[0].window), (1, 900));
    peer.sends(data(524, &[2; 900]).window(0));
    repaired_by("tcp/socket/tcb.rs", peer.socket().recv_queue() == 124 + 500);
}

/// What a segment with data says at our closed window is ignored: not even its window is looked at. RFC 9293,
/// section 3.10.7.4: "special allowance should be made to accept valid ACKs" there, or two closed windows
/// wait for each other.
#[test]
fn the_ack_of_a_segment_at_a_closed_window_is_ignored() {
    let mut peer = Peer::connected();
    peer.service_writes(100);
    peer.sends(ack(0, 0).window(0));
    peer.sends(data(0, &[b'x'; BUFFER]).window(0));
    peer.receives();
    peer.sends(data(1024, b"p").window(60_000));
    repaired_by("tcp/socket/closed_window.rs", peer.receives_data().is_empty());
}

/// A peer that has filled the window has its acknowledgements at the right edge, and they are ignored while a segment before
/// them is missing. RFC 9293, section 3.4: by its table, they are outside; Linux accepts them, as the peer can have no other
/// number.
#[test]
fn an_ack_at_the_right_edge_is_ignored() {
    let mut peer = Peer::connected();
    peer.service_writes(100);
    peer.turn();
    peer.sends(data(512, &[b'x'; 512]));
    peer.receives();
    peer.sends(ack(1024, 100));
    repaired_by("tcp/socket/closed_window.rs", peer.socket().send_queue() == 100);
}

/// The acknowledgement of a segment that has come before is ignored, which a peer sends again that has got none for it. RFC 9293,
/// section 3.10.7.4, has such a segment dropped; Linux looks at the acknowledgement.
#[test]
fn the_new_ack_of_a_segment_that_comes_again_is_ignored() {
    let mut peer = Peer::connected();
    peer.sends(data(0, b"abc"));
    peer.receives();
    peer.service_writes(100);
    peer.turn();
    peer.sends(data(0, b"abc").acks(100));
    repaired_by("tcp/socket/closed_window.rs", peer.socket().send_queue() == 100);
}

/// The same for a keep-alive, which comes with the number before RCV.NXT.
#[test]
fn the_window_of_a_keep_alive_is_ignored() {
    let mut peer = Peer::connected();
    peer.service_writes(100);
    peer.sends(ack(0, 0).window(0));
    peer.sends(ack(-1, 0).window(60_000));
    repaired_by("tcp/socket/closed_window.rs", peer.receives_data().is_empty());
}

#[test]
fn control_an_ordinary_segment_tells_the_peers_window() {
    let mut peer = Peer::connected();
    peer.service_writes(100);
    peer.sends(ack(0, 0).window(0));
    peer.sends(ack(0, 0).window(60_000));
    assert_eq!(peer.receives_data(), [(0, 100)]);
}

/// Four bytes have come and gone, three are in flight to the peer, and then this segment of the peer's arrives late.
fn with_a_late_segment(late: Segment) -> Peer {
    let mut peer = Peer::connected();
    peer.sends(data(0, b"xyz"));
    peer.service_reads(3);
    peer.sends(data(3, b"q"));
    peer.service_reads(1);
    peer.service_writes(3);
    peer.turn();
    peer.receives();
    peer.sends(late);
    peer
}

/// An old segment that arrives late sets SND.WND back to what it says. RFC 9293, section 3.10.7.4: SND.WND is
/// updated only if SND.WL1 and SND.WL2 are not newer. Here it closes the window, and nothing is sent again.
#[test]
fn an_old_segment_closes_the_window() {
    let mut peer = with_a_late_segment(data(2, b"zqr").window(0));
    peer.waits(Duration::from_secs(100));
    repaired_by("tcp/socket/old_window.rs", peer.receives_data().is_empty());
}

#[test]
fn control_an_old_segment_with_an_open_window_does_no_harm() {
    let mut peer = with_a_late_segment(data(2, b"zqr"));
    peer.waits(Duration::from_secs(2));
    assert_eq!(peer.receives_data().first(), Some(&(0, 3)));
}

/// A full window opens by a single byte. RFC 9293, section 3.8.6.2.2 (MUST-39): the receiver waits until it
/// can open it by a segment, or half of the buffer.
#[test]
fn the_window_opens_by_one_byte() {
    let mut peer = Peer::connected();
    peer.sends(data(0, &[1; BUFFER]));
    peer.receives();
    peer.service_reads(1);
    peer.turn();
    repaired_by("tcp/socket/silly_window.rs", peer.receives()[0].window == 1);
}

/// A peer's window that opens in drips draws segments of the size of the drips. RFC 9293, section 3.8.6.2.1
/// (MUST-38): a segment, or half of the largest window, or the rest of the data, or else the sender waits for
/// its timer.
#[test]
fn a_window_that_opens_in_drips_draws_small_segments() {
    let mut peer = Peer::connected();
    peer.service_writes(BUFFER);
    peer.sends(ack(0, 0).window(0));
    for drip in 0..5 {
        peer.sends(ack(0, drip * 20).window(20));
    }
    let segments = peer.receives_data();
    repaired_by(
        "tcp/socket/small_segments.rs",
        segments == [(0, 20), (20, 20), (40, 20), (60, 20), (80, 20)],
    );
}

/// The window is the room of the receive buffer alone, although an echo could take as much again into its
/// send buffer. RFC 9293, section 3.8.6 leaves the window to the receiver; but a Linux peer sends at most
/// half of the largest one that it was offered, and so 1000 bytes come in two segments where the buffers have
/// 1024.
#[test]
fn the_window_is_the_receive_buffer_alone() {
    let mut peer = Peer::new(1, BUFFER);
    let reply = peer.connects(&syn(-1));
    repaired_by("tcp/socket/echo_window.rs", usize::from(reply.window) == BUFFER);
}

/// In LAST-ACK an acknowledgement that acknowledges nothing new is answered, and its window is not looked at:
/// what the window was closed for waits for the next probe. RFC 9293, section 3.10.7.4: LAST-ACK does "the
/// same processing as for the ESTABLISHED state" until the FIN is acknowledged.
#[test]
fn last_ack_takes_no_window_update() {
    let mut peer = Peer::connected();
    peer.service_writes(6);
    peer.sends(fin(0, b"").window(0));
    peer.socket().close();
    peer.turn();
    peer.receives();
    peer.sends(ack(1, 0).window(60_000));
    repaired_by("tcp/socket/last_ack.rs", peer.receives_data().is_empty());
}

#[test]
fn last_ack_answers_a_window_update() {
    let mut peer = Peer::connected();
    peer.sends(fin(0, b""));
    peer.socket().close();
    peer.turn();
    peer.receives();
    peer.sends(ack(1, 0).window(20_000));
    repaired_by("tcp/socket/last_ack.rs", peer.receives().len() == 1);
}

#[test]
fn control_close_wait_takes_a_window_update() {
    let mut peer = Peer::connected();
    peer.service_writes(6);
    peer.sends(fin(0, b"").window(0));
    peer.receives();
    peer.sends(ack(1, 0).window(60_000));
    let segments = peer.receives();
    assert_eq!((segments[0].control, segments[0].data.len()), (TcpControl::Psh, 6));
}
