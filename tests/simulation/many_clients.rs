//! Thousands of random scenarios.

use shout_tests::app::Outcome;

use crate::random_scenario;
use crate::run::{Tally, run};
use crate::seeds::{are_many, for_each_seed};

const RUNS: u64 = 3000;

#[test]
fn every_byte_comes_back_once_and_in_order_or_both_ends_know_that_it_does_not() {
    let mut tally = Tally::default();
    for_each_seed(RUNS, |seed| tally.add(&run(&random_scenario::scenario(seed))));
    println!("{tally:#?}");
    if !are_many(RUNS) {
        return;
    }
    // The runs must contain all outcomes, or they would prove little.
    use Outcome::{Aborted, Broken, CutShort, Served, Unserved, Vanished};
    for outcome in [Served, CutShort, Broken, Unserved, Aborted, Vanished] {
        let count = tally.outcomes.get(&outcome).copied().unwrap_or_default();
        assert!(count > RUNS / 100, "only {count} were {outcome:?}");
    }
    assert!(tally.outcomes[&Served] > 4 * RUNS, "{tally:?}");
    assert!(tally.timed_out > 0 && tally.refused > 0 && tally.evicted > 0, "{tally:?}");
    assert!(tally.replies > tally.datagrams / 2, "{tally:?}");
}
