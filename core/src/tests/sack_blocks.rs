//! Data behind holes: how much of it is kept, and what the peer is told of it (RFC 2018).

use std::vec::Vec;

use smoltcp::config::ASSEMBLER_MAX_SEGMENT_COUNT;
use smoltcp::wire::TcpControl::{Psh, Syn};
use smoltcp::wire::TcpPacket;

use super::fixture::{FAMILIES, Net, ethernet, net};
use super::packets::{ip, retouched};
use super::peer::{Peer, letters, peer_from, upper};
use super::states::open;

/// A connection whose SYN has the SACK-permitted option, in the place of MSS.
#[track_caller]
fn connect_with_sack(net: &mut Net, peer: &mut Peer) {
    net.arrive(retouched(peer.segment(Syn, 0, None, &[]), |tcp| tcp[20..24].copy_from_slice(&[4, 2, 1, 1])));
    peer.take_syn_ack(net);
    peer.ack(net);
}

/// The number that the only segment that was sent acknowledges, and its SACK blocks. Its checksums must be right.
#[track_caller]
fn take_blocks(net: &mut Net, peer: &mut Peer) -> (i32, Vec<(i32, i32)>) {
    let packet = net.next_sent();
    net.nothing_sent();
    let (from, to, _, payload) = ip(&packet);
    let tcp = TcpPacket::new_checked(payload).unwrap();
    assert!(tcp.verify_checksum(&from, &to));
    assert_eq!(tcp.payload(), b"");
    let relative = |number: u32| number.cast_signed().wrapping_sub(peer.iss);
    let ranges = tcp.selective_ack_ranges().unwrap();
    let blocks = ranges.into_iter().flatten().map(|(left, right)| (relative(left), relative(right)));
    (tcp.ack_number().0.wrapping_sub(peer.iss), blocks.collect())
}

#[test]
fn three_blocks_are_told_the_newest_first() {
    for &(client, server) in FAMILIES {
        for mut net in [net(), ethernet(|_| {})] {
            let mut peer = peer_from(client, server, 40_000);
            connect_with_sack(&mut net, &mut peer);
            let data = letters(100);
            for (seq, length, told) in [
                (11, 10, &[(11, 21)][..]),
                (31, 10, &[(31, 41), (11, 21)]),
                (51, 10, &[(51, 61), (31, 41), (11, 21)]),
                // Of more than three, those that were told last.
                (71, 10, &[(71, 81), (51, 61), (31, 41)]),
                // Two become one.
                (61, 10, &[(51, 81), (31, 41)]),
                // One that was told of long ago grows.
                (21, 5, &[(11, 26), (51, 81), (31, 41)]),
            ] {
                let at = usize::try_from(seq).unwrap() - 1;
                net.arrive(peer.segment(Psh, seq, Some(1), &data[at..at + length]));
                assert_eq!(take_blocks(&mut net, &mut peer), (1, told.to_vec()), "{seq}");
            }
            // The first hole is filled: its block is acknowledged. The echo comes behind it.
            net.arrive(peer.segment(Psh, 1, Some(1), &data[..10]));
            let packet = net.wire.sent.pop_front().unwrap();
            let echo = net.wire.sent.pop_front().unwrap();
            net.nothing_sent();
            net.wire.sent.push_back(packet);
            assert_eq!(take_blocks(&mut net, &mut peer), (26, std::vec![(31, 41), (51, 81)]));
            net.wire.sent.push_back(echo);
            peer.next = 26;
            assert_eq!(peer.take_data(&mut net), upper(&data[..25]));
            for (seq, length) in [(26, 5), (41, 10), (81, 20)] {
                let at = usize::try_from(seq).unwrap() - 1;
                net.arrive(peer.segment(Psh, seq, Some(26), &data[at..at + length]));
            }
            net.wire.sent.clear();
            assert_eq!(net.stats().bytes_in, 100);
        }
    }
}

#[test]
fn who_did_not_offer_sack_is_told_of_no_blocks() {
    let (mut net, mut peer) = open();
    for seq in [11, 31, 51] {
        net.arrive(peer.segment(Psh, seq, Some(1), b"0123456789"));
        assert_eq!(take_blocks(&mut net, &mut peer), (1, Vec::new()));
    }
}

/// Nothing of it is left for the next connection.
#[test]
fn blocks_of_the_last_connection_are_not_told() {
    let mut net = super::fixture::net_with::<1>(|_| {});
    for port in [1, 2] {
        let mut peer = super::peer::peer(port);
        connect_with_sack(&mut net, &mut peer);
        for seq in [11, 31] {
            net.arrive(peer.segment(Psh, seq, Some(1), b"0123456789"));
            let (_, told) = take_blocks(&mut net, &mut peer);
            assert_eq!(told.len(), if seq == 11 { 1 } else { 2 });
        }
        net.arrive(peer.segment(smoltcp::wire::TcpControl::Rst, 1, None, b""));
    }
}

#[test]
fn as_many_blocks_are_kept_as_there_is_memory_for() {
    let (mut net, mut peer) = open();
    let data = letters(ASSEMBLER_MAX_SEGMENT_COUNT * 20);
    let parts = || (1..).step_by(10).zip(data.chunks(10));
    for (seq, part) in parts().skip(1).step_by(2) {
        net.arrive(peer.segment(Psh, seq, Some(1), part));
        peer.take_ack(&mut net);
    }
    for (seq, part) in parts().step_by(2) {
        net.arrive(peer.segment(Psh, seq, Some(1), part));
    }
    net.wire.sent.clear();
    assert_eq!(net.stats().bytes_in, data.len() as u64, "nothing has to come again");
    assert_eq!(ASSEMBLER_MAX_SEGMENT_COUNT, if cfg!(feature = "many-holes") { 16 } else { 4 });
}
