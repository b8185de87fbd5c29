//! One packet whose answer has to wait until its neighbour is known (RFC 1122, section 2.3.2.2).
//!
//! smoltcp asks for the neighbour and throws the answer away. Where a socket has it, it comes again; not so a ping, a RST or
//! an ICMP error. So the packet that brought it about is kept, and handed to smoltcp once more as soon as ARP or neighbour
//! discovery may have found the neighbour.

use smoltcp::time::{Duration, Instant};

use crate::ip::interface::NoAnswer;
use crate::tcp::timers::NEVER;

/// smoltcp asks for one neighbour a second, all in all; this one is asked for as often as RFC 4861 has it (section 10,
/// MAX_MULTICAST_SOLICIT and RETRANS_TIMER).
const AGAIN: Duration = Duration::from_secs(1);
const ATTEMPTS: u8 = 3;

/// The packet, in memory of the caller's.
#[derive(Debug)]
pub(crate) struct Unanswered<'a> {
    room: &'a mut [u8],
    length: usize,
    /// One more than the neighbour may still be asked for; 0: no packet is kept.
    attempts: u8,
    again_at: Instant,
    /// The device had no room for the last attempt.
    refused: bool,
}

impl<'a> Unanswered<'a> {
    /// A packet that is longer than `room` is not kept.
    pub(crate) fn new(room: &'a mut [u8]) -> Unanswered<'a> {
        Unanswered { room, length: 0, attempts: 0, again_at: NEVER, refused: false }
    }

    /// Keeps a packet that was not answered. One that may want no answer does not take the place of another.
    pub(crate) fn keep(&mut self, now: Instant, packet: &[u8], why: NoAnswer) {
        if why == NoAnswer::Silent && self.attempts > 0 {
            return;
        }
        if let Some(room) = self.room.get_mut(..packet.len()) {
            room.copy_from_slice(packet);
            self.length = packet.len();
            self.attempts = ATTEMPTS + u8::from(why == NoAnswer::Silent);
            self.again_at = now + AGAIN;
        }
    }

    /// The packet, if there is one, for another attempt.
    pub(crate) fn packet(&self) -> Option<&[u8]> {
        (self.attempts > 0).then(|| &self.room[..self.length])
    }

    /// The packet was answered.
    pub(crate) fn answered(&mut self) {
        self.attempts = 0;
    }

    /// The device had no room: the attempt is to be made as soon as it has.
    pub(crate) fn refused(&mut self) {
        self.refused = true;
    }

    /// Gives the packet up if its neighbour has been asked for often enough. True if it is to be asked for again.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        if self.deadline() > now {
            return false;
        }
        if core::mem::take(&mut self.refused) {
            return true;
        }
        self.attempts -= 1;
        self.again_at = now + AGAIN;
        self.attempts > 0
    }

    /// When another attempt is due.
    pub(crate) fn deadline(&self) -> Instant {
        match self.attempts {
            0 => NEVER,
            _ if self.refused => Instant::ZERO,
            _ => self.again_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NoAnswer::{Asked, Silent};
    use super::*;

    const NOW: Instant = Instant::from_millis_const(1000);

    #[test]
    fn the_packet_is_there_until_it_is_answered() {
        let mut room = [0; 4];
        let mut kept = Unanswered::new(&mut room);
        assert_eq!((kept.packet(), kept.deadline()), (None, NEVER));
        kept.keep(NOW, b"ping", Asked);
        assert_eq!((kept.packet(), kept.deadline()), (Some(&b"ping"[..]), NOW + AGAIN));
        assert!(!kept.is_due(NOW));
        assert!(kept.packet().is_some());
        kept.answered();
        assert_eq!((kept.packet(), kept.deadline()), (None, NEVER));
    }

    #[test]
    fn an_attempt_that_the_device_refused_is_none() {
        let mut room = [0; 4];
        let mut kept = Unanswered::new(&mut room);
        kept.keep(NOW, b"ping", Asked);
        for _ in 0..9 {
            kept.refused();
            assert!(kept.deadline() <= NOW && kept.is_due(NOW));
        }
        assert_eq!(kept.deadline(), NOW + AGAIN);
    }

    #[test]
    fn its_neighbour_is_asked_for_three_times() {
        let mut room = [0; 4];
        let mut kept = Unanswered::new(&mut room);
        for why in [Asked, Silent] {
            kept.keep(NOW, b"ping", why);
            let mut times = u8::from(why == Asked);
            while kept.packet().is_some() {
                times += u8::from(kept.is_due(kept.deadline()));
            }
            assert_eq!(times, 3);
        }
    }

    #[test]
    fn the_latest_is_kept_but_not_one_that_may_want_no_answer() {
        let mut room = [0; 4];
        let mut kept = Unanswered::new(&mut room);
        kept.keep(NOW, b"a", Asked);
        kept.keep(NOW, b"bc", Asked);
        assert_eq!(kept.packet(), Some(&b"bc"[..]));
        kept.keep(NOW, b"d", Silent);
        assert_eq!(kept.packet(), Some(&b"bc"[..]));
        kept.keep(NOW, b"too long", Asked);
        assert_eq!(kept.packet(), Some(&b"bc"[..]));
    }
}
