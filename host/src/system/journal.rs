//! The journal of systemd: it has its own time for each line, and takes the line's priority from a prefix (`sd-daemon(3)`).

use std::os::fd::AsFd;
use std::{env, io};

use log::Level;
use nix::sys::stat::fstat;

/// Whether standard error leads to the journal: systemd says in `JOURNAL_STREAM` which device and inode do, as the variable
/// is handed on to programs whose output goes elsewhere (`systemd.exec(5)`).
pub(crate) fn has_stderr() -> bool {
    env::var("JOURNAL_STREAM").is_ok_and(|stream| names(&stream, io::stderr()))
}

fn names(stream: &str, file: impl AsFd) -> bool {
    let Some((device, inode)) = stream.split_once(':') else { return false };
    let numbers = (device.parse().ok(), inode.parse().ok());
    fstat(file).is_ok_and(|status| numbers == (Some(status.st_dev), Some(status.st_ino)))
}

/// The lines of a text, each with its priority and a line feed: to the journal each is an entry of its own.
pub(crate) fn lines(level: Level, text: &str) -> String {
    text.lines().map(|line| format!("{}{line}\n", priority(level))).collect()
}

/// The prefix of a line of this level.
fn priority(level: Level) -> &'static str {
    match level {
        Level::Error => "<3>",
        Level::Warn => "<4>",
        Level::Info => "<6>",
        Level::Debug | Level::Trace => "<7>",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_a_text_has_its_priority() {
        assert_eq!(lines(Level::Error, "error: so;\n  do this"), "<3>error: so;\n<3>  do this\n");
    }

    #[test]
    fn the_journal_is_told_from_other_streams() {
        let (reader, writer) = io::pipe().unwrap();
        let status = fstat(&writer).unwrap();
        let stream = format!("{}:{}", status.st_dev, status.st_ino);
        assert!(names(&stream, &writer));
        assert!(!names(&stream, io::stdin()));
        for stream in ["", ":", "1:", ":2", "1:2", "one:two"] {
            assert!(!names(stream, &reader), "{stream}");
        }
    }
}
