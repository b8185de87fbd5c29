//! Tests of the benchmark itself.
#![allow(dead_code, reason = "what only the benchmark's `main` needs")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is how a test fails")]

mod arguments;
mod csv;
mod load;
mod machine;
mod markdown;
mod plot;
mod publish;
mod report;
mod results;
mod rounds;
mod servers;
mod targets;
mod workloads;

mod checks {
    mod arguments;
    mod content;
    mod cpu;
    mod floor;
    mod machine;
    mod publish;
    mod quantiles;
    mod results;
    mod servers;
    mod targets;
}
