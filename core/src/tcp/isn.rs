//! Initial sequence numbers (RFC 6528): a keyed hash of the 4-tuple, and a clock.
//!
//! The clock advances by 250,000 a second, as that of RFC 9293, section 3.4.1, but in ticks of 2^13. Within a tick, a number
//! carries a tag that is computed from the peer's initial number, and so is one of few that the server can have given to
//! this peer lately: this is how [`syn_cookie`](crate::tcp::syn_cookie) recognises it. For the same 4-tuple, a later connection
//! is ahead by the elapsed clock, give or take a tick.

use siphasher::sip::SipHasher13;
use smoltcp::time::{Duration, Instant};

use crate::tcp::demux::{self, Tuple};
use crate::tcp::seq::Seq;

/// 32.8 ms in sequence numbers, of 4 µs each.
const TICK: u32 = 1 << 13;

/// For the last IRSs before the sequence numbers wrap, this many, the tag does not tell the first segment from later ones:
/// 2^32 is 64 modulo the tag's modulus, so that segments 64, 127 or 128 bytes later, beyond the wrap, pass for the first.
pub(crate) const UNTAGGED: u32 = 127;

/// How many ticks the number of a connection that follows another with its 4-tuple may be ahead of the clock, and still be
/// recognised.
const AHEAD: u32 = 8;

/// The hash of a 4-tuple that its initial sequence numbers are counted from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin(u64);

/// Whether an initial sequence number was given to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    /// Yes, to a SYN of this number.
    Valid,
    /// To no SYN of this number; but it stands close to one that was given to this 4-tuple.
    OtherSyn,
    /// To no connection of this 4-tuple, nor does it stand within 8192 of one.
    Unknown,
}

impl Origin {
    pub(crate) fn new(hasher: &SipHasher13, tuple: &Tuple) -> Origin {
        Origin(demux::hash(hasher, tuple))
    }

    /// There are several kinds of connections, each with other bits of the hash: one for each `kind` up to 32.
    #[expect(clippy::cast_possible_truncation, reason = "sequence numbers have 32 bits")]
    fn number(self, kind: u32) -> u32 {
        (self.0 >> kind) as u32
    }

    /// ISS for a connection that begins `now` with the SYN of this IRS; after `previous`, SND.MAX of the connection that last
    /// had this 4-tuple, if that is still known (RFC 6528, section 3; RFC 9293, section 3.4.1).
    pub(crate) fn initial(self, kind: u32, now: Instant, irs: Seq, previous: Option<Seq>) -> Seq {
        let clock = clock(now);
        let until_tag = syn_tag(irs).wrapping_sub(clock) % TICK;
        let number = Seq(self.number(kind)) + clock + until_tag;
        // Whole ticks, so that it can be recognised.
        let behind = previous.map_or(-1, |previous| previous.ahead_of(number));
        let ticks = u32::try_from(behind).map_or(0, |behind| behind / TICK + 1);
        number + ticks * TICK
    }

    /// Whether `number` was given to the connection of this kind that a SYN with this IRS began within `age`.
    pub(crate) fn given(self, kind: u32, now: Instant, age: Duration, irs: Seq, number: Seq) -> Given {
        let since = number.0.wrapping_sub(self.number(kind));
        let behind = clock(now).wrapping_add((AHEAD + 1) * TICK - 1).wrapping_sub(since);
        let most = (clock(Instant::ZERO + age) / TICK + AHEAD) * TICK;
        if behind >= most {
            Given::Unknown
        } else if since % TICK == syn_tag(irs) {
            Given::Valid
        } else {
            Given::OtherSyn
        }
    }
}

/// The clock, of 4 µs.
#[expect(clippy::cast_possible_truncation, reason = "the clock wraps")]
fn clock(now: Instant) -> u32 {
    (now.total_micros().cast_unsigned() / 4) as u32
}

