//! The seeds of a test's runs, and the other variables of the simulation.

use core::str::FromStr;
use std::env;

/// Calls `run` with one seed after the other. If it panics, the output names the seed.
pub(crate) fn for_each_seed(default_runs: u64, mut run: impl FnMut(u64)) {
    let runs = variable("SHOUT_SIM_RUNS");
    let seeds = match variable("SHOUT_SIM_SEED") {
        Some(seed) => seed..seed + runs.unwrap_or(1),
        None => 0..runs.unwrap_or(default_runs),
    };
    for seed in seeds {
        let _note = Note(seed);
        run(seed);
    }
}

/// True if there are at least `runs` runs, so that their totals can be judged.
pub(crate) fn are_many(runs: u64) -> bool {
    let asked = variable::<u64>("SHOUT_SIM_RUNS");
    variable::<u64>("SHOUT_SIM_SEED").is_none() && asked.is_none_or(|asked| asked >= runs)
}

/// The length of the long run, in hours.
pub(crate) fn hours() -> u64 {
    variable("SHOUT_SIM_HOURS").unwrap_or(6)
}

/// True if the long run has at least this many hours, so that its totals can be judged.
pub(crate) fn are_long(least: u64) -> bool {
    hours() >= least
}

/// True if every packet has to be printed.
pub(crate) fn trace() -> bool {
    env::var_os("SHOUT_SIM_TRACE").is_some()
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} has to be a number, and is {value}")))
}

/// Names the seed if the test fails while it lives.
struct Note(u64);

impl Drop for Note {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was seed {0}: SHOUT_SIM_SEED={0} runs it again", self.0);
        }
    }
}
