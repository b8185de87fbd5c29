//! Initial sequence numbers as RFC 6528 wants them: a keyed hash of the 4-tuple and a clock of 4 µs ticks.
//!
//! smoltcp draws its own from a generator with public constants, seeded once an
//! [`Interface`](smoltcp::iface::Interface). So each SYN is processed by an Interface of its own (it costs less than
//! a microsecond), seeded such that the generator's second number is the one wanted.

use smoltcp::time::Instant;
use smoltcp::wire::TcpSeqNumber;

use crate::flows::{self, Flow};

/// How far a connection's sequence numbers start behind those of the one that had its 4-tuple before, where the
/// clock alone would not reach that far.
const GAP: u32 = 64_000;

/// The initial sequence number for a connection that begins `now`; after `previous`, the next number of the
/// connection that last had this 4-tuple, if that is still known (RFC 6528, section 3; RFC 9293, section 3.4.1).
pub(crate) fn initial(
    key: (u64, u64),
    flow: &Flow,
    now: Instant,
    previous: Option<TcpSeqNumber>,
) -> TcpSeqNumber {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sequence numbers and their clock wrap"
    )]
    let number = (flows::hash(key, flow) as u32).wrapping_add((now.total_micros() / 4) as u32).cast_signed();
    match previous {
        Some(previous) if number.wrapping_sub(previous.0) <= 0 => {
            TcpSeqNumber(previous.0.wrapping_add_unsigned(GAP))
        }
        _ => TcpSeqNumber(number),
    }
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

    #[test]
    fn the_clock_ticks_every_4_microseconds_and_wraps() {
        let at = |micros: i64| initial((1, 2), &flow(), Instant::from_micros(micros), None).0;
        assert_eq!(at(4_000_000).wrapping_sub(at(0)), 1_000_000);
        assert_eq!(at(4 << 32), at(0));
    }

    #[test]
    fn a_tuple_used_again_starts_behind_its_last_number() {
        let now = Instant::from_millis(5);
        let free = initial((1, 2), &flow(), now, None);
        let behind = TcpSeqNumber(free.0.wrapping_sub(10));
        assert_eq!(initial((1, 2), &flow(), now, Some(behind)), free);
        for ahead in [0, 10, i32::MAX] {
            let previous = TcpSeqNumber(free.0.wrapping_add(ahead));
            let next = initial((1, 2), &flow(), now, Some(previous));
            assert!(next.0.wrapping_sub(previous.0) > 0);
        }
    }
}
