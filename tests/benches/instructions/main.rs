//! Instructions that an echo costs in the core alone, in memory: `cargo bench -p shout-tests --bench instructions`.
//!
//! Each workload is run by callgrind, which counts the same every time whatever else the machine does. Only what
//! `Server::poll` (or smoltcp's own loop, for comparison) executes is counted: see `measured`.

#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up has nothing to count")]

mod peers;
mod workload;

use std::process::{Command, ExitCode};

use workload::Workload;

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
    for workload in Workload::ALL {
        match count(workload) {
            Ok(instructions) => println!("{:24} {:>22.1}", workload.name(), instructions / ECHOES as f64),
            Err(error) => {
                eprintln!("{}: {error}", workload.name());
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
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
