//! How fast `shout` is over a TUN device, beside other servers: `cargo bench -p shout-tests --bench network -- --help`.
//!
//! Everything runs in network and PID namespaces of the benchmark's own. Each server is a process, and this process is the
//! load generator. The servers take turns, round after round. The results are medians of the rounds, and ratios taken within
//! each round.

mod arguments;
mod csv;
mod isolation;
mod load;
mod loss;
mod machine;
mod page;
mod plot;
mod program;
mod publish;
mod report;
mod results;
mod rounds;
mod servers;
mod summary;
mod targets;
mod time_of_an_echo;
mod workloads;

use std::env;
use std::process::ExitCode;
use std::time::Instant;

use arguments::Arguments;
use machine::Busy;
use results::Results;
use servers::kernel::{self, Manner};
use servers::{Programs, floor};

/// The first argument of the process that measures, which this program starts in its namespaces.
const ISOLATED: &str = "--isolated";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["--serve-kernel", address, manner] => serve_kernel(address, manner).map(|()| true),
        ["--serve-floor", device, host_address] => {
            floor::serve(device, host_address).map(|()| true).map_err(|error| format!("{device}: {error}"))
        }
        [ISOLATED, ..] => {
            Arguments::parse(arguments.into_iter().skip(1)).and_then(|arguments| measure(&arguments))
        }
        _ if words.iter().any(|&word| matches!(word, "-h" | "--help")) => {
            println!("{}", arguments::USAGE);
            Ok(true)
        }
        _ => measure_in_namespaces(&arguments),
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

fn serve_kernel(address: &str, manner: &str) -> Result<(), String> {
    let manner = Manner::named(manner).ok_or_else(|| format!("{manner}: there is no such manner"))?;
    let parsed = address.parse().map_err(|error| format!("{address}: {error}"))?;
    kernel::run(parsed, manner).map_err(|error| format!("{address}: {error}"))
}

/// Runs this program again in its namespaces. The program under test is built before, as there is no way out of them.
fn measure_in_namespaces(arguments: &[String]) -> Result<bool, String> {
    if Arguments::parse(arguments.iter().cloned())?.publish {
        publish::check()?;
    }
    isolation::end_with_parent()?;
    let shout = program::shout()?;
    let itself = env::current_exe().map_err(|error| error.to_string())?;
    isolation::enter_namespaces()?;
    let status = isolation::run_as_init(&itself, |command| {
        command.arg(ISOLATED).args(arguments).env(program::VARIABLE, shout);
    })?;
    Ok(status.success())
}

/// Runs the workloads. False if a server failed in one of them.
fn measure(arguments: &Arguments) -> Result<bool, String> {
    let other = arguments.against.as_deref().map(program::existing).transpose()?;
    let directory = publish::directory()?;
    let programs = Programs { shout: program::shout()?, other, logs: directory.clone() };
    isolation::prepare_network()?;
    let usual = isolation::congestion_control()?;
    let (started, busy) = (Instant::now(), Busy::now()?);
    println!("{}", report::LEGEND);
    let mut outcomes = Vec::new();
    for workload in workloads::all().into_iter().filter(|workload| arguments.wants(&workload.name)) {
        let congestion_control = workload.congestion_control.unwrap_or(&usual);
        if !isolation::has_congestion_control(congestion_control) {
            println!("{}: left out, as this kernel does not have {congestion_control}", workload.name);
            continue;
        }
        let workload = if programs.other.is_some() { workload.with_other_build() } else { workload };
        isolation::set_congestion_control(congestion_control)?;
        let outcome = rounds::run(workload, &programs, arguments.effort)?;
        println!("{}", report::table(&outcome));
        outcomes.push(outcome);
    }
    isolation::set_congestion_control(&usual)?;
    let loss = loss::measure(&programs, arguments)?;
    let machine = machine::description();
    let results = Results { outcomes, loss, machine, busy: Busy::now()?.since(busy) };
    println!("targets (those of the core are in `cargo bench -p shout-tests --bench instructions`)");
    for verdict in results.verdicts() {
        println!("  {verdict}");
    }
    for verdict in results.loss.verdicts() {
        println!("  {verdict}");
    }
    println!("\n{:.0} s; {}", started.elapsed().as_secs_f64(), results.busy);
    publish::save(&results, &directory)?;
    println!("results.csv, RESULTS.md and results.svg are in {}", directory.display());
    if arguments.publish {
        publish::publish(&results)?;
    }
    Ok(results.is_complete())
}
