//! `--stats-file`: the counters for Prometheus.

use core::time::Duration;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::Instant;

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use crate::counters::wait_for_blocks;
use crate::namespace::disk;
use crate::program::{LIMIT, run};
use crate::server::{Server, V4, V6, shout};
use crate::sockets::{ask, assert_echo, assert_serves, connect, udp};

tests![
    the_counters_are_in_a_file_for_prometheus,
    a_file_of_counters_that_cannot_be_written_is_an_error_at_first_and_a_warning_later,
];

const COUNTERS: &str = "/mnt/shout.prom";

/// Waits until the file has such a line.
#[track_caller]
fn wait_for_counter(line: &str) -> String {
    let deadline = Instant::now() + LIMIT;
    loop {
        // It is there always, and always whole.
        let text = fs::read_to_string(COUNTERS).unwrap();
        assert!(text.starts_with("# HELP ") && text.contains("reason=\"no_neighbour\""), "{text}");
        if text.lines().any(|other| other == line) {
            return text;
        }
        assert!(Instant::now() < deadline, "{line} is not in:\n{text}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn the_counters_are_in_a_file_for_prometheus() {
    disk("1m");
    let server = Server::start(&["--stats-file", COUNTERS, "--stats", "50ms"]);
    wait_for_counter("shout_connections_live 0");
    let mut stream = connect(V4);
    assert_echo(&mut stream);
    assert_eq!(ask(&udp(V6), b"hello"), b"HELLO");
    wait_for_counter("shout_connections_live 1");
    wait_for_counter("shout_udp_bytes_out_total 5");
    assert_eq!(fs::metadata(COUNTERS).unwrap().permissions().mode() & 0o777, 0o644);
    drop(stream);
    assert_eq!(server.terminate().code(), Some(0));
    // The last one has all.
    let text = wait_for_counter("shout_connections_live 0");
    assert!(text.contains("\nshout_connections_closed_total 1\n"), "{text}");
    let names: Vec<_> = fs::read_dir("/mnt").unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["shout.prom"]);
}

fn a_file_of_counters_that_cannot_be_written_is_an_error_at_first_and_a_warning_later() {
    for path in ["/no/such/directory/a.prom", "/proc/a.prom"] {
        let output = run(&mut shout(&["--stats-file", path]), b"");
        assert_eq!(output.code(), Some(1), "{output}");
        let line = output.stderr.trim_end();
        assert!(
            line.lines().count() == 1 && line.contains(path) && line.contains("--stats-file"),
            "{output}"
        );
    }
    disk("1m");
    let server = Server::start(&["--stats-file", COUNTERS, "--stats", "20ms"]);
    // Nothing can be renamed over a directory. In one step, as the server may write the file again between two.
    let directory = "/mnt/directory";
    fs::create_dir_all(format!("{directory}/in/the/way")).unwrap();
    renameat2(AT_FDCWD, directory, AT_FDCWD, COUNTERS, RenameFlags::RENAME_EXCHANGE).unwrap();
    server.log().wait_for_line(&["WARN", COUNTERS, "not up to date"]);
    wait_for_blocks(&server, 5);
    assert_eq!(server.log().text().matches("not up to date").count(), 1);
    fs::remove_dir_all(COUNTERS).unwrap();
    let deadline = Instant::now() + LIMIT;
    while !Path::new(COUNTERS).is_file() {
        assert!(Instant::now() < deadline, "it is not written again");
        thread::sleep(Duration::from_millis(5));
    }
    assert_serves();
}
