//! What is sent, and what has to come back.

use core::ops::Range;

/// A stream without an end: random octets that repeat after a prime number of them, so that an echo which is late,
/// doubled, out of order or another conversation's does not pass for the right one.
#[derive(Debug)]
pub(crate) struct Content {
    original: Vec<u8>,
    uppercased: Vec<u8>,
}

/// The most that can be taken of the stream at once.
pub(crate) const LONGEST: usize = 65_536;
pub(crate) const PERIOD: usize = 65_521;

/// An octet that came back and is not the one that should have.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Corruption {
    pub(crate) position: usize,
    pub(crate) sent: u8,
    pub(crate) received: u8,
}

impl Content {
    /// The same at every run.
    pub(crate) fn new() -> Content {
        let mut random = fastrand::Rng::with_seed(8080);
        let period: Vec<u8> = (0..PERIOD).map(|_| random.u8(..)).collect();
        let original: Vec<u8> = period.iter().copied().cycle().take(PERIOD + LONGEST).collect();
        let uppercased = original.to_ascii_uppercase();
        Content { original, uppercased }
    }

    /// What to send at this position of the stream.
    pub(crate) fn at(&self, position: usize, length: usize) -> &[u8] {
        &self.original[Self::range(position, length)]
    }

    /// Whether these octets are the echo of what was sent at this position, each of them.
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
        assert!(length <= LONGEST, "{length} octets at once are more than {LONGEST}");
        let start = position % PERIOD;
        start..start + length
    }
}

impl core::fmt::Display for Corruption {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Corruption { position, sent, received } = self;
        write!(f, "octet {position} of a stream was {sent:#04x} and came back as {received:#04x}")
    }
}
