//! The command line.

use core::time::Duration;
use std::path::PathBuf;

use crate::load::Timing;
use crate::loss;
use crate::rounds::Effort;

/// What to measure, and how thoroughly.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) effort: Effort,
    pub(crate) loss: loss::Effort,
    /// If there are any, only the workloads whose names contain one of these are run.
    filters: Vec<String>,
    /// Whether the results are written into the repository.
    pub(crate) publish: bool,
    /// Another build of the program.
    pub(crate) against: Option<PathBuf>,
}

/// Many short rounds. The host of a virtual machine may take a processor away for some milliseconds now and then, and then
/// every message under way is late: with a thousand conversations, that is more than 1% of a longer round's echoes. Most short
/// rounds are spared, and so is their median.
pub(crate) const FULL: Effort = Effort {
    rounds: 21,
    fewer: 7,
    timing: Timing { warm_up: Duration::from_millis(50), measured: Duration::from_millis(150) },
};
pub(crate) const QUICK: Effort = Effort {
    rounds: 3,
    fewer: 1,
    timing: Timing { warm_up: Duration::from_millis(30), measured: Duration::from_millis(100) },
};
/// What `--help` says.
pub(crate) const USAGE: &str = "\
usage: cargo bench -p shout-tests --bench network -- [OPTION...] [NAME...]
  --quick         short rounds: about three minutes, of which loss takes one
  --rounds N      N rounds of every workload
  --against PATH  measure this other build of shout too
  --publish       write RESULTS.md, the plot, and the tables of README.md and FINDINGS.md: about ten minutes
  NAME            only workloads whose names contain this, such as tcp-64, stream-1000 or loss";

impl Arguments {
    /// # Errors
    ///
    /// A sentence that says what is wrong, or the usage.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Arguments, String> {
        let mut parsed =
            Arguments { effort: FULL, loss: loss::FULL, filters: Vec::new(), publish: false, against: None };
        let mut rounds = None;
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value\n{USAGE}"));
            match argument.as_str() {
                // Cargo adds it.
                "--bench" => {}
                "--publish" => parsed.publish = true,
                "--quick" => (parsed.effort, parsed.loss) = (QUICK, loss::QUICK),
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
        if let Some(rounds) = rounds {
            (parsed.effort.rounds, parsed.effort.fewer) = (rounds, rounds);
        }
        Ok(parsed)
    }

    /// Whether the workload of this name is to be run.
    pub(crate) fn wants(&self, workload: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| workload.contains(filter.as_str()))
    }
}