/// The tag of a SYN: 13 bits computed from its IRS, from 0 to `TICK` - 2.
///
/// Of all segments up to 8189 bytes after a SYN, only the first has its tag. Twice the IRS, as a later segment of an echo
/// acknowledges about as many bytes more as its own number is higher: with the IRS itself, both would cancel out.
fn syn_tag(irs: Seq) -> u32 {
    irs.0 % (TICK - 1) * 2 % (TICK - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use smoltcp::wire::{IpAddress, IpEndpoint};

    fn tuple() -> Tuple {
        Tuple {
            remote: IpEndpoint::new(IpAddress::v4(192, 0, 2, 1), 40_000),
            local: IpAddress::v4(192, 0, 2, 2),
        }
    }

    const IRS: Seq = Seq(1_000_000);
    const AGE: Duration = Duration::from_secs(5);

    fn origin() -> Origin {
        Origin::new(&SipHasher13::new_with_keys(1, 2), &tuple())
    }

    fn ahead(number: Seq, by: i32) -> Seq {
        number + by.cast_unsigned()
    }

    #[test]
    fn numbers_advance_250_thousand_a_second_give_or_take_a_tick_and_wrap() {
        let at = |micros: i64, irs| origin().initial(0, Instant::from_micros(micros), Seq(irs), None);
        for (micros, irs) in [
            (0, 7),
            (1, u32::MAX),
            (20_536, 4095),
            (40_000, 12_345),
            (4_000_000, 1 << 31),
            (86_400_000_000, 5),
        ] {
            let clock = u32::try_from((micros / 4) & 0xffff_ffff).unwrap();
            let off = at(micros + 77_777, irs).ahead_of(at(77_777, 3) + clock);
            assert!(off.abs() < TICK.cast_signed(), "{micros} µs: {off}");
        }
        assert_eq!(at(4 << 32, 1), at(0, 1));
    }

    #[test]
    fn a_tuple_used_again_starts_behind_its_last_number() {
        let now = Instant::from_millis(5);
        let free = origin().initial(0, now, IRS, None);
        assert_eq!(origin().initial(0, now, IRS, Some(ahead(free, -1))), free);
        for by in [0, 10, 8190, 8191, 8192, 65_000, 1 << 30, i32::MAX] {
            let previous = ahead(free, by);
            let next = origin().initial(0, now, IRS, Some(previous));
            let beyond = next.ahead_of(previous);
            assert!((1..=8192).contains(&beyond), "{beyond} behind one that is {by} ahead");
            let known = origin().given(0, now, AGE, IRS, next);
            assert_eq!(known, if by <= 65_000 { Given::Valid } else { Given::Unknown }, "{by} ahead");
        }
    }

    #[test]
    fn a_number_may_be_eight_ticks_ahead_of_the_clock_and_no_more() {
        let now = Instant::from_micros(4 * i64::from(100 * TICK + syn_tag(IRS)));
        let given = |ticks: u32| {
            let number = Seq(origin().number(0)) + clock(now) + ticks * TICK;
            origin().given(0, now, AGE, IRS, number)
        };
        assert_eq!((given(AHEAD), given(AHEAD + 1)), (Given::Valid, Given::Unknown));
    }

    #[test]
    fn a_number_is_known_for_its_time_and_to_its_peer_only() {
        let then = Instant::from_secs(17_000); // the clock wraps soon
        for kind in [0, 10, 32] {
            let number = origin().initial(kind, then, IRS, None);
            for millis in [0, 1, 32, 33, 1000, 4900] {
                let now = then + Duration::from_millis(millis);
                assert_eq!(origin().given(kind, now, AGE, IRS, number), Given::Valid, "after {millis} ms");
            }
            for millis in [5050, 6000, 3_600_000, 17_179_000] {
                let now = then + Duration::from_millis(millis);
                assert_eq!(origin().given(kind, now, AGE, IRS, number), Given::Unknown, "after {millis} ms");
            }
            let other = Origin::new(&SipHasher13::new_with_keys(1, 3), &tuple());
            assert_eq!(other.given(kind, then, AGE, IRS, number), Given::Unknown);
            assert_eq!(origin().given(kind + 5, then, AGE, IRS, number), Given::Unknown);
        }
    }

    #[test]
    fn no_later_segment_passes_for_the_first() {
        let now = Instant::from_secs(1000);
        let wraps = (UNTAGGED + 1..8190).step_by(97).map(|before| 0_u32.wrapping_sub(before));
        for initial in [0, 1, 4096, 8190, 8191, 123_456_789, (1 << 31) + 8192].into_iter().chain(wraps) {
            let irs = Seq(initial);
            let number = origin().initial(0, now, irs, None);
            for bytes in (-1..8190).filter(|&bytes| bytes != 0) {
                // The first has not arrived; and: everything has, and was answered.
                let given = |number| origin().given(0, now, AGE, ahead(irs, bytes), number);
                assert_eq!(given(number), Given::OtherSyn, "{bytes} bytes behind {initial}");
                assert_ne!(given(ahead(number, bytes)), Given::Valid, "{bytes} bytes behind {initial}");
            }
        }
    }

    #[test]
    fn a_later_segment_passes_for_the_first_of_the_last_numbers_before_the_wrap() {
        let (now, irs) = (Instant::from_secs(1000), Seq(0) - UNTAGGED);
        let number = origin().initial(0, now, irs, None);
        let given = origin().given(0, now, AGE, irs + 127, number + 127);
        assert_eq!(given, Given::Valid, "127 bytes later, all of which were answered");
    }

    #[test]
    fn a_blind_guess_hits_once_in_26_million() {
        let now = Instant::from_secs(1000);
        let number = origin().initial(0, now, IRS, None);
        let given = |by: &i32| origin().given(0, now, AGE, IRS, ahead(number, *by)) == Given::Valid;
        // All that is not here is further away from the clock than a number is known.
        let valid = (-1_300_000..100_000).filter(given).count();
        assert_eq!((valid, (1_u64 << 32) / valid as u64), (160, 26_843_545));
    }
}
