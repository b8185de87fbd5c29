//! How fast `shout` is over a TUN device, beside others: `cargo bench -p shout-tests --bench network -- --help`.
//!
//! Everything runs in a network namespace of its own, each server as a process, the load generator as this one. The
//! servers take turns, round after round; what is told are medians of the rounds and ratios taken within a round.

mod arguments;
mod csv;
mod isolation;
mod load;
mod machine;
mod markdown;
mod plot;
mod program;
mod publish;
mod report;
mod results;
mod rounds;
mod servers;
mod targets;
mod workloads;

use std::env;
use std::process::ExitCode;
use std::time::Instant;

use arguments::Arguments;
use machine::Busy;
use servers::{Programs, floor, kernel};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["--serve-kernel", address, nagle] => serve_kernel(address, nagle == "nagle").map(|()| true),
        ["--serve-floor", device, host_address] => {
            floor::serve(device, host_address).map(|()| true).map_err(|error| format!("{device}: {error}"))
        }
        _ => Arguments::parse(arguments).and_then(|arguments| measure(&arguments)),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve_kernel(address: &str, nagle: bool) -> Result<(), String> {
    let parsed = address.parse().map_err(|error| format!("{address}: {error}"))?;
    kernel::run(parsed, nagle).map_err(|error| format!("{address}: {error}"))
}

/// Runs the workloads. False if something failed in one of them.
fn measure(arguments: &Arguments) -> Result<bool, String> {
    let other = arguments.against.as_deref().map(program::existing).transpose()?;
    let directory = publish::directory()?;
    let programs = Programs { shout: program::shout()?, other, logs: directory.clone() };
    isolation::isolate()?;
    let usual = isolation::congestion_control()?;
    let (started, busy) = (Instant::now(), Busy::now()?);
    println!("{}", report::LEGEND);
    let mut outcomes = Vec::new();
    for workload in workloads::all().into_iter().filter(|workload| arguments.wants(&workload.name)) {
        let workload = if programs.other.is_some() { workload.with_other_build() } else { workload };
        isolation::set_congestion_control(workload.congestion_control.unwrap_or(&usual))?;
        let outcome = rounds::run(workload, &programs, arguments.effort)?;
        println!("{}", report::table(&outcome));
        outcomes.push(outcome);
    }
    println!("targets (the core's are in `cargo bench -p shout-tests --bench instructions`)");
    for verdict in targets::ALL.iter().filter_map(|target| target.judge(&outcomes)) {
        println!("  {verdict}");
    }
    println!("\n{:.0} s; {}", started.elapsed().as_secs_f64(), Busy::now()?.since(busy));
    publish::save(&outcomes, &directory)?;
    println!("results.csv, results.md and results.svg are in {}", directory.display());
    if arguments.publish {
        publish::publish(&outcomes)?;
    }
    Ok(outcomes.iter().flat_map(|outcome| &outcome.records).all(|record| record.failure.is_none()))
}
