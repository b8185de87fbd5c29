//! Writes the manual pages and the shells' completions for the package, from the command line's own definition:
//! `cargo run -p shout-host --example manual -- DIRECTORY`.

#[allow(dead_code, reason = "of all that is to be known of the command line, its definition is enough here")]
#[path = "../src/cli/mod.rs"]
mod cli;

use std::path::PathBuf;
use std::{env, fs, io};

use clap_complete::{Shell, generate_to};

fn main() -> io::Result<()> {
    let Some(directory) = env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "give the directory to write to"));
    };
    fs::create_dir_all(&directory)?;
    clap_mangen::generate_to(cli::definition(), &directory)?;
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        generate_to(shell, &mut cli::definition(), "shout", &directory)?;
    }
    Ok(())
}
