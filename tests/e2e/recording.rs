//! `--pcap`: what passes is recorded, and a recording that fails does not end the server.

use core::time::Duration;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Instant, SystemTime};

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::namespace::disk;
use crate::program::{LIMIT, Program, run};
use crate::server::{Server, V4, V6, shout, shout_on_a_terminal};
use crate::sockets::{ask, assert_echo, assert_serves, connect, exchange, pattern, udp};

tests![
    a_recording_holds_both_directions_and_their_times,
    tcpdump_reads_a_recording,
    a_recording_is_good_after_sigkill,
    a_full_disk_ends_the_recording_and_not_the_server,
    a_limit_on_the_size_of_files_ends_the_recording_only,
    a_device_that_takes_nothing_ends_the_recording_only,
    a_recording_that_cannot_be_begun_is_an_error,
    a_server_that_cannot_start_leaves_no_recording_and_an_old_one_alone,
    a_pipe_is_waited_for_at_first_and_never_again,
    sigusr1_does_not_end_a_server_that_waits_for_a_reader,
    a_terminal_is_no_place_for_a_recording,
];

const RECORDING: &str = "/mnt/shout.pcap";

/// The kernel's pages have this size or a multiple of it.
const PAGE: usize = 4096;

/// A packet as it was recorded.
pub(crate) struct Record {
    /// Since 1970.
    time: Duration,
    pub(crate) packet: Vec<u8>,
}

/// All records of a recording, which has to be whole.
#[track_caller]
pub(crate) fn records(recording: &[u8]) -> Vec<Record> {
    let word = |at: usize| u32::from_ne_bytes(recording[at..at + 4].try_into().unwrap());
    assert_eq!(word(0), 0xa1b2_c3d4, "the magic number: times in microseconds");
    assert_eq!(word(20), 101, "the link type: raw IP");
    let mut records = Vec::new();
    let mut at = 24;
    while at < recording.len() {
        assert!(at + 16 <= recording.len(), "a record's header is cut off");
        let length = usize::try_from(word(at + 8)).unwrap();
        assert_eq!(word(at + 8), word(at + 12), "a packet was recorded in part");
        let packet = recording.get(at + 16..at + 16 + length).expect("a packet is cut off").to_vec();
        let time = Duration::new(word(at).into(), word(at + 4) * 1000);
        records.push(Record { time, packet });
        at += 16 + length;
    }
    records
}

fn a_recording_holds_both_directions_and_their_times() {
    disk("1m");
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let before = now();
    let _server = Server::start(&["--pcap", RECORDING]);
    let (mut stream, socket) = (connect(V4), udp(V6));
    assert_eq!(exchange(&mut stream, b"over tcp"), b"OVER TCP");
    assert_eq!(ask(&socket, b"over udp"), b"OVER UDP");
    // A packet is recorded when the kernel has taken it, and so perhaps after it was received; but before another is.
    assert_eq!(ask(&socket, b"another"), b"ANOTHER");

    let records = records(&fs::read(RECORDING).unwrap());
    let [host, server] = [[192, 168, 69, 100], [192, 168, 69, 1]];
    let v4 = |from: [u8; 4], to: [u8; 4], payload: &'static [u8]| {
        move |r: &Record| r.packet[12..16] == from && r.packet[16..20] == to && r.packet.ends_with(payload)
    };
    let v6 = |payload: &'static [u8]| move |r: &Record| r.packet[0] >> 4 == 6 && r.packet.ends_with(payload);
    let positions = [
        records.iter().position(v4(host, server, b"over tcp")),
        records.iter().position(v4(server, host, b"OVER TCP")),
        records.iter().position(v6(b"over udp")),
        records.iter().position(v6(b"OVER UDP")),
    ];
    assert!(positions.iter().all(Option::is_some) && positions.is_sorted(), "{positions:?}");
    assert!(records.is_sorted_by_key(|record| record.time));
    // The format has microseconds.
    let span = before - Duration::from_micros(1)..=now();
    assert!(records.iter().all(|record| span.contains(&record.time)));
}

