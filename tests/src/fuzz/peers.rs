//! Several peers with arbitrary segments at arbitrary times, some of which are lost. The
//! [`Invariants`](crate::invariants::Invariants) are checked.

use core::net::SocketAddr;

use arbitrary::{Arbitrary, Unstructured};

use super::{Setting, pass, room, router};
use crate::content::Content;
use crate::ethernet::Neighbour;
use crate::memory::ServerMemory;
use crate::scenario::{PORT, Scenario};
use crate::single_server::SingleServer;
use crate::tcp_options::SynOptions;
use crate::wire::{ACK, Datagram, FIN, PSH, RST, SYN, Segment, icmp_packet};

/// The largest number of steps in a run, so that each is short.
const MOST: usize = 300;

/// The peers. The first one is behind a router.
const PEERS: usize = 4;

#[derive(Debug, Arbitrary)]
struct Step {
    peer: u8,
    action: Action,
    /// The server is not polled before the next step.
    hurry: bool,
}

#[derive(Debug, Arbitrary)]
enum Action {
    /// A correct handshake.
    Connect {
        iss: u32,
    },
    Syn {
        iss: u32,
        window: u16,
        mss: Option<u16>,
        scale: Option<u8>,
        length: u8,
    },
    /// What a correct peer sends next.
    Polite {
        length: Length,
        window: u16,
        fin: bool,
    },
    Segment {
        seq: Number,
        ack: Number,
        flags: u8,
        window: u16,
        length: Length,
        options: Options,
    },
    Rst {
        seq: Number,
    },
    Datagram {
        length: u16,
    },
    /// An ICMP message about the connection.
    Error {
        kind: u8,
        code: u8,
    },
    /// The server's next packets are lost.
    Lose {
        packets: u8,
    },
    Pass {
        magnitude: u8,
        more: u8,
    },
    Room {
        packets: u8,
    },
    /// Which peers answer when the server asks for hardware addresses.
    AtHome {
        who: u8,
    },
}

/// A sequence number, most often near one of the connection's.
#[derive(Debug, Arbitrary)]
enum Number {
    Next,
    NearNext(i16),
    /// The right edge of the window.
    NearEdge(i16),
    NearFirst(i16),
    /// Half the number space away.
    Opposite(i16),
    Any(u32),
}

/// How much of the window a segment takes.
#[derive(Debug, Arbitrary)]
enum Length {
    None,
    All,
    NearAll(i8),
    Any(u16),
}

#[derive(Debug, Arbitrary)]
enum Options {
    None,
    Any([u8; 4]),
    More([u8; 40]),
}

struct Peer {
    neighbour: Neighbour,
    port: u16,
    /// The payload at each sequence number, the same in every segment.
    content: Content,
}

/// Runs the steps that the bytes encode, and checks what has to hold meanwhile and afterwards. `trace` prints every
/// packet.
pub fn play(bytes: &[u8], trace: bool) {
    let mut bytes = Unstructured::new(bytes);
    let Ok(setting) = Setting::arbitrary(&mut bytes) else { return };
    let setup = setting.setup();
    let mut memory = ServerMemory::new(setup.slots, setup.buffer, 0);
    let mut single = SingleServer::new(setup, &mut memory, |config| {
        config.gateways.push(router().address.into()).unwrap();
    });
    (single.device.deaf_when_full, single.trace) = (setting.deaf, trace);
    let peers: Vec<_> = (0..PEERS).map(Peer::new).collect();
    single.neighbours = peers.iter().map(|peer| peer.neighbour).chain([router()]).collect();
    for peer in &peers {
        single.invariants.expect(peer.from(), peer.content, Some(0));
    }
    for _ in 0..MOST {
        let Ok(step) = Step::arbitrary(&mut bytes) else { break };
        act(&mut single, &peers, &step);
        if !step.hurry {
            single.poll();
        }
        if bytes.is_empty() {
            break;
        }
    }
    single.lose = 0;
    single.assert_slots_are_free();
}

