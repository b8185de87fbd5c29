//! What is known without asking smoltcp, which costs a tenth of an echo each time. A debug build asks all the same.

use smoltcp::phy::Device;
use smoltcp::time::Duration;

use crate::cx::Cx;
use crate::ip::device::as_room;
use crate::ip::interface::Sent;
use crate::tcp::seq::Seq;
use crate::tcp::socket::Socket;

/// smoltcp's retransmission timer runs for this long at least (RFC 6298, section 2.4).
const RETRANSMISSION: Duration = Duration::from_secs(1);

impl Socket<'_> {
    /// Where the bytes end that have just been written, if they will leave in one segment now: nothing is in flight before
    /// them, the window is open, and nothing else is to be done. `sent_before`: bytes in the send queue before the turn.
    pub(crate) fn known_end(&self, sent_before: usize) -> Option<Seq> {
        let tcb = &self.tcb;
        let written = self.send_queue() > 0 && sent_before == 0 && tcb.peer_window > 0;
        let all = written && self.recv_queue() == 0 && self.standing() == super::Standing::Established;
        all.then(|| tcb.written_end())
    }

    /// Sends the one segment that is known to end here. None if there turns out to be more.
    pub(super) fn send_last<H, D: Device + ?Sized>(
        &mut self,
        cx: &mut Cx<'_, H>,
        device: &mut D,
        end: Seq,
    ) -> Option<Sent> {
        let Some(token) = device.transmit(cx.now) else {
            return Some(Sent::Blocked);
        };
        let (sockets, mut departures) = self.departures(cx);
        cx.interface.send_one(cx.now, as_room(&mut Some(token)), sockets, &mut departures);
        let last = departures.last;
        self.note(last);
        self.look();
        if last.is_none_or(|segment| segment.end != end) {
            return None;
        }
        let at = cx.now + RETRANSMISSION;
        debug_assert!(cx.interface.poll_at(cx.now, self.sockets()) >= at);
        self.has_timer = true;
        Some(Sent::All(at))
    }

    /// All that was sent is acknowledged: smoltcp has nothing to send and waits for nothing.
    pub(crate) fn rests<H>(&mut self, cx: &mut Cx<'_, H>) {
        debug_assert!({
            let (now, waits) = (cx.now, cx.interface.has_frames());
            let at = cx.interface.poll_at(now, self.sockets());
            // On Ethernet, it may wait for a neighbour that it need not know.
            at == crate::tcp::timers::NEVER || at > now && waits
        });
    }
}
