//! Where the results go.

use std::fs;
use std::path::{Path, PathBuf};

use crate::results::Results;
use crate::{csv, page, plot, summary, time_of_an_echo};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
const FINDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/FINDINGS.md");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/RESULTS.md");
const PLOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/network/results.svg");
const PLOT_FROM_PAGE: &str = "network/results.svg";
const PLOT_FROM_README: &str = "tests/benches/network/results.svg";

/// A part of a page that `--publish` writes, between two comments.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
}

const SUMMARY: Part = Part { name: "network benchmark" };
const LOSS: Part = Part { name: "loss benchmark" };
const TIME_OF_AN_ECHO: Part = Part { name: "time of an echo" };

/// The directory for what a run leaves behind.
pub(crate) fn directory() -> Result<PathBuf, String> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("network");
    fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    Ok(directory)
}

/// Writes everything into that directory: also what [`publish`] puts into other pages.
pub(crate) fn save(results: &Results, directory: &Path) -> Result<(), String> {
    for (name, text) in [
        ("results.csv", csv::of(&results.outcomes)),
        ("RESULTS.md", page::of(results, "results.svg")),
        ("results.svg", plot::of(results)?),
        ("summary.md", summary::table(results)),
        ("loss.md", results.loss.summary()),
        ("time_of_an_echo.md", time_of_an_echo::table(results)),
    ] {
        write(&directory.join(name), &text)?;
    }
    Ok(())
}

/// Checks that README.md and FINDINGS.md have places for their tables, before a run of ten minutes is made for them.
///
/// # Errors
///
/// A sentence that says which page has no place.
pub(crate) fn check() -> Result<(), String> {
    let readme = read(README)?;
    SUMMARY.replaced_in(README, &readme, "")?;
    LOSS.replaced_in(README, &readme, "")?;
    TIME_OF_AN_ECHO.replaced_in(FINDINGS, &read(FINDINGS)?, "").map(|_| ())
}

/// Writes the page of results and the plot, and the tables in README.md and FINDINGS.md.
///
/// # Errors
///
/// A sentence that says which page has no place for its table. Then nothing has been written.
pub(crate) fn publish(results: &Results) -> Result<(), String> {
    let image = format!("\n![rates as multiples of the kernel-socket server's]({PLOT_FROM_README})\n");
    let readme = SUMMARY.replaced_in(README, &read(README)?, &(dense(&summary::table(results)) + &image))?;
    let readme = LOSS.replaced_in(README, &readme, &dense(&results.loss.summary()))?;
    let table = time_of_an_echo::table(results);
    let findings = TIME_OF_AN_ECHO.replaced_in(FINDINGS, &read(FINDINGS)?, &table)?;
    write(Path::new(PLOT), &plot::of(results)?)?;
    write(Path::new(PAGE), &page::of(results, PLOT_FROM_PAGE))?;
    write(Path::new(README), &readme)?;
    write(Path::new(FINDINGS), &findings)
}

/// A table without spaces around its lines: whoever counts a page's words does not count the lines.
fn dense(table: &str) -> String {
    table.replace(" | ", "|").replace("| ", "|").replace(" |", "|")
}

impl Part {
    fn comments(&self) -> (String, String) {
        let name = self.name;
        (format!("<!-- {name}: written by --publish -->\n"), format!("<!-- end of {name} -->\n"))
    }

    fn replaced_in(&self, path: &str, page: &str, text: &str) -> Result<String, String> {
        self.replaced(page, text).ok_or_else(|| {
            let (begin, end) = self.comments();
            format!("{path} has no place for the results: {begin}{end}")
        })
    }

    /// The page with this text as the part, if the page has the two comments.
    pub(crate) fn replaced(&self, page: &str, text: &str) -> Option<String> {
        let (begin, end) = self.comments();
        let (before, rest) = page.split_once(&begin)?;
        let (_, after) = rest.split_once(&end)?;
        Some([before, &begin, text, &end, after].concat())
    }
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
