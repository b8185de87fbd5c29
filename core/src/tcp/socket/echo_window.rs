//! smoltcp offers the receive buffer, and an echo could take both buffers.
//!
//! RFC 9293, section 3.8.6: the window is what the receiver is willing to take. What a handler that passes bytes through has
//! received and the peer has not acknowledged again lies in either buffer, so the right edge of the window is SND.UNA's
//! number of bytes plus both. It never moves left: passing a byte changes nothing, and an acknowledgement moves it right.
//! Linux sends segments of at most half the largest window that it was ever offered: with 2048 bytes instead of 1024, a message
//! of 1000 bytes comes in one segment instead of two.
//!
//! A stream that fills both buffers is another matter. The reply to one message fills the send buffer, the next message waits in
//! the receive buffer and has closed the window, and Linux acknowledges a single segment only after 40 ms, or with what it
//! sends: both sides would wait. The peer is then asked for an acknowledgement, and is offered the receive buffer alone for a
//! while. So the reply to one message opens the window for the next one, which acknowledges the reply: one segment each way
//! for 1024 bytes. Do not be tempted to offer both again at once: the stream would fill both again.
//!
//! Very small buffers are offered alone. As long as no window was larger than 536 bytes, Linux's segments are as long as the
//! largest window, not half of it, and the window of both buffers is that large only once the reply is acknowledged, which
//! nothing would tell the peer: it would wait for its persist timer each time.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `the_window_is_the_receive_buffer_alone`
//! Kept by: core/src/tests/echo_window.rs

use smoltcp::phy::Device;
use smoltcp::wire::{TcpControl, TcpRepr};

use crate::cx::Cx;
use crate::ip::device::Room;
use crate::tcp::demux::Tuple;
use crate::tcp::segment::{Segment, SentSegment, build, old_byte, send_back};
use crate::tcp::seq::{Seq, wrapped};
use crate::tcp::socket::Socket;
use crate::tcp::socket::pieces::{PIECE, Piece};
use crate::tcp::socket::tcb::{Tcb, window_to};
use crate::tcp::socket::window_rounding;

/// Up to a window of so many bytes, Linux's segments are as long as the window (its `TCP_MSS_DEFAULT`).
const WHOLE: u32 = 536;

impl Tcb {
    /// Offers both buffers, each of this size, unless the peer would wait for the whole window.
    pub(super) fn offer_both(&mut self, size: usize) {
        self.both = Some(2 * wrapped(size)).filter(|&both| both > WHOLE);
    }

    /// The right edge of the window of both buffers: SND.UNA's number of bytes plus both.
    #[inline]
    pub(super) fn edge_of_both(&self, both: u32) -> Seq {
        self.irs + 1 + (self.snd_una.0.wrapping_sub(self.iss.0.wrapping_add(1))) + both
    }
}

/// So many segments advertise the receive buffer alone after the peer had to be asked for an acknowledgement.
const ALONE: u8 = u8::MAX;

/// Advertises the window of both buffers, if it is both.
#[inline]
pub(super) fn widen(tcb: &mut Tcb, packet: &mut [u8], segment: &mut SentSegment) {
    let Some(both) = tcb.both.filter(|_| !segment.rst) else {
        return;
    };
    let shift = if segment.syn { 0 } else { tcb.rcv_shift };
    let edge = if tcb.alone == 0 {
        tcb.edge_of_both(both)
    } else {
        tcb.alone -= 1;
        tcb.rcv_edge
    };
    let window = window_to(edge, segment.ack, shift);
    if window > segment.window {
        segment.rewrite_window(packet, window);
    }
}

