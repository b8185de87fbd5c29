//! `--pcap`: what passes the device, in a file for Wireshark, tshark or tcpdump.
//!
//! That is what the kernel gave and what it took: of faults on purpose, those of the packets that leave are in it. The
//! format is smoltcp's ([`PcapSink`]): raw IP packets or Ethernet frames, times in microseconds.
//!
//! Each record is written with one call as its packet passes, not collected: so the file is good at any moment, and what
//! passed is in it whatever ends the program. (The kernel looks for SIGKILL where a write goes on to another page: amid a
//! bulk transfer one kill in a hundred cuts the last record off. Readers say so, and show all that is before it.)
//!
//! What is written is the page cache's then, and no packet waits for a disk that keeps up. A pipe is never waited for:
//! a reader that is too slow misses packets, which are counted.

use core::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{SigSet, Signal};
use smoltcp::phy::{PcapLinkType, PcapSink};
use smoltcp::time::Instant;

use crate::device::{LONGEST_PACKET, PacketIo};
use crate::error::Error;

/// Packets, and a capture of them if one is wanted and possible.
#[derive(Debug)]
pub(crate) struct Captured<I> {
    io: I,
    capture: RefCell<Option<Capture>>,
}

/// A file that packets are recorded in.
#[derive(Debug)]
pub(crate) struct Capture {
    file: File,
    path: PathBuf,
    /// True while the file was created by us and nothing was captured yet: it is removed if the start fails.
    provisional: bool,
    /// The octets of whole records, in a file that can be cut back to them. Others, such as pipes, may take a part.
    length: Option<u64>,
    /// The record at hand; in a pipe that is full, what it has not taken of a record yet.
    record: Record,
    /// Packets that a pipe had no room for.
    missed: u64,
}

/// Octets to be written together.
#[derive(Debug)]
struct Record(Vec<u8>);

impl<I> Captured<I> {
    /// What passes `io` goes into the capture.
    pub(crate) fn new(io: I, capture: Option<Capture>) -> Self {
        Self { io, capture: RefCell::new(capture) }
    }

    /// Records a packet; if that fails, this capture is over.
    fn record(&self, time: SystemTime, packet: &[u8]) {
        let mut capture = self.capture.borrow_mut();
        if let Some(writer) = &mut *capture
            && let Err(error) = writer.record(time, packet)
        {
            writer.say_why_it_ends(&error);
            *capture = None;
        }
    }

    /// The time, if it is of interest.
    fn time(&self) -> Option<SystemTime> {
        self.capture.borrow().as_ref().map(|_| SystemTime::now())
    }
}

impl<I: PacketIo> PacketIo for Captured<I> {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.io.receive(buffer)?;
        if let Some(time) = self.time() {
            self.record(time, &buffer[..length]);
        }
        Ok(length)
    }

    fn send(&self, packet: &[u8]) -> io::Result<usize> {
        // Taken before the call: that lasts until the kernel has brought the packet to whom it is for.
        let time = self.time();
        let length = self.io.send(packet)?;
        if let Some(time) = time {
            self.record(time, packet);
        }
        Ok(length)
    }
}

impl<I: AsFd> AsFd for Captured<I> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

impl Capture {
    /// Opens the file, or a pipe once somebody reads it. Until [`begin`](Self::begin) nothing is changed: a file stays as
    /// it is, and one that was not there is gone when this is dropped. `-` is standard output.
    pub(crate) fn open(path: &Path) -> Result<Capture, Error> {
        // By its name and not its descriptor: others who write to the same pipe are not made non-blocking with it.
        let path = if path == Path::new("-") { Path::new("/dev/stdout") } else { path };
        let failed = |source| Error::Capture { path: path.display().to_string(), source };
        let (file, provisional) = open(path).map_err(failed)?;
        if file.is_terminal() {
            return Err(failed(io::Error::other("a terminal cannot show packets")));
        }
        let is_file = file.metadata().map_err(failed)?.is_file();
        Ok(Capture {
            file,
            path: path.to_owned(),
            provisional,
            length: is_file.then_some(0),
            record: Record(Vec::with_capacity(LONGEST_PACKET + 16)),
            missed: 0,
        })
    }

    /// Begins the capture, in place of what is in the file. None, with a warning, where nothing can be written.
    pub(crate) fn begin(mut self, link_type: PcapLinkType) -> Option<Capture> {
        let emptied = if self.length.is_some() { self.file.set_len(0) } else { Ok(()) };
        self.record.global_header(link_type);
        match emptied.and_then(|()| self.write()) {
            Ok(()) => {
                self.provisional = false;
                Some(self)
            }
            Err(error) => {
                self.say_why_it_ends(&error);
                None
            }
        }
    }

