//! What every step of the server works with.

use smoltcp::time::Instant;
use smoltcp::wire::IpAddress;

use crate::ip::interface::Interface;
use crate::stats::Stats;

/// The context of one step: the time, the conversation, the way out, and the counters.
pub(crate) struct Cx<'c, H> {
    pub(crate) now: Instant,
    pub(crate) handler: &'c mut H,
    pub(crate) interface: &'c mut Interface,
    pub(crate) stats: &'c mut Stats,
}

impl<H> Cx<'_, H> {
    /// Takes note of where a host on the link is, which sent this frame.
    pub(crate) fn learn_neighbour(&mut self, frame: &[u8], neighbour: IpAddress, own: IpAddress) {
        if self.interface.has_frames() {
            self.interface.learn_neighbour(self.now, frame, neighbour, own);
        }
    }
}
