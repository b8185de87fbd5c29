//! smoltcp fills one hole a round trip, at SND.UNA; after a timeout, it sends everything again from there on.
//!
//! RFC 6675, section 5: all that is lost is sent again as the congestion window allows, and nothing that has arrived. So
//! smoltcp is made to go back to SND.UNA, and what it sends from there on passes, or is thrown away, until it has come to
//! SND.MAX again. In the meantime its SND.NXT stands amid what was sent: its empty segments are given the number that RFC
//! 9293, section 3.10.7.4, has the peer accept.
//!
//! What is thrown away has to be written somewhere, so this is for segments that fit into a packet of 1500 bytes, and for
//! the feature `many-holes`; otherwise one hole is filled a round trip.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `a_second_hole_that_sack_tells_of_is_not_filled`
//! Kept by: core/src/tests/loss.rs, core/src/tests/sack_scoreboard.rs

use heapless::Vec;
use smoltcp::phy::Device;
use smoltcp::time::Instant;
use smoltcp::wire::ETHERNET_HEADER_LEN;

use crate::cx::Cx;
use crate::ip::device::{Discard, Room, Watch, Written, as_room};
use crate::ip::interface::Sent;
use crate::tcp::segment::SentSegment;
use crate::tcp::seq::{Seq, wrapped};
use crate::tcp::socket::pipe::Step;
use crate::tcp::socket::tcb::Tcb;
use crate::tcp::socket::{Socket, set};

/// The longest segment that can be thrown away.
const LONGEST: usize = 1460;
/// With the headers of IPv6 and TCP.
const PACKET: usize = ETHERNET_HEADER_LEN + 40 + 20 + LONGEST;
/// What is sent or thrown away in a turn: then others get theirs.
const SEGMENTS_A_TURN: usize = 64;

/// Takes note of what smoltcp believes to have sent.
struct Passed<'t> {
    tcb: &'t mut Tcb,
    link_header_len: usize,
}

impl Watch for Passed<'_> {
    fn departs(&mut self, packet: &mut [u8]) {
        if let Some(segment) = packet.get(self.link_header_len..).and_then(SentSegment::read) {
            self.tcb.smoltcp_edge = self.tcb.edge_of(&segment);
            self.tcb.recovery.snd_nxt = segment.end;
        }
    }
}