impl Socket<'_> {
    /// True if the peer may wait for room in our window while we wait for its acknowledgement: what is unread does not fit into
    /// the send buffer behind what is unacknowledged; and that is one segment at most, which Linux does not acknowledge at once.
    #[inline]
    pub(crate) fn waits_for_each_other(&self) -> bool {
        let tcb = &self.tcb;
        let in_flight = tcb.snd_max.ahead_of(tcb.snd_una);
        self.recv_queue() > 0
            && in_flight > 0
            && in_flight.cast_unsigned() <= u32::from(tcb.longest_sent)
            && tcb.peer_window > 0
            && tcb.asked != tcb.snd_una
            && tcb.both.is_some_and(|both| self.recv_queue() + self.send_queue() > both as usize / 2)
    }

    /// Asks the peer for an acknowledgement after a segment with data, if both sides would wait, and if nothing has left through
    /// `tx` yet.
    #[inline]
    pub(super) fn ask_for_ack_if_due<H>(
        &mut self,
        cx: &mut Cx<'_, H>,
        segment: &Segment<'_>,
        tx: &mut (impl Room + ?Sized),
    ) {
        if !segment.tcp.payload.is_empty() && self.waits_for_each_other() && tx.is_left() {
            self.ask_for_ack(cx, segment, tx.erased());
        }
    }

    /// Asks the peer for an acknowledgement, once for each SND.UNA: a byte that it has acknowledged already comes again. RFC
    /// 9293, section 3.10.7.4, has it answered at once, and Linux acknowledges what follows at once, too.
    ///
    /// It goes back to where the segment came from. smoltcp's keep-alive would not do: it is sent when nothing is in flight, and
    /// has a byte that may not have arrived.
    #[cold]
    fn ask_for_ack<H>(&mut self, cx: &mut Cx<'_, H>, segment: &Segment<'_>, tx: &mut dyn Room) {
        (self.tcb.asked, self.tcb.alone) = (self.tcb.snd_una, ALONE);
        let tcb = &self.tcb;
        let ports = (segment.tcp.dst_port, segment.tcp.src_port);
        let mut window = window_to(tcb.rcv_edge, tcb.rcv_nxt, tcb.rcv_shift);
        if tcb.rcv_shift > 0 {
            window = window_rounding::settle(tcb, tcb.rcv_nxt, window);
        }
        send_back(cx.interface, segment, &old_byte(ports, tcb.snd_una, tcb.rcv_nxt, window), tx);
    }

    /// Asks the peer for an acknowledgement after egress, where both sides would wait. Not on Ethernet, where a segment that is no
    /// answer needs the peer's hardware address: there the peer's delayed acknowledgement ends the wait.
    #[cold]
    pub(crate) fn ask_after_egress<H, D: Device + ?Sized>(
        &mut self,
        cx: &mut Cx<'_, H>,
        device: &mut D,
        tuple: Tuple,
    ) {
        if !cx.interface.has_frames()
            && let Some(token) = device.transmit(cx.now)
        {
            let way = Segment { packet: &[], link_header: &[], tuple, tcp: self.last_ack(tuple) };
            self.ask_for_ack(cx, &way, &mut Some(token));
        }
    }

    /// True if smoltcp would cut off a part of the segment that is within the advertised window: there is room for it once the
    /// handler has passed on what is in the receive buffer.
    #[inline]
    pub(crate) fn needs_room(&self, segment: &Segment<'_>) -> bool {
        let tcb = &self.tcb;
        tcb.both.is_some()
            && !segment.tcp.payload.is_empty()
            && segment.end().is_after(tcb.smoltcp_edge)
            && !segment.end().is_after(tcb.rcv_edge)
            && self.judge_numbers(segment).is_none()
    }

    /// Has smoltcp notice the room in its receive buffer, as it does when it answers an old byte.
    pub(crate) fn refresh_window<H>(&mut self, cx: &mut Cx<'_, H>, segment: &Segment<'_>) {
        let byte = self.old_byte(segment, self.tcb.snd_una, self.tcb.peer_window);
        self.inject(cx, &byte);
        let free = self.socket().recv_capacity() - self.recv_queue();
        let window = (wrapped(free) >> self.tcb.rcv_shift).min(u16::MAX.into()) << self.tcb.rcv_shift;
        self.tcb.smoltcp_edge = self.tcb.rcv_nxt + window;
    }

    /// Has smoltcp take the first bytes of a segment that is longer than the receive buffer; the rest of it remains to be
    /// processed. False if it takes none: the segment stands behind a hole, and there is room for it now.
    pub(crate) fn take_piece<H>(&mut self, cx: &mut Cx<'_, H>, segment: &Segment<'_>) -> bool {
        let rcv_nxt = self.tcb.rcv_nxt;
        let come = usize::try_from(rcv_nxt.ahead_of(segment.seq()));
        let Some(new) = come.ok().and_then(|come| segment.tcp.payload.get(come..)) else {
            return false;
        };
        let piece = &new[..new.len().min(PIECE)];
        let seq_number = self.tcb.rcv_nxt.into();
        let mut present = *segment;
        if self.is_overtaken(segment) {
            self.give_present_ack(&mut present);
        }
        // What it acknowledges is told with the rest of it: recovery has to hear of that.
        let ack_number = Some(self.tcb.snd_una.into());
        let tcp =
            TcpRepr { control: TcpControl::None, seq_number, ack_number, payload: piece, ..present.tcp };
        let packet: Piece = build(segment, &tcp);
        self.inject(cx, &packet);
        self.update();
        self.tcb.rcv_nxt != rcv_nxt
    }
}