fn tcpdump_reads_a_recording() {
    disk("1m");
    let server = Server::start(&["--pcap", RECORDING]);
    assert_echo(&mut connect(V4));
    assert_echo(&mut connect(V6));
    assert_eq!(server.terminate().code(), Some(0));
    // As root it would become a user of its own, whom a user namespace may not have.
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-user=1", "--", "tcpdump", "-n", "-v", "-r", RECORDING]);
    let output = run(&mut command, b"");
    assert!(output.status.success() && output.stderr.contains("link-type RAW (Raw IP)"), "{output}");
    let text = output.stdout();
    for part in [
        "192.168.69.1.8080 > 192.168.69.100.",
        "> 192.168.69.1.8080: Flags [S], cksum",
        "fd69::1.8080 > fd69::100.",
        "> fd69::1.8080: Flags [P.], cksum",
    ] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
    assert!(!text.contains("incorrect") && !text.contains("[|"), "{text}");
}

fn a_recording_is_good_after_sigkill() {
    disk("64m");
    let data = pattern(1 << 23);
    let mut cut_off = 0;
    for moment in 0..10 {
        let mut server = Server::start(&["--pcap", RECORDING]);
        let mut stream = connect(V4);
        let mut writer = stream.try_clone().unwrap();
        thread::scope(|scope| {
            // It fails as this client gives up below.
            scope.spawn(|| writer.write_all(&data).unwrap_err());
            stream.read_exact(&mut vec![0; 100_000 + 9_973 * moment]).unwrap();
            server.signal(Signal::SIGKILL);
            server.wait();
            stream.shutdown(Shutdown::Both).unwrap();
        });
        let recording = fs::read(RECORDING).unwrap();
        let whole = whole_records(&recording);
        // The kernel may stop a write where it goes on to another page, and nowhere else.
        let is_cut_off = whole < recording.len();
        cut_off += usize::from(is_cut_off);
        assert!(
            !is_cut_off || recording.len().is_multiple_of(PAGE),
            "it ends amid a record at {}",
            recording.len()
        );
        let records = records(&recording[..whole]);
        let echoed: usize =
            records.iter().filter(|record| record.packet[12..16] == [192, 168, 69, 1]).map(payload).sum();
        // Between the two calls that send a packet and record it, the end can come as well.
        assert!(echoed >= 100_000 - 1500, "only {echoed} bytes of what came back are in it");
    }
    assert!(cut_off <= 3, "{cut_off} of 10 recordings end amid a record");
}

/// Bytes of TCP payload in an IPv4 packet.
fn payload(record: &Record) -> usize {
    let packet = &record.packet;
    packet.len() - 20 - usize::from(packet[32] >> 4) * 4
}

/// The line in which the server says that it records no more.
const OVER: [&str; 2] = ["WARN", "recording to "];

fn a_full_disk_ends_the_recording_and_not_the_server() {
    disk("64k");
    let server = Server::start(&["--pcap", RECORDING]);
    assert_serves();
    let line = server.log().wait_for_line(&OVER);
    assert!(line.contains(RECORDING) && line.contains("No space left on device"), "{line}");
    let recording = fs::read(RECORDING).unwrap();
    assert!(recording.len() > 60_000 && !records(&recording).is_empty(), "{}", recording.len());
    // It is over for good, also once there is room again.
    fs::write(RECORDING, "").unwrap();
    assert_serves();
    assert!(fs::read(RECORDING).unwrap().is_empty());
    let log = server.log().clone();
    assert_eq!(server.terminate().code(), Some(0));
    assert_eq!(log.text().matches("recording to ").count(), 1);
}

fn a_limit_on_the_size_of_files_ends_the_recording_only() {
    disk("1m");
    let mut command = Command::new("prlimit");
    command.args(["--fsize=20000", "--", env!("CARGO_BIN_EXE_shout"), "--pcap", RECORDING]);
    let server = Server::start_as(command.env_remove("RUST_LOG"));
    assert_serves();
    server.log().wait_for_line(&OVER);
    assert!(records(&fs::read(RECORDING).unwrap()).len() > 10);
    assert_eq!(server.terminate().code(), Some(0));
}

fn a_device_that_takes_nothing_ends_the_recording_only() {
    let server = Server::start(&["--pcap", "/dev/full"]);
    server.log().wait_for_line(&OVER);
    assert_serves();
}

