//! The context that is handed to every step of the server.

use smoltcp::time::Instant;
use smoltcp::wire::IpAddress;

use crate::ip::interface::Interface;
use crate::ip::neighbours::Evidence;
use crate::stats::Stats;
use crate::tcp::demux::Tuple;
use crate::tcp::segment::Segment;

/// The context of one step: the time, the handler, smoltcp's interface, and the counters.
pub(crate) struct Cx<'c, H> {
    pub(crate) now: Instant,
    pub(crate) handler: &'c mut H,
    pub(crate) interface: &'c mut Interface,
    pub(crate) stats: &'c mut Stats,
}

impl<H> Cx<'_, H> {
    /// Takes note of the hardware address of a segment's sender, if that is on the link.
    pub(crate) fn learn_from(&mut self, segment: &Segment<'_>, evidence: Evidence) {
        let Tuple { remote, local } = segment.tuple;
        self.learn_neighbour(segment.packet, remote.addr, local, evidence);
    }

    /// Takes note of the hardware address of a neighbour, which sent this frame with a packet to `own`.
    pub(crate) fn learn_neighbour(
        &mut self,
        frame: &[u8],
        neighbour: IpAddress,
        own: IpAddress,
        evidence: Evidence,
    ) {
        self.interface.learn_neighbour(self.now, frame, (neighbour, own), evidence);
    }
}