impl Socket<'_> {
    /// True if what smoltcp sends can be thrown away.
    pub(super) fn can_skip(&self) -> bool {
        cfg!(feature = "many-holes") && usize::from(self.tcb.recovery.smss) <= LONGEST
    }

    /// Has smoltcp go back to SND.UNA. The segment there leaves, unless it is under way. False if smoltcp did not go back: its
    /// timer does not run.
    ///
    /// On Ethernet, where its timer fires so late that smoltcp would have forgotten the neighbour, there is no room when it does:
    /// smoltcp looks for none then, and sends now.
    pub(super) fn go_back<H>(&mut self, cx: &mut Cx<'_, H>, tx: &mut (impl Room + ?Sized)) -> bool {
        let snd_una = self.tcb.snd_una;
        let timeout = self.timeout(cx);
        let mut at = self.tell(cx, timeout);
        if at < timeout {
            self.send_one(cx, timeout, as_room(&mut Discard));
            at = cx.now;
        }
        if self.can_skip() && self.tcb.recovery.resume.is_after(snd_una) {
            self.skip(cx, at, snd_una, tx);
        } else {
            self.send_one(cx, at, tx);
        }
        self.tcb.recovery.back = self.tcb.recovery.snd_nxt.is_before(self.tcb.snd_max);
        self.tcb.recovery.back
    }

    /// Before anything is sent: keeps smoltcp's timer, should it fire before ours, from sending anything again.
    #[inline]
    pub(super) fn outlast_timer<H, D: Device + ?Sized>(&mut self, cx: &mut Cx<'_, H>, device: &mut D) {
        if self.tcb.recovery.timer.may_be_overtaken(cx.now) {
            self.throw_retransmission_away(cx, device);
        }
    }

    /// If smoltcp has nothing to send but what its timer is due for, has it go back, and throw away what has not been lost.
    #[cold]
    #[inline(never)]
    fn throw_retransmission_away<H, D: Device + ?Sized>(&mut self, cx: &mut Cx<'_, H>, device: &mut D) {
        let due = cx.interface.poll_at(cx.now, self.sockets());
        // Where there is something else to send, smoltcp says "now", which is 0.
        let fires = due > Instant::ZERO && due <= cx.now && self.has_timer;
        let recovery = &self.tcb.recovery;
        if fires
            && !self.is_persisting()
            && !recovery.ordered
            && self.can_skip()
            && let Some(token) = device.transmit(cx.now)
        {
            let Tcb { recovery, snd_una, snd_max, .. } = &mut self.tcb;
            let snd_una = *snd_una;
            (recovery.resume, recovery.back) = (*snd_max, true);
            self.skip(cx, cx.now, snd_una, as_room(&mut Some(token)));
        }
    }

    /// Sends what is lost, and throws away what is not, until smoltcp has come to SND.MAX. None if it has.
    pub(super) fn fill_holes<H, D: Device + ?Sized>(
        &mut self,
        cx: &mut Cx<'_, H>,
        device: &mut D,
    ) -> Option<Sent> {
        if !self.can_skip() {
            self.tcb.recovery.back = false;
            return None;
        }
        for _ in 0..SEGMENTS_A_TURN {
            let (numbers, before) = (self.tcb.numbers(), self.tcb.recovery.snd_nxt);
            if !before.is_before(numbers.snd_max) {
                self.tcb.recovery.back = false;
                return self.acknowledge(cx, device);
            }
            let step = self.tcb.recovery.step(numbers, before);
            if step == Step::Wait {
                return Some(self.acknowledge(cx, device).unwrap_or(Sent::Held));
            }
            let Some(token) = device.transmit(cx.now) else {
                return Some(Sent::Blocked);
            };
            if step == Step::Skip {
                self.skip(cx, cx.now, before, as_room(&mut Some(token)));
            } else {
                self.send_one(cx, cx.now, as_room(&mut Some(token)));
            }
            if self.tcb.recovery.snd_nxt == before {
                // The window has no room for it any more.
                return self.acknowledge(cx, device);
            }
        }
        Some(Sent::All(cx.now))
    }

    /// Throws away the segment from `from` on, but no byte that is to leave. Where the segment would reach beyond what is skipped,
    /// smoltcp is shown a window that ends there; or the segment leaves after all, where that is not possible: as smoltcp does
    /// not look at windows in LAST-ACK, or as the window is scaled. Nor is a FIN thrown away that has not left yet, which smoltcp has
    /// follow the last byte.
    fn skip<H>(&mut self, cx: &mut Cx<'_, H>, at: Instant, from: Seq, tx: &mut (impl Room + ?Sized)) {
        let numbers = self.tcb.numbers();
        let end = self.tcb.recovery.skip_to(numbers, from);
        let longest = from + u32::from(self.tcb.recovery.smss);
        let written = self.tcb.written_end();
        let fin_waits = !self.may_send() && !self.tcb.snd_max.is_after(written);
        if fin_waits && !longest.is_before(written) {
            self.send_one(cx, at, tx);
        } else if !longest.is_after(end) || !written.is_after(end) {
            self.throw_away(cx, at);
        } else if self.may_send() && self.tcb.snd_shift == 0 {
            self.show_window(cx, end.ahead_of(numbers.snd_una).max(0).unsigned_abs());
            self.throw_away(cx, at);
            self.show_window(cx, wrapped(self.tcb.snd_wnd()));
        } else {
            self.send_one(cx, at, tx);
        }
    }

    fn throw_away<H>(&mut self, cx: &mut Cx<'_, H>, at: Instant) {
        let link_header_len = cx.interface.link_header_len();
        let Socket { sockets, tcb, .. } = self;
        // No segment is longer: `can_skip` has looked.
        let mut thrown = Written(Vec::<u8, PACKET>::new());
        cx.interface.throw_away(at, as_room(&mut thrown), set(sockets), &mut Passed { tcb, link_header_len });
        self.look();
    }
}
