//! What was lost where one segment is in flight, as with buffers that one segment fills.

use std::vec::Vec;

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{None as Plain, Psh};

use super::fixture::{Net, RTO, net};
use super::peer::{Peer, letters, peer, upper};

/// A connection on which a round trip, which took no time, has been measured.
#[track_caller]
fn measured() -> (Net, Peer) {
    let (mut net, mut peer) = (net(), peer(40_000));
    peer.sack = Some([None; 3]);
    peer.connect(&mut net);
    assert_eq!(peer.exchange(&mut net, b"measured", 8), b"MEASURED");
    (net, peer)
}

/// The peer sends 1000 bytes, and this is what comes back of it.
#[track_caller]
fn asks(net: &mut Net, peer: &mut Peer, acked: i32) -> Vec<i32> {
    net.arrive(peer.segment(Psh, peer.next, Some(acked), &letters(1000)));
    peer.next += 1000;
    peer.begins(net)
}

#[test]
fn an_echo_is_lost_if_the_peer_sends_again_what_it_echoes_two_round_trips_later() {
    for probe in [false, true] {
        let (mut net, mut peer) = measured();
        assert_eq!(asks(&mut net, &mut peer, 9), [9]);
        // The peer has not received that, and sends all of it again, or an empty segment to the left of the window.
        let again = |net: &mut Net, peer: &mut Peer| {
            let data = if probe { Vec::new() } else { letters(1000) };
            let seq = if probe { peer.next - 1 } else { 9 };
            net.arrive(peer.segment(Psh, seq, Some(9), &data));
            peer.acked = 9;
            assert_eq!(peer.take(net).data, b"", "the acknowledgement");
        };
        for wait in [5, 10, 20] {
            net.pass(Duration::from_millis(wait) - Duration::from_micros(1));
            again(&mut net, &mut peer);
            net.nothing_sent();
            net.pass(Duration::from_micros(1));
            again(&mut net, &mut peer);
            assert_eq!(peer.take_data(&mut net), upper(&letters(1000)));
        }
        peer.ack(&mut net);
        net.nothing_sent();
    }
}

/// It may have been under way for longer than the echo.
#[test]
fn what_acknowledges_something_new_or_tells_of_something_new_misses_nothing() {
    let (mut net, mut peer) = measured();
    assert_eq!(asks(&mut net, &mut peer, 9), [9]);
    net.pass(RTO / 2);
    net.arrive(peer.segment(Plain, peer.next, Some(9), b"new"));
    peer.next += 3;
    assert_eq!(peer.begins(&mut net), [1009]);
    net.nothing_sent();
}
