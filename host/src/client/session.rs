//! What both clients begin and end with.

use std::io;
use std::process::ExitCode;

use nix::sys::signal::{SigSet, Signal};

use super::ended::Ended;
use super::input::Input;
use super::output::Output;

/// Has a conversation on standard input and output, and gives the exit code that says how it went.
pub(super) fn run(raw: bool, converse: impl FnOnce(&mut Output<'_>) -> Result<(), Ended>) -> ExitCode {
    // `pkill -USR1 shout`, which asks every server for its counters, is not to end the clients. A blocked signal waits for ever.
    // If it cannot be blocked, it is no reason not to go on.
    let _ = SigSet::from(Signal::SIGUSR1).thread_block();
    let mut output = Output { replies: &mut io::stdout(), notes: &mut io::stderr(), raw };
    let result = converse(&mut output);
    let Err(ended) = result else {
        return ExitCode::SUCCESS;
    };
    if ended.is_news() {
        output.error(&ended);
    }
    ExitCode::from(ended.exit_code())
}

/// Tells whoever types what becomes of a line.
pub(super) fn greet(verb: &str, peer: &str, input: &Input, output: &mut Output<'_>) {
    if input.is_terminal() {
        let form =
            if output.raw { "as it is" } else { "without white space at its ends (as it is with --raw)" };
        output.note(&format_args!("{verb} {peer}: each line is sent {form}; press Ctrl-D to quit"));
    }
}
