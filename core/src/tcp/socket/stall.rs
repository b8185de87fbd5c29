//! smoltcp has data to send and no timer, when a window has shrunk or an old acknowledgement has closed it.
//!
//! RFC 9293, section 3.8.6.1: the sender "must regularly transmit" into a closed window. With the feature `recovery`, our own
//! timer runs, and when it fires behind a closed window, smoltcp is shown acknowledgements that start its own
//! ([`persist`](super::persist)). Without it, that is after a second without a timer; or at once behind a closed window, as the
//! retransmission timeout has passed.
//! Upstream: <https://github.com/smoltcp-rs/smoltcp/pull/1018> and <https://github.com/smoltcp-rs/smoltcp/pull/1023> left it. xarxa audit 087,
//! 090.
//! Shown by: core/tests/smoltcp.rs, `a_window_that_shrinks_leaves_no_timer`
//! Kept by: core/src/tests/stalls.rs

use smoltcp::phy::Device;
use smoltcp::time::Instant;

use crate::cx::Cx;
use crate::tcp::demux::Tuple;
use crate::tcp::segment::{self, Built, Segment};
use crate::tcp::socket::Socket;

impl Socket<'_> {
    /// Gets smoltcp to send again: the third duplicate acknowledgement sends the first segment, and a window that closes
    /// starts the probes of it.
    pub(super) fn restart_timer<H>(&mut self, cx: &mut Cx<'_, H>, tuple: Tuple) {
        self.restart_timer_at(cx, tuple, cx.now);
    }

    /// The same at this time, as smoltcp is told it.
    pub(super) fn restart_timer_at<H>(&mut self, cx: &mut Cx<'_, H>, tuple: Tuple, at: Instant) {
        let link_header = cx.interface.link_header(tuple.local);
        let mut tcp = self.last_ack(tuple);
        let way = Segment { packet: &[], link_header: &link_header, tuple, tcp };
        let window = tcp.window_len;
        let (closed, open) = ([1, 0], [window.saturating_sub(1), window, window, window, window]);
        for &window in if window == 0 { &closed[..] } else { &open[..] } {
            tcp.window_len = window;
            let ack: Built = segment::build(&way, &tcp);
            cx.interface.inject(at, &ack, self.sockets());
        }
        self.look();
    }

    /// Ends a stall: has smoltcp's timer run, and a closed window probed at once.
    pub(crate) fn end_stall<H, D: Device + ?Sized>(
        &mut self,
        cx: &mut Cx<'_, H>,
        device: &mut D,
        tuple: Tuple,
    ) {
        let stalled = self.is_stalled();
        self.restart_timer(cx, tuple);
        if stalled {
            self.probe_at_once(cx, device, tuple);
        }
    }

    /// True if the peer has said that its window is closed.
    pub(crate) fn is_window_closed(&self) -> bool {
        self.tcb.peer_window == 0
    }
}
