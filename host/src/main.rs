//! The program `shout`: see the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    shout_host::run(std::env::args_os())
}
