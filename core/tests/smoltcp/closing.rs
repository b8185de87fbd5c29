//! How connections end (RFC 9293, section 3.6; RFC 1122, section 4.2.2.13).

use smoltcp::socket::tcp::State;
use smoltcp::time::Duration;
use smoltcp::wire::TcpControl;

use super::peer::{BUFFER, Peer};
use super::repaired::repaired_by;
use super::segment::{ack, fin, syn};

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
