//! What is in the file, in a pipe that is slow, and when there is no room.

use core::time::Duration;
use std::io::{PipeReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::*;
use crate::device::PacketIo;
use crate::device::capture::Captured;

/// The records of a capture: time in microseconds, and packet. Fails if the last one is cut off.
fn records(bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!([word(0), word(20)], [0xa1b2_c3d4, 101], "the header");
    let mut records = Vec::new();
    let mut at = 24;
    while at < bytes.len() {
        let length = word(at + 8) as usize;
        assert_eq!(word(at + 12) as usize, length);
        let time = u64::from(word(at)) * 1_000_000 + u64::from(word(at + 4));
        records.push((time, bytes[at + 16..at + 16 + length].to_vec()));
        at += 16 + length;
    }
    records
}

/// A capture that has begun.
fn capture(file: File, length: Option<u64>, record: Record) -> Capture {
    Capture { file, path: PathBuf::from("nowhere"), provisional: false, length, record, missed: 0 }
}

/// A capture into a pipe of one page.
fn piped() -> (Capture, PipeReader) {
    let (reader, writer) = io::pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let mut record = Record(Vec::new());
    record.global_header(PcapLinkType::Ip);
    let file = File::from(OwnedFd::from(writer));
    (capture(file, None, record), reader)
}

fn time(micros: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(micros)
}

#[test]
fn both_directions_are_recorded_as_they_pass() {
    let directory = std::env::temp_dir().join(format!("shout-capture-{}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    let path = directory.join("both.pcap");
    fs::write(&path, "what was there before, longer than a header").unwrap();
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    let before = microseconds(SystemTime::now()).total_micros();
    let io = Captured::new(ours, Capture::open(&path).unwrap().begin(PcapLinkType::Ip));
    assert_eq!(fs::metadata(&path).unwrap().len(), 24);
    theirs.send(b"in").unwrap();
    io.receive(&mut [0; 100]).unwrap();
    PacketIo::send(&io, b"out").unwrap();
    drop(theirs);
    PacketIo::send(&io, b"nobody takes this").unwrap_err();
    let after = microseconds(SystemTime::now()).total_micros();
    let bytes = fs::read(&path).unwrap();
    fs::remove_dir_all(&directory).unwrap();
    let records = records(&bytes);
    let packets: Vec<&[u8]> = records.iter().map(|(_, packet)| packet.as_slice()).collect();
    assert_eq!(packets, [&b"in"[..], b"out"]);
    assert!(records.iter().map(|(time, _)| time.cast_signed()).is_sorted_by(|a, b| a <= b));
    assert!(records.iter().all(|(time, _)| (before..=after).contains(&time.cast_signed())));
}

#[test]
fn a_record_is_written_with_one_call() {
    // Each call becomes a datagram.
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    let file = File::from(OwnedFd::from(ours));
    let mut capture = capture(file, Some(0), Record(Vec::new()));
    capture.record(time(1), &[7; 1500]).unwrap();
    assert_eq!(theirs.recv(&mut [0; 2000]).unwrap(), 16 + 1500);
}

#[test]
fn a_pipe_takes_what_it_has_room_for_and_stays_readable() {
    // The longest record is more than the pipe holds: a part of it goes in.
    for length in [1, 1000, 4080, 5000, 60_000] {
        let (mut capture, mut reader) = piped();
        for number in 0..50 {
            capture.record(time(number), &vec![7; length]).unwrap();
        }
        assert!(capture.missed > 0 || length == 1, "{length}");
        let recorded = usize::try_from(50 - capture.missed).unwrap();
        // The rest of a record that was begun comes as room is made.
        let mut bytes = Vec::new();
        let mut page = [0; 4096];
        while !capture.record.0.is_empty() {
            let read = reader.read(&mut page).unwrap();
            bytes.extend_from_slice(&page[..read]);
            capture.write().unwrap();
        }
        drop(capture);
        reader.read_to_end(&mut bytes).unwrap();
        let records = records(&bytes);
        assert_eq!(records.len(), recorded, "{length}");
        assert!(records.iter().all(|(_, packet)| packet.len() == length), "{length}");
    }
}

#[test]
fn a_reader_that_leaves_ends_the_capture() {
    let (capture, reader) = piped();
    drop(reader);
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    let io = Captured::new(ours, Some(capture));
    PacketIo::send(&io, b"out").unwrap();
    assert!(io.capture.borrow().is_none());
    assert_eq!(theirs.recv(&mut [0; 9]).unwrap(), 3);
}

#[test]
fn a_full_disk_is_no_error_at_the_start_but_a_missing_directory_is() {
    assert!(Capture::open(Path::new("/dev/full")).unwrap().begin(PcapLinkType::Ip).is_none());
    let error = Capture::open(Path::new("/nowhere/at/all.pcap")).unwrap_err().to_string();
    assert!(error.contains("/nowhere/at/all.pcap") && error.contains("--pcap"), "{error}");
}
