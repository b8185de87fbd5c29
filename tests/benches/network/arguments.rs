//! The command line.

use core::time::Duration;
use std::path::PathBuf;

use crate::load::Timing;
use crate::rounds::Effort;

/// What to measure, and how thoroughly.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) effort: Effort,
    /// Only the workloads in whose names one of these occurs, if there are any.
    filters: Vec<String>,
    /// Whether README is to show the results.
    pub(crate) publish: bool,
    /// Another build of the program.
    pub(crate) against: Option<PathBuf>,
}

/// Short rounds, and many. A virtual machine may lose a processor to its host for some milliseconds now and then, and
/// each time everything that is under way is late: a thousand conversations are more than 1% of a longer round's echoes.
/// Of rounds so short most are spared, and so is their median.
pub(crate) const FULL: Effort = Effort {
    rounds: 21,
    timing: Timing { warm_up: Duration::from_millis(50), measured: Duration::from_millis(150) },
};
pub(crate) const QUICK: Effort = Effort {
    rounds: 3,
    timing: Timing { warm_up: Duration::from_millis(30), measured: Duration::from_millis(100) },
};
const USAGE: &str = "\
usage: cargo bench -p shout-tests --bench network -- [OPTION...] [NAME...]
  --quick         short rounds: about two minutes
  --rounds N      that many rounds
  --against PATH  measure this other build of shout too
  --publish       put the table and the plot where README shows them
  NAME            only the workloads in whose names this occurs, such as tcp-64 or bulk";

impl Arguments {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Arguments, String> {
        let mut parsed = Arguments { effort: FULL, filters: Vec::new(), publish: false, against: None };
        let mut rounds = None;
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} wants a value\n{USAGE}"));
            match argument.as_str() {
                // Cargo adds it.
                "--bench" => {}
                "--publish" => parsed.publish = true,
                "--quick" => parsed.effort = QUICK,
                "--rounds" => {
                    let value = value()?;
                    let number = value.parse().ok().filter(|&number| number > 0);
                    rounds = Some(number.ok_or_else(|| format!("--rounds {value} is no number of rounds"))?);
                }
                "--against" => parsed.against = Some(value()?.into()),
                _ if argument.starts_with('-') => return Err(USAGE.to_owned()),
                _ => parsed.filters.push(argument),
            }
        }
        if parsed.publish && !parsed.filters.is_empty() {
            return Err("--publish is for the results of all workloads".to_owned());
        }
        parsed.effort.rounds = rounds.unwrap_or(parsed.effort.rounds);
        Ok(parsed)
    }

    pub(crate) fn wants(&self, workload: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| workload.contains(filter.as_str()))
    }
}
