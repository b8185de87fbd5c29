//! Positions in a stream whose latency is measured.

use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

/// A latency is measured once in so many bytes at most, so that streams in small writes do not collect one for each write.
const BETWEEN: usize = 1000;

/// The positions whose echo is awaited.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// Positions in the stream, and when the bytes before them were given to the kernel.
    awaited: VecDeque<(usize, Instant)>,
    /// The newest mark. It counts also when its echo is there, or a stream with few bytes under way would have no marks.
    newest: usize,
}

impl Marks {
    /// Notes that the stream was written up to `position`.
    pub(crate) fn sent(&mut self, position: usize, now: Instant) {
        if position >= self.newest + BETWEEN {
            self.newest = position;
            self.awaited.push_back((position, now));
        }
    }

    /// How long the echo of the newest mark before `position` took, if there was one that had no echo yet.
    pub(crate) fn echoed(&mut self, position: usize, now: Instant) -> Option<Duration> {
        let mut latency = None;
        while let Some(&(mark, sent_at)) = self.awaited.front()
            && mark <= position
        {
            latency = Some(now - sent_at);
            self.awaited.pop_front();
        }
        latency
    }
}
