//! Lines from a pipe or a file.

use core::mem;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::fd::{AsFd, BorrowedFd};

use super::line::{Entry, trim};

/// Lines from a pipe or a file. The last one needs no line feed.
pub(super) struct Pipe {
    source: BufReader<File>,
    line: Vec<u8>,
    /// Whether lines come as they are, with their line feeds.
    raw: bool,
}

impl Pipe {
    pub(super) fn new(source: File, raw: bool) -> Self {
        Self { source: BufReader::with_capacity(64 * 1024, source), line: Vec::new(), raw }
    }

    /// Reads what has come. Without an entry the line is not complete yet.
    pub(super) fn read(&mut self) -> io::Result<Option<Entry>> {
        match self.source.fill_buf() {
            Ok([]) if self.line.is_empty() => Ok(Some(Entry::End)),
            Ok([]) => Ok(Some(self.finish_line())),
            Ok(_) => Ok(self.take_line()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A line that has been read already, if there is one.
    pub(super) fn take_line(&mut self) -> Option<Entry> {
        let held = self.source.buffer();
        let line_feed = held.iter().position(|&byte| byte == b'\n');
        let length = line_feed.map_or(held.len(), |position| position + 1);
        self.line.extend_from_slice(&held[..length]);
        self.source.consume(length);
        line_feed.map(|_| self.finish_line())
    }

    fn finish_line(&mut self) -> Entry {
        let line = mem::take(&mut self.line);
        Entry::Line(if self.raw { line } else { trim(&line).to_vec() })
    }
}

impl AsFd for Pipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.get_ref().as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::OwnedFd;

    use super::*;

    fn pipe(raw: bool) -> (Pipe, io::PipeWriter) {
        let (reader, writer) = io::pipe().unwrap();
        (Pipe::new(File::from(OwnedFd::from(reader)), raw), writer)
    }

    fn next(pipe: &mut Pipe) -> Entry {
        loop {
            if let Some(entry) = pipe.take_line() {
                return entry;
            }
            if let Some(entry) = pipe.read().unwrap() {
                return entry;
            }
        }
    }

    fn line(text: &str) -> Entry {
        Entry::Line(text.into())
    }

    #[test]
    fn lines_come_one_by_one_trimmed_or_as_they_are() {
        let text = "one\r\n \u{3000}zwei \t\n\n  \nthe last";
        let trimmed = ["one", "zwei", "", "", "the last"];
        let as_they_are = ["one\r\n", " \u{3000}zwei \t\n", "\n", "  \n", "the last"];
        for (raw, expected) in [(false, trimmed), (true, as_they_are)] {
            let (mut pipe, mut writer) = pipe(raw);
            writer.write_all(text.as_bytes()).unwrap();
            drop(writer);
            for text in expected {
                assert_eq!(next(&mut pipe), line(text));
            }
            assert_eq!(next(&mut pipe), Entry::End);
            assert_eq!(next(&mut pipe), Entry::End);
        }
    }

    #[test]
    fn a_line_in_parts_is_no_line_until_it_ends() {
        let (mut pipe, mut writer) = pipe(false);
        writer.write_all(b"he").unwrap();
        assert_eq!(pipe.read().unwrap(), None);
        writer.write_all(b"llo\nwor").unwrap();
        assert_eq!(pipe.read().unwrap(), Some(line("hello")));
        assert_eq!(pipe.take_line(), None);
        writer.write_all(b"ld\n").unwrap();
        assert_eq!(pipe.read().unwrap(), Some(line("world")));
    }
}
