//! The load generator: one thread of this process, asleep in epoll(7) unless it has something to do.

mod bulk;
pub(crate) mod content;
pub(crate) mod cpu;
pub(crate) mod quantiles;
mod request_reply;
mod short_connections;
mod sockets;
mod window;

use core::net::SocketAddrV4;

use nix::unistd::Pid;

pub(crate) use bulk::Bulk;
pub(crate) use content::Content;
pub(crate) use request_reply::RequestReply;
pub(crate) use short_connections::ShortConnections;
pub(crate) use window::{Sample, Timing};

/// The server under load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) address: SocketAddrV4,
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
}

impl Load {
    /// Loads the server and tells how it did, or what was wrong.
    pub(crate) fn run(&self, target: Target, content: &Content, timing: Timing) -> Result<Sample, String> {
        match self {
            Load::RequestReply(load) => load.run(target, content, timing),
            Load::Bulk(load) => load.run(target, content, timing),
            Load::ShortConnections(load) => load.run(target, content, timing),
        }
    }

    /// What its rate counts.
    pub(crate) fn unit(&self) -> &'static str {
        match self {
            Load::RequestReply(_) => "echoes/s",
            Load::Bulk(_) => "MB/s",
            Load::ShortConnections(_) => "connections/s",
        }
    }

    pub(crate) fn transport(&self) -> Transport {
        match self {
            Load::RequestReply(load) => load.transport,
            Load::Bulk(_) | Load::ShortConnections(_) => Transport::Tcp,
        }
    }
}
