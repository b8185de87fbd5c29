//! What is measured.

use crate::load::{Bulk, Load, RequestReply, ShortConnections, Transport};
use crate::servers::Kind;

/// Servers that do the same work in turn.
#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) name: String,
    pub(crate) contestants: Vec<Contestant>,
    /// Other than what the machine has.
    pub(crate) congestion_control: Option<&'static str>,
}

/// A server and what it has to do.
#[derive(Debug, Clone)]
pub(crate) struct Contestant {
    pub(crate) label: String,
    pub(crate) server: Kind,
    pub(crate) load: Load,
}

const SHOUT: Kind = Kind::Shout("");
const SIZES: [usize; 4] = [64, 1, 512, 1000];
const CONVERSATIONS: [usize; 4] = [1, 16, 50, 1000];
const IDLE: usize = 4000;

/// All of them.
pub(crate) fn all() -> Vec<Workload> {
    let mut all = Vec::new();
    for size in SIZES {
        for conversations in CONVERSATIONS {
            let mut servers = vec![SHOUT, Kind::Kernel, Kind::Python, Kind::Floor];
            if (size, conversations) == (1000, 16) {
                servers.push(Kind::Shout("--buffer 4096"));
            }
            if (size, conversations) == (64, 1) {
                servers.push(Kind::Shout("--busy-poll 50us"));
            }
            let load = request_reply(Transport::Tcp, size, conversations);
            all.push(workload(format!("tcp-{size}x{conversations}"), &servers, Load::RequestReply(load)));
        }
    }
    all.push(awake());
    for size in SIZES {
        all.extend(CONVERSATIONS.map(|conversations| beside_idle(size, conversations)));
    }
    for conversations in [1, 16] {
        let servers = [SHOUT, Kind::Kernel, Kind::Python, Kind::Floor];
        let load = request_reply(Transport::Udp, 64, conversations);
        all.push(workload(format!("udp-64x{conversations}"), &servers, Load::RequestReply(load)));
    }
    all.extend([1, 4].map(bulk));
    all.extend([1, 4].map(unpaced));
    for at_once in [1, 16] {
        let servers = [SHOUT, Kind::Kernel, Kind::Python, Kind::Floor];
        let load = ShortConnections { at_once, size: 64 };
        all.push(workload(format!("connect-{at_once}"), &servers, Load::ShortConnections(load)));
    }
    all
}

fn bulk(streams: usize) -> Workload {
    let servers = [
        SHOUT,
        Kind::Kernel,
        Kind::KernelNoDelay,
        Kind::Python,
        Kind::Shout("--buffer 65535 --mtu 1500"),
        Kind::Shout("--buffer 65535 --mtu 65535"),
    ];
    workload(format!("bulk-{streams}"), &servers, Load::Bulk(Bulk { streams }))
}

/// With a congestion control that every Linux has and that does not pace, as BBR does: the client's pace varies.
fn unpaced(streams: usize) -> Workload {
    let bulk = bulk(streams);
    Workload { name: format!("{}-reno", bulk.name), congestion_control: Some("reno"), ..bulk }
}

fn request_reply(transport: Transport, size: usize, conversations: usize) -> RequestReply {
    RequestReply { transport, size, conversations, idle: 0, awake: false }
}

fn workload(name: String, servers: &[Kind], load: Load) -> Workload {
    let contestants =
        servers.iter().map(|&server| Contestant { label: server.label(), server, load }).collect();
    Workload { name, contestants, congestion_control: None }
}

impl Workload {
    /// The same with another build of the program beside this one, wherever it takes part.
    pub(crate) fn with_other_build(self) -> Workload {
        let mut contestants = Vec::new();
        for contestant in self.contestants {
            let other = contestant.server.of_other_build().map(|server| Contestant {
                label: format!("other {}", contestant.label),
                server,
                load: contestant.load,
            });
            contestants.push(contestant);
            contestants.extend(other);
        }
        Workload { contestants, ..self }
    }
}

/// A client that does not sleep either, so that only the server's sleep is in the latency.
fn awake() -> Workload {
    let load = RequestReply { awake: true, ..request_reply(Transport::Tcp, 64, 1) };
    let servers = [SHOUT, Kind::Kernel, Kind::Floor, Kind::Shout("--busy-poll 50us")];
    workload("tcp-64x1-awake".to_owned(), &servers, Load::RequestReply(load))
}

/// Active connections beside idle ones; those that are compared with themselves also alone, on the same servers.
fn beside_idle(size: usize, conversations: usize) -> Workload {
    let alone = request_reply(Transport::Tcp, size, conversations);
    let beside = RequestReply { idle: IDLE, ..alone };
    let mut contestants = Vec::new();
    for server in [Kind::Shout("--connections 5000"), Kind::Kernel] {
        if (size, conversations) == (64, 16) {
            let load = Load::RequestReply(alone);
            contestants.push(Contestant { label: format!("{} alone", server.label()), server, load });
        }
        let label = format!("{} beside {IDLE} idle", server.label());
        contestants.push(Contestant { label, server, load: Load::RequestReply(beside) });
    }
    Workload { name: format!("tcp-{size}x{conversations}-idle"), contestants, congestion_control: None }
}
