//! LAST-ACK with a peer whose window shrinks: what the window closes over, our FIN too, comes again until the peer has room for it.

use smoltcp::phy::Medium;
use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, Rst};

use super::fixture::{Net, RTO, TICK};
use super::in_flight::{MSS, acks, in_flight_on, large_on, send};
use super::peer::{Peer, letters, upper};
use super::states::open;

/// The echo of `letters(1000)` is in flight, and our FIN with it. The peer's window closes over what is from byte `acked` on.
#[track_caller]
fn closed_over(acked: i32) -> (Net, Peer) {
    let (mut net, mut peer) = open();
    peer.send(&mut net, Fin, &letters(1000));
    let answer = peer.take(&mut net);
    assert_eq!((answer.control, answer.seq, answer.data.len()), (Fin, 1, 1000));
    peer.window = 0;
    refuses(&mut net, &mut peer, acked);
    (net, peer)
}

/// The peer acknowledges what is before `acked` and no more.
#[track_caller]
fn refuses(net: &mut Net, peer: &mut Peer, acked: i32) {
    peer.acked = acked;
    peer.ack(net);
    net.nothing_sent();
}

/// The rest comes from byte `acked` on, with the FIN, and ends the connection.
#[track_caller]
fn comes_again(net: &mut Net, peer: &mut Peer, acked: i32) {
    let again = peer.take(net);
    net.nothing_sent();
    assert_eq!((again.control, again.seq), (Fin, acked));
    let at = usize::try_from(acked - 1).unwrap();
    assert_eq!(again.data, &upper(&letters(1000))[at..]);
}

#[track_caller]
fn assert_closed(net: &mut Net, peer: &mut Peer) {
    peer.ack(net);
    net.nothing_sent();
    assert_eq!((net.stats().closed, net.stats().live), (1, 0));
}

/// RFC 9293, section 3.8.6: old data may be sent again beyond a window that has shrunk. As in Linux, that is the probe.
#[test]
fn a_window_that_closes_over_our_fin_is_probed_with_what_is_in_flight() {
    for acked in [1, 513, 1000, 1001] {
        for answers in [true, false] {
            let (mut net, mut peer) = closed_over(acked);
            for timeouts in [1, 1, 2, 4] {
                net.pass_in_silence(RTO * timeouts);
                comes_again(&mut net, &mut peer, acked);
                if answers {
                    refuses(&mut net, &mut peer, acked);
                }
            }
            peer.acked = 1002;
            assert_closed(&mut net, &mut peer);
        }
    }
}

#[test]
fn what_was_closed_over_with_our_fin_comes_again_when_the_window_has_opened() {
    for window in [1, 300, 60_000] {
        let (mut net, mut peer) = closed_over(513);
        peer.window = window;
        refuses(&mut net, &mut peer, 513);
        net.pass_in_silence(RTO);
        comes_again(&mut net, &mut peer, 513);
        assert_closed(&mut net, &mut peer);
    }
}

/// A peer takes a RST with the number that it expects, and ignores one beyond its window. Our FIN needs no room.
#[test]
fn the_last_rst_has_the_number_up_to_which_the_peer_has_room() {
    for (window, number) in [(0, 513), (487, 513), (488, 1002), (60_000, 1002)] {
        let (mut net, mut peer) = closed_over(513);
        peer.window = window;
        refuses(&mut net, &mut peer, 513);
        net.pass(Duration::from_secs(60) - TICK);
        net.wire.sent.clear();
        net.pass(TICK);
        let rst = peer.take(&mut net);
        assert_eq!((rst.control, rst.seq), (Rst, number), "window of {window}");
    }
}

