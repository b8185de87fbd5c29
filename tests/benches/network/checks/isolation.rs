use core::time::Duration;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::{env, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

use crate::isolation;

/// Not a test, but the process that [`a_benchmark_that_is_ended_leaves_no_server_behind`] ends.
#[test]
#[ignore = "another test runs it in a process of its own"]
fn runs_a_program_that_starts_a_server() {
    isolation::enter_namespaces().unwrap();
    isolation::run_as_init(Path::new("sh"), |command| {
        command.args(["-c", "sleep 60 & echo started; wait"]);
    })
    .unwrap();
}

#[test]
fn a_benchmark_that_is_ended_leaves_no_server_behind() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
        let itself = env::current_exe().unwrap();
        // A process with threads, as this one, cannot make a user namespace: unshare(2).
        let mut command = if geteuid().is_root() {
            Command::new(itself)
        } else {
            let mut command = Command::new("unshare");
            command.args(["--user", "--map-root-user"]).arg(itself);
            command
        };
        command.args(["--ignored", "--exact", "checks::isolation::runs_a_program_that_starts_a_server"]);
        let mut benchmark = command.arg("--nocapture").stdout(Stdio::piped()).spawn().unwrap();
        // The server inherits standard output, which therefore ends when the server has ended, and not before.
        let mut output = BufReader::new(benchmark.stdout.take().unwrap());
        let mut line = String::new();
        while line != "started\n" {
            line.clear();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "the server was not started");
        }
        kill(Pid::from_raw(benchmark.id().cast_signed()), signal).unwrap();
        benchmark.wait().unwrap();
        let (ended, end) = mpsc::channel();
        thread::spawn(move || ended.send(output.read_to_end(&mut Vec::new())));
        let end = end.recv_timeout(Duration::from_secs(20));
        assert!(
            matches!(end, Ok(Ok(_))),
            "the server outlives a benchmark that {signal:?} has ended: {end:?}"
        );
    }
}
