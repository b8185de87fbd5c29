//! What is measured.

use crate::load::{Bulk, Changing, Load, RequestReply, ShortConnections, Transport};
use crate::servers::Kind;

/// Servers that do the same work in turn.
#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) name: String,
    pub(crate) contestants: Vec<Contestant>,
    /// The congestion control at both ends, if it is not to be the machine's usual one.
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
/// Bytes in a message, and conversations at once.
const CONVERSATIONS: [(usize, &[usize]); 5] =
    [(64, &[1, 16, 50, 1000]), (1, &[16]), (512, &[16]), (1000, &[1, 16, 50, 1000]), (1024, &[1, 16])];
/// Bytes in a client's writes to a stream.
pub(crate) const WRITES: [usize; 6] = [1, 100, 1000, 1024, 1448, 65_536];
/// BBR paces what the client sends, reno does not, and neither does Linux's default, cubic.
pub(crate) const CONGESTION_CONTROLS: [&str; 2] = ["bbr", "reno"];
const IDLE: usize = 4000;
/// The label of a contestant that has messages of 64 bytes where the others have longer ones.
pub(crate) const SHORT_MESSAGES: &str = "shout, 64 bytes";

/// All workloads.
pub(crate) fn all() -> Vec<Workload> {
    let mut all = Vec::new();
    for (size, numbers) in CONVERSATIONS {
        all.extend(numbers.iter().map(|&conversations| conversation(size, conversations)));
    }
    all.push(awake());
    all.extend([16, 1000].map(beside_idle));
    for conversations in [1, 16] {
        let servers = [SHOUT, Kind::Kernel, Kind::Python, Kind::Floor];
        let load = request_reply(Transport::Udp, 64, conversations);
        all.push(workload(format!("udp-64x{conversations}"), &servers, Load::RequestReply(load)));
    }
    for at_once in [1, 16] {
        let servers = [SHOUT, Kind::Kernel, Kind::Python, Kind::Floor];
        let load = ShortConnections { at_once, size: 64 };
        all.push(workload(format!("connect-{at_once}"), &servers, Load::ShortConnections(load)));
    }
    for congestion_control in CONGESTION_CONTROLS {
        for no_delay in [true, false] {
            all.extend(WRITES.map(|write| stream(write, no_delay, congestion_control)));
            all.push(changing(no_delay, congestion_control));
        }
        all.push(large_buffers(1, congestion_control));
    }
    all.push(large_buffers(4, "reno"));
    all
}

fn conversation(size: usize, conversations: usize) -> Workload {
    let mut servers = vec![SHOUT, Kind::Kernel, Kind::Floor];
    if size == 64 {
        servers.push(Kind::Python);
    }
    if (size, conversations) == (1000, 16) {
        servers.push(Kind::Shout("--buffer 4096"));
    }
    if (size, conversations) == (64, 1) {
        servers.push(Kind::Shout("--busy-poll 50us"));
    }
    let load = Load::RequestReply(request_reply(Transport::Tcp, size, conversations));
    let mut workload = workload(format!("tcp-{size}x{conversations}"), &servers, load);
    if size >= 1000 && conversations == 1 {
        // To compare the long message with a short one on the same server in the same round.
        let load = Load::RequestReply(request_reply(Transport::Tcp, 64, 1));
        workload.contestants.push(Contestant { label: SHORT_MESSAGES.to_owned(), server: SHOUT, load });
    }
    workload
}

/// One stream with default options, in writes of this size.
fn stream(write: usize, no_delay: bool, congestion_control: &'static str) -> Workload {
    let mut servers = vec![SHOUT, Kind::Kernel, Kind::KernelNagle];
    if (write, no_delay, congestion_control) == (65_536, true, "bbr") {
        // BBR's pauses are shorter than it takes to wake a server that sleeps.
        servers.push(Kind::Shout("--busy-poll 50us"));
    }
    let name = variant(&format!("stream-{write}"), no_delay, congestion_control);
    let load = Load::Bulk(Bulk { streams: 1, write, no_delay });
    Workload { congestion_control: Some(congestion_control), ..workload(name, &servers, load) }
}

/// One connection that changes from conversation to stream and back, with default options.
fn changing(no_delay: bool, congestion_control: &'static str) -> Workload {
    let servers = [SHOUT, Kind::Kernel, Kind::KernelNagle];
    let name = variant("changing", no_delay, congestion_control);
    let load = Load::Changing(Changing { no_delay });
    Workload { congestion_control: Some(congestion_control), ..workload(name, &servers, load) }
}

/// The client sets TCP_NODELAY unless the name says `nagle`.
fn variant(name: &str, no_delay: bool, congestion_control: &str) -> String {
    let nagle = if no_delay { "" } else { "-nagle" };
    format!("{name}{nagle}-{congestion_control}")
}

/// Streams of a server that has been given larger buffers than it has by default.
fn large_buffers(streams: usize, congestion_control: &'static str) -> Workload {
    let servers = [
        Kind::Shout("--buffer 65535 --mtu 1500"),
        Kind::Shout("--buffer 65535 --mtu 65535"),
        Kind::Kernel,
        Kind::KernelNagle,
    ];
    let load = Load::Bulk(Bulk { streams, write: 65_536, no_delay: true });
    let name = format!("bulk-{streams}-{congestion_control}");
    Workload { congestion_control: Some(congestion_control), ..workload(name, &servers, load) }
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
    /// Adds a contestant on another build of the program for each contestant on this one.
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

/// A client that does not sleep either, so that the latency holds the server's sleep only.
fn awake() -> Workload {
    let load = RequestReply { awake: true, ..request_reply(Transport::Tcp, 64, 1) };
    let servers = [SHOUT, Kind::Kernel, Kind::Floor, Kind::Shout("--busy-poll 50us")];
    workload("tcp-64x1-awake".to_owned(), &servers, Load::RequestReply(load))
}

/// Active connections beside idle ones. With 16 of them, also without the idle ones on the same server, to compare with.
fn beside_idle(conversations: usize) -> Workload {
    let alone = request_reply(Transport::Tcp, 64, conversations);
    let beside = RequestReply { idle: IDLE, ..alone };
    let mut contestants = Vec::new();
    for server in [Kind::Shout("--connections 5000"), Kind::Kernel] {
        if conversations == 16 {
            let load = Load::RequestReply(alone);
            contestants.push(Contestant { label: format!("{} alone", server.label()), server, load });
        }
        let label = format!("{} beside {IDLE} idle", server.label());
        contestants.push(Contestant { label, server, load: Load::RequestReply(beside) });
    }
    Workload { name: format!("tcp-64x{conversations}-idle"), contestants, congestion_control: None }
}
