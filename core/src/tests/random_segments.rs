//! Random segments, datagrams and pings from several peers (a fixed set of seeds), with a device that is sometimes full.
//! Nothing panics, the counters add up after each poll (see `fixture`), the echo is what was sent, and no slot is lost.
//!
//! `illegal_flags` has what no TCP sends, one case at a time; `slow_clients` has correct clients that are a burden.

use std::vec::Vec;

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, None as Plain, Psh, Rst, Syn};
use smoltcp::wire::{IpProtocol, TcpControl, TcpPacket};

use super::fixture::{CLIENT, Net, SERVER, net_with};
use super::packets::{ip, ping, retouched};
use super::peer::{Peer, peer};
use super::udp::question;

/// A small generator of pseudo-random numbers (splitmix64).
struct Dice(u64);

fn scramble(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scramble(self.0)
    }

    /// From 0 to below `end`.
    fn below(&mut self, end: i32) -> i32 {
        i32::try_from(self.roll() % u64::try_from(end).unwrap()).unwrap()
    }

    fn one_of<T: Copy>(&mut self, choice: &[T]) -> T {
        let index = self.below(i32::try_from(choice.len()).unwrap());
        choice[usize::try_from(index).unwrap()]
    }
}

/// The payload at this sequence number, the same in every segment, so that overlapping segments agree.
fn bytes(number: i32, length: i32) -> Vec<u8> {
    let letter = |at| scramble(u64::from(number.wrapping_add(at).cast_unsigned())) % 26;
    (0..length).map(|at| b'a' + u8::try_from(letter(at)).unwrap()).collect()
}

/// A segment whose numbers are likely to be near the edges of what is acceptable.
fn segment(dice: &mut Dice, peer: &mut Peer) -> Vec<u8> {
    peer.window = dice.one_of(&[0, 1, 100, 1000, 60_000]);
    let control = dice.one_of(&[Plain, Plain, Plain, Psh, Psh, Fin, Rst, Syn]);
    let far = dice.roll().to_le_bytes();
    let far = i32::from_le_bytes([far[0], far[1], far[2], far[3]]);
    let seq = match dice.below(10) {
        0 => far,
        1 => peer.next.wrapping_add(dice.one_of(&[i32::MIN, i32::MAX, 1 << 30, -(1 << 30)])),
        2 => peer.next.wrapping_add(dice.below(3000) - 1500),
        3 => 0,
        _ => peer.next,
    };
    let ack = match dice.below(12) {
        0 => None,
        1 => Some(far),
        2 => Some(peer.acked.wrapping_add(dice.below(3000) - 1500)),
        3 => Some(1),
        _ => Some(peer.acked),
    };
    let length = dice.one_of(&[0, 0, 1, 10, 511, 512, 1024, 1400]);
    if control == Syn && dice.below(2) == 0 {
        return peer.segment(Syn, far, None, &bytes(peer.iss.wrapping_add(far), length));
    }
    if seq == peer.next && matches!(control, Plain | Psh) {
        peer.next = peer.next.wrapping_add(dice.one_of(&[length, length, 0, length / 2]));
    }
    let packet = peer.segment(control, seq, ack, &bytes(peer.iss.wrapping_add(seq), length));
    if length == 0 && dice.below(8) == 0 {
        let (at, value) = (4 + usize::from(far.to_le_bytes()[0]) % 16, far.to_le_bytes()[1]);
        return retouched(packet, |header| header[at] = value);
    }
    packet
}

/// Initial sequence numbers of a connection: the peer's, and the server's.
type Initial = (i32, i32);

/// The peers read what the server sent. Its payload must be the upper case of what they sent. `offers`: those of all SYN|ACKs
/// so far, by the peer's port.
fn read_all(net: &mut Net, peers: &mut [Peer], offers: &mut Vec<(u16, Initial)>) {
    while let Some(packet) = net.wire.sent.pop_front() {
        let (_, _, protocol, payload) = ip(&packet);
        if protocol != IpProtocol::Tcp {
            continue;
        }
        let tcp = TcpPacket::new_checked(payload).unwrap();
        let Some(peer) = peers.iter_mut().find(|peer| peer.port == tcp.dst_port()) else {
            continue; // to a port that `retouched` made up
        };
        if tcp.syn() {
            // The server may have taken any of the SYNs: its SYN|ACK says which.
            peer.iss = tcp.ack_number().0.wrapping_sub(1);
            (peer.irs, peer.acked, peer.next) = (tcp.seq_number().0, 1, 1);
            offers.push((peer.port, (peer.iss, peer.irs)));
            continue;
        }
        let (seq, data) = (tcp.seq_number().0.wrapping_sub(peer.irs), tcp.payload());
        if tcp.rst() || data.is_empty() || data == [0] {
            continue; // the garbage byte of a keep-alive
        }
        let length = i32::try_from(data.len()).unwrap();
        let is_echo = |(iss, irs): Initial| {
            let seq = tcp.seq_number().0.wrapping_sub(irs);
            seq > 0 && data == bytes(iss.wrapping_add(seq), length).to_ascii_uppercase()
        };
        // SYN cookies: any connection that was offered may have been reconstructed since then.
        let revived =
            net.stats().revived > 0 && offers.iter().any(|&(port, of)| port == peer.port && is_echo(of));
        assert!(is_echo((peer.iss, peer.irs)) || revived);
        if seq == peer.acked {
            peer.acked += length + i32::from(tcp.fin());
        }
    }
}

fn run(seed: u64) {
    let mut dice = Dice(seed);
    let idle = dice.one_of(&[None, Some(Duration::from_secs(7))]);
    let mut net = net_with::<3>(|config| config.idle_timeout = idle);
    let mut peers: Vec<Peer> = (1..=4).map(peer).collect();
    let mut offers = Vec::new();
    let shutdown = (dice.below(4) == 0).then_some(250);
    for step in 0..300 {
        if Some(step) == shutdown {
            net.server.shutdown(net.now);
        }
        let peer = &mut peers[usize::try_from(dice.below(4)).unwrap()];
        let packet = match dice.below(20) {
            0 => question(CLIENT, 50_000, SERVER, b"x"),
            1 => ping(CLIENT, SERVER, b"x"),
            2 => peer.segment(Syn, 0, None, b""),
            3..6 => peer.segment(TcpControl::None, peer.next, Some(peer.acked), b""),
            _ => segment(&mut dice, peer),
        };
        net.wire.arriving.push_back(packet);
        net.wire.one_way = dice.below(4) == 0;
        net.wire.room = dice.one_of(&[0, 1, 2, usize::MAX, usize::MAX]);
        match dice.below(10) {
            0 => net.pass(Duration::from_millis(dice.roll() % 30_000)),
            1 => net.pass(Duration::from_millis(dice.roll() % 2000)),
            _ => net.poll(),
        }
        if dice.below(3) > 0 {
            read_all(&mut net, &mut peers, &mut offers);
        }
    }
    net.wire.arriving.clear();
    (net.wire.room, net.wire.one_way) = (usize::MAX, false);
    // The peers are silent from here on, so that every connection has to end.
    net.pass(Duration::from_secs(100));
    read_all(&mut net, &mut peers, &mut offers);
    assert_eq!((net.stats().live, net.last.deadline, net.last.blocked), (0, None, false));
}

#[test]
fn random_segments_do_no_harm() {
    // Seed 45459 made smoltcp send without end.
    for seed in (0..400).chain([45_459]) {
        let result = std::panic::catch_unwind(|| run(seed));
        assert!(result.is_ok(), "with the seed {seed}");
    }
}
