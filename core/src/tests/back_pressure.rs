//! Back-pressure: windows that close and open. Nothing is lost, and there are no silly windows (RFC 9293, section
//! 3.8.6.2).
//!
//! Both buffers have 1024 bytes, and the MSS towards the server is 1460. So a window update is worthwhile, and a
//! segment of ours full, from half a buffer on: 512 = 1024 / 2. A peer that reads nothing stops after 2048 = 1024 (send
//! buffer, echoed but not acknowledged) + 1024 (receive buffer, not yet echoed) bytes.

use std::vec::Vec;

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, None as Plain, Psh};

use super::fixture::SECOND_PROBE;
use super::peer::{letters, upper};
use super::silly_window::open_with_window;
use super::states::{buffers_full, fill_buffers, open};

#[test]
fn the_window_closes_while_the_echo_is_not_acknowledged_and_nothing_is_lost() {
    let (mut net, mut peer) = open();
    let data = letters(2048);
    let mut echo = Vec::new();
    for (part, room) in data.chunks(512).zip([1536, 1024, 512, 0]) {
        // The acknowledgement of the echo is still under way: `acked` stays where it is.
        net.arrive(peer.segment(Psh, peer.next, Some(1), part));
        peer.next += 512;
        let answer = peer.take(&mut net);
        net.nothing_sent();
        assert_eq!((answer.ack, answer.window), (Some(peer.next), room));
        echo.extend_from_slice(&answer.data);
    }
    assert_eq!(echo.len(), 1024, "the rest does not fit into the send buffer");
    assert_eq!(net.stats().bytes_in, 1024);

    peer.ack(&mut net);
    let first = peer.take(&mut net);
    assert_eq!((first.data.len(), first.window), (1024, 1024), "the window opens with the echo");
    echo.extend_from_slice(&first.data);
    echo.extend_from_slice(&peer.take_data(&mut net));
    assert!(echo == upper(&data));
}

#[test]
fn a_peer_that_reads_nothing_closes_our_window_and_loses_nothing() {
    let (mut net, mut peer) = buffers_full();
    peer.window = 60_000;
    peer.ack(&mut net);
    let mut echo = peer.take_data(&mut net);
    assert_eq!(echo.len(), 1024);
    peer.ack(&mut net);
    echo.extend_from_slice(&peer.take_data(&mut net));
    assert!(echo == upper(&letters(2048)));
    peer.ack(&mut net);
    net.nothing_sent();
    assert_eq!(peer.edge - peer.next, 1024);
}

#[test]
fn the_window_does_not_open_by_less_than_half_a_buffer() {
    let (mut net, mut peer) = buffers_full();
    peer.window = 1024;
    peer.ack(&mut net);
    assert_eq!(peer.take(&mut net).data.len(), 1024);
    // Byte by byte is how a slow reader's acknowledgements may come (RFC 9293, section 3.8.6.2.2).
    let first = peer.acked - 1024;
    for ack in [1, 100, 511] {
        net.arrive(peer.segment(Plain, peer.next, Some(first + ack), &[]));
        net.nothing_sent();
    }
    assert_eq!(net.stats().bytes_in, 1024);
    net.arrive(peer.segment(Plain, peer.next, Some(first + 512), &[]));
    let answer = peer.take(&mut net);
    net.nothing_sent();
    assert_eq!((answer.data.len(), answer.window), (512, 512));
}

#[test]
fn little_that_waits_moves_as_soon_as_it_fits() {
    let (mut net, mut peer) = open_with_window(18);
    fill_buffers(&mut net, &mut peer, &letters(1034));
    assert_eq!(net.stats().bytes_in, 1024);
    peer.window = 9;
    peer.ack(&mut net);
    assert_eq!(peer.take_data(&mut net).len(), 9);
    peer.ack(&mut net);
    assert_eq!(net.stats().bytes_in, 1024, "9 bytes of room are too few for 10");
    assert_eq!(peer.take_data(&mut net).len(), 9);
    peer.ack(&mut net);
    assert_eq!(net.stats().bytes_in, 1034);
}

