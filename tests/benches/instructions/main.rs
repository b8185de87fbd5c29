//! Instructions that an echo costs in the core alone, in memory: `cargo bench -p shout-tests --bench instructions`.
//!
//! Callgrind runs each workload and counts instructions, so the result is the same whatever else the machine does. Only what
//! `Server::poll` (or smoltcp's own loop, to compare with) executes is counted: see `measured`. With `-- --check`, the benchmark
//! fails if the cost is too far above that of bare smoltcp, or grows with the number of connections.

#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up has nothing to count")]

mod peers;
mod workload;

use std::process::{Command, ExitCode};

use workload::Workload;

/// The largest ratio of the costs with two numbers of connections.
const MOST_GROWTH: f64 = 1.002;
/// The largest ratio of the cost to that of bare smoltcp.
const MOST_OVERHEAD: f64 = 1.2;

/// Echoes in a run: enough that timer scans are amortised over many.
const ECHOES: usize = 40_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name] = &arguments[..]
        && flag == "--run"
    {
        return match Workload::named(name) {
            Some(workload) => {
                workload.run(ECHOES);
                ExitCode::SUCCESS
            }
            None => ExitCode::FAILURE,
        };
    }
    println!("{:24} {:>22}", "workload", "instructions an echo");
    let (mut bare, mut served) = (Vec::new(), Vec::new());
    for workload in Workload::ALL {
        match count(workload) {
            Ok(instructions) => {
                let cost = instructions / ECHOES as f64;
                println!("{:24} {cost:>22.1}", workload.name());
                if workload.is_bare() { &mut bare } else { &mut served }.push(cost);
            }
            Err(error) => {
                eprintln!("{}: {error}", workload.name());
                return ExitCode::FAILURE;
            }
        }
    }
    let least = |costs: &[f64]| costs.iter().copied().fold(f64::INFINITY, f64::min);
    let most = served.iter().copied().fold(0.0, f64::max);
    let (growth, overhead) = (most / least(&served), most / least(&bare));
    println!("{:24} {overhead:>22.3} (at most {MOST_OVERHEAD})", "to bare smoltcp");
    println!("{:24} {growth:>22.4} (at most {MOST_GROWTH})", "most to least");
    let too_much = [
        (overhead > MOST_OVERHEAD, "an echo costs too much more than bare smoltcp's"),
        (growth > MOST_GROWTH, "the cost of an echo depends on the number of connections"),
    ];
    let checks = arguments.iter().any(|argument| argument == "--check");
    let failed = too_much.into_iter().filter(|(is_too_much, _)| checks && *is_too_much);
    match failed.inspect(|(_, what)| eprintln!("{what}")).count() {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Runs a workload in callgrind and returns what it collected.
fn count(workload: &Workload) -> Result<f64, String> {
    let binary = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*measured*"])
        .arg(binary)
        .args(["--run", workload.name()])
        .output()
        .map_err(|error| format!("valgrind cannot be started ({error}): install the package valgrind"))?;
    let report = String::from_utf8_lossy(&output.stderr);
    report
        .lines()
        .find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok())
        .filter(|_| output.status.success())
        .ok_or_else(|| format!("callgrind counted nothing:\n{report}"))
}
