//! In place of telling of several blocks behind holes: smoltcp tells of one.

use crate::ip::device::Draft;

#[derive(Debug, Clone, Copy)]
pub(crate) struct SackBlocks;

impl SackBlocks {
    pub(crate) const NONE: SackBlocks = SackBlocks;

    pub(crate) fn complete(&mut self, _draft: &mut Draft, _link_header_len: usize) {}
}
