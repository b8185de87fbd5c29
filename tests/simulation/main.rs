//! The server among many clients, over links with faults, in virtual time.
//!
//! Everything comes from a seed: `SHOUT_SIM_SEED` runs one again, `SHOUT_SIM_RUNS` says how many runs each test makes.
//! `SHOUT_SIM_HOURS` is how long the long run is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation is how a test fails"
)]

mod attackers;
mod corpus;
mod long_run;
mod many_clients;
mod note_claims;
mod random_scenario;
mod regressions;
mod run;
mod seeds;
mod syn_flood;
