//! Closing (RFC 9293, section 3.6): everything before the peer's FIN is echoed, then comes our FIN. Simultaneous close,
//! TIME-WAIT.

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, None as Plain, Psh, Rst};

use super::fixture::{Net, PERSIST, RTO};
use super::handlers::script;
use super::peer::{Peer, letters, peer, upper};
use super::states::{buffers_full, close_wait, closing, fin_wait_1, fin_wait_2, last_ack, open, time_wait};
use crate::Next;

/// The connection was closed by both ends, and its slot is free.
#[track_caller]
fn assert_closed(net: &mut Net) {
    net.nothing_sent();
    assert_eq!((net.stats().closed, net.stats().live), (1, 0));
    net.pass(Duration::from_secs(100));
    net.nothing_sent();
    assert_eq!(net.last.deadline, None);
}

/// Takes and acknowledges everything up to the server's FIN. Returns the bytes before it.
#[track_caller]
fn read_to_end(net: &mut Net, peer: &mut Peer) -> std::vec::Vec<u8> {
    let mut data = std::vec::Vec::new();
    loop {
        if net.wire.sent.is_empty() {
            // A small window is filled with the persist timer.
            net.pass(PERSIST);
        }
        let seg = peer.take(net);
        data.extend_from_slice(&seg.data);
        if seg.control == Fin {
            peer.ack(net);
            return data;
        }
        if net.wire.sent.is_empty() {
            peer.ack(net);
        }
    }
}

#[test]
fn a_fin_is_answered_with_a_fin_and_the_slot_is_free_again() {
    let (mut net, mut peer) = last_ack();
    peer.ack(&mut net);
    assert_closed(&mut net);
}

#[test]
fn a_fin_without_data_is_answered_at_once() {
    let (mut net, mut peer) = open();
    peer.send(&mut net, Fin, b"");
    let answer = peer.take(&mut net);
    assert_eq!((answer.control, answer.seq, answer.ack, answer.data.len()), (Fin, 1, Some(2), 0));
    peer.ack(&mut net);
    assert_closed(&mut net);
}

#[test]
fn everything_before_the_fin_is_echoed_however_slowly_the_peer_reads() {
    for window in [1, 100, 512, 60_000] {
        let (mut net, mut peer) = close_wait();
        peer.window = window;
        peer.ack(&mut net);
        assert!(read_to_end(&mut net, &mut peer) == upper(&letters(1500)), "window of {window}");
        assert_closed(&mut net);
        assert_eq!((net.stats().bytes_in, net.stats().bytes_out), (1500, 1500));
    }
}

#[test]
fn a_megabyte_and_its_fin_come_back() {
    let (mut net, mut peer) = open();
    let data = letters(1_000_000);
    let (last, most) = data.split_last().unwrap();
    assert!(peer.exchange(&mut net, most, 512) == upper(most));
    peer.send(&mut net, Fin, &[*last]);
    assert_eq!(read_to_end(&mut net, &mut peer), upper(&[*last]));
    assert_closed(&mut net);
}

#[test]
fn our_closed_window_does_not_keep_a_fin_out() {
    let (mut net, mut peer) = buffers_full();
    peer.send(&mut net, Fin, b"");
    peer.take_ack(&mut net);
    peer.window = 60_000;
    peer.ack(&mut net);
    assert!(read_to_end(&mut net, &mut peer) == upper(&letters(2048)));
    assert_closed(&mut net);
}

#[test]
#[cfg_attr(not(feature = "recovery"), ignore = "it is about recovery from loss")]
fn a_lost_fin_of_ours_is_sent_again_with_the_data_before_it() {
    let (mut net, mut peer) = last_ack();
    for timeouts in [1, 1, 2, 4] {
        net.pass_in_silence(RTO * timeouts);
        let again = peer.take(&mut net);
        assert_eq!((again.control, again.seq, again.data.as_slice()), (Fin, 1, &b"BYE"[..]));
    }
    peer.ack(&mut net);
    assert_closed(&mut net);
}

