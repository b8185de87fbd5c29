//! Where the results go.

use std::fs;
use std::path::{Path, PathBuf};

use crate::results::Outcome;
use crate::{csv, markdown, plot};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
const PLOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/network/results.svg");
const IMAGE: &str =
    "![rates as multiples of the kernel-socket server's](tests/benches/network/results.svg)\n";
const BEGIN: &str = "<!-- network benchmark: written by --publish -->\n";
const END: &str = "<!-- end of network benchmark -->\n";

/// The directory for what a run leaves behind.
pub(crate) fn directory() -> Result<PathBuf, String> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("network");
    fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    Ok(directory)
}

/// Writes everything into that directory.
pub(crate) fn save(outcomes: &[Outcome], directory: &Path) -> Result<(), String> {
    for (name, text) in [
        ("results.csv", csv::of(outcomes)),
        ("results.md", markdown::of(outcomes)),
        ("results.svg", plot::of(outcomes)?),
    ] {
        write(&directory.join(name), &text)?;
    }
    Ok(())
}

/// Puts the plot beside this program, and the table and a link to the plot into README.
pub(crate) fn publish(outcomes: &[Outcome]) -> Result<(), String> {
    let readme = fs::read_to_string(README).map_err(|error| format!("{README}: {error}"))?;
    let results = format!("{}\n{IMAGE}", markdown::of(outcomes));
    let readme = with_results(&readme, &results)
        .ok_or_else(|| format!("{README} has no place for the results: {BEGIN}{END}"))?;
    write(Path::new(PLOT), &plot::of(outcomes)?)?;
    write(Path::new(README), &readme)
}

/// The text with these results in place of those that are there.
pub(crate) fn with_results(readme: &str, results: &str) -> Option<String> {
    let (before, rest) = readme.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some([before, BEGIN, results, END, after].concat())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