#[test]
fn no_more_is_in_flight_than_the_peers_window_allows() {
    let (mut net, mut peer) = open_with_window(100);
    peer.send(&mut net, Psh, &letters(1000));
    let mut echo = peer.take_data(&mut net);
    while echo.len() < 1000 {
        assert_eq!(echo.len() % 100, 0);
        peer.ack(&mut net);
        let part = peer.take_data(&mut net);
        assert_eq!(part.len(), 100);
        echo.extend_from_slice(&part);
    }
    assert!(echo == upper(&letters(1000)));
}

#[test]
fn what_comes_behind_the_window_is_taken_when_it_comes_again() {
    let (mut net, mut peer) = open();
    let data = letters(3000);
    fill_buffers(&mut net, &mut peer, &data[..1024]);
    // 1424 bytes where 1024 fit, so 400 lie beyond the window's right edge; then a segment wholly beyond it.
    net.arrive(peer.segment(Psh, peer.next, Some(1), &data[1024..2448]));
    peer.next += 1024;
    assert_eq!(peer.take_ack(&mut net).window, 0);
    net.arrive(peer.segment(Psh, peer.next + 500, Some(1), &data[2548..]));
    assert_eq!(peer.take_ack(&mut net).window, 0);

    peer.window = 60_000;
    peer.ack(&mut net);
    let mut echo = peer.take_data(&mut net);
    peer.ack(&mut net);
    echo.extend_from_slice(&peer.take_data(&mut net));
    assert!(echo == upper(&data[..2048]));
    assert!(peer.exchange(&mut net, &data[2048..], 952) == upper(&data[2048..]));
}

#[test]
fn our_closed_window_answers_probes_and_takes_nothing_of_them() {
    let (mut net, mut peer) = buffers_full();
    for _ in 0..10 {
        // BSD probes a closed window with the next byte, Linux with an empty segment at SND.NXT - 1.
        net.arrive(peer.segment(Psh, peer.next, Some(1), b"x"));
        assert_eq!(peer.take_ack(&mut net).window, 0);
        net.arrive(peer.segment(Plain, peer.next - 1, Some(1), &[]));
        assert_eq!(peer.take_ack(&mut net).window, 0);
        net.pass(Duration::from_secs(1));
        while !net.wire.sent.is_empty() {
            peer.take(&mut net);
            peer.acked = 1; // our own zero-window probe, which the peer does not accept either
        }
    }
    assert_eq!(net.stats().bytes_in, 1024);
}

/// The window update may have been lost. A peer that waits for our window then sends nothing but probes.
#[test]
fn a_probe_of_our_closed_window_tells_that_the_peers_is_open() {
    let (mut net, mut peer) = buffers_full();
    peer.window = 512;
    net.arrive(peer.segment(Psh, peer.next, Some(1), b"x"));
    assert_eq!(peer.take_data(&mut net).len(), 512);
    assert_eq!(net.stats().bytes_in, 1024, "the window was closed when it came");
    // The next probe also acknowledges those 512 bytes.
    peer.window = 60_000;
    net.arrive(peer.segment(Psh, peer.next, Some(peer.acked), b"x"));
    assert_eq!(peer.take_data(&mut net).len(), 1024);
    peer.ack(&mut net);
    assert_eq!(peer.take_data(&mut net).len(), 512);
    assert_eq!(net.stats().bytes_in, 2048);
}

#[test]
fn the_peers_closed_window_is_probed_with_a_byte_and_back_off() {
    let (mut net, mut peer) = buffers_full();
    // The first probe was sent at once. Each answer has a window of 0.
    // (From 20 seconds on, a silent peer is probed; deadlines.rs has that.)
    for timeouts in [1, 2, 4, 8] {
        net.pass_in_silence(SECOND_PROBE * timeouts);
        let probe = peer.take(&mut net);
        net.nothing_sent();
        assert_eq!((probe.seq, probe.data.as_slice()), (1, &b"A"[..]));
        peer.acked = 1;
        peer.ack(&mut net);
        net.nothing_sent();
    }
    peer.window = 60_000;
    peer.ack(&mut net);
    let mut echo = peer.take_data(&mut net);
    peer.ack(&mut net);
    echo.extend_from_slice(&peer.take_data(&mut net));
    assert!(echo == upper(&letters(2048)));
}

