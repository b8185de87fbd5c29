//! Sequence numbers: 32 bits that wrap, compared by their distance (RFC 9293, section 3.4).

use core::ops::{Add, Sub};

use smoltcp::wire::TcpSeqNumber;

/// A sequence number.
///
/// smoltcp's own type panics when two numbers are too far apart to be subtracted, which a peer can bring about. All
/// arithmetic with the numbers of a segment is done with this type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seq(pub(crate) u32);

impl Seq {
    /// How far this number is ahead of `other`, from -2^31 to 2^31 - 1; negative if it is behind.
    pub(crate) const fn ahead_of(self, other: Seq) -> i32 {
        self.0.wrapping_sub(other.0).cast_signed()
    }

    pub(crate) const fn is_after(self, other: Seq) -> bool {
        self.ahead_of(other) > 0
    }

    pub(crate) const fn is_before(self, other: Seq) -> bool {
        self.ahead_of(other) < 0
    }

    /// The later one of two.
    pub(crate) const fn max(self, other: Seq) -> Seq {
        if self.is_after(other) { self } else { other }
    }

    /// The earlier one of two.
    pub(crate) const fn min(self, other: Seq) -> Seq {
        if self.is_before(other) { self } else { other }
    }
}

impl Add<u32> for Seq {
    type Output = Seq;

    fn add(self, bytes: u32) -> Seq {
        Seq(self.0.wrapping_add(bytes))
    }
}

impl Sub<u32> for Seq {
    type Output = Seq;

    fn sub(self, bytes: u32) -> Seq {
        Seq(self.0.wrapping_sub(bytes))
    }
}

impl From<TcpSeqNumber> for Seq {
    fn from(number: TcpSeqNumber) -> Seq {
        Seq(number.0.cast_unsigned())
    }
}

impl From<Seq> for TcpSeqNumber {
    fn from(number: Seq) -> TcpSeqNumber {
        TcpSeqNumber(number.0.cast_signed())
    }
}

/// A number of bytes in sequence space, modulo 2^32.
#[expect(clippy::cast_possible_truncation, reason = "sequence numbers wrap")]
pub(crate) const fn wrapped(bytes: usize) -> u32 {
    bytes as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers on both sides of zero and of the sign's change.
    const NUMBERS: [u32; 7] = [0, 1, 1 << 30, (1 << 31) - 1, 1 << 31, u32::MAX - 1, u32::MAX];

    #[test]
    fn a_sum_is_as_far_ahead_as_what_was_added_wherever_it_wraps() {
        for start in NUMBERS.map(Seq) {
            for bytes in [0, 1, 1024, 1 << 30, i32::MAX.cast_unsigned()] {
                assert_eq!((start + bytes).ahead_of(start), bytes.cast_signed());
                assert_eq!(start.ahead_of(start + bytes), -bytes.cast_signed());
                assert_eq!((start + bytes) - bytes, start);
            }
        }
    }

    #[test]
    fn of_two_different_numbers_one_is_before_the_other() {
        for start in NUMBERS.map(Seq) {
            for bytes in [1, 1024, i32::MAX.cast_unsigned()] {
                let end = start + bytes;
                assert!(start.is_before(end) && !start.is_after(end));
                assert!(end.is_after(start) && !end.is_before(start));
                assert_eq!((start.max(end), end.max(start)), (end, end));
            }
            assert!(!start.is_before(start) && !start.is_after(start));
        }
    }

    #[test]
    fn no_distance_panics() {
        for a in NUMBERS.map(Seq) {
            for b in NUMBERS.map(Seq) {
                assert_eq!(a.ahead_of(b), TcpSeqNumber::from(a).0.wrapping_sub(TcpSeqNumber::from(b).0));
            }
        }
    }
}
