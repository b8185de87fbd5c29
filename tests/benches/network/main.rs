//! How fast `shout` is over a TUN device, beside others: `cargo bench -p shout-tests --bench network -- --help`.
//!
//! Everything runs in a network namespace of its own, each server as a process, the load generator as this one. The
//! servers take turns, round after round; what is told are medians of the rounds and ratios taken within a round.

mod arguments;
mod isolation;
mod load;
mod program;
mod report;
mod results;
mod rounds;
mod servers;
mod workloads;

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use arguments::Arguments;
use servers::{Programs, floor, kernel};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["--serve-kernel", address] => serve_kernel(address).map(|()| true),
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

fn serve_kernel(address: &str) -> Result<(), String> {
    let parsed = address.parse().map_err(|error| format!("{address}: {error}"))?;
    kernel::serve(parsed).map_err(|error| format!("{address}: {error}"))
}

/// Runs the workloads. False if something failed in one of them.
fn measure(arguments: &Arguments) -> Result<bool, String> {
    let logs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("network");
    fs::create_dir_all(&logs).map_err(|error| format!("{}: {error}", logs.display()))?;
    let other = arguments.against.as_deref().map(program::existing).transpose()?;
    let programs = Programs { shout: program::shout()?, other, logs };
    isolation::isolate()?;
    let mut all = Vec::new();
    for workload in workloads::all() {
        if !arguments.wants(&workload.name) {
            continue;
        }
        let workload = if programs.other.is_some() { workload.with_other_build() } else { workload };
        let records = rounds::run(&workload, &programs, arguments.effort)?;
        println!("{}", report::table(&records));
        all.extend(records);
    }
    Ok(all.iter().all(|record| record.failure.is_none()))
}