#[test]
#[cfg_attr(not(feature = "recovery"), ignore = "it is about recovery from loss")]
fn the_data_may_be_acknowledged_before_the_fin() {
    let (mut net, mut peer) = last_ack();
    net.arrive(peer.segment(Plain, 5, Some(4), &[]));
    assert_eq!(net.stats().live, 1);
    net.pass_in_silence(RTO);
    let again = peer.take(&mut net);
    assert_eq!((again.control, again.seq, again.data.len()), (Fin, 4, 0));
    peer.ack(&mut net);
    assert_closed(&mut net);
}

#[test]
fn a_fin_that_comes_again_is_acknowledged_again() {
    let (mut net, mut peer) = last_ack();
    net.arrive(peer.segment(Fin, 1, Some(1), b"bye"));
    let answer = peer.take(&mut net);
    assert_eq!((answer.control, answer.ack, answer.seq), (Plain, Some(5), 5));
    net.arrive(peer.segment(Fin, 4, Some(1), b""));
    assert_eq!(peer.take(&mut net).ack, Some(5));
    peer.ack(&mut net);
    assert_closed(&mut net);

    let (mut net, mut peer) = close_wait();
    net.arrive(peer.segment(Fin, peer.next - 1, Some(1), b""));
    peer.take_ack(&mut net);
    peer.window = 60_000;
    peer.ack(&mut net);
    assert!(read_to_end(&mut net, &mut peer) == upper(&letters(1500)));
    assert_closed(&mut net);
}

#[test]
fn data_behind_the_peers_fin_are_not_echoed() {
    let (mut net, mut peer) = close_wait();
    net.arrive(peer.segment(Psh, peer.next, Some(1), b"more"));
    net.arrive(peer.segment(Fin, peer.next, Some(1), b"more"));
    net.arrive(peer.segment(Psh, peer.next - 4, Some(1), b"more and more"));
    net.wire.sent.clear();
    peer.window = 60_000;
    peer.ack(&mut net);
    assert!(read_to_end(&mut net, &mut peer) == upper(&letters(1500)));
    assert_closed(&mut net);
}

#[test]
fn simultaneous_close_ends_in_time_wait() {
    let (mut net, mut peer) = closing();
    assert_eq!((net.stats().closed, net.stats().live), (0, 1));
    peer.ack(&mut net);
    assert_closed(&mut net);
}

#[test]
fn a_fin_that_acknowledges_ours_ends_in_time_wait() {
    let (mut net, mut peer) = fin_wait_1();
    peer.send(&mut net, Fin, b"");
    peer.take_ack(&mut net);
    assert_closed(&mut net);
}

#[test]
#[cfg_attr(not(feature = "recovery"), ignore = "it is about recovery from loss")]
fn a_fin_lost_while_closing_is_sent_again() {
    for (mut net, mut peer) in [fin_wait_1(), closing()] {
        net.pass_in_silence(RTO);
        let again = peer.take(&mut net);
        assert_eq!((again.control, again.seq, again.ack), (Fin, 1, Some(peer.next)));
    }
}

#[test]
fn time_wait_acknowledges_a_fin_that_comes_again_and_begins_anew() {
    let (mut net, mut peer) = time_wait();
    net.pass(Duration::from_secs(9));
    net.arrive(peer.segment(Fin, 1, Some(2), b""));
    peer.take_ack(&mut net);
    net.pass(Duration::from_secs(10) - super::fixture::TICK);
    net.arrive(peer.segment(Fin, 1, Some(2), b""));
    peer.take_ack(&mut net);
    net.pass(Duration::from_secs(10));
    net.arrive(peer.segment(Fin, 1, Some(2), b""));
    let rst = peer.take(&mut net);
    assert_eq!((rst.control, rst.seq), (Rst, 2), "the slot was free");
    assert_closed(&mut net);
}

/// Data after our FIN will not be read, so a RST must tell the peer (RFC 1122, section 4.2.2.13).
#[test]
fn data_that_come_after_our_fin_do_not_end_in_good_order() {
    for (mut net, mut peer) in [fin_wait_1(), fin_wait_2()] {
        peer.send(&mut net, Psh, b"too late");
        peer.send(&mut net, Fin, b"");
        let mut reset = false;
        while !net.wire.sent.is_empty() {
            reset |= peer.take(&mut net).control == Rst;
        }
        assert!(reset);
        assert_eq!((net.stats().closed, net.stats().live), (0, 0));
    }
}

