//! smoltcp has data to send and no timer, when a window has shrunk or an old acknowledgement has closed it.
//!
//! RFC 9293, section 3.8.6.1: the sender "must regularly transmit" into a closed window. After a second without a timer,
//! smoltcp is shown acknowledgements that start it; at once behind a closed window, as the retransmission timeout has passed.
//! Upstream: <https://github.com/smoltcp-rs/smoltcp/pull/1018> and <https://github.com/smoltcp-rs/smoltcp/pull/1023> left it. xarxa audit 087,
//! 090.
//! Shown by: core/tests/smoltcp.rs, `a_window_that_shrinks_leaves_no_timer`,
//! `data_in_flight_when_the_window_shrank_is_never_sent_again`
//! Kept by: core/src/tests/stalls.rs

use smoltcp::phy::Device;
use smoltcp::time::Instant;

use crate::cx::Cx;
use crate::ip::device::as_room;
use crate::tcp::demux::Tuple;
use crate::tcp::segment::{self, Built, Segment};
use crate::tcp::socket::Socket;
use crate::tcp::timers::NEVER;

impl Socket<'_> {
    /// Gets smoltcp to send again: the third duplicate acknowledgement sends the first segment, and a window that closes
    /// starts the probes of it.
    pub(crate) fn restart_timer<H>(&mut self, cx: &mut Cx<'_, H>, tuple: Tuple) {
        let link_header = cx.interface.link_header(tuple.local);
        let mut tcp = self.last_ack(tuple);
        let way = Segment { packet: &[], link_header: &link_header, tuple, tcp };
        let window = tcp.window_len;
        let (closed, open) = ([1, 0], [window ^ 1, window, window, window, window]);
        for &window in if window == 0 { &closed[..] } else { &open[..] } {
            tcp.window_len = window;
            let ack: Built = segment::build(&way, &tcp);
            self.inject(cx, &ack);
        }
    }

    /// Has smoltcp send the first probe of a closed window now, and not after a retransmission timeout: that has passed before
    /// the stall. smoltcp is told the time at which the probe would be due; or its retransmission timer, which keeps the probe
    /// from being due.
    #[cold]
    pub(crate) fn probe_at_once<H, D: Device + ?Sized>(&mut self, cx: &mut Cx<'_, H>, device: &mut D) {
        self.tcb.recovery.probes_window = false;
        let due = cx.interface.poll_at(cx.now, self.sockets());
        if due == NEVER || self.tcb.peer_window > 0 {
            return;
        }
        let Some(token) = device.transmit(cx.now) else {
            return;
        };
        self.tcb.recovery.told = Instant::ZERO;
        self.send_one(cx, due, as_room(&mut Some(token)));
    }

    /// True if the peer has said that its window is closed.
    pub(crate) fn is_window_closed(&self) -> bool {
        self.tcb.peer_window == 0
    }

    /// True if smoltcp has something to send and waits for nothing; or, where the window has closed over what is in flight, for a
    /// time to which it was made to believe that it had come when it sent something again; or if the closed window is to be probed.
    pub(crate) fn is_stalled(&self, now: Instant) -> bool {
        let tcb = &self.tcb;
        let closed_over =
            tcb.peer_window == 0 && tcb.recovery.told > now && tcb.snd_una.is_before(tcb.snd_max);
        (!self.has_timer || closed_over || tcb.recovery.probes_window) && self.send_queue() > 0
    }
}
