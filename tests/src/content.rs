//! The payload of clients' streams, and its echo.

/// An endless stream of pseudo-random bytes, a different one for each key. Any part of it can be computed on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content(pub u32);

impl Content {
    /// The part of the stream from byte `at` on.
    pub fn part(self, at: u32, length: usize) -> Vec<u8> {
        (0..).map(|offset| self.byte(at.wrapping_add(offset))).take(length).collect()
    }

    /// Panics unless `echo` is the upper case of the part from byte `at` on.
    #[track_caller]
    pub fn assert_echo(self, at: u32, echo: &[u8]) {
        for (offset, &byte) in (0..).zip(echo) {
            let at = at.wrapping_add(offset);
            let (sent, due) = (self.byte(at), uppercase(self.byte(at)));
            assert_eq!(byte, due, "byte {at} was sent as {sent:#04x} and came back as {byte:#04x}");
        }
    }

    /// MurmurHash3's finalizer, so that there is no pattern.
    fn byte(self, at: u32) -> u8 {
        let mut number = at ^ self.0;
        number = (number ^ (number >> 16)).wrapping_mul(0x85eb_ca6b);
        number = (number ^ (number >> 13)).wrapping_mul(0xc2b2_ae35);
        number.to_be_bytes()[0]
    }
}

/// ASCII upper case, without `to_ascii_uppercase`, which is what the server uses.
pub fn uppercase(byte: u8) -> u8 {
    if (0x61..=0x7a).contains(&byte) { byte - 0x20 } else { byte }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_occurs_and_any_part_is_the_same_on_its_own() {
        let whole = Content(7).part(0, 10_000);
        assert!((0..=255).all(|byte| whole.contains(&byte)));
        assert_eq!(Content(7).part(1234, 100), whole[1234..1334]);
        assert_ne!(Content(8).part(0, 100), whole[..100]);
    }

    #[test]
    #[should_panic(expected = "byte 3 was sent as")]
    fn a_wrong_byte_is_noticed() {
        let mut echo: Vec<u8> = Content(7).part(0, 10).into_iter().map(uppercase).collect();
        echo[3] ^= 1;
        Content(7).assert_echo(0, &echo);
    }
}