#[test]
fn an_acknowledged_probe_is_not_sent_again() {
    let (mut net, mut peer) = buffers_full();
    net.pass_in_silence(SECOND_PROBE);
    let probe = peer.take(&mut net);
    assert_eq!(probe.data, b"A");
    peer.window = 60_000;
    peer.ack(&mut net);
    let mut echo = probe.data;
    echo.extend_from_slice(&peer.take_data(&mut net));
    peer.ack(&mut net);
    echo.extend_from_slice(&peer.take_data(&mut net));
    assert!(echo == upper(&letters(2048)));
}

/// Linux probes a closed window with empty segments at SND.NXT - 1, outside the window.
#[test]
fn an_empty_probe_of_our_closed_window_tells_that_the_peers_is_open() {
    let (mut net, mut peer) = buffers_full();
    peer.window = 60_000;
    net.arrive(peer.segment(Plain, peer.next - 1, Some(1), &[]));
    peer.take(&mut net);
    assert!(peer.take_data(&mut net) == upper(&letters(1024)));
}

/// smoltcp ignores the window of a segment outside the receive window, and keeps probing.
#[test]
fn a_keep_alive_that_offers_a_window_again_does_no_harm() {
    let (mut net, mut peer) = open();
    fill_buffers(&mut net, &mut peer, b"a");
    net.pass(SECOND_PROBE);
    assert_eq!(peer.take(&mut net).data, b"A");
    peer.ack(&mut net);
    peer.window = 1000;
    net.arrive(peer.segment(Plain, peer.next - 1, Some(peer.acked), &[]));
    peer.take_ack(&mut net);
    let data = letters(3000);
    assert!(peer.exchange(&mut net, &data, 512) == upper(&data));
}

#[test]
fn the_window_that_a_probe_offers_does_not_cut_a_fin_short() {
    let (mut net, mut peer) = open();
    let data = letters(2278);
    fill_buffers(&mut net, &mut peer, &data[..1410]);
    peer.window = 1024;
    peer.ack(&mut net);
    let mut echo = peer.take_data(&mut net);
    // Waiting data moves on. smoltcp writes the new window into its probe only, and does not record that it did. It is the receive
    // buffer's: the peer has filled both, and was asked for an acknowledgement.
    peer.window = 0;
    peer.ack(&mut net);
    let probe = peer.take(&mut net);
    net.nothing_sent();
    assert_eq!((probe.data.len(), probe.window), (1, 1024));
    peer.acked -= 1;
    peer.send(&mut net, Fin, &data[1410..]);
    assert_eq!(peer.take(&mut net).ack, Some(peer.next), "all 868 bytes and the FIN");
    net.wire.sent.clear();

    peer.window = 60_000;
    peer.ack(&mut net);
    echo.extend_from_slice(&peer.take(&mut net).data);
    peer.ack(&mut net);
    while !net.wire.sent.is_empty() {
        echo.extend_from_slice(&peer.take(&mut net).data);
        peer.ack(&mut net);
    }
    assert_eq!(echo.len(), data.len());
    assert!(echo == upper(&data));
}

/// The first probe of a closed window and the acknowledgement behind it leave in one turn. Were only the last segment noted,
/// the acknowledgement of the probe's byte would be one of data that was never sent.
#[test]
fn the_acknowledgement_of_a_first_probe_brings_the_rest_at_once() {
    let (mut net, mut peer) = open();
    peer.window = 0;
    peer.send(&mut net, Psh, &letters(1000));
    assert_eq!(peer.take(&mut net).data, b"A");
    assert_eq!(peer.take(&mut net).data, b"");
    net.nothing_sent();
    peer.window = 8000;
    net.arrive(peer.segment(Plain, peer.next, Some(2), b""));
    peer.acked = 2;
    assert_eq!(peer.take_data(&mut net), upper(&letters(1000)[1..]));
    net.dropped_only(crate::DropReason::Unacceptable, 0);
}
