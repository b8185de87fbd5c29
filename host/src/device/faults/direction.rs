//! What becomes of the packets of one direction.

use core::fmt;

use smoltcp::time::{Duration, Instant};

use crate::cli::faults::FaultOptions;
use crate::cli::values::Chance;

/// One direction: what may happen to its packets, and what has.
#[derive(Debug)]
pub(super) struct Direction {
    drop: Chance,
    corrupt: Chance,
    size_limit: usize,
    /// The length of the link header, no bit of which is flipped.
    link_header_len: usize,
    bucket: Option<Bucket>,
    dice: fastrand::Rng,
    lost: u64,
    corrupted: u64,
}

/// What becomes of a packet.
#[derive(Debug)]
pub(super) enum Fate {
    /// It passes.
    Intact,
    /// It passes with one bit flipped: the likeliest error, and the hardest to detect.
    Corrupt(Flip),
    /// It does not.
    Lost,
}

/// One bit of a packet.
#[derive(Debug)]
pub(super) struct Flip {
    byte: usize,
    mask: u8,
}

/// The packets that may still pass before the interval is over.
#[derive(Debug)]
struct Bucket {
    packets: u32,
    interval: Duration,
    left: u32,
    refill_at: Instant,
}

impl Direction {
    pub(super) fn new(options: &FaultOptions, link_header_len: usize, dice: fastrand::Rng) -> Self {
        Self {
            drop: options.drop,
            corrupt: options.corrupt,
            size_limit: options.size_limit.map_or(usize::MAX, usize::from),
            link_header_len,
            bucket: options.rate_limit.map(|packets| Bucket::new(packets, options.shaping_interval)),
            dice,
            lost: 0,
            corrupted: 0,
        }
    }

    /// Decides about the next packet.
    pub(super) fn fate(&mut self, now: Instant, length: usize) -> Fate {
        // As many throws for each packet, whatever its length and the time: so the n-th packet meets the same
        // fault whenever the seed is the same.
        let [loss, corruption] = [(); 2].map(|()| self.dice.u32(0..1_000_000));
        let (byte, bit) = (self.dice.usize(..), self.dice.u8(0..8));
        let header = self.link_header_len;
        if length > self.size_limit
            || loss < self.drop.ppm
            || !self.bucket.as_mut().is_none_or(|bucket| bucket.admits(now))
        {
            self.lost += 1;
            Fate::Lost
        } else if corruption < self.corrupt.ppm && length > header {
            self.corrupted += 1;
            Fate::Corrupt(Flip { byte: header + byte % (length - header), mask: 1 << bit })
        } else {
            Fate::Intact
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lost and {} corrupted", self.lost, self.corrupted)
    }
}

impl Flip {
    pub(super) fn apply(&self, packet: &mut [u8]) {
        packet[self.byte] ^= self.mask;
    }
}

impl Bucket {
    fn new(packets: u32, interval: core::time::Duration) -> Self {
        // The command line takes no more than a year.
        let micros = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
        let interval = Duration::from_micros(micros);
        Self { packets, interval, left: 0, refill_at: Instant::ZERO }
    }

    fn admits(&mut self, now: Instant) -> bool {
        if now >= self.refill_at {
            self.left = self.packets;
            self.refill_at = now + self.interval;
        }
        let admitted = self.left > 0;
        self.left = self.left.saturating_sub(1);
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direction(options: &FaultOptions) -> Direction {
        Direction::new(options, 0, fastrand::Rng::with_seed(0))
    }

    fn passes(direction: &mut Direction, millis: i64, length: usize) -> bool {
        !matches!(direction.fate(Instant::from_millis(millis), length), Fate::Lost)
    }

    #[test]
    fn the_size_limit_is_the_longest_that_passes() {
        let mut direction = direction(&FaultOptions { size_limit: Some(600), ..FaultOptions::NONE });
        assert!(passes(&mut direction, 0, 600));
        assert!(!passes(&mut direction, 0, 601));
    }

    #[test]
    fn the_rate_is_a_number_of_packets_in_each_interval() {
        let shaping_interval = core::time::Duration::from_millis(10);
        let mut direction =
            direction(&FaultOptions { rate_limit: Some(3), shaping_interval, ..FaultOptions::NONE });
        let mut passed = |millis: i64| (0..5).filter(|_| passes(&mut direction, millis, 1)).count();
        assert_eq!([0, 9, 10, 19, 20, 100].map(&mut passed), [3, 0, 3, 0, 3, 3]);
    }

    #[test]
    fn a_chance_below_one_in_a_hundred_is_met_too() {
        let options = FaultOptions { drop: Chance { ppm: 5_000 }, ..FaultOptions::NONE };
        let mut direction = direction(&options);
        let lost = (0..100_000).filter(|_| !passes(&mut direction, 0, 1)).count();
        assert!((400..600).contains(&lost), "{lost} of 100000 at 0.5%");
    }

    #[test]
    fn an_empty_packet_cannot_be_corrupted() {
        let mut direction = direction(&FaultOptions { corrupt: Chance::percent(100), ..FaultOptions::NONE });
        assert!(matches!(direction.fate(Instant::ZERO, 0), Fate::Intact));
    }
}
