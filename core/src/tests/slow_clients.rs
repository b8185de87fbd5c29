//! Clients that keep a slot without using it: the others are served as before, and deadlines free the slots.

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
enum Kind {
    /// Connects and sends nothing. Its TCP acknowledges what comes.
    Silent,
    /// Sends and never reads: its window is 0. Its TCP acknowledges what comes.
    NotReading,
    /// Has sent something, and is then unreachable.
    Gone,
    /// Sends a byte a second, and reads its echo.
    Dripping,
}

use Kind::{Dripping, Gone, NotReading, Silent};

/// A server with one slot more than there are slow clients, and ordinary clients that come one after the other.
struct Scene {
    net: Net,
    slow: Vec<(Kind, Peer)>,
    served: u16,
}

fn scene(kinds: &[Kind], idle_timeout: Option<Duration>) -> Scene {
    let mut net = net_with::<5>(|config| config.idle_timeout = idle_timeout);
    let mut slow: Vec<(Kind, Peer)> = kinds.iter().copied().zip((1..).map(peer)).collect();
    for (kind, peer) in &mut slow {
        peer.connect(&mut net);
        match kind {
            Silent => {}
            Gone | Dripping => {
                peer.send(&mut net, Psh, b"x");
                peer.take_data(&mut net);
            }
            NotReading => {
                peer.window = 0;
                peer.send(&mut net, Psh, &letters(512));
                peer.take(&mut net);
            }
        }
        net.wire.sent.clear();
    }
    Scene { net, slow, served: 0 }
}

impl Scene {
    /// A second passes, in which an ordinary client is served. Returns how many packets the server sent for that.
    fn second(&mut self) -> usize {
        self.net.pass(SECOND - MOMENT);
        self.answer();
        for (_, peer) in self.slow.iter_mut().filter(|(kind, _)| *kind == Dripping) {
            peer.send(&mut self.net, Psh, b"d");
            assert_eq!(peer.take_data(&mut self.net), b"D");
            peer.ack(&mut self.net);
        }
        let before = self.net.stats().packets_out;
        self.served += 1;
        let mut client = peer(1000 + self.served);
        client.connect(&mut self.net);
        let data = letters(3000);
        assert!(client.exchange(&mut self.net, &data, 512) == super::peer::upper(&data));
        client.send(&mut self.net, Fin, b"bye");
        let last = client.take(&mut self.net);
        assert_eq!((last.control, last.data.as_slice()), (Fin, &b"BYE"[..]));
        client.ack(&mut self.net);
        let packets = self.net.stats().packets_out - before;
        self.net.pass(MOMENT);
        self.answer();
        usize::try_from(packets).unwrap()
    }

    /// The TCPs of the slow clients that are not gone answer what was sent to them.
    fn answer(&mut self) {
        while let Some(packet) = self.net.wire.sent.pop_front() {
            let tcp = TcpPacket::new_checked(ip(&packet).3).unwrap();
            let (port, number, length) = (tcp.dst_port(), tcp.seq_number(), tcp.segment_len());
            let (kind, peer) = self.slow.iter_mut().find(|(_, peer)| peer.port == port).unwrap();
            if tcp.rst() || *kind == Gone {
                continue;
            }
            let seq = number.0.wrapping_sub(peer.irs);
            // A closed window accepts nothing but a FIN.
            if seq == peer.acked && (*kind != NotReading || tcp.fin() && tcp.payload().is_empty()) {
                peer.acked += i32::try_from(length).unwrap();
            }
            let answer = peer.segment(Plain, peer.next, Some(peer.acked), &[]);
            self.net.arrive(answer);
        }
    }
}

#[test]
fn other_clients_are_served_as_before() {
    let alone = scene(&[], None).second();
    let mut scene = scene(&[Silent, NotReading, Gone, Dripping], None);
    for second in 0..120 {
        assert_eq!(scene.second(), alone, "after {second} s");
    }
    let s = scene.net.stats();
    assert_eq!((s.closed, s.refused, s.evicted), (120, 0, 0));
    // Without an idle timeout, only the one that is gone loses its slot.
    assert_eq!((s.timed_out, s.live), (1, 3));
}

#[test]
fn the_idle_timeout_and_the_dead_peer_deadline_give_the_slots_back() {
    let mut scene = scene(&[Silent, NotReading, Gone, Dripping], Some(Duration::from_secs(20)));
    for _ in 0..70 {
        scene.second();
    }
    let s = *scene.net.stats();
    assert_eq!((s.live, s.timed_out, s.closed), (1, 3, 70), "only the dripping one is not idle:\n{s}");
    let drip = &scene.slow[3].1;
    scene.net.arrive(drip.segment(Rst, drip.next, None, &[]));
    scene.net.pass(Duration::from_secs(60));
    assert_eq!((scene.net.stats().live, scene.net.last.deadline), (0, None));
}