fn a_recording_that_cannot_be_begun_is_an_error() {
    for path in ["/no/such/directory/a.pcap", "/proc"] {
        let output = run(&mut shout(&["--pcap", path]), b"");
        assert_eq!(output.code(), Some(1), "{output}");
        let line = output.stderr.trim_end();
        assert!(line.lines().count() == 1 && line.contains(path) && line.contains("--pcap"), "{output}");
    }
}

fn a_server_that_cannot_start_leaves_no_recording_and_an_old_one_alone() {
    disk("1m");
    let _first = Server::start(&[]);
    let addresses = ["--address", "192.168.69.2/24", "--host-address", "192.168.69.101/24"];
    for (device, reason) in [("shout0", "is held by"), ("shout1", "looks for 192.168.69.2 on shout0")] {
        let arguments = ["--pcap", RECORDING, "--tun", device, "--mtu", "1000"];
        let fails = || {
            let output = run(shout(&arguments).args(addresses), b"");
            assert!(output.code() == Some(1) && output.stderr.contains(reason), "{output}");
        };
        fails();
        assert!(!Path::new(RECORDING).exists(), "{reason}");
        fs::write(RECORDING, "of an earlier server").unwrap();
        fails();
        assert_eq!(fs::read_to_string(RECORDING).unwrap(), "of an earlier server");
        fs::remove_file(RECORDING).unwrap();
    }
}

fn a_pipe_is_waited_for_at_first_and_never_again() {
    disk("1m");
    mkfifo(RECORDING, Mode::from_bits_truncate(0o666)).unwrap();
    let server = Program::start(&mut shout(&["--pcap", RECORDING]));
    server.errors.wait_for_line(&["waiting for a reader of", RECORDING]);
    let mut reader = File::open(RECORDING).unwrap();
    server.errors.wait_for_line(&["listening on "]);
    assert_echo(&mut connect(V4));
    let mut header = [0; 24];
    reader.read_exact(&mut header).unwrap();
    assert!(records(&header).is_empty());
    // Nobody reads now, and a pipe does not hold that much.
    assert_serves();
    server.errors.wait_for_line(&["WARN", "too slow", RECORDING]);
    // What was recorded is readable, the record that was in the way at last included.
    let mut recording = header.to_vec();
    recording.resize(24 + 30_000, 0);
    reader.read_exact(&mut recording[24..]).unwrap();
    assert_serves();
    drop(reader);
    // What another test is just starting holds this end of the pipe, too, until it runs.
    let deadline = Instant::now() + LIMIT;
    while !server.errors.text().contains(OVER[1]) && Instant::now() < deadline {
        assert_serves();
    }
    server.errors.wait_for_line(&OVER);
    server.errors.wait_for_line(&["WARN", " packets are missing in ", RECORDING]);
    let whole = whole_records(&recording);
    assert!(records(&recording[..whole]).len() > 20);
}

fn sigusr1_does_not_end_a_server_that_waits_for_a_reader() {
    disk("1m");
    mkfifo(RECORDING, Mode::from_bits_truncate(0o666)).unwrap();
    let server = Program::start(&mut shout(&["--pcap", RECORDING]));
    server.errors.wait_for_line(&["waiting for a reader of", RECORDING]);
    server.signal(Signal::SIGUSR1);
    let _reader = File::open(RECORDING).unwrap();
    server.errors.wait_for_line(&["listening on "]);
    server.errors.wait_for_line(&["rates over"]);
    assert_echo(&mut connect(V4));
}

fn a_terminal_is_no_place_for_a_recording() {
    let mut server = shout_on_a_terminal("--pcap -");
    assert_eq!(server.wait().code(), Some(1));
    let text = server.output.text();
    assert!(text.contains("error: /dev/stdout (--pcap)") && text.contains("terminal"), "{text}");
}

/// How far whole records reach.
fn whole_records(recording: &[u8]) -> usize {
    let mut at = 24;
    while let Some(header) = recording.get(at..at + 16) {
        let length = usize::try_from(u32::from_ne_bytes(header[8..12].try_into().unwrap())).unwrap();
        assert!(length <= 1500, "no packet is that long");
        if at + 16 + length > recording.len() {
            break;
        }
        at += 16 + length;
    }
    at
}
