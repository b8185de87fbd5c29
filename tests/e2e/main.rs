//! End-to-end tests: the built `shout` behind a real TUN device, spoken to through the kernel's sockets.
//!
//! The process moves into a network namespace before it starts any thread, as root or through a user namespace,
//! and every test gets a further one of its own, so all can use the same addresses at the same time and none
//! touches the machine. That move is why this target has no libtest harness: `unshare(CLONE_NEWUSER)` is refused
//! to a process with threads, and libtest's `main` has some before a test can run. libtest-mimic understands the
//! same command line and leaves `main` to us.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation is how a test fails"
)]

use std::process::ExitCode;
use std::thread;

use libtest_mimic::{Arguments, Failed, Trial};
use nix::sys::signal::{SigHandler, Signal};

/// Registers the named functions of a module as tests. One that is left out is dead code, which the lints refuse.
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        pub(crate) fn tests() -> Vec<libtest_mimic::Trial> {
            vec![$(crate::test(concat!(module_path!(), "::", stringify!($name)), $name)),*]
        }
    };
}

mod addresses;
mod bad_input;
mod bulk;
mod capture;
mod clients;
mod cloud;
mod cloud_network;
mod counters;
mod delay;
mod demo;
mod deploy;
mod device;
mod failures;
mod faults;
mod forged;
mod gap_analysis;
mod gaps;
mod interference;
mod kernel_sockets;
mod log_lines;
mod loss;
mod lossy_link;
mod memory;
mod namespace;
mod note_claims;
mod note_programs;
mod note_rows;
mod options;
mod outage;
mod outsider;
mod path_mtu;
mod per_source;
mod privileges;
mod program;
mod programs;
mod readme;
mod recording;
mod refusals;
mod relay;
mod sent_twice;
mod server;
mod services;
mod shim;
mod shutdown;
mod sleep;
mod sockets;
mod stats_file;
mod stopped;
mod stream_gaps;
mod syn_flood;
mod tap;
mod terminal;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    heed_the_terminal();
    // Most tests wait for the network rather than for a processor.
    arguments.test_threads.get_or_insert(8);
    if !arguments.list
        && let Err(missing) = namespace::isolate_process()
    {
        eprintln!("error: {missing}");
        return ExitCode::FAILURE;
    }
    let tests = [
        // These wait for half a minute, and need nothing meanwhile.
        outage::tests(),
        addresses::tests(),
        bad_input::tests(),
        bulk::tests(),
        note_claims::tests(),
        clients::tests(),
        cloud::tests(),
        counters::tests(),
        delay::tests(),
        demo::tests(),
        deploy::tests(),
        device::tests(),
        failures::tests(),
        faults::tests(),
        gap_analysis::tests(),
        gaps::tests(),
        kernel_sockets::tests(),
        log_lines::tests(),
        loss::tests(),
        memory::tests(),
        options::tests(),
        path_mtu::tests(),
        per_source::tests(),
        privileges::tests(),
        programs::tests(),
        readme::tests(),
        recording::tests(),
        refusals::tests(),
        note_rows::tests(),
        sent_twice::tests(),
        services::tests(),
        shutdown::tests(),
        sleep::tests(),
        stats_file::tests(),
        stopped::tests(),
        stream_gaps::tests(),
        tap::tests(),
        terminal::tests(),
    ];
    let conclusion = libtest_mimic::run(&arguments, tests.into_iter().flatten().collect());
    // A flood takes all that the machine has, so that no other test may run. The floods wait for each other.
    let floods = libtest_mimic::run(&arguments, syn_flood::tests());
    if conclusion.has_failed() { conclusion.exit_code() } else { floods.exit_code() }
}

/// Has SIGINT and SIGQUIT end what the tests start: a shell without job control ignores both in what it runs in the background, and
/// every program inherits that.
fn heed_the_terminal() {
    for signal in [Signal::SIGINT, Signal::SIGQUIT] {
        // SAFETY: no handler is installed.
        unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) }.unwrap();
    }
}

/// A test that runs on a thread, and in a network namespace, of its own: libtest-mimic's threads run many tests each.
fn test(path: &str, run: impl FnOnce() + Send + 'static) -> Trial {
    let name = path.trim_start_matches("e2e::").to_owned();
    Trial::test(name.clone(), move || {
        let isolated = move || {
            namespace::isolate_thread();
            run();
        };
        let thread = thread::Builder::new().name(name).spawn(isolated)?;
        thread.join().map_err(|payload| {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            Failed::from(text.unwrap_or("panicked").to_owned())
        })
    })
}
