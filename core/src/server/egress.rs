//! Egress that no packet has called for: what is due, and what the device refused before.

use smoltcp::iface::SocketSet;
use smoltcp::phy::Device;
use smoltcp::time::Instant;

use crate::events;
use crate::handler::Handler;
use crate::ip::interface::Sent;
use crate::server::Server;
use crate::stats::DropReason;
use crate::tcp::timers::NEVER;

impl<H: Handler> Server<'_, H> {
    /// Runs all deadlines that have come.
    pub(super) fn run_due<D: Device + ?Sized>(&mut self, now: Instant, device: &mut D) {
        if self.datagrams.deadline() <= now {
            self.send_datagrams(now, device);
        }
        if !self.blocked && self.unanswered.is_due(now) {
            self.answer_again(now, device);
        }
        if !self.blocked {
            let (connections, _, mut cx) = self.parts(now);
            let sent = connections.run_due(&mut cx, device);
            self.blocked = sent == Sent::Blocked;
        }
    }

    /// Answers the packet whose neighbour was not known, if it is now; otherwise asks for it again.
    pub(super) fn answer_again<D: Device + ?Sized>(&mut self, now: Instant, device: &mut D) {
        let Some(packet) = self.unanswered.packet() else {
            return;
        };
        let Some(token) = device.transmit(now) else {
            self.unanswered.refused();
            self.blocked = true;
            return;
        };
        self.interface.answer(now, packet, &mut Some(token));
        if self.interface.take_unanswered().is_none() {
            self.unanswered.answered();
        }
    }

    /// Sends the reply that waits in the socket, and those whose delay is over.
    pub(super) fn send_datagrams<D: Device + ?Sized>(&mut self, now: Instant, device: &mut D) {
        let (_, datagrams, cx) = self.parts(now);
        // Before the next attempt, after which smoltcp does not look at the socket for another second.
        for _ in 0..datagrams.give_up(now) {
            cx.stats.drop(DropReason::Neighbour);
            events::dropped_reply();
        }
        while datagrams.release(now) {
            match cx.interface.send(now, device, datagrams.sockets(), &mut ()) {
                Sent::Blocked => {
                    self.blocked = true;
                    return;
                }
                Sent::Held | Sent::All(NEVER) => {
                    let sent = datagrams.sent();
                    cx.stats.datagrams_out += sent.datagrams;
                    cx.stats.datagram_bytes_out += sent.bytes;
                }
                Sent::All(at) => {
                    datagrams.wait_until(at);
                    return;
                }
            }
        }
    }

    /// Sends the rest of a reply that is longer than the MTU, before anything else may be fragmented.
    pub(super) fn send_fragments<D: Device + ?Sized>(&mut self, now: Instant, device: &mut D) {
        let no_sockets = &mut SocketSet::new(&mut [][..]);
        if self.interface.sends_fragments(now, no_sockets) {
            let sent = self.interface.send(now, device, no_sockets, &mut ());
            self.blocked |= sent == Sent::Blocked;
        }
    }
}
