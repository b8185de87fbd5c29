//! How connections end (RFC 9293, section 3.6; RFC 1122, section 4.2.2.13).

use smoltcp::socket::tcp::State;
use smoltcp::time::Duration;
use smoltcp::wire::TcpControl;

use super::peer::{BUFFER, Peer};
use super::repaired::repaired_by;
use super::segment::{PORT, ack, fin, syn};

/// Data that nobody has read when TIME-WAIT ends are thrown away without a word. RFC 1122, section 4.2.2.13:
/// if data arrive that can no longer be delivered, a RST shows that they were lost.
#[test]
fn unread_data_is_lost_without_a_rst() {
    let mut peer = Peer::connected();
    peer.socket().close();
    peer.turn();
    peer.sends(fin(0, b"late").acks(1));
    assert_eq!((peer.state(), peer.socket().recv_queue()), (State::TimeWait, 4));
    peer.receives();
    peer.waits(Duration::from_secs(11));
    repaired_by("tcp/socket/unread_data.rs", peer.socket().recv_queue() == 0 && peer.receives().is_empty());
}

/// `abort` sends its RST with SND.NXT, also behind a window that has shrunk below it, where the peer finds it
/// out of its window and stays. RFC 9293, section 3.10.5: `<SEQ=SND.NXT>`; but a RST is valid only in the
/// peer's window (section 3.5.3).
#[test]
fn an_abort_behind_a_closed_window_has_the_wrong_number() {
    let mut peer = Peer::connected();
    peer.service_writes(400);
    peer.turn();
    peer.receives();
    peer.sends(ack(0, 0).window(0));
    peer.socket().abort();
    peer.turn();
    let segments = peer.receives();
    repaired_by(
        "tcp/socket/reset_number.rs",
        (segments[0].control, segments[0].seq) == (TcpControl::Rst, 400),
    );
}

/// A fast retransmission is due when the service aborts, and smoltcp takes note of it as the RST leaves. The
/// socket's next connection sends its first segment as if it were that retransmission: beyond the window of its
/// peer. RFC 9293, section 3.10.5: an ABORT deletes the TCB, and nothing of it is left to a next one.
#[test]
fn a_fast_retransmission_is_due_on_the_next_connection() {
    let mut peer = Peer::connected();
    peer.service_writes(400);
    peer.turn();
    for _ in 0..4 {
        peer.arrives(peer.packet(&ack(0, 0).window(60_000)));
    }
    peer.socket().abort();
    peer.turn();
    begins_anew_with_a_window_of_100(&mut peer);
    peer.service_writes(400);
    peer.turn();
    repaired_by("tcp/socket/reset_number.rs", peer.receives_data() == [(0, 400)]);
}

#[test]
fn control_the_next_connection_keeps_within_its_window() {
    let mut peer = Peer::connected();
    peer.service_writes(400);
    peer.turn();
    peer.socket().abort();
    peer.turn();
    begins_anew_with_a_window_of_100(&mut peer);
    peer.service_writes(400);
    peer.turn();
    assert_eq!(peer.receives_data(), [(0, 100)]);
}

/// A connection from another port, in the same socket.
fn begins_anew_with_a_window_of_100(peer: &mut Peer) {
    assert_eq!(peer.receives().last().unwrap().control, TcpControl::Rst);
    peer.socket().listen(PORT).unwrap();
    peer.port += 1;
    peer.begins(&syn(-1));
    peer.sends(ack(0, 0).window(100));
}

/// `close` in SYN-RECEIVED believes its FIN to be acknowledged by the acknowledgement of the SYN, and never
/// sends it. RFC 9293, section 3.10.4: "form a FIN segment and send it, and enter FIN-WAIT-1".
#[test]
fn a_close_in_syn_received_sends_no_fin() {
    let mut peer = Peer::new(1, BUFFER);
    peer.begins(&syn(-1));
    peer.socket().close();
    peer.turn();
    peer.sends(ack(0, 0));
    peer.waits(Duration::from_secs(60));
    let segments = peer.receives();
    repaired_by("tcp/socket/mod.rs", segments.iter().all(|segment| segment.control != TcpControl::Fin));
}
