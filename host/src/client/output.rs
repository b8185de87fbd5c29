//! Where a client writes: replies as they came, and notes about them.

use core::fmt::Display;
use std::io::{self, Write};

use super::ended::Ended;

/// Standard output and standard error, or what stands for them in a test.
pub(super) struct Output<'a> {
    pub(super) replies: &'a mut dyn Write,
    pub(super) notes: &'a mut dyn Write,
    /// Whether replies are shown byte for byte; otherwise each becomes a line.
    pub(super) raw: bool,
}

impl Output<'_> {
    /// Passes bytes of a reply on, unchanged and at once: a reply is in whatever encoding its server chose, and may be one
    /// part of many.
    pub(super) fn reply(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        self.replies.write_all(bytes).and_then(|()| self.replies.flush()).map_err(|error| {
            match error.kind() {
                io::ErrorKind::BrokenPipe => Ended::OutputClosed,
                _ => Ended::Output(error),
            }
        })
    }

    /// Ends a reply.
    pub(super) fn end_reply(&mut self) -> Result<(), Ended> {
        if self.raw { Ok(()) } else { self.reply(b"\n") }
    }

    /// Says something about the conversation, which goes on.
    pub(super) fn note(&mut self, sentence: &dyn Display) {
        self.say(&note_line(sentence));
    }

    /// Says why the conversation is over.
    pub(super) fn error(&mut self, sentence: &dyn Display) {
        self.say(&format!("error: {sentence}\n"));
    }

    fn say(&mut self, line: &str) {
        // In one write, so that it is not torn by what others write there.
        // Without standard error there is nobody left to tell.
        let _ = self.notes.write_all(line.as_bytes());
        let _ = self.notes.flush();
    }
}

/// The line that says `sentence`, for what has another way to print it.
pub(super) fn note_line(sentence: &dyn Display) -> String {
    format!("note: {sentence}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Refusing(io::ErrorKind);

    impl Write for Refusing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_output_is_told_from_a_broken_one_and_lost_notes_harm_nobody() {
        for (kind, code) in [(io::ErrorKind::BrokenPipe, 0), (io::ErrorKind::StorageFull, 1)] {
            let mut output = Output { replies: &mut Refusing(kind), notes: &mut Refusing(kind), raw: false };
            output.note(&"nobody hears this");
            let ended = output.reply(b"HELLO").unwrap_err();
            assert_eq!(ended.exit_code(), code);
        }
    }
}
