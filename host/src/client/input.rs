//! Where a client's lines come from.

use core::{mem, str};
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};

use super::terminal::Terminal;
use super::{Ended, Output};

/// What the user said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// One line, stripped.
    Line(Vec<u8>),
    /// The end of the input.
    End,
    /// Ctrl-C at the prompt.
    Interrupted,
}

/// A source of lines that can be waited for together with sockets: call `ask`,
/// and if that has no answer yet, `read` whenever the descriptor is readable.
pub(super) enum Input {
    /// A person, who gets a prompt, line editing and history.
    Terminal(Terminal),
    /// A pipe or a file: no prompt.
    Pipe(Pipe),
}

impl Input {
    /// The standard input.
    pub(super) fn standard() -> Result<Self, Ended> {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            return Terminal::open().map(Self::Terminal).map_err(Ended::Input);
        }
        // Not `Stdin` itself: whether its buffer still holds a line cannot be
        // seen from outside, and `poll` knows of the descriptor only.
        let descriptor = stdin.as_fd().try_clone_to_owned().map_err(Ended::Input)?;
        Ok(Self::Pipe(Pipe::new(File::from(descriptor))))
    }

    /// Asks for the next line; returns it if it is there already.
    pub(super) fn ask(&mut self) -> Option<Entry> {
        match self {
            Self::Terminal(terminal) => {
                terminal.ask();
                None
            }
            Self::Pipe(pipe) => pipe.take_line(),
        }
    }

    /// Reads what has come, without blocking if the descriptor is readable.
    /// Without an entry the line is not complete yet.
    pub(super) fn read(&mut self) -> Result<Option<Entry>, Ended> {
        match self {
            Self::Terminal(terminal) => terminal.read(),
            Self::Pipe(pipe) => pipe.read(),
        }
        .map_err(Ended::Input)
    }

    /// Says something while a prompt may stand there.
    pub(super) fn interject(&mut self, sentence: &str, output: &mut Output<'_>) {
        match self {
            Self::Terminal(terminal) => terminal.interject(sentence, output),
            Self::Pipe(_) => output.note(&sentence),
        }
    }
}

impl AsFd for Input {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Terminal(terminal) => terminal.as_fd(),
            Self::Pipe(pipe) => pipe.source.get_ref().as_fd(),
        }
    }
}

/// Lines out of a pipe or a file. The last one needs no line feed.
pub(super) struct Pipe {
    source: BufReader<File>,
    line: Vec<u8>,
}

impl Pipe {
    pub(super) fn new(source: File) -> Self {
        Self { source: BufReader::with_capacity(64 * 1024, source), line: Vec::new() }
    }

    fn read(&mut self) -> io::Result<Option<Entry>> {
        match self.source.fill_buf() {
            Ok([]) if self.line.is_empty() => Ok(Some(Entry::End)),
            Ok([]) => Ok(Some(self.finish_line())),
            Ok(_) => Ok(self.take_line()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn take_line(&mut self) -> Option<Entry> {
        let held = self.source.buffer();
        let end = held.iter().position(|&octet| octet == b'\n');
        let length = end.unwrap_or(held.len());
        self.line.extend_from_slice(&held[..length]);
        self.source.consume(end.map_or(length, |end| end + 1));
        end.map(|_| self.finish_line())
    }

    fn finish_line(&mut self) -> Entry {
        Entry::Line(strip(&mem::take(&mut self.line)).to_vec())
    }
}

/// `line` without white space at either end, as Python's `str.strip()` leaves
/// it. Where that would fail, on octets that are not UTF-8, they pass
/// unchanged, rid of ASCII white space: a server may well expect them.
pub(super) fn strip(line: &[u8]) -> &[u8] {
    match str::from_utf8(line) {
        Ok(text) => text.trim_matches(is_python_space).as_bytes(),
        Err(_) => {
            let is_space = |&octet: &u8| octet.is_ascii() && is_python_space(char::from(octet));
            let start = line.iter().position(|octet| !is_space(octet));
            let end = line.iter().rposition(|octet| !is_space(octet));
            match (start, end) {
                (Some(start), Some(end)) => &line[start..=end],
                _ => &[],
            }
        }
    }
}

/// Python counts the information separators (FS, GS, RS, US) as white space,
/// Unicode's property, and so Rust, does not.
fn is_python_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::OwnedFd;

    use super::*;

    fn pipe() -> (Input, io::PipeWriter) {
        let (reader, writer) = io::pipe().unwrap();
        let input = Input::Pipe(Pipe::new(File::from(OwnedFd::from(reader))));
        (input, writer)
    }

    fn next(input: &mut Input) -> Entry {
        loop {
            if let Some(entry) = input.ask() {
                return entry;
            }
            if let Some(entry) = input.read().unwrap() {
                return entry;
            }
        }
    }

    fn line(text: &str) -> Entry {
        Entry::Line(text.into())
    }

    #[test]
    fn lines_come_stripped_and_one_by_one() {
        let (mut input, mut writer) = pipe();
        writer.write_all("one\r\n \u{3000}zwei \t\n\n  \nthe last".as_bytes()).unwrap();
        drop(writer);
        for text in ["one", "zwei", "", "", "the last"] {
            assert_eq!(next(&mut input), line(text));
        }
        assert_eq!(next(&mut input), Entry::End);
        assert_eq!(next(&mut input), Entry::End);
    }

    #[test]
    fn a_line_in_parts_is_no_line_until_it_ends() {
        let (mut input, mut writer) = pipe();
        writer.write_all(b"he").unwrap();
        assert_eq!(input.read().unwrap(), None);
        writer.write_all(b"llo\nwor").unwrap();
        assert_eq!(input.read().unwrap(), Some(line("hello")));
        assert_eq!(input.ask(), None);
        writer.write_all(b"ld\n").unwrap();
        assert_eq!(input.read().unwrap(), Some(line("world")));
    }

    #[test]
    fn strip_is_python_s() {
        // sorted(map(ord, filter(str.isspace, map(chr, range(0x110000))))) of Python 3.
        let mut python: Vec<u32> = vec![0x20, 0x85, 0xa0, 0x1680];
        python.extend([0x2028, 0x2029, 0x202f, 0x205f, 0x3000]);
        python.extend((0x09..=0x0d).chain(0x1c..=0x1f).chain(0x2000..=0x200a));
        python.sort_unstable();
        let ours: Vec<u32> = ('\0'..=char::MAX)
            .filter(|&c| strip(c.to_string().as_bytes()).is_empty())
            .map(u32::from)
            .collect();
        assert_eq!(ours, python);
        assert_eq!(strip("\x1f\u{a0} a b\u{2003}".as_bytes()), b"a b");
    }

    #[test]
    fn octets_that_are_not_utf_8_pass() {
        assert_eq!(strip(b" \x0b\xff a\x80\xa0\r"), b"\xff a\x80\xa0");
        assert_eq!(strip(b"\xc3\n"), b"\xc3");
    }
}
