//! RFC 864: lines of characters without end, to whoever reads them.

use core::array;
use core::net::SocketAddr;

use shout_core::{Handler, Next, Stream};

/// The characters: those of ASCII that can be printed, in their order.
const CHARACTERS: &[u8; 95] =
    b" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";

/// Bytes in a line: 72 characters, CR and LF.
const LINE: usize = 74;

/// Bytes after which the lines begin again.
const PERIOD: usize = LINE * CHARACTERS.len();

/// The character generator, over TCP only: over UDP, where a request's source can be forged, a reply that is longer than its
/// request makes an amplifier.
pub(crate) struct Chargen;

/// Where a connection is in the lines: bytes written, modulo [`PERIOD`].
pub(crate) type Position = usize;

impl Handler for Chargen {
    type State = Position;

    fn open(&mut self, _peer: SocketAddr) -> Option<Position> {
        Some(0)
    }

    /// A peer that has finished goes on to be written to, as it may still read.
    fn stream(&mut self, position: &mut Position, stream: &mut Stream<'_, '_>) -> Next {
        while stream.read(|bytes| (bytes.len(), ())).is_some() {}
        while stream.room() > 0 {
            let rest = &line(*position / LINE)[*position % LINE..];
            *position = (*position + stream.write(rest)) % PERIOD;
        }
        Next::More
    }
}

/// The line with this number. Each begins a character further on than the line before it, and after the last character comes
/// the first again.
fn line(number: usize) -> [u8; LINE] {
    array::from_fn(|column| match column {
        72 => b'\r',
        73 => b'\n',
        _ => CHARACTERS[(number + column) % CHARACTERS.len()],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_are_those_of_the_rfc() {
        // Of the page in RFC 864: the first line, the second, and one that goes round.
        for (number, text) in [
            (0, r##" !"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefg"##),
            (1, r##"!"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefgh"##),
            (24, r##"89:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefghijklmnopqrstuvwxyz{|}~ "##),
        ] {
            assert_eq!(line(number), format!("{text}\r\n").as_bytes(), "{number}");
        }
        assert_eq!(line(95), line(0));
    }
}
