//! Packets one behind the other in one buffer, first in, first out. Nothing is allocated for a packet.

use core::ops::Range;
use std::collections::VecDeque;

/// How many packets are handled in a row at most. Streams gain from more than 16 of them, and nothing from more than 32
/// (`tests/benches/FINDINGS.md`).
const BATCH: usize = 32;
/// Room for one of them, where they are of the usual length.
const USUAL_PACKET: usize = 2048;
/// Each packet starts at a multiple of this: a cache line.
const ALIGNMENT: usize = 64;

#[derive(Debug)]
pub(super) struct Batch {
    bytes: Box<[u8]>,
    /// Where the packets are, the oldest first.
    packets: VecDeque<Range<usize>>,
    longest: usize,
}

impl Batch {
    /// For packets of up to `longest` bytes. Only the pages that packets reach are ever touched.
    pub(super) fn new(longest: usize) -> Self {
        Self {
            bytes: vec![0; BATCH * USUAL_PACKET + longest].into_boxed_slice(),
            packets: VecDeque::with_capacity(BATCH),
            longest,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Whether there is room for one more packet, whatever its length.
    pub(super) fn has_room(&self) -> bool {
        self.packets.len() < BATCH && self.end() <= BATCH * USUAL_PACKET
    }

    /// Where the next packet is to be written; as long as the longest, if there is room.
    pub(super) fn room(&mut self) -> &mut [u8] {
        let start = self.end();
        let end = self.bytes.len().min(start + self.longest);
        &mut self.bytes[start..end]
    }

    /// Takes the first `length` bytes of [`room`](Self::room) for a packet.
    pub(super) fn push(&mut self, length: usize) {
        let start = self.end();
        self.packets.push_back(start..start + length);
    }

    /// The oldest packet.
    pub(super) fn first(&self) -> Option<&[u8]> {
        self.packets.front().map(|packet| &self.bytes[packet.clone()])
    }

    /// Removes the oldest packet and gives it.
    pub(super) fn take(&mut self) -> Option<&[u8]> {
        self.packets.pop_front().map(|packet| &self.bytes[packet])
    }

    /// Where the next packet starts.
    fn end(&self) -> usize {
        self.packets.back().map_or(0, |last| last.end.next_multiple_of(ALIGNMENT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts packets of that length in until there is no room, takes them all, and returns how many there were.
    fn fill_and_empty(batch: &mut Batch, length: usize) -> usize {
        let mut count = 0;
        while batch.has_room() {
            let byte = u8::try_from(count).unwrap();
            batch.room()[..length].fill(byte);
            batch.push(length);
            count += 1;
        }
        for byte in 0..u8::try_from(count).unwrap() {
            let expected = vec![byte; length];
            assert_eq!(batch.first(), Some(&expected[..]));
            assert_eq!(batch.take(), Some(&expected[..]));
        }
        assert!(batch.is_empty() && batch.take().is_none());
        count
    }

    #[test]
    fn packets_of_any_length_come_out_as_they_went_in() {
        for longest in [68, 1500, 65535] {
            let mut batch = Batch::new(longest);
            for length in [0, 1, longest - 1, longest] {
                let count = fill_and_empty(&mut batch, length);
                let at_least = if length < USUAL_PACKET { BATCH } else { 2 };
                assert!((at_least..=BATCH).contains(&count), "{count} packets of {length} bytes");
            }
        }
    }

    #[test]
    fn there_is_room_for_the_longest_until_there_is_none() {
        let mut batch = Batch::new(65535);
        while batch.has_room() {
            assert_eq!(batch.room().len(), 65535);
            batch.push(1501);
        }
    }

    #[test]
    fn no_room_is_made_for_a_packet() {
        let mut batch = Batch::new(1500);
        let (bytes, packets) = (batch.bytes.as_ptr(), batch.packets.capacity());
        for length in [40, 1500, 1] {
            fill_and_empty(&mut batch, length);
        }
        assert_eq!((batch.bytes.as_ptr(), batch.packets.capacity()), (bytes, packets));
    }
}
