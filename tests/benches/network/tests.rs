//! Tests of the benchmark itself.
#![allow(dead_code, reason = "what only the benchmark's `main` needs")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is how a test fails")]

mod arguments;
mod csv;
mod isolation;
mod load;
mod loss;
mod machine;
mod page;
mod plot;
mod publish;
mod report;
mod results;
mod rounds;
mod servers;
mod summary;
mod targets;
mod time_of_an_echo;
mod workloads;

mod checks {
    mod arguments;
    mod content;
    mod cpu;
    mod floor;
    mod isolation;
    mod loss;
    mod machine;
    mod marks;
    mod publish;
    mod quantiles;
    mod results;
    mod servers;
    mod summary;
    mod targets;
}
