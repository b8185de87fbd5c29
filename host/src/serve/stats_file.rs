//! `--stats-file`: the counters in Prometheus' text format (version 0.0.4), for the textfile collector of its node_exporter.
//!
//! The file is written whole under another name and renamed into place, so that a reader never sees a part of it. It is
//! written by the server as it is when it serves, without a privilege: the directory has to be that user's.

use core::fmt::Write as _;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::fcntl::OFlag;
use shout_core::{DropReason, Stats};

use crate::serve::counters::COUNTERS;

/// A file that has the counters as they were when it was last written.
#[derive(Debug)]
pub(crate) struct StatsFile {
    path: PathBuf,
    /// Where it is written before it is renamed, beside it.
    new: PathBuf,
    started: SystemTime,
    /// Whether the last attempt to write it has failed, and that has been said.
    failed: bool,
}

impl StatsFile {
    /// Writes the file for the first time; the server starts now.
    pub(crate) fn begin(path: &Path) -> io::Result<StatsFile> {
        let mut name = OsString::from(path);
        // The collector reads files whose names end with .prom.
        name.push(".new");
        let file =
            StatsFile { path: path.to_owned(), new: name.into(), started: SystemTime::now(), failed: false };
        file.try_write(&Stats::default()).inspect_err(|_| {
            // What there is of it is of no use to anybody.
            let _ = fs::remove_file(&file.new);
        })?;
        Ok(file)
    }

    /// Writes the file anew. If that fails the last one stays, and a warning says so once.
    pub(crate) fn write(&mut self, stats: &Stats) {
        match self.try_write(stats) {
            Ok(()) => self.failed = false,
            Err(error) => {
                if !self.failed {
                    log::warn!("{} (--stats-file) is not up to date: {error}", self.path.display());
                }
                self.failed = true;
            }
        }
    }

    fn try_write(&self, stats: &Stats) -> io::Result<()> {
        let text = text(stats, self.started);
        self.open()?.write_all(text.as_bytes())?;
        fs::rename(&self.new, &self.path)
    }

    fn open(&self) -> io::Result<File> {
        // In a directory that others may write to as well, a link of that name could lead to any file of this user's.
        let no_link = OFlag::O_NOFOLLOW.bits();
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .custom_flags(no_link)
            .open(&self.new)?;
        // Whatever the umask: the collector is another user, and the counters are no secret.
        file.set_permissions(Permissions::from_mode(0o644))?;
        Ok(file)
    }
}

fn text(stats: &Stats, started: SystemTime) -> String {
    let mut text = String::with_capacity(8192);
    // Writing to a string cannot fail.
    let mut metric = |name: &str, meaning: &str, samples: &mut dyn Iterator<Item = (String, u64)>| {
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        let _ = writeln!(text, "# HELP {name} {meaning}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    let mut one = |name: &str, meaning: &str, value| {
        metric(name, meaning, &mut core::iter::once((String::new(), value)));
    };
    let started = started.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    one("shout_start_time_seconds", "When the server started, in seconds since 1970.", started);
    for counter in &COUNTERS {
        one(counter.name, counter.meaning, (counter.value)(stats));
    }
    let mut drops = DropReason::ALL
        .into_iter()
        .map(|reason| (format!("{{reason=\"{}\"}}", reason.name().replace(' ', "_")), stats.dropped(reason)));
    metric(
        "shout_packets_dropped_total",
        "Packets that were dropped, or not acted upon, by reason.",
        &mut drops,
    );
    text
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn every_counter_has_its_help_type_and_value() {
        let mut stats = Stats::default();
        (stats.packets_in, stats.live, stats.datagram_bytes_out) = (7, 3, 1024);
        let text = text(&stats, UNIX_EPOCH + Duration::from_secs(5));
        assert!(text.starts_with(
            "# HELP shout_start_time_seconds When the server started, in seconds since 1970.\n\
             # TYPE shout_start_time_seconds gauge\n\
             shout_start_time_seconds 5\n"
        ));
        for line in [
            "# TYPE shout_packets_in_total counter",
            "shout_packets_in_total 7",
            "# TYPE shout_connections_live gauge",
            "shout_connections_live 3",
            "shout_udp_bytes_out_total 1024",
            "# TYPE shout_packets_dropped_total counter",
            "shout_packets_dropped_total{reason=\"no_slot\"} 0",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is missing in:\n{text}");
        }
        assert_eq!(text.matches("# TYPE ").count(), text.matches("# HELP ").count());
        assert!(text.ends_with('\n'));
    }
}