/// It opens when the next one is acknowledged.
#[test]
#[cfg_attr(
    not(feature = "many-holes"),
    ignore = "after a timeout, smoltcp sends again what is behind the first segment"
)]
fn the_window_closes_over_some_of_several_segments_and_our_fin() {
    for (medium, scale) in [(Medium::Ip, None), (Medium::Ip, Some(9)), (Medium::Ethernet, None)] {
        let (mut net, mut peer) = in_flight_on(medium, scale, 2);
        peer.send(&mut net, Fin, &letters(1000));
        assert_eq!(peer.begins(&mut net), [1 + 2 * MSS]);
        let window = core::mem::replace(&mut peer.window, 0);
        assert_eq!(acks(&mut net, &mut peer, 1, &[]), [0; 0]);
        for timeouts in [1, 1, 2] {
            net.pass_in_silence(RTO * timeouts);
            assert_eq!(peer.begins(&mut net), [1 + MSS]);
            assert_eq!(acks(&mut net, &mut peer, 1, &[]), [0; 0]);
        }
        peer.window = window;
        assert_eq!(acks(&mut net, &mut peer, 2, &[]), [1 + 2 * MSS]);
        peer.acked = 3 * MSS + 2;
        assert_closed(&mut net, &mut peer);
    }
}

/// The congestion window has kept it back. smoltcp hears of a window in LAST-ACK only with the acknowledgement of something new, which
/// the answer to a probe is.
#[test]
fn the_window_closes_before_all_that_is_before_our_fin_has_left() {
    for (medium, scale) in [(Medium::Ip, None), (Medium::Ip, Some(9)), (Medium::Ethernet, None)] {
        let (mut net, mut peer) = large_on(medium, scale);
        assert_eq!(send(&mut net, &mut peer, 13).len(), 10);
        peer.acked = 1;
        peer.send(&mut net, Fin, b"");
        assert_eq!(peer.begins(&mut net), [0; 0]);
        let window = core::mem::replace(&mut peer.window, 0);
        assert_eq!(acks(&mut net, &mut peer, 10, &[]), [0; 0]);
        let begin = 1 + 10 * MSS;
        for timeouts in [1, 2] {
            net.pass_in_silence(RTO * timeouts);
            let probe = peer.take(&mut net);
            assert_eq!((probe.seq, probe.data.len()), (begin, 1));
            refuses(&mut net, &mut peer, begin);
        }
        peer.window = window;
        refuses(&mut net, &mut peer, begin);
        net.pass_in_silence(RTO * 4);
        assert_eq!(peer.take(&mut net).seq, begin);
        peer.ack(&mut net);
        assert_eq!(peer.begins(&mut net), [0, 1, 2].map(|segment| begin + 1 + segment * MSS));
        peer.acked = 13 * MSS + 2;
        assert_closed(&mut net, &mut peer);
    }
}

/// The peer's FIN tells that the first segment is lost, and all the others have arrived: none but the first leaves again, but our FIN
/// has not left yet.
#[test]
fn our_fin_leaves_with_what_was_lost_though_all_between_has_arrived() {
    for (medium, scale) in [(Medium::Ip, None), (Medium::Ip, Some(9)), (Medium::Ethernet, None)] {
        let (mut net, mut peer) = in_flight_on(medium, scale, 4);
        peer.sack = Some([Some((1 + MSS, 1 + 4 * MSS)), None, None]);
        peer.send(&mut net, Fin, b"");
        let mut sent = std::vec::Vec::new();
        while !net.wire.sent.is_empty() {
            let segment = peer.take(&mut net);
            sent.push((segment.control == Fin, segment.seq));
        }
        assert!(sent.contains(&(false, 1)) && sent.iter().any(|&(fin, _)| fin), "{sent:?}");
        peer.acked = 4 * MSS + 2;
        assert_closed(&mut net, &mut peer);
    }
}

/// However late smoltcp's own timer fires.
#[test]
fn what_is_lost_in_last_ack_comes_again_on_ethernet_too() {
    for medium in [Medium::Ip, Medium::Ethernet] {
        let (mut net, mut peer) = large_on(medium, None);
        peer.send(&mut net, Fin, &letters(100));
        for timeouts in [1, 1, 2, 4, 8, 16, 32, 64] {
            let lost = peer.take(&mut net);
            net.nothing_sent();
            assert_eq!((lost.control, lost.seq, &lost.data[..]), (Fin, 1, &upper(&letters(100))[..]));
            peer.acked = 1;
            net.pass_in_silence(RTO * timeouts);
        }
        peer.take(&mut net);
        assert_closed(&mut net, &mut peer);
    }
}
