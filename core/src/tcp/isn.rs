//! Initial sequence numbers as RFC 6528 wants them: a keyed hash of the 4-tuple and a clock.
//!
//! The clock advances 250,000 a second as that of RFC 9293, section 3.4.1 does, but in ticks of 2^13: a number is the next that
//! leaves the remainder which the peer's own initial number asks for. So it is one of few that the server can have given to
//! this peer lately, which is how [`revival`](crate::tcp::syn_cookie) knows it again. For the same 4-tuple, a later connection is
//! ahead by the elapsed clock, give or take a tick.
//!
//! smoltcp draws its own from a generator with public constants, seeded once an
//! [`Interface`](smoltcp::iface::Interface). So each SYN is processed by an Interface of its own (it costs less than
//! a microsecond), seeded such that the generator's second number is the one wanted.

use siphasher::sip::SipHasher13;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::TcpSeqNumber;

use crate::tcp::demux::{self, Flow};

/// 32.8 ms in sequence numbers, of 4 µs each.
const TICK: u32 = 1 << 13;

/// How far the number of a connection that follows another with its 4-tuple may be ahead of the clock, and be known again.
const AHEAD: u32 = 8;

/// The hash of a 4-tuple that its initial sequence numbers are counted from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin(u64);

impl Origin {
    pub(crate) fn new(hasher: &SipHasher13, flow: &Flow) -> Origin {
        Origin(demux::hash(hasher, flow))
    }

    /// There are several kinds of connections, each with other bits of the hash: one for each `kind` up to 32.
    #[expect(clippy::cast_possible_truncation, reason = "sequence numbers have 32 bits")]
    fn number(self, kind: u32) -> u32 {
        (self.0 >> kind) as u32
    }

    /// The initial sequence number for a connection that begins `now` with a SYN of this number; after `previous`, the
    /// next number of the connection that last had this 4-tuple, if that is still known (RFC 6528, section 3; RFC 9293,
    /// section 3.4.1).
    pub(crate) fn initial(
        self,
        kind: u32,
        now: Instant,
        peer: TcpSeqNumber,
        previous: Option<TcpSeqNumber>,
    ) -> TcpSeqNumber {
        let clock = clock(now);
        let until = between(peer).wrapping_sub(clock) % TICK;
        let number = self.number(kind).wrapping_add(clock).wrapping_add(until);
        // Whole ticks, so that it can be known again.
        let late = previous.map_or(-1, |previous| previous.0.wrapping_sub(number.cast_signed()));
        let ticks = u32::try_from(late).map_or(0, |late| late / TICK + 1);
        TcpSeqNumber(number.wrapping_add(ticks * TICK).cast_signed())
    }

    /// Whether `number` was given to a peer's connection of this kind within `age`. None: to no connection of this
    /// 4-tuple, nor does it stand within 8192 of one. False: to none with a SYN of this number.
    pub(crate) fn knows(
        self,
        kind: u32,
        now: Instant,
        age: Duration,
        peer: TcpSeqNumber,
        number: TcpSeqNumber,
    ) -> Option<bool> {
        let since = number.0.cast_unsigned().wrapping_sub(self.number(kind));
        let behind = clock(now).wrapping_add((AHEAD + 1) * TICK - 1).wrapping_sub(since);
        let most = (clock(Instant::ZERO + age) / TICK + AHEAD) * TICK;
        (behind < most).then(|| since % TICK == between(peer))
    }
}

/// The clock, of 4 µs.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the clock wraps")]
fn clock(now: Instant) -> u32 {
    (now.total_micros() / 4) as u32
}

/// A number from 0 to `TICK` - 2 that changes with the number of the peer's SYN.
///
/// The modulus is prime, so that no segment but the first fits the number that it acknowledges: not one that comes up to 8189
/// octets later, and not one that acknowledges as many as came before it, which most of an echo do (hence twice).
fn between(peer: TcpSeqNumber) -> u32 {
    peer.0.cast_unsigned() % (TICK - 1) * 2 % (TICK - 1)
}

/// The seed that makes the second number that smoltcp's generator gives be `wanted`.
///
/// The first one goes into the IPv4 identification, and another is drawn as long as it is zero: hence the loop.
/// This inverts `smoltcp::rand::Rand` of 0.14.0; the server reads the number that was really sent from the SYN|ACK.
pub(crate) fn seed(wanted: TcpSeqNumber) -> u64 {
    // The last state gives its bits 29 to 60, as its top three bits are zero; the lowest 29 are free to choose.
    let wanted = u64::from(wanted.0.cast_unsigned()) << 29;
    let mut free = 0;
    loop {
        let before = step_back(wanted | free);
        if output_u16(before) != 0 {
            return step_back(before);
        }
        free += 1;
    }
}

const MULTIPLIER: u64 = 0xbb2e_fcec_3c39_611d;
const INCREMENT: u64 = 0x7590_ef39;
/// The inverse of the multiplier modulo 2^64.
const INVERSE: u64 = {
    // Newton's iteration: each turn doubles the number of right bits, and 3 are right from the start.
    let mut inverse = MULTIPLIER;
    let mut bits = 3;
    while bits < 64 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(MULTIPLIER.wrapping_mul(inverse)));
        bits *= 2;
    }
    inverse
};

