//! The load generator: one thread of this process, which sleeps in epoll(7) while it has nothing to do.

mod bulk;
mod changing;
pub(crate) mod content;
pub(crate) mod cpu;
pub(crate) mod marks;
pub(crate) mod quantiles;
mod request_reply;
mod short_connections;
mod sockets;
mod window;

use core::net::SocketAddr;

use nix::unistd::Pid;

pub(crate) use bulk::Bulk;
pub(crate) use changing::Changing;
pub(crate) use content::Content;
pub(crate) use request_reply::RequestReply;
pub(crate) use short_connections::ShortConnections;
pub(crate) use window::{Sample, Timing};

/// The server under load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) process: Pid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Udp,
}

/// What the clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    RequestReply(RequestReply),
    Bulk(Bulk),
    ShortConnections(ShortConnections),
    Changing(Changing),
}

impl Load {
    /// Loads the server and measures it.
    ///
    /// # Errors
    ///
    /// A sentence that says what the server did wrong: a byte that is not the right one, a connection that ended early, silence.
    pub(crate) fn run(&self, target: Target, content: &Content, timing: Timing) -> Result<Sample, String> {
        match self {
            Load::RequestReply(load) => load.run(target, content, timing),
            Load::Bulk(load) => load.run(target, content, timing),
            Load::ShortConnections(load) => load.run(target, content, timing),
            Load::Changing(load) => load.run(target, content, timing),
        }
    }

    /// The unit of the rate.
    pub(crate) fn unit(&self) -> &'static str {
        match self {
            Load::RequestReply(_) => "echoes/s",
            Load::Bulk(_) | Load::Changing(_) => "MB/s",
            Load::ShortConnections(_) => "connections/s",
        }
    }

    pub(crate) fn transport(&self) -> Transport {
        match self {
            Load::RequestReply(load) => load.transport,
            Load::Bulk(_) | Load::ShortConnections(_) | Load::Changing(_) => Transport::Tcp,
        }
    }
}
