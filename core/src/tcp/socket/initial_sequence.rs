//! smoltcp draws all initial sequence numbers from one generator with public constants, seeded once an `Interface`.
//!
//! RFC 6528: they are to be unpredictable, each 4-tuple's for itself ([`isn`](crate::tcp::isn)). So each SYN is processed by
//! an `Interface` of its own (it costs less than a microsecond), seeded such that the generator's second number is the one
//! wanted.
//! Upstream: <https://github.com/smoltcp-rs/smoltcp/issues/24> (open). xarxa audit 008, 014.
//! Shown by: core/tests/smoltcp.rs, `initial_sequence_numbers_come_from_one_generator`
//! Kept by: core/src/tests/sequence_numbers.rs

use smoltcp::iface::SocketSet;

use crate::cx::Cx;
use crate::ip::device::inject;
use crate::tcp::segment::Built;
use crate::tcp::seq::Seq;

/// Has smoltcp process a SYN such that its SYN|ACK will have this number; then whatever was built to follow it at once. What
/// it answers is discarded.
pub(super) fn open<H>(cx: &mut Cx<'_, H>, packets: &[Built], sockets: &mut SocketSet<'_>, iss: Seq) {
    let mut interface = cx.interface.seeded(seed(iss), cx.now);
    for packet in packets {
        inject(&mut interface, cx.now, packet, cx.interface.capabilities(), sockets);
    }
}

/// The seed that makes the second number that smoltcp's generator gives be `wanted`.
///
/// The first one goes into the IPv4 identification, and another is drawn as long as it is zero: hence the loop.
/// This inverts `smoltcp::rand::Rand` of 0.14.0; the server reads the number that was really sent from the SYN|ACK.
fn seed(wanted: Seq) -> u64 {
    // The last state gives its bits 29 to 60, as its top three bits are zero; the lowest 29 are free to choose.
    let wanted = u64::from(wanted.0) << 29;
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

    #[test]
    fn a_seed_is_found_for_a_number_whose_predecessor_would_be_drawn_again() {
        let step = |state: u64| state.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT);
        let is_drawn_again = |wanted: &u32| output_u16(step_back(u64::from(*wanted) << 29)) == 0;
        let wanted = (0..u32::MAX).find(is_drawn_again).unwrap();
        let first = step(seed(Seq(wanted)));
        assert_ne!(output_u16(first), 0);
        assert_eq!(step(first) >> 29, u64::from(wanted));
    }

    /// PCG's output: the higher half is folded into the lower one, and the top three bits say from where on.
    #[test]
    fn a_number_of_16_bits_is_folded() {
        assert_eq!(output_u16(0x0123_4567_89ab_cdef), 0x2226);
        assert_eq!(output_u16(0xe123_4567_89ab_cdef), 0x1333);
    }

    #[test]
    fn the_inverse_undoes_a_step() {
        let state = 0x0123_4567_89ab_cdef_u64;
        assert_eq!(step_back(state.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT)), state);
    }
}
