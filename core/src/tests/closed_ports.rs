//! What a TCP segment to a port draws that nobody listens on.

use std::vec::Vec;

use smoltcp::time::Duration;
use smoltcp::wire::{IpAddress, TcpControl, TcpPacket, TcpSeqNumber};

use super::fixture::{CLIENT, FAMILIES, Net, SERVER, net};
use super::packets::{ip, retouched};
use super::peer::peer_from;
use crate::DropReason;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const URG: u8 = 0x20;

/// A segment to a closed port with these flags, SEG.SEQ 1000 and SEG.ACK 2000.
fn segment(client: IpAddress, server: IpAddress, flags: u8, data: &[u8]) -> Vec<u8> {
    let segment = peer_from(client, server, 40_000).segment(TcpControl::None, 0, None, data);
    retouched(segment, |tcp| {
        tcp[2..4].copy_from_slice(&9_u16.to_be_bytes());
        tcp[4..8].copy_from_slice(&1000_u32.to_be_bytes());
        tcp[8..12].copy_from_slice(&2000_u32.to_be_bytes());
        tcp[13] = flags;
    })
}

/// Takes the next packet, which must be a RST from the closed port. Returns SEG.SEQ, and SEG.ACK if it has one.
#[track_caller]
fn take_rst(net: &mut Net, client: IpAddress, server: IpAddress) -> (i32, Option<i32>) {
    let packet = net.next_sent();
    let (from, to, _, payload) = ip(&packet);
    let rst = TcpPacket::new_checked(payload).unwrap();
    assert!(rst.verify_checksum(&from, &to));
    assert_eq!((from, rst.src_port(), to, rst.dst_port()), (server, 9, client, 40_000));
    assert!(rst.rst() && !rst.syn() && !rst.fin() && payload.len() == 20);
    assert!(rst.ack() || rst.ack_number() == TcpSeqNumber(0));
    (rst.seq_number().0, rst.ack().then_some(rst.ack_number().0))
}

/// RFC 9293, section 3.10.7.1.
#[test]
fn the_rst_is_one_that_the_peer_believes() {
    for &(client, server) in FAMILIES {
        for (flags, length) in
            [(0, 0), (FIN, 1), (SYN, 1), (PSH, 0), (URG, 0), (FIN | PSH | URG, 1), (SYN | FIN, 2)]
        {
            for data in [&b""[..], b"hello"] {
                let mut net = net();
                net.arrive(segment(client, server, flags, data));
                let end = 1000 + length + i32::try_from(data.len()).unwrap();
                assert_eq!(take_rst(&mut net, client, server), (0, Some(end)), "{flags:#04x}");
                net.nothing_sent();

                net.arrive(segment(client, server, flags | ACK, data));
                assert_eq!(take_rst(&mut net, client, server), (2000, None), "{flags:#04x}");
                net.nothing_sent();
                assert_eq!(net.last.deadline, None);
            }
        }
    }
}

#[test]
fn a_rst_draws_none() {
    for &(client, server) in FAMILIES {
        for flags in [RST, RST | ACK, RST | SYN, RST | FIN | ACK] {
            let mut net = net();
            net.arrive(segment(client, server, flags, b""));
            net.nothing_sent();
            net.dropped_only(DropReason::Unacceptable, 1);
        }
    }
}

#[test]
fn rsts_are_limited_and_connections_are_not() {
    let mut net = net();
    for _ in 0..3000 {
        net.arrive(segment(CLIENT, SERVER, SYN, b""));
    }
    assert_eq!(net.wire.sent.drain(..).count(), 200);
    net.dropped_only(DropReason::AnswerLimit, 2800);
    super::peer::peer(40_000).connect(&mut net);
    net.pass(Duration::from_secs(1));
    net.wire.sent.clear();
    for _ in 0..300 {
        net.arrive(segment(CLIENT, SERVER, SYN, b""));
    }
    assert_eq!(net.wire.sent.len(), 200);
}
