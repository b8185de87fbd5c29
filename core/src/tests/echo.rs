//! The echo: every byte comes back in upper case, in order, once.

use std::vec::Vec;

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Psh, Rst};

use super::fixture::{FAMILIES, net, net_with};
use super::peer::{Peer, letters, peer, peer_from, upper};
use super::states::open;

#[test]
fn an_echo_leaves_in_one_segment_with_its_acknowledgement() {
    for &(client, server) in FAMILIES {
        let (mut net, mut peer) = (net(), peer_from(client, server, 40_000));
        peer.connect(&mut net);
        peer.send(&mut net, Psh, b"Hello, \xc3\xbc!");
        let echo = peer.take(&mut net);
        assert_eq!(echo.data, b"HELLO, \xc3\xbc!");
        assert_eq!((echo.control, echo.ack, echo.window), (Psh, Some(11), 2048 - 10));
        net.nothing_sent();
        assert_eq!((net.stats().bytes_in, net.stats().bytes_out), (10, 10));
    }
}

#[test]
fn only_ascii_letters_change() {
    let (mut net, mut peer) = open();
    let every: Vec<u8> = (0..=255).collect();
    let mut expected = every.clone();
    expected[usize::from(b'a')..=usize::from(b'z')].copy_from_slice(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    assert_eq!(peer.exchange(&mut net, &every, 256), expected);
}

#[test]
fn bytes_wrap_around_the_end_of_both_buffers() {
    for most in [1, 7, 300, 512, 700, 1000, 1024, 1460] {
        let (mut net, mut peer) = open();
        let data = letters(10_000);
        assert!(peer.exchange(&mut net, &data, most) == upper(&data), "in segments of {most}");
    }
}

#[test]
fn bytes_wrap_around_the_end_of_the_send_buffer_while_some_are_not_acknowledged() {
    let (mut net, mut peer) = open();
    let data = letters(4000);
    let (mut echo, mut sent) = (Vec::new(), 0);
    for length in [700, 300, 500, 400, 600, 424, 1000, 76] {
        peer.send(&mut net, Psh, &data[sent..sent + length]);
        sent += length;
        // The acknowledgement is one turn behind, so that the send buffer is never empty.
        let before = peer.acked;
        echo.extend_from_slice(&peer.take_data(&mut net));
        let all = core::mem::replace(&mut peer.acked, before);
        peer.ack(&mut net);
        peer.acked = all;
        echo.extend_from_slice(&peer.take_data(&mut net));
    }
    peer.ack(&mut net);
    echo.extend_from_slice(&peer.take_data(&mut net));
    assert_eq!(sent, data.len());
    assert!(echo == upper(&data));
}

#[test]
fn the_peers_sequence_numbers_wrap() {
    for iss in [i32::MAX - 3000, -3000] {
        let (mut net, mut peer) = (net(), peer(40_000));
        peer.iss = iss;
        peer.connect(&mut net);
        let data = letters(6000);
        assert!(peer.exchange(&mut net, &data, 500) == upper(&data));
    }
}

#[test]
fn the_servers_sequence_numbers_wrap() {
    for start in [i32::MAX - 3000, -3000] {
        let (mut net, mut peer) = open();
        net.arrive(peer.segment(Rst, peer.next, None, &[]));
        // The initial sequence number advances by one every 4 µs, but in steps of 8192.
        let ticks = start.wrapping_sub(peer.irs).cast_unsigned();
        net.pass(Duration::from_micros(4 * u64::from(ticks)));
        peer.connect(&mut net);
        assert!(start.wrapping_sub(peer.irs).abs() <= 8192);
        let data = letters(20_000);
        assert!(peer.exchange(&mut net, &data, 500) == upper(&data));
    }
}

#[test]
fn a_message_comes_back_in_one_segment_in_a_conversation_and_in_a_stream() {
    let (mut net, mut peer) = open();
    for _ in 0..3 {
        peer.send(&mut net, Psh, &letters(1024));
        assert_eq!(peer.take(&mut net).data.len(), 1024);
        net.nothing_sent();
    }
    // A stream: the echo is not acknowledged when the next message comes.
    peer.send(&mut net, Psh, &letters(1000));
    assert_eq!(peer.take(&mut net).data.len(), 1000);
    let unacknowledged = peer.acked - 1000;
    net.arrive(peer.segment(Psh, peer.next, Some(unacknowledged), &letters(1000)));
    peer.next += 1000;
    let asks = net.next_sent();
    assert_eq!(asks.len(), 40 + 1, "a byte that was acknowledged, which asks for an acknowledgement");
    assert_eq!(peer.take_ack(&mut net).window, 48);
    peer.ack(&mut net);
    // From now on, each reply opens the window for one message, which acknowledges it.
    for _ in 0..20 {
        let reply = peer.take(&mut net);
        assert_eq!((reply.data.len(), reply.window), (1000, 1024));
        net.nothing_sent();
        peer.send(&mut net, Psh, &letters(1000));
    }
    peer.take(&mut net);
    // Both buffers are offered again after a while.
    for _ in 0..255 {
        peer.send(&mut net, Psh, b"a");
        peer.take(&mut net);
    }
    assert_eq!(peer.edge - peer.next, 2047);
}

#[test]
fn many_conversations_at_once_do_not_mix() {
    let mut net = net_with::<16>(|_| {});
    let mut peers: Vec<Peer> = (40_000..40_016).map(peer).collect();
    for peer in &mut peers {
        peer.connect(&mut net);
    }
    let data = letters(5000);
    for turn in 0..9 {
        for (index, peer) in peers.iter_mut().enumerate() {
            let part = &data[100 * index + 300 * turn..][..300 + index];
            assert!(peer.exchange(&mut net, part, 100 + index) == upper(part));
        }
    }
    assert_eq!((net.stats().live, net.stats().most_live), (16, 16));
}
