//! Clients that are a nuisance: everyone else is served as before, and deadlines give the slots back.

use std::vec::Vec;

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, None as Plain, Psh, Rst};
use smoltcp::wire::TcpPacket;

use super::fixture::{Net, net_with};
use super::packets::ip;
use super::peer::{Peer, letters, peer};

const SECOND: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nuisance {
    /// Opens and says nothing, but its host acknowledges what comes.
    Silent,
    /// Sends what goes, and never reads: its window is closed, and its host acknowledges.
    Deaf,
    /// Has sent something, and is gone without a word.
    Gone,
    /// Sends an octet a second, and reads its echo.
    Dripping,
}

use Nuisance::{Deaf, Dripping, Gone, Silent};

/// As many nuisances as slots less one, and one client after the other who wants to be served.
struct Party {
    net: Net,
    nuisances: Vec<(Nuisance, Peer)>,
    guests: u16,
}

fn party(kinds: &[Nuisance], idle_timeout: Option<Duration>) -> Party {
    let mut net = net_with::<5>(|config| config.idle_timeout = idle_timeout);
    let mut nuisances: Vec<(Nuisance, Peer)> = kinds.iter().copied().zip((1..).map(peer)).collect();
    for (kind, peer) in &mut nuisances {
        peer.connect(&mut net);
        match kind {
            Silent => {}
            Gone | Dripping => {
                peer.send(&mut net, Psh, b"x");
                peer.take_data(&mut net);
            }
            Deaf => {
                peer.window = 0;
                peer.send(&mut net, Psh, &letters(512));
                peer.take(&mut net);
            }
        }
        net.wire.sent.clear();
    }
    Party { net, nuisances, guests: 0 }
}

impl Party {
    /// A second passes, in which a guest comes and goes; returns how many packets that took.
    fn second(&mut self) -> usize {
        self.net.pass(SECOND - MOMENT);
        self.answer();
        for (_, peer) in self.nuisances.iter_mut().filter(|(kind, _)| *kind == Dripping) {
            peer.send(&mut self.net, Psh, b"d");
            assert_eq!(peer.take_data(&mut self.net), b"D");
            peer.ack(&mut self.net);
        }
        let before = self.net.stats().packets_out;
        self.guests += 1;
        let mut guest = peer(1000 + self.guests);
        guest.connect(&mut self.net);
        let data = letters(3000);
        assert!(guest.exchange(&mut self.net, &data, 512) == super::peer::upper(&data));
        guest.send(&mut self.net, Fin, b"bye");
        let last = guest.take(&mut self.net);
        assert_eq!((last.control, last.data.as_slice()), (Fin, &b"BYE"[..]));
        guest.ack(&mut self.net);
        let packets = self.net.stats().packets_out - before;
        self.net.pass(MOMENT);
        self.answer();
        usize::try_from(packets).unwrap()
    }

    /// The hosts of those who are still there answer.
    fn answer(&mut self) {
        while let Some(packet) = self.net.wire.sent.pop_front() {
            let tcp = TcpPacket::new_checked(ip(&packet).3).unwrap();
            let (port, number, length) = (tcp.dst_port(), tcp.seq_number(), tcp.segment_len());
            let (kind, peer) = self.nuisances.iter_mut().find(|(_, peer)| peer.port == port).unwrap();
            if tcp.rst() || *kind == Gone {
                continue;
            }
            let seq = number.0.wrapping_sub(peer.irs);
            // A closed window takes nothing of what comes, but for a FIN.
            if seq == peer.acked && (*kind != Deaf || tcp.fin() && tcp.payload().is_empty()) {
                peer.acked += i32::try_from(length).unwrap();
            }
            let answer = peer.segment(Plain, peer.next, Some(peer.acked), &[]);
            self.net.arrive(answer);
        }
    }
}

#[test]
fn everyone_else_is_served_as_before() {
    let alone = party(&[], None).second();
    let mut party = party(&[Silent, Deaf, Gone, Dripping], None);
    for second in 0..120 {
        assert_eq!(party.second(), alone, "after {second} s");
    }
    let s = party.net.stats();
    assert_eq!((s.closed, s.refused, s.evicted), (120, 0, 0));
    // Without an idle timeout, only who is gone loses his slot.
    assert_eq!((s.timed_out, s.live), (1, 3));
}

#[test]
fn the_idle_timeout_and_the_dead_peer_deadline_give_the_slots_back() {
    let mut party = party(&[Silent, Deaf, Gone, Dripping], Some(Duration::from_secs(20)));
    for _ in 0..70 {
        party.second();
    }
    let s = *party.net.stats();
    assert_eq!((s.live, s.timed_out, s.closed), (1, 3, 70), "only who drips is not idle:\n{s}");
    let drip = &party.nuisances[3].1;
    party.net.arrive(drip.segment(Rst, drip.next, None, &[]));
    party.net.pass(Duration::from_secs(60));
    assert_eq!((party.net.stats().live, party.net.last.deadline), (0, None));
}
