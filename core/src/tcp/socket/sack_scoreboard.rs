//! smoltcp does not look at the SACK blocks of the peer: of several holes it fills the first one, and after a timeout it
//! sends again what has arrived.
//!
//! RFC 6675: the blocks say what has arrived, so that each hole is filled once and what has left the network can be followed
//! by new data. Blocks about what was never sent or has been acknowledged (D-SACK, RFC 2883) say nothing. A timeout changes
//! nothing about them (section 5.1): where the peer has thrown away what it told of, SND.UNA stops there, and the block is
//! forgotten.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `what_sack_says_has_arrived_is_sent_again`
//! Kept by: core/src/tests/sack_scoreboard.rs

use smoltcp::config::ASSEMBLER_MAX_SEGMENT_COUNT;

use crate::tcp::seq::Seq;

/// As many blocks are remembered as are kept of what comes.
const BLOCKS: usize = ASSEMBLER_MAX_SEGMENT_COUNT;

/// What has arrived at the peer behind a hole. Of blocks too many, the farthest is forgotten: it counts as in flight.
#[derive(Debug)]
pub(crate) struct Scoreboard {
    /// Neither overlapping nor touching, in no order; empty where both are equal.
    blocks: [(Seq, Seq); BLOCKS],
}

impl Scoreboard {
    pub(crate) const NEW: Scoreboard = Scoreboard { blocks: [(Seq(0), Seq(0)); BLOCKS] };

    /// Takes note of the blocks of a segment. Returns the block nearest to SND.UNA that tells of anything new.
    pub(super) fn take(
        &mut self,
        ranges: &[Option<(u32, u32)>; 3],
        snd_una: Seq,
        snd_max: Seq,
    ) -> Option<(Seq, Seq)> {
        let mut news: Option<(Seq, Seq)> = None;
        for &(left, right) in ranges.iter().flatten() {
            let block = (Seq(left), Seq(right));
            let is_possible =
                block.0.is_after(snd_una) && block.1.is_after(block.0) && !block.1.is_after(snd_max);
            if is_possible && self.add(block) && news.is_none_or(|news| block.0.is_before(news.0)) {
                news = Some(block);
            }
        }
        news
    }

    /// True if the block tells of anything new.
    fn add(&mut self, (mut left, mut right): (Seq, Seq)) -> bool {
        let covers = |block: &(Seq, Seq)| !left.is_before(block.0) && !right.is_after(block.1);
        if self.known().any(covers) {
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
        // A free place, or else that of the farthest block.
        let mut place = 0;
        for (index, block) in self.blocks.iter().enumerate() {
            let best = self.blocks[place];
            if best.0 != best.1 && (block.0 == block.1 || block.0.is_after(best.0)) {
                place = index;
            }
        }
        let place = &mut self.blocks[place];
        let has_room = place.0 == place.1 || left.is_before(place.0);
        if has_room {
            *place = (left, right);
        }
        has_room
    }

    /// SND.UNA has advanced.
    pub(super) fn advance(&mut self, snd_una: Seq) {
        // A block that SND.UNA has reached would have been acknowledged with it, unless the peer has thrown it away.
        for block in self.blocks.iter_mut().filter(|block| !block.0.is_after(snd_una)) {
            *block = (Seq(0), Seq(0));
        }
    }

    fn known(&self) -> impl Iterator<Item = &(Seq, Seq)> {
        self.blocks.iter().filter(|block| block.0 != block.1)
    }

    /// All is acknowledged.
    pub(super) fn clear(&mut self) {
        self.blocks = [(Seq(0), Seq(0)); BLOCKS];
    }

    pub(super) fn is_empty(&self) -> bool {
        self.known().next().is_none()
    }

    /// Bytes that have arrived behind a hole.
    pub(super) fn bytes(&self) -> u32 {
        self.known().map(|block| block.1.ahead_of(block.0).unsigned_abs()).sum()
    }

    /// The same of those before `seq`.
    pub(super) fn bytes_before(&self, seq: Seq) -> u32 {
        let before = |block: &(Seq, Seq)| {
            let right = block.1.min(seq);
            right.ahead_of(block.0).max(0).unsigned_abs()
        };
        self.known().map(before).sum()
    }

    /// Where the block ends that the byte with this number is in; None if it has not arrived.
    pub(super) fn end_of_block(&self, seq: Seq) -> Option<Seq> {
        let holds = |block: &&(Seq, Seq)| !seq.is_before(block.0) && seq.is_before(block.1);
        self.known().find(holds).map(|block| block.1)
    }

    /// HighData as far as it is known: one past the farthest byte that has arrived; `snd_una` if there is none.
    pub(super) fn highest(&self, snd_una: Seq) -> Seq {
        self.known().fold(snd_una, |highest, block| highest.max(block.1))
    }

    /// True if there is a hole between these numbers.
    pub(super) fn has_hole(&self, from: Seq, to: Seq) -> bool {
        from.is_before(to)
            && to.ahead_of(from).unsigned_abs() > self.bytes_before(to) - self.bytes_before(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_arrived_is_no_hole() {
        let mut board = Scoreboard::NEW;
        board.take(&[Some((10, 20)), Some((30, 40)), None], Seq(1), Seq(50));
        for (from, to, hole) in
            [(10, 20, false), (12, 18, false), (20, 20, false), (9, 20, true), (10, 21, true)]
        {
            assert_eq!(board.has_hole(Seq(from), Seq(to)), hole, "{from} to {to}");
        }
    }
}
