//! Replays the seeds of `tests/fuzz`: inputs each of which covers code that no other one does.

use std::fs;
use std::path::{Path, PathBuf};

use shout_tests::fuzz::{packets, peers};

use crate::seeds::trace;

#[test]
fn packets_of_any_bytes() {
    replay("packets", packets::hand_in);
}

#[test]
fn several_peers_that_send_arbitrary_segments() {
    replay("peers", peers::play);
}

fn replay(target: &str, run: fn(&[u8], bool)) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 100, "the seeds are missing: {} files in {}", files.len(), directory.display());
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let _note = Note(file);
        run(&bytes, trace());
    }
}

/// Names the file if the test fails while it lives.
struct Note(PathBuf);

impl Drop for Note {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was {}", self.0.display());
        }
    }
}