    fn say_why_it_ends(&self, error: &io::Error) {
        log::warn!("the capture in {} is over, serving goes on: {error}", self.path.display());
    }

    fn record(&mut self, time: SystemTime, packet: &[u8]) -> io::Result<()> {
        if !self.record.0.is_empty() {
            // Begun and not finished: a record amidst another would spoil all that follow.
            self.write()?;
        }
        if self.record.0.is_empty() {
            self.record.packet(microseconds(time), packet);
            let whole = self.record.0.len();
            self.write()?;
            if self.record.0.len() < whole {
                return Ok(());
            }
            // Nothing of it has been taken.
            self.record.0.clear();
        }
        self.miss();
        Ok(())
    }

    fn miss(&mut self) {
        if self.missed == 0 {
            log::warn!("the reader of {} is too slow: packets are missing there", self.path.display());
        }
        self.missed += 1;
    }

    /// Writes the record at hand, and what a pipe has no room for stays at hand.
    fn write(&mut self) -> io::Result<()> {
        let Self { file, record: Record(octets), .. } = self;
        let Some(length) = &mut self.length else {
            match file.write(octets) {
                Ok(taken) => drop(octets.drain(..taken)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            return Ok(());
        };
        if let Err(error) = file.write_all(octets) {
            // A disk that is full may have taken a part. If it cannot be taken back, all before it is readable still.
            let _ = file.set_len(*length);
            return Err(error);
        }
        *length += octets.len() as u64;
        octets.clear();
        Ok(())
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        if self.provisional {
            // An empty file that cannot be removed harms nobody.
            let _ = fs::remove_file(&self.path);
        }
        if self.missed > 0 {
            log::warn!("{} packets are missing in {}", self.missed, self.path.display());
        }
    }
}

impl PcapSink for Record {
    fn write(&mut self, octets: &[u8]) {
        self.0.extend_from_slice(octets);
    }
}

/// Opens `path` so that no write waits for a reader. True if there was nothing before.
fn open(path: &Path) -> io::Result<(File, bool)> {
    // A file that has reached the process's limit (RLIMIT_FSIZE) is to be an error, as a full disk is, not the end.
    SigSet::from(Signal::SIGXFSZ).thread_block()?;
    let mut options = File::options();
    options.write(true);
    match options.clone().create_new(true).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        made => return made.map(|file| (file, true)),
    }
    // With `create` for a symbolic link to nowhere.
    options.create(true).truncate(false);
    let opened = match options.clone().custom_flags(OFlag::O_NONBLOCK.bits()).open(path) {
        // Nobody has opened the FIFO's other end yet.
        Err(error) if error.raw_os_error() == Some(Errno::ENXIO as i32) && is_fifo(path) => {
            log::info!("waiting until somebody reads {}", path.display());
            let file = options.open(path)?;
            fcntl(&file, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
            Ok(file)
        }
        result => result,
    };
    opened.map(|file| (file, false))
}

fn is_fifo(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

/// The time as the format has it: since 1970.
fn microseconds(time: SystemTime) -> Instant {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Instant::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::io::{PipeReader, Read};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixDatagram;

    use super::*;

    /// The records of a capture: time in microseconds, and packet. Fails if the last one is cut off.
    fn records(octets: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let word = |at: usize| u32::from_ne_bytes(octets[at..at + 4].try_into().unwrap());
        assert_eq!([word(0), word(20)], [0xa1b2_c3d4, 101], "the header");
        let mut records = Vec::new();
        let mut at = 24;
        while at < octets.len() {
            let length = word(at + 8) as usize;
            assert_eq!(word(at + 12) as usize, length);
            let time = u64::from(word(at)) * 1_000_000 + u64::from(word(at + 4));
            records.push((time, octets[at + 16..at + 16 + length].to_vec()));
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
        let octets = fs::read(&path).unwrap();
        fs::remove_dir_all(&directory).unwrap();
        let records = records(&octets);
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
            let mut octets = Vec::new();
            let mut page = [0; 4096];
            while !capture.record.0.is_empty() {
                let read = reader.read(&mut page).unwrap();
                octets.extend_from_slice(&page[..read]);
                capture.write().unwrap();
            }
            drop(capture);
            reader.read_to_end(&mut octets).unwrap();
            let records = records(&octets);
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
}
