//! The cases: what is done, at which loss, over which protocol.

use core::fmt;

use super::link::Link;
use crate::load::{Content, RequestReply, Sample, Target, Timing, Transport};

/// Packets lost of a hundred, in each direction.
const PERCENT: [u8; 3] = [1, 5, 20];
/// Conversations and transfers at once.
const CONVERSATIONS: usize = 16;
const MESSAGE: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) work: Work,
    pub(crate) percent: u8,
    pub(crate) family: Family,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Requests and replies of 64 bytes on 16 connections, which are open before anything is lost.
    Conversation,
    /// Ten transfers at once, from connecting to the server's FIN.
    Transfers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

/// All cases.
pub(crate) fn all() -> Vec<Case> {
    let mut all = Vec::new();
    for work in [Work::Conversation, Work::Transfers] {
        for family in [Family::V4, Family::V6] {
            all.extend(PERCENT.map(|percent| Case { work, percent, family }));
        }
    }
    all
}

impl Case {
    /// For the command line.
    pub(crate) fn name(self) -> String {
        let work = match self.work {
            Work::Conversation => "conversation",
            Work::Transfers => "transfers",
        };
        let family = match self.family {
            Family::V4 => "v4",
            Family::V6 => "v6",
        };
        format!("loss-{work}-{}-{family}", self.percent)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        })
    }
}

/// Conversations on a link that begins to lose packets when they are under way.
pub(crate) fn converse(
    case: Case,
    target: Target,
    link: &Link,
    content: &Content,
    timing: Timing,
) -> Result<Sample, String> {
    let load = RequestReply {
        transport: Transport::Tcp,
        size: MESSAGE,
        conversations: CONVERSATIONS,
        idle: 0,
        awake: false,
    };
    load.run_on_a_lossy_link(target, content, timing, |lossy| link.lose(if lossy { case.percent } else { 0 }))
}