fn act(single: &mut SingleServer<'_>, peers: &[Peer], step: &Step) {
    let peer = &peers[usize::from(step.peer) % peers.len()];
    let view = single.views.get(&peer.from()).copied().unwrap_or_default();
    let segment = match &step.action {
        Action::Connect { iss } => {
            single.connect(&peer.neighbour, peer.port, *iss);
            return;
        }
        Action::Syn { iss, window, mss, scale, length } => {
            let mut syn = peer.segment(*iss, 0, SYN, *window, u16::from(*length));
            syn.options = SynOptions::new(*mss, *scale).to_bytes();
            syn
        }
        Action::Polite { length, window, fin } => {
            let flags = ACK | PSH | if *fin { FIN } else { 0 };
            peer.segment(view.expected, view.sent, flags, *window, length.of(view.window))
        }
        Action::Segment { seq, ack, flags, window, length, options } => {
            let ack = ack.of(view.sent, view.initial.1, 0);
            let seq = seq.of(view.expected, view.initial.0, view.window);
            let mut segment = peer.segment(seq, ack, *flags, *window, length.of(view.window));
            segment.options = match options {
                Options::None => Vec::new(),
                Options::Any(bytes) => bytes.to_vec(),
                Options::More(bytes) => bytes.to_vec(),
            };
            segment
        }
        Action::Rst { seq } => {
            peer.segment(seq.of(view.expected, view.initial.0, view.window), view.sent, RST, 0, 0)
        }
        Action::Datagram { length } => {
            let payload = peer.content.part(u32::from(*length), usize::from(*length % 1473));
            let datagram = Datagram { from: peer.from(), to: peer.to(), payload };
            return single.arrive_from(&peer.neighbour, &datagram.to_packets(1500, 1).remove(0));
        }
        Action::Error { kind, code } => {
            let mut quoted = peer.segment(view.sent, view.expected, ACK, 1000, 0);
            (quoted.from, quoted.to) = (quoted.to, quoted.from);
            let message = [&[*kind, *code, 0, 0, 0, 0, 5, 0xdc], &quoted.to_packet()[..]].concat();
            let error = icmp_packet(peer.from().ip(), peer.to().ip(), message);
            return single.arrive_from(&peer.neighbour, &error);
        }
        Action::Lose { packets } => {
            single.lose = usize::from(packets % 8);
            return;
        }
        Action::Pass { magnitude, more } => return pass(single, *magnitude, *more),
        Action::Room { packets } => return room(single, *packets),
        Action::AtHome { who } => {
            let all = peers.iter().map(|peer| peer.neighbour).chain([router()]);
            single.neighbours =
                all.enumerate().filter(|(index, _)| who >> index & 1 != 0).map(|(_, one)| one).collect();
            return;
        }
    };
    single.arrive_from(&peer.neighbour, &segment.to_packet());
}

impl Peer {
    fn new(index: usize) -> Peer {
        let neighbour =
            Neighbour { mac: crate::network::mac(index), address: Scenario::address(index, index % 2 == 1) };
        let neighbour =
            if index == 0 { Neighbour { address: [203, 0, 113, 5].into(), ..router() } } else { neighbour };
        Peer { neighbour, port: 40_000, content: Content(u32::try_from(index).unwrap()) }
    }

    fn from(&self) -> SocketAddr {
        SocketAddr::new(self.neighbour.address, self.port)
    }

    fn to(&self) -> SocketAddr {
        SocketAddr::new(Scenario::server(self.neighbour.address.is_ipv6()), PORT)
    }

    fn segment(&self, seq: u32, ack: u32, flags: u8, window: u16, length: u16) -> Segment {
        // SYN has the first sequence number of a segment, and the payload begins after it.
        let first = seq.wrapping_add(u32::from(flags & SYN != 0));
        let payload = self.content.part(first, usize::from(length % 1401));
        Segment { from: self.from(), to: self.to(), seq, ack, flags, window, options: Vec::new(), payload }
    }
}

impl Number {
    fn of(&self, next: u32, first: u32, window: u16) -> u32 {
        let near = |number: u32, offset: i16| number.wrapping_add_signed(offset.into());
        match *self {
            Number::Next => next,
            Number::NearNext(offset) => near(next, offset),
            Number::NearEdge(offset) => near(next.wrapping_add(window.into()), offset),
            Number::NearFirst(offset) => near(first, offset),
            Number::Opposite(offset) => near(next.wrapping_add(1 << 31), offset),
            Number::Any(number) => number,
        }
    }
}

impl Length {
    fn of(&self, window: u16) -> u16 {
        match *self {
            Length::None => 0,
            Length::All => window.min(1400),
            Length::NearAll(offset) => window.saturating_add_signed(offset.into()).min(1400),
            Length::Any(length) => length,
        }
    }
}
