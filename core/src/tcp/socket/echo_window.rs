//! smoltcp offers the receive buffer, and an echo could take both buffers.
//!
//! RFC 9293, section 3.8.6: the window is what the receiver is willing to take. What a handler that passes bytes through has
//! received and the peer has not acknowledged again lies in either buffer, so the right edge of the window is SND.UNA's
//! number of bytes plus both. It never moves left: passing a byte changes nothing, and an acknowledgement moves it right.
//! Linux sends segments of at most half the largest window that it was offered: with 2048 bytes instead of 1024, a message of
//! 1000 bytes comes in one segment instead of two.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `the_window_is_the_receive_buffer_alone`
//! Kept by: core/src/tests/echo_window.rs

use heapless::Vec;
use smoltcp::wire::{ETHERNET_HEADER_LEN, TcpControl, TcpRepr};

use crate::cx::Cx;
use crate::tcp::segment::{Built, Segment, SentSegment, bare_ack, build};
use crate::tcp::seq::wrapped;
use crate::tcp::socket::Socket;
use crate::tcp::socket::tcb::Tcb;

/// The most that is taken of a segment at once that is longer than the receive buffer.
const PIECE: usize = 512;

impl Tcb {
    /// Offers both buffers, each of this size.
    pub(super) fn offer_both(&mut self, size: usize) {
        self.both = Some(2 * wrapped(size));
    }
}

/// Advertises the window of both buffers, if it is both.
#[inline]
pub(super) fn widen(tcb: &Tcb, packet: &mut [u8], segment: &mut SentSegment) {
    let Some(both) = tcb.both.filter(|_| !segment.rst) else {
        return;
    };
    let shift = if segment.syn { 0 } else { tcb.rcv_shift };
    let edge = tcb.irs + 1 + (tcb.snd_una.0.wrapping_sub(tcb.iss.0.wrapping_add(1))) + both;
    let ahead = u32::try_from(edge.ahead_of(segment.ack)).unwrap_or(0) >> shift;
    let window = u16::try_from(ahead).unwrap_or(u16::MAX);
    if window > segment.window {
        segment.rewrite_window(packet, window);
    }
}

impl Socket<'_> {
    /// True if smoltcp would cut a segment within the window that was offered: there is room for it, once the handler has passed on what lies in the receive
    /// buffer.
    #[inline]
    pub(crate) fn needs_room(&self, segment: &Segment<'_>) -> bool {
        let tcb = &self.tcb;
        tcb.both.is_some()
            && !segment.tcp.payload.is_empty()
            && segment.end().is_after(tcb.smoltcp_edge)
            && !segment.end().is_after(tcb.rcv_edge)
            && !segment.seq().is_after(tcb.rcv_nxt)
            && self.judge_numbers(segment).is_none()
    }

    /// Has smoltcp notice the room that there is in the receive buffer: it does when it answers a byte that came before.
    pub(crate) fn refresh_window<H>(&mut self, cx: &mut Cx<'_, H>, segment: &Segment<'_>) {
        let ports = (segment.tcp.src_port, segment.tcp.dst_port);
        let (seq, ack) = (self.tcb.rcv_nxt - 1, self.tcb.snd_una);
        let old_byte = TcpRepr { payload: &[0], ..bare_ack(ports, seq, ack, self.tcb.peer_window) };
        let packet: Built = build(segment, &old_byte);
        self.inject(cx, &packet);
        let free = self.socket().recv_capacity() - self.recv_queue();
        let window = (wrapped(free) >> self.tcb.rcv_shift).min(u16::MAX.into()) << self.tcb.rcv_shift;
        self.tcb.smoltcp_edge = self.tcb.rcv_nxt + window;
    }

    /// Has smoltcp take the first bytes of a segment that is longer than the receive buffer; the rest of it remains to be
    /// processed. False if it takes none.
    pub(crate) fn take_piece<H>(&mut self, cx: &mut Cx<'_, H>, segment: &Segment<'_>) -> bool {
        let rcv_nxt = self.tcb.rcv_nxt;
        let come = segment.seq().ahead_of(rcv_nxt).unsigned_abs() as usize;
        let Some(new) = segment.tcp.payload.get(come..) else {
            return false;
        };
        let piece = &new[..new.len().min(PIECE)];
        let seq_number = self.tcb.rcv_nxt.into();
        let tcp = TcpRepr { control: TcpControl::None, seq_number, payload: piece, ..segment.tcp };
        let packet: Vec<u8, { ETHERNET_HEADER_LEN + 40 + 60 + PIECE }> = build(segment, &tcp);
        self.inject(cx, &packet);
        self.update();
        self.tcb.rcv_nxt != rcv_nxt
    }
}