const fn step_back(state: u64) -> u64 {
    state.wrapping_sub(INCREMENT).wrapping_mul(INVERSE)
}

#[expect(clippy::cast_possible_truncation, reason = "the generator's output is the truncated state")]
const fn output_u16(state: u64) -> u16 {
    let number = (state >> (29 - (state >> 61))) as u32;
    (number ^ (number >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use smoltcp::wire::{IpAddress, IpEndpoint};

    fn flow() -> Flow {
        Flow {
            remote: IpEndpoint::new(IpAddress::v4(192, 0, 2, 1), 40_000),
            local: IpAddress::v4(192, 0, 2, 2),
        }
    }

    #[test]
    fn the_inverse_undoes_a_step() {
        let state = 0x0123_4567_89ab_cdef_u64;
        assert_eq!(step_back(state.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT)), state);
    }

    const PEER: TcpSeqNumber = TcpSeqNumber(1_000_000);
    const AGE: Duration = Duration::from_secs(5);

    fn origin() -> Origin {
        Origin::new(&SipHasher13::new_with_keys(1, 2), &flow())
    }

    fn ahead(number: TcpSeqNumber, by: i32) -> TcpSeqNumber {
        TcpSeqNumber(number.0.wrapping_add(by))
    }

    #[test]
    fn numbers_advance_250_thousand_a_second_give_or_take_a_tick_and_wrap() {
        let at =
            |micros: i64, peer| origin().initial(0, Instant::from_micros(micros), TcpSeqNumber(peer), None).0;
        for (micros, peer) in
            [(0, 7), (1, -1), (20_536, 4095), (40_000, 12_345), (4_000_000, i32::MAX), (86_400_000_000, 5)]
        {
            let advance = at(micros + 77_777, peer).wrapping_sub(at(77_777, 3));
            let clock = i32::try_from((micros / 4) & 0xffff_ffff).unwrap_or(i32::MIN);
            let off = advance.wrapping_sub(clock);
            assert!(clock == i32::MIN || off.abs() < TICK.cast_signed(), "{micros} µs: {off}");
        }
        assert_eq!(at(4 << 32, 1), at(0, 1));
    }

    #[test]
    fn a_tuple_used_again_starts_behind_its_last_number() {
        let now = Instant::from_millis(5);
        let free = origin().initial(0, now, PEER, None);
        assert_eq!(origin().initial(0, now, PEER, Some(ahead(free, -1))), free);
        for by in [0, 10, 8190, 8191, 8192, 65_000, 1 << 30, i32::MAX] {
            let previous = ahead(free, by);
            let next = origin().initial(0, now, PEER, Some(previous));
            let beyond = next.0.wrapping_sub(previous.0);
            assert!((1..=8192).contains(&beyond), "{beyond} behind one that is {by} ahead");
            let known = origin().knows(0, now, AGE, PEER, next);
            assert_eq!(known, (by <= 65_000).then_some(true), "{by} ahead");
        }
    }

    #[test]
    fn a_number_is_known_for_its_time_and_to_its_peer_only() {
        let then = Instant::from_secs(17_000); // the clock wraps soon
        for kind in [0, 10, 32] {
            let number = origin().initial(kind, then, PEER, None);
            for millis in [0, 1, 32, 33, 1000, 4900] {
                let now = then + Duration::from_millis(millis);
                assert_eq!(origin().knows(kind, now, AGE, PEER, number), Some(true), "after {millis} ms");
            }
            for millis in [5050, 6000, 3_600_000, 17_179_000] {
                let now = then + Duration::from_millis(millis);
                assert_eq!(origin().knows(kind, now, AGE, PEER, number), None, "after {millis} ms");
            }
            let other = Origin::new(&SipHasher13::new_with_keys(1, 3), &flow());
            assert_eq!(other.knows(kind, then, AGE, PEER, number), None);
            assert_eq!(origin().knows(kind + 5, then, AGE, PEER, number), None);
        }
    }

    #[test]
    fn no_later_segment_passes_for_the_first() {
        let now = Instant::from_secs(1000);
        for initial in [0, 1, 4096, 8190, 8191, 123_456_789, i32::MIN + 8192] {
            let peer = TcpSeqNumber(initial);
            let number = origin().initial(0, now, peer, None);
            for octets in (-1..8190).filter(|&octets| octets != 0) {
                // The first has not arrived; and: everything has, and was answered.
                let knows = |number| origin().knows(0, now, AGE, ahead(peer, octets), number);
                assert_eq!(knows(number), Some(false), "{octets} octets behind {initial}");
                assert_ne!(knows(ahead(number, octets)), Some(true), "{octets} octets behind {initial}");
            }
        }
    }

    #[test]
    fn a_blind_guess_hits_once_in_26_million() {
        let now = Instant::from_secs(1000);
        let number = origin().initial(0, now, PEER, None);
        let knows = |by: &i32| origin().knows(0, now, AGE, PEER, ahead(number, *by)) == Some(true);
        // All that is not here is further away from the clock than a number is known.
        let valid = (-1_300_000..100_000).filter(knows).count();
        assert_eq!((valid, (1_u64 << 32) / valid as u64), (160, 26_843_545));
    }
}
