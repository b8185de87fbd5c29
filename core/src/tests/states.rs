//! A connection in each state of RFC 9293, section 3.3.2.

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, None as Plain, Psh};

use super::fixture::{Net, net, net_with};
use super::peer::{Peer, letters, peer, upper};

/// The idle timeout with which the server closes first: FIN-WAIT-1, FIN-WAIT-2, CLOSING and TIME-WAIT need it.
pub(super) const IDLE: Duration = Duration::from_secs(10);

/// SYN-RECEIVED.
pub(super) fn half_open() -> (Net, Peer) {
    let (mut net, mut peer) = (net(), peer(40_000));
    peer.syn(&mut net);
    (net, peer)
}

/// ESTABLISHED.
#[track_caller]
pub(super) fn open() -> (Net, Peer) {
    let (mut net, mut peer) = (net(), peer(40_000));
    peer.connect(&mut net);
    (net, peer)
}

/// The peer sends `data` with a window of 0. smoltcp probes at once, with the first byte of the echo, which the peer
/// does not accept; then comes the acknowledgement.
#[track_caller]
pub(super) fn fill_buffers(net: &mut Net, peer: &mut Peer, data: &[u8]) {
    peer.window = 0;
    for part in data.chunks(512) {
        peer.send(net, Psh, part);
        if net.wire.sent.len() > 1 {
            assert_eq!(peer.take(net).data, b"A");
            peer.acked = 1;
        }
        peer.take_ack(net);
    }
}

/// ESTABLISHED, and the peer reads nothing: `letters(2048)` fill both buffers of 1024 bytes. Nothing is acknowledged.
#[track_caller]
pub(super) fn buffers_full() -> (Net, Peer) {
    let (mut net, mut peer) = open();
    fill_buffers(&mut net, &mut peer, &letters(2048));
    assert_eq!(peer.edge, peer.next);
    (net, peer)
}

/// CLOSE-WAIT: the peer has sent `letters(1500)` and FIN, and reads nothing. 1024 of them are in the send buffer.
#[track_caller]
pub(super) fn close_wait() -> (Net, Peer) {
    let (mut net, mut peer) = open();
    let data = letters(1500);
    fill_buffers(&mut net, &mut peer, &data[..1024]);
    peer.send(&mut net, Fin, &data[1024..]);
    peer.take_ack(&mut net);
    (net, peer)
}

/// LAST-ACK.
#[track_caller]
pub(super) fn last_ack() -> (Net, Peer) {
    let (mut net, mut peer) = open();
    peer.send(&mut net, Fin, b"bye");
    let answer = peer.take(&mut net);
    assert_eq!((answer.control, answer.data, answer.ack), (Fin, upper(b"bye"), Some(5)));
    net.nothing_sent();
    (net, peer)
}

/// FIN-WAIT-1: the server has closed a connection without data.
#[track_caller]
pub(super) fn fin_wait_1() -> (Net, Peer) {
    let (mut net, mut peer) = (net_with::<4>(|config| config.idle_timeout = Some(IDLE)), peer(40_000));
    peer.connect(&mut net);
    net.pass_in_silence(IDLE);
    let fin = peer.take(&mut net);
    assert_eq!((fin.control, fin.seq, fin.ack), (Fin, 1, Some(1)));
    net.nothing_sent();
    (net, peer)
}

/// FIN-WAIT-2.
#[track_caller]
pub(super) fn fin_wait_2() -> (Net, Peer) {
    let (mut net, mut peer) = fin_wait_1();
    peer.ack(&mut net);
    net.nothing_sent();
    (net, peer)
}

/// CLOSING: both FINs crossed.
#[track_caller]
pub(super) fn closing() -> (Net, Peer) {
    let (mut net, mut peer) = fin_wait_1();
    net.arrive(peer.segment(Fin, 1, Some(1), b""));
    peer.next = 2;
    let answer = peer.take(&mut net);
    assert_eq!((answer.control, answer.ack), (Plain, Some(2)));
    net.nothing_sent();
    (net, peer)
}

/// TIME-WAIT: the server closed first, then the peer.
#[track_caller]
pub(super) fn time_wait() -> (Net, Peer) {
    let (mut net, mut peer) = fin_wait_2();
    peer.send(&mut net, Fin, b"");
    peer.take_ack(&mut net);
    assert_eq!((net.stats().closed, net.stats().live), (1, 0));
    (net, peer)
}
