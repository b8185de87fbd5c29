//! The bytes that clients send, and the check of what comes back.

use core::ops::Range;

/// An endless stream of random bytes. They repeat after a prime number of bytes, so an echo that is late, doubled, out of order
/// or another conversation's is not mistaken for the right one.
#[derive(Debug)]
pub(crate) struct Content {
    original: Vec<u8>,
    uppercased: Vec<u8>,
}

/// The longest piece of the stream that can be taken at once.
pub(crate) const LONGEST: usize = 65_536;
pub(crate) const PERIOD: usize = 65_521;

/// A byte that came back and is not the one that should have.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Corruption {
    pub(crate) position: usize,
    pub(crate) sent: u8,
    pub(crate) received: u8,
}

impl Content {
    /// The same bytes in every run.
    pub(crate) fn new() -> Content {
        let mut random = fastrand::Rng::with_seed(8080);
        let period: Vec<u8> = (0..PERIOD).map(|_| random.u8(..)).collect();
        let original: Vec<u8> = period.iter().copied().cycle().take(PERIOD + LONGEST).collect();
        let uppercased = original.to_ascii_uppercase();
        Content { original, uppercased }
    }

    /// The bytes to send at this position of the stream.
    pub(crate) fn at(&self, position: usize, length: usize) -> &[u8] {
        &self.original[Self::range(position, length)]
    }

    /// Checks that each of these bytes is the echo of what was sent at this position.
    pub(crate) fn check(&self, position: usize, echo: &[u8]) -> Result<(), Corruption> {
        let range = Self::range(position, echo.len());
        let expected = &self.uppercased[range.clone()];
        if expected == echo {
            return Ok(());
        }
        let differs = expected.iter().zip(echo).position(|(expected, received)| expected != received);
        let offset = differs.unwrap_or(0);
        Err(Corruption {
            position: position + offset,
            sent: self.original[range.start + offset],
            received: echo[offset],
        })
    }

    fn range(position: usize, length: usize) -> Range<usize> {
        assert!(length <= LONGEST, "{length} bytes at once are more than {LONGEST}");
        let start = position % PERIOD;
        start..start + length
    }
}

impl core::fmt::Display for Corruption {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Corruption { position, sent, received } = self;
        write!(f, "byte {position} of a stream was {sent:#04x} and came back as {received:#04x}")
    }
}