#[test]
fn a_fin_alone_is_sent_again_after_duplicate_acknowledgements() {
    let (mut net, mut peer) = fin_wait_1();
    for _ in 0..5 {
        net.arrive(peer.segment(Plain, peer.next, Some(1), b""));
    }
    net.pass(Duration::from_secs(2));
    assert_eq!(peer.take(&mut net).control, Fin);
}

/// RFC 9293, section 3.10.7.4: any part of a segment in the window makes it acceptable, the FIN too. lwIP sends so.
#[test]
fn a_fin_is_taken_though_all_of_the_data_before_it_has_come() {
    for (first, from) in
        [(&[(6, 5), (1, 5)][..], 6), (&[(1, 10)], 1), (&[(1, 10)], 9), (&[(1, 4), (5, 6)], 10)]
    {
        let (mut net, mut peer) = open();
        let data = letters(10);
        for (index, &(seq, length)) in first.iter().enumerate() {
            let at = usize::try_from(seq).unwrap() - 1;
            // The first one has the FIN too, if there is a hole before it.
            let control = if index == 0 && seq > 1 { Fin } else { Psh };
            net.arrive(peer.segment(control, seq, Some(1), &data[at..at + length]));
        }
        net.wire.sent.clear();
        (peer.next, peer.acked) = (11, 11);
        net.arrive(peer.segment(Fin, from, Some(11), &data[usize::try_from(from).unwrap() - 1..]));
        let fin = peer.take(&mut net);
        assert_eq!((fin.control, fin.seq, fin.ack), (Fin, 11, Some(12)), "{first:?}, then from {from}");
        net.nothing_sent();
    }
}

/// smoltcp answers a segment that comes after its connection has ended with a RST.
#[test]
fn a_keep_alive_that_acknowledges_our_fin_draws_no_rst() {
    for window in [0, 1] {
        let (mut net, mut peer) = open();
        peer.window = 0;
        peer.send(&mut net, Fin, b"");
        assert_eq!(peer.take(&mut net).control, Fin);
        peer.window = window;
        net.arrive(peer.segment(Plain, peer.next - 1, Some(peer.acked), b""));
        while !net.wire.sent.is_empty() {
            assert_eq!(peer.take(&mut net).control, Plain, "with a window of {window}");
        }
        peer.ack(&mut net);
        net.nothing_sent();
        assert_eq!((net.stats().closed, net.stats().live), (1, 0));
    }
}

/// smoltcp writes the window as it is into its probe, and does not record that it did. A FIN behind our byte makes it no less a
/// probe.
#[test]
fn the_window_that_a_probe_with_our_fin_offers_does_not_cut_the_peers_fin_short() {
    let mut net = script(|_, stream| {
        let _ = stream.write(b"x");
        Next::Finish
    });
    let mut peer = peer(40_000);
    peer.syn(&mut net);
    peer.ack(&mut net);
    assert_eq!(peer.take(&mut net).control, Fin);
    (peer.window, peer.acked) = (0, 1);
    peer.ack(&mut net);
    // What fills a hole is answered before it is read.
    let data = letters(1400);
    for part in [250..500, 0..250] {
        let seq = i32::try_from(part.start + 1).unwrap();
        net.arrive(peer.segment(Psh, seq, Some(1), &data[part]));
        net.wire.sent.clear();
    }
    peer.next = 501;
    net.pass_in_silence(PERSIST);
    let probe = peer.take(&mut net);
    net.nothing_sent();
    assert_eq!((probe.control, &probe.data[..], probe.ack, probe.window), (Fin, &b"x"[..], Some(501), 1024));
    peer.acked = 1;
    // It is refused, and taken when it comes again.
    for ack in [501, 1402] {
        net.arrive(peer.segment(Fin, 501, Some(1), &data[500..]));
        assert_eq!(peer.take(&mut net).ack, Some(ack));
        net.nothing_sent();
    }
}
