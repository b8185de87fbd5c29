//! One capture: its header, its records, and how it ends.

use std::fs::{self, File};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use smoltcp::phy::{PcapLinkType, PcapSink};
use smoltcp::time::Instant;

use super::open::open;
use crate::device::LONGEST_PACKET;
use crate::error::Error;

/// A file that packets are recorded in.
#[derive(Debug)]
pub(crate) struct Capture {
    file: File,
    path: PathBuf,
    /// True while the file was created by us and nothing was captured yet: it is removed if the start fails.
    provisional: bool,
    /// The bytes of whole records, in a file that can be cut back to them. Others, such as pipes, may take a part.
    length: Option<u64>,
    /// The record at hand; in a pipe that is full, what it has not taken of a record yet.
    record: Record,
    /// Packets that a pipe had no room for.
    missed: u64,
}

/// Bytes to be written together.
#[derive(Debug)]
struct Record(Vec<u8>);

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

    pub(super) fn say_why_it_ends(&self, error: &io::Error) {
        log::warn!("recording to {} has ended, and the server goes on: {error}", self.path.display());
    }

    /// Records a packet. A pipe without room for it misses it.
    pub(super) fn record(&mut self, time: SystemTime, packet: &[u8]) -> io::Result<()> {
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
        let Self { file, record: Record(bytes), .. } = self;
        let Some(length) = &mut self.length else {
            match file.write(bytes) {
                Ok(taken) => drop(bytes.drain(..taken)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            return Ok(());
        };
        if let Err(error) = file.write_all(bytes) {
            // A disk that is full may have taken a part. If it cannot be taken back, all before it is readable still.
            let _ = file.set_len(*length);
            return Err(error);
        }
        *length += bytes.len() as u64;
        bytes.clear();
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
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

/// The time as the format has it: since 1970.
fn microseconds(time: SystemTime) -> Instant {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Instant::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
