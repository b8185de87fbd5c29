//! The handler's turn on a connection, and what the server makes of what it says.

use smoltcp::wire::IpEndpoint;

use crate::cx::Cx;
use crate::handler::{End, Handler, Next, peer_address};
use crate::tcp::Connections;
use crate::tcp::segment::Segment;
use crate::tcp::slots::{Phase, Slot, SlotId};
use crate::tcp::socket::stream::Moved;

impl<S> Connections<'_, S> {
    /// A connection has been established: the handler may refuse it.
    pub(super) fn establish<H: Handler<State = S>>(&mut self, cx: &mut Cx<'_, H>, id: SlotId) {
        self.slots.move_to(id, Phase::Open, cx.stats);
        self.log(cx.now, id, "connected");
        if let Some(tuple) = self.demux.tuple(id) {
            self.slots[id].state = cx.handler.open(peer_address(tuple.remote));
        }
    }

    /// Makes room for a segment in the receive buffer: the handler passes on what is in it, and smoltcp is made to notice. Of
    /// a segment that is longer than the buffer, the first bytes are taken.
    #[cold]
    pub(super) fn make_room<H: Handler<State = S>>(
        &mut self,
        cx: &mut Cx<'_, H>,
        id: SlotId,
        segment: &Segment<'_>,
    ) {
        loop {
            let slot = &mut self.slots[id];
            match slot.phase() {
                Phase::Open => {
                    // It passes bytes, and nothing else.
                    let _ = slot.converse(cx, &segment.tuple.remote, true);
                    slot.socket.refresh_window(cx, segment);
                }
                Phase::HalfOpen if !slot.socket.is_doubtful(segment) => {}
                Phase::Free | Phase::HalfOpen | Phase::TimeWait => return,
            }
            if !slot.socket.needs_room(segment) || !slot.socket.take_piece(cx, segment) {
                return;
            }
            self.settle(cx, id, End::Closed);
        }
    }
}

impl<S> Slot<'_, S> {
    /// Gives the handler its turn on an open connection; `draining`: the server shuts down. False if the connection is to be
    /// aborted.
    #[cfg_attr(feature = "fast", inline(always))]
    pub(super) fn turn<H: Handler<State = S>>(
        &mut self,
        cx: &mut Cx<'_, H>,
        peer: &IpEndpoint,
        draining: bool,
    ) -> bool {
        if self.socket.has_lost_data() && !self.finished {
            return false;
        }
        if !self.finished {
            let Some(next) = self.converse(cx, peer, false) else {
                return false;
            };
            self.has_more = next == Next::More;
            self.finished = next == Next::Finish;
            if self.leaves_unread(next) && !draining {
                return false;
            }
        }
        if self.finished {
            cx.stats.bytes_in += self.socket.discard() as u64;
        }
        let last = draining || self.finished || self.socket.is_half_closed() && !self.has_more;
        if last && self.socket.recv_queue() == 0 && self.socket.can_finish() {
            self.socket.close();
        }
        true
    }

    /// Calls the handler, and again as long as it says [`Next::More`], has written something, and there is room. `at_once`: it
    /// is to pass what there is room for, however little. None if it aborts the connection, or has refused it.
    #[inline]
    fn converse<H: Handler<State = S>>(
        &mut self,
        cx: &mut Cx<'_, H>,
        peer: &IpEndpoint,
        at_once: bool,
    ) -> Option<Next> {
        let state = self.state.as_mut()?;
        loop {
            let handler = &mut *cx.handler;
            let ((next, room), Moved { read, written }) = self.socket.turn(cx.now, peer, at_once, |stream| {
                let next = handler.stream(state, stream);
                (next, stream.room())
            });
            cx.stats.bytes_in += read as u64;
            cx.stats.bytes_out += written as u64;
            match next {
                Next::Abort => return None,
                Next::More if written > 0 && room > 0 => {}
                next => return Some(next),
            }
        }
    }

    /// True if nothing will bring the handler to read what there is to read: the peer has finished, and there is no room to
    /// wait for.
    fn leaves_unread(&self, next: Next) -> bool {
        let socket = &self.socket;
        next == Next::Continue
            && socket.is_half_closed()
            && socket.recv_queue() > 0
            && socket.send_queue() == 0
    }
}
