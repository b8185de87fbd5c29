//! The server among many clients, over links with faults, in virtual time.
//!
//! Everything random comes from a seed. These variables change a run:
//!
//! - `SHOUT_SIM_SEED=N`: only the run with this seed, of each test that has several;
//! - `SHOUT_SIM_RUNS=N`: this many runs of each test that has several, from that seed on or from 0;
//! - `SHOUT_SIM_HOURS=N`: the length of the long run, in virtual hours (6 by default; 168 are a week);
//! - `SHOUT_SIM_TRACE=1`: prints every packet (with `--nocapture`);
//! - `SHOUT_SIM_ADD=NAME,...`: further habits of peers (`random_scenario::Addition`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation is how a test fails"
)]

mod attackers;
mod corpus;
mod long_run;
mod loss;
mod many_clients;
mod note_claims;
mod random_client;
mod random_scenario;
mod regressions;
mod run;
mod seeds;
mod syn_flood;
