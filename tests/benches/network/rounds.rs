//! Running a workload: the servers in turn, again and again.

use crate::load::{Content, Load, Timing};
use crate::results::{Record, Spread};
use crate::servers::{Kind, Programs, Server};
use crate::workloads::{Contestant, Workload};

/// How often and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) timing: Timing,
}

/// Measures the contestants of a workload: each once, then each again. Their servers run from the first round to the
/// last.
pub(crate) fn run(workload: &Workload, programs: &Programs, effort: Effort) -> Result<Vec<Record>, String> {
    let content = Content::new();
    let servers = start(workload, programs)?;
    let mut records: Vec<Record> = workload.contestants.iter().map(|one| empty(workload, one)).collect();
    for _ in 0..effort.rounds {
        for (record, contestant) in records.iter_mut().zip(&workload.contestants) {
            let server = servers.iter().find(|(kind, _)| *kind == contestant.server);
            let Some((_, server)) = server.filter(|_| record.failure.is_none()) else { continue };
            match contestant.load.run(server.target(), &content, effort.timing) {
                Ok(sample) => record.samples.push(sample),
                Err(error) => record.failure = Some(error),
            }
        }
    }
    compare(&mut records, &workload.contestants);
    Ok(records)
}

fn start(workload: &Workload, programs: &Programs) -> Result<Vec<(Kind, Server)>, String> {
    let mut servers: Vec<(Kind, Server)> = Vec::new();
    for (number, contestant) in (0..).zip(&workload.contestants) {
        let kind = contestant.server;
        if !servers.iter().any(|(running, _)| *running == kind) {
            servers.push((kind, kind.start(number, contestant.load.transport(), programs)?));
        }
    }
    Ok(servers)
}

fn empty(workload: &Workload, contestant: &Contestant) -> Record {
    Record {
        workload: workload.name.clone(),
        label: contestant.label.clone(),
        unit: contestant.load.unit(),
        samples: Vec::new(),
        failure: None,
        to_kernel: None,
        to_floor: None,
    }
}

/// Sets each in relation to those that have the same to do.
fn compare(records: &mut [Record], contestants: &[Contestant]) {
    let reference = |kind: Kind, load: Load| {
        contestants.iter().position(|contestant| contestant.server == kind && contestant.load == load)
    };
    for (index, contestant) in contestants.iter().enumerate() {
        let ratio = |kind| {
            let reference = &records[reference(kind, contestant.load)?].samples;
            Spread::of_ratios(&records[index].samples, reference, |sample| sample.rate)
        };
        let (to_kernel, to_floor) = (ratio(Kind::Kernel), ratio(Kind::Floor));
        records[index].to_kernel = to_kernel;
        records[index].to_floor = to_floor;
    }
}
