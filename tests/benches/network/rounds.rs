//! Running a workload: the servers in turn, again and again.

use crate::load::{Content, Timing};
use crate::results::{Outcome, Record};
use crate::servers::{Kind, Place, Programs, Server};
use crate::summary;
use crate::workloads::{Contestant, Workload};

/// How often and for how long each contestant is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Rounds of the workloads that README shows.
    pub(crate) rounds: usize,
    /// Rounds of the other workloads.
    pub(crate) fewer: usize,
    pub(crate) timing: Timing,
}

/// Measures the contestants of a workload in turn, round after round. Their servers run from the first round to the last.
///
/// # Errors
///
/// A sentence that says which server cannot be started. A server that fails later is marked in the outcome.
pub(crate) fn run(workload: Workload, programs: &Programs, effort: Effort) -> Result<Outcome, String> {
    let content = Content::new();
    let servers = start(&workload.contestants, programs)?;
    let record = |contestant| Record { contestant, samples: Vec::new(), failure: None };
    let mut records: Vec<Record> = workload.contestants.into_iter().map(record).collect();
    let rounds = if summary::shows(&workload.name) { effort.rounds } else { effort.fewer };
    for _ in 0..rounds {
        for record in records.iter_mut().filter(|record| record.failure.is_none()) {
            let Contestant { server, load, .. } = &record.contestant;
            let Some((_, server)) = servers.iter().find(|(kind, _)| kind == server) else { continue };
            match load.run(server.target(), &content, effort.timing) {
                Ok(sample) => record.samples.push(sample),
                Err(error) => record.failure = Some(error),
            }
        }
    }
    Ok(Outcome { name: workload.name, records })
}

fn start(contestants: &[Contestant], programs: &Programs) -> Result<Vec<(Kind, Server)>, String> {
    let mut servers: Vec<(Kind, Server)> = Vec::new();
    for (number, contestant) in (0..).zip(contestants) {
        let kind = contestant.server;
        if !servers.iter().any(|(running, _)| *running == kind) {
            let server = kind.start(number, contestant.load.transport(), programs, Place::Here)?;
            servers.push((kind, server));
        }
    }
    Ok(servers)
}
