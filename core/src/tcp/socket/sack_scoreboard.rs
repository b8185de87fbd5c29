//! smoltcp does not look at the SACK blocks of the peer: of several holes it fills the first one, and after a timeout it
//! sends again what has arrived.
//!
//! RFC 6675: the blocks say what has arrived, so that each hole is filled once and what has left the network can be followed
//! by new data. Blocks about what was never sent or has been acknowledged (D-SACK, RFC 2883) say nothing.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `a_second_hole_that_sack_tells_of_is_not_filled`,
//! `what_sack_says_has_arrived_is_sent_again`
//! Kept by: core/src/tests/loss.rs

use crate::tcp::seq::Seq;

/// As many blocks as are remembered; a segment has three or four.
const BLOCKS: usize = 4;

/// What has arrived at the peer behind a hole. Blocks too many are forgotten: they count as in flight.
#[derive(Debug)]
pub(crate) struct Scoreboard {
    /// Neither overlapping nor touching, in no order; empty where both are equal.
    blocks: [(Seq, Seq); BLOCKS],
    /// The peer offered SACK with its SYN.
    pub(super) permitted: bool,
}

impl Scoreboard {
    pub(crate) const fn new(permitted: bool) -> Scoreboard {
        Scoreboard { blocks: [(Seq(0), Seq(0)); BLOCKS], permitted }
    }

    /// Takes note of the blocks of a segment. True if they tell of anything new.
    pub(super) fn take(&mut self, ranges: &[Option<(u32, u32)>; 3], snd_una: Seq, snd_max: Seq) -> bool {
        let mut news = false;
        for &(left, right) in ranges.iter().flatten() {
            let (left, right) = (Seq(left), Seq(right));
            if left.is_after(snd_una) && right.is_after(left) && !right.is_after(snd_max) {
                news |= self.add(left, right);
            }
        }
        news
    }

    fn add(&mut self, mut left: Seq, mut right: Seq) -> bool {
        let covers = |block: &(Seq, Seq)| !left.is_before(block.0) && !right.is_after(block.1);
        if self.blocks.iter().any(covers) {
            return false;
        }
        for block in &mut self.blocks {
            if block.0 != block.1 && !block.0.is_after(right) && !block.1.is_before(left) {
                if block.0.is_before(left) {
                    left = block.0;
                }
                right = right.max(block.1);
                *block = (Seq(0), Seq(0));
            }
        }
        match self.blocks.iter_mut().find(|block| block.0 == block.1) {
            Some(free) => *free = (left, right),
            None => return false,
        }
        true
    }

    /// SND.UNA has advanced.
    pub(super) fn advance(&mut self, snd_una: Seq) {
        for block in self.blocks.iter_mut().filter(|block| !block.1.is_after(snd_una)) {
            *block = (Seq(0), Seq(0));
        }
    }

    /// What was told may be wrong: the peer may throw away what it has not acknowledged (RFC 2018, section 8).
    pub(super) fn clear(&mut self) {
        self.blocks = [(Seq(0), Seq(0)); BLOCKS];
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes() == 0
    }

    /// Bytes that have arrived behind a hole.
    pub(super) fn bytes(&self) -> u32 {
        self.blocks.iter().map(|block| block.1.ahead_of(block.0).unsigned_abs()).sum()
    }

    /// True if something from `seq` on has arrived.
    pub(super) fn reaches_beyond(&self, seq: Seq) -> bool {
        self.blocks.iter().any(|block| block.0 != block.1 && block.1.is_after(seq))
    }
}
