//! How servers do on a link that loses packets: `shout` and a server on the kernel's sockets, behind the same link in one run.
//!
//! The servers run in a network namespace of their own, at the other end of a veth link: the kernel-socket server on the
//! link's address, `shout` behind its TUN device, to which that namespace forwards. Each end of the link drops a part of the
//! TCP segments that arrive there (nftables, `numgen random`), so both servers meet the same loss in each direction, and
//! neither is told of it.

pub(crate) mod cases;
pub(crate) mod duplicates;
pub(crate) mod link;
pub(crate) mod report;
pub(crate) mod transfers;

use core::time::Duration;

use crate::arguments::Arguments;
use crate::load::{Content, Sample, Target, Timing, Transport};
use crate::servers::{Kind, Place, Programs, Server};
use cases::{Case, Family, Work};
use duplicates::Duplicates;
use link::Link;
use transfers::Transfer;

/// How often and how much is done at each rate of loss.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Rounds of conversations. Their latencies are medians of the rounds.
    rounds: usize,
    conversation: Timing,
    /// Bytes in each transfer.
    transfer: usize,
    /// How long transfers may take.
    limit: Duration,
    /// How long segments that are sent twice are counted, for each server.
    duplicates: Duration,
}

pub(crate) const FULL: Effort = Effort {
    rounds: 2,
    conversation: Timing { warm_up: Duration::from_millis(200), measured: Duration::from_millis(2500) },
    transfer: 200_000,
    limit: Duration::from_secs(40),
    duplicates: Duration::from_secs(2),
};
pub(crate) const QUICK: Effort = Effort {
    rounds: 1,
    conversation: Timing { warm_up: Duration::from_millis(100), measured: Duration::from_millis(1400) },
    transfer: 100_000,
    limit: Duration::from_secs(6),
    duplicates: Duration::from_millis(800),
};

/// The servers that are compared. The second buffer size is the largest without window scaling. The last server shows what a
/// window of one segment costs where segments are lost, whose stack it may be.
pub(crate) const SERVERS: [Kind; 4] =
    [Kind::Shout(""), Kind::Shout("--buffer 65535"), Kind::Kernel, Kind::KernelSmallWindow];

/// All that was measured.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    pub(crate) outcomes: Vec<Outcome>,
    /// For each server, on a link without loss.
    pub(crate) duplicates: Vec<(String, Family, Duplicates)>,
}

/// The results of a case, for each of [`SERVERS`] in their order.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) case: Case,
    pub(crate) results: Vec<Measured>,
}

/// What a server did in a case.
#[derive(Debug)]
pub(crate) enum Measured {
    Conversation(Vec<Sample>),
    Transfers(Vec<Transfer>),
    /// The server did something wrong.
    Failed(String),
}

/// Runs the cases whose names are wanted.
///
/// # Errors
///
/// A sentence that says why the link or a server cannot be set up.
pub(crate) fn measure(programs: &Programs, arguments: &Arguments) -> Result<Losses, String> {
    let cases: Vec<Case> = cases::all().into_iter().filter(|case| arguments.wants(&case.name())).collect();
    let counts_duplicates = arguments.wants(duplicates::NAME);
    if cases.is_empty() && !counts_duplicates {
        return Ok(Losses::default());
    }
    let link = Link::new()?;
    let content = Content::new();
    let mut servers = Vec::new();
    for (number, kind) in (0..).zip(SERVERS) {
        servers.push((kind, kind.start(number, Transport::Tcp, programs, Place::Behind(&link))?));
    }
    let mut losses = Losses::default();
    for case in cases {
        let outcome = run(case, &servers, &link, &content, &arguments.loss)?;
        println!("{outcome}");
        losses.outcomes.push(outcome);
    }
    if counts_duplicates {
        for family in [Family::V4, Family::V6] {
            for (kind, server) in &servers {
                let counted = duplicates::count(target(server, family)?, &link, arguments.loss.duplicates)?;
                println!("{} of {} over {family}: {counted}", duplicates::NAME, kind.label());
                losses.duplicates.push((kind.label(), family, counted));
            }
        }
    }
    println!();
    Ok(losses)
}

fn target(server: &Server, family: Family) -> Result<Target, String> {
    match family {
        Family::V4 => Ok(server.target()),
        Family::V6 => server.target_v6().ok_or_else(|| "the server has no IPv6 address".to_owned()),
    }
}

/// The servers in turn, round after round.
fn run(
    case: Case,
    servers: &[(Kind, Server)],
    link: &Link,
    content: &Content,
    effort: &Effort,
) -> Result<Outcome, String> {
    let nothing = || match case.work {
        Work::Conversation => Measured::Conversation(Vec::new()),
        Work::Transfers => Measured::Transfers(Vec::new()),
    };
    let mut results: Vec<Measured> = servers.iter().map(|_| nothing()).collect();
    let rounds = if case.work == Work::Conversation { effort.rounds } else { 1 };
    for _ in 0..rounds {
        for ((_, server), result) in servers.iter().zip(&mut results) {
            let target = target(server, case.family)?;
            match result {
                Measured::Conversation(samples) => {
                    match cases::converse(case, target, link, content, effort.conversation) {
                        Ok(sample) => samples.push(sample),
                        Err(error) => *result = Measured::Failed(error),
                    }
                }
                Measured::Transfers(transfers) => {
                    link.lose(case.percent)?;
                    transfers.extend(transfers::run(target.address, effort.transfer, effort.limit, content));
                    link.lose(0)?;
                }
                Measured::Failed(_) => {}
            }
        }
    }
    Ok(Outcome { case, results })
}
