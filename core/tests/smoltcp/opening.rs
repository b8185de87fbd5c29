//! How connections open: initial sequence numbers, the listener, the options of a SYN (RFC 9293, section 3.5;
//! RFC 6528).

use smoltcp::phy::Medium;
use smoltcp::time::Duration;
use smoltcp::wire::TcpControl;

use super::peer::{BUFFER, Peer};
use super::repaired::repaired_by;
use super::segment::syn;

/// The initial sequence number is a function of the interface's seed alone: no 4-tuple, no clock, no secret
/// but the seed, of a generator whose constants are public. RFC 6528, section 3; RFC 9293, section 3.4.1
/// (MUST-8, SHLD-1).
#[test]
fn initial_sequence_numbers_come_from_one_generator() {
    let initial = |port, seconds| {
        let mut peer = Peer::on(Medium::Ip, 1, BUFFER, 99);
        peer.port = port;
        peer.now += Duration::from_secs(seconds);
        peer.connects(&syn(-1));
        peer.irs
    };
    repaired_by("tcp/socket/initial_sequence.rs", initial(1, 0) == initial(2, 5000));
}

/// A listening socket becomes the connection, and the next client is reset: there is no backlog. RFC 9293,
/// section 3.10.1: an OPEN that is passive waits for connections; a listener that serves several is what
/// every server needs.
#[test]
fn a_second_client_of_a_listener_is_reset() {
    let mut peer = Peer::new(1, BUFFER);
    for port in [1, 2] {
        peer.port = port;
        peer.arrives(peer.packet(&syn(-1)));
    }
    peer.turn();
    let segments = peer.receives();
    repaired_by("tcp/backlog.rs", segments.iter().any(|segment| segment.control == TcpControl::Rst));
}

/// A listening socket that stands before the connection in its set takes a SYN that is the connection's: the
/// set is searched in its order, not by 4-tuple. RFC 9293, section 3.10.7.4: the SYN is for the connection,
/// and draws a challenge ACK.
#[test]
fn a_listener_takes_the_syn_of_a_live_connection() {
    let mut peer = Peer::new(2, BUFFER);
    peer.port = 1;
    peer.connects(&syn(-1));
    peer.port = 2;
    peer.connects(&syn(-1));
    peer.socket().abort();
    peer.turn();
    peer.socket().listen(super::segment::PORT).unwrap();
    peer.receives();
    peer.sends(syn(777));
    repaired_by("tcp/demux.rs", peer.receives()[0].control == TcpControl::Syn);
}

/// A peer's MSS below 48 is not kept to. RFC 9293, section 3.7.1 (MUST-16): a segment is no larger than the
/// peer's MSS, and it gives no least value. (48 is a defence against tiny segments; the core must know it, as
/// it counts them.)
#[test]
fn a_segment_size_below_48_is_not_kept_to() {
    let mut peer = Peer::connected_by(BUFFER, &syn(-1).mss(20));
    peer.service_writes(100);
    peer.turn();
    repaired_by("memory.rs", peer.receives_data() == [(0, 48), (48, 48), (96, 4)]);
}
