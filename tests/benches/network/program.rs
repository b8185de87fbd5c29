//! The program to measure, as a release build.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The environment variable that names a binary to measure.
pub(crate) const VARIABLE: &str = "SHOUT";

/// The binary that `SHOUT` names, or one built from this source.
pub(crate) fn shout() -> Result<PathBuf, String> {
    match env::var_os(VARIABLE) {
        Some(path) => existing(Path::new(&path)),
        None => build(),
    }
}

/// The whole path of a program, which must exist.
pub(crate) fn existing(path: &Path) -> Result<PathBuf, String> {
    path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))
}

fn build() -> Result<PathBuf, String> {
    // The benchmark is TARGET_DIRECTORY/release/deps/network-HASH.
    let benchmark = env::current_exe().map_err(|error| error.to_string())?;
    let target = benchmark.ancestors().nth(3).ok_or("this program is not where Cargo puts it")?;
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--package=shout-host", "--bin=shout", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !status.success() {
        return Err("shout cannot be built".to_owned());
    }
    Ok(target.join("release/shout"))
}
