//! Egress of one socket: what it sends in its turn.

use smoltcp::iface::SocketSet;
use smoltcp::phy::Device;
use smoltcp::socket::tcp::State;

use crate::cx::Cx;
use crate::ip::interface::Sent;
use crate::tcp::seq::Seq;
use crate::tcp::socket::tcb::Departures;
use crate::tcp::socket::{Socket, set};
use crate::tcp::timers::NEVER;

impl<'a> Socket<'a> {
    /// Sends all that there is to send. `end`: if that is known to be one segment, with nothing in flight before it, where the
    /// segment ends ([`known_end`](Self::known_end)).
    pub(crate) fn send<H, D: Device + ?Sized>(
        &mut self,
        cx: &mut Cx<'_, H>,
        device: &mut D,
        end: Option<Seq>,
    ) -> Sent {
        self.withhold_small_segment(cx);
        if let Some(sent) = self.send_narrow(cx, device) {
            return sent;
        }
        if let Some(end) = end
            && let Some(sent) = self.send_last(cx, device, end)
        {
            return sent;
        }
        self.send_all(cx, device)
    }

    /// Sends whatever smoltcp has to send, with the interface's MTU.
    #[inline(never)]
    pub(super) fn send_all<H, D: Device + ?Sized>(&mut self, cx: &mut Cx<'_, H>, device: &mut D) -> Sent {
        self.outlast_timer(cx, device);
        if let Some(sent) = self.send_again(cx, device) {
            return sent;
        }
        let (sockets, mut departures) = self.departures(cx);
        let sent = cx.interface.send(cx.now, device, sockets, &mut departures);
        let last = departures.last;
        self.note(last);
        self.look();
        let had_timer = core::mem::replace(&mut self.has_timer, sent != Sent::All(NEVER));
        self.ensure_timer(cx.now, had_timer);
        if sent == Sent::Held
            && let Some(sent) = self.acknowledge(cx, device)
        {
            return sent;
        }
        sent
    }

    /// smoltcp's socket, and the watch that notes in the TCB what it sends.
    #[inline]
    pub(super) fn departures<H>(&mut self, cx: &Cx<'_, H>) -> (&mut SocketSet<'a>, Departures<'_>) {
        let link_header_len = cx.interface.link_header_len();
        let closed = self.state() == State::Closed;
        let Socket { sockets, tcb, .. } = self;
        let now = cx.now;
        (set(sockets), Departures { tcb, now, link_header_len, closed, answers: false, last: None })
    }
}
