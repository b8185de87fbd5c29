//! Tests of the benchmark itself.
#![allow(dead_code, reason = "what only the benchmark's `main` needs")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is how a test fails")]

mod arguments;
mod load;
mod results;
mod rounds;
mod servers;
mod workloads;

mod checks {
    mod arguments;
    mod content;
    mod cpu;
    mod floor;
    mod quantiles;
    mod results;
}
