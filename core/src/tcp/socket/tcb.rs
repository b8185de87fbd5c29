//! The transmission control block (RFC 9293, section 3.3.1), as smoltcp does not show its own.

use smoltcp::time::Instant;
use smoltcp::wire::TcpRepr;

use crate::ip::device::{Draft, Watch};
use crate::tcp::segment::SentSegment;
use crate::tcp::seq::{Seq, wrapped};
use crate::tcp::socket::recovery::{Numbers, Recovery};
use crate::tcp::socket::sack_blocks::SackBlocks;
use crate::tcp::socket::{echo_window, silly_window, window_rounding};

/// The variables of a connection, by their names in RFC 9293 and RFC 7323.
#[derive(Debug)]
pub(crate) struct Tcb {
    /// IRS: the peer's initial sequence number.
    pub(crate) irs: Seq,
    /// ISS: ours.
    pub(crate) iss: Seq,
    /// SND.UNA: the oldest number that the peer has not acknowledged.
    pub(crate) snd_una: Seq,
    /// SND.MAX: one past the highest sequence number sent so far. Unlike SND.NXT, it does not go back when something is
    /// retransmitted.
    pub(crate) snd_max: Seq,
    /// SND.WND as it stood in the peer's header, not scaled.
    pub(crate) peer_window: u16,
    /// In LAST-ACK, `peer_window` stands in for what the peer said last.
    pub(super) window_shrank: bool,
    /// MAX.SND.WND (RFC 5961, section 5.2), likewise.
    pub(crate) largest_peer_window: u16,
    /// Snd.Wind.Shift.
    pub(crate) snd_shift: u8,
    /// RCV.NXT: the next number that is expected from the peer.
    pub(crate) rcv_nxt: Seq,
    /// The farthest RCV.NXT + RCV.WND that was advertised.
    pub(crate) rcv_edge: Seq,
    /// The edge at which smoltcp cuts what comes: the one that it wrote, but for its probes, whose window it does not record.
    /// Another one may have been advertised ([`silly_window`], [`echo_window`], [`window_rounding`]).
    pub(crate) smoltcp_edge: Seq,
    /// smoltcp computes the same edge ([`scaled_syn_window`](super::scaled_syn_window)).
    pub(crate) rcv_edge_agreed: bool,
    /// Rcv.Wind.Shift.
    pub(crate) rcv_shift: u8,
    /// The size of both buffers, if the window is both ([`echo_window`]).
    pub(crate) both: Option<u32>,
    /// The length of the longest segment sent.
    pub(crate) longest_sent: u16,
    /// How many more segments advertise the receive buffer alone ([`echo_window`]).
    pub(crate) alone: u8,
    /// SND.UNA when the peer was last asked for an acknowledgement ([`echo_window`]).
    pub(crate) asked: Seq,
    /// How far the edge has to move right before it is advertised ([`silly_window`]).
    pub(crate) edge_step: u32,
    /// The blocks behind holes that the peer was told of.
    pub(crate) sack_blocks: SackBlocks,
    /// Bytes that the handler has read and written, modulo 2^32.
    pub(crate) read: u32,
    pub(crate) written: u32,
    pub(crate) recovery: Recovery,
}

/// What smoltcp's socket holds, as far as the TCB is computed from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queues {
    pub(crate) recv: usize,
    pub(crate) send: usize,
    /// The peer's FIN has been received.
    pub(crate) peer_finished: bool,
    /// Our FIN has been acknowledged.
    pub(crate) fin_acked: bool,
}

/// The window field of a segment with this acknowledgement that offers what is before `edge`, with a window scale of `shift`.
#[inline]
pub(super) fn window_to(edge: Seq, ack: Seq, shift: u8) -> u16 {
    let ahead = edge.ahead_of(ack).max(0).unsigned_abs() >> shift;
    u16::try_from(ahead).unwrap_or(u16::MAX)
}

impl Tcb {
    pub(crate) const EMPTY: Tcb = Tcb {
        irs: Seq(0),
        iss: Seq(0),
        snd_una: Seq(0),
        snd_max: Seq(0),
        peer_window: 0,
        window_shrank: false,
        largest_peer_window: 0,
        snd_shift: 0,
        rcv_nxt: Seq(0),
        rcv_edge: Seq(0),
        smoltcp_edge: Seq(0),
        rcv_edge_agreed: false,
        rcv_shift: 0,
        both: None,
        longest_sent: 0,
        alone: 0,
        asked: Seq(0),
        edge_step: 0,
        sack_blocks: SackBlocks::NONE,
        read: 0,
        written: 0,
        recovery: Recovery::EMPTY,
    };

    /// The TCB of a connection whose SYN, as smoltcp is shown it, has just come, and whose receive buffer has this capacity.
    /// `smss`: no segment of ours is longer.
    pub(crate) fn listen(syn: &TcpRepr<'_>, iss: Seq, capacity: usize, smss: u16) -> Tcb {
        let irs = Seq::from(syn.seq_number);
        #[expect(clippy::cast_possible_truncation, reason = "at most 48")]
        let shift = (usize::BITS - capacity.leading_zeros()).saturating_sub(16) as u8;
        // Each side scales if both do (RFC 7323, section 2.2), and smoltcp does if the peer does.
        let rcv_shift = syn.window_scale.map_or(0, |_| shift);
        // 14 at most: smoltcp's parser sees to that (section 2.3), and so does `malformed`.
        let snd_shift = syn.window_scale.unwrap_or(0);
        let (rcv_nxt, snd_una) = (irs + 1, iss + 1);
        Tcb {
            irs,
            iss,
            snd_una,
            snd_max: snd_una,
            peer_window: syn.window_len,
            window_shrank: false,
            // That of a SYN is not scaled.
            largest_peer_window: syn.window_len >> snd_shift,
            snd_shift,
            rcv_nxt,
            rcv_edge: rcv_nxt,
            smoltcp_edge: rcv_nxt,
            rcv_edge_agreed: false,
            rcv_shift,
            both: None,
            longest_sent: 0,
            alone: 0,
            asked: iss,
            edge_step: silly_window::step(capacity, rcv_shift),
            sack_blocks: SackBlocks::NONE,
            read: 0,
            written: 0,
            recovery: Recovery::new(
                smss,
                u16::try_from(capacity / 2).unwrap_or(u16::MAX),
                syn.sack_permitted,
            ),
        }
    }

    /// What recovery goes by.
    pub(super) fn numbers(&self) -> Numbers {
        Numbers { snd_una: self.snd_una, snd_max: self.snd_max }
    }

    /// SND.WND.
    pub(crate) fn snd_wnd(&self) -> usize {
        usize::from(self.peer_window) << self.snd_shift
    }

    /// The right edge of the peer's window.
    fn snd_edge(&self) -> Seq {
        self.snd_una + wrapped(self.snd_wnd())
    }

    /// MAX.SND.WND.
    pub(crate) fn max_snd_wnd(&self) -> u32 {
        u32::from(self.largest_peer_window) << self.snd_shift
    }

    /// One past the last byte that the handler has written.
    #[inline]
    pub(super) fn written_end(&self) -> Seq {
        self.iss + 1 + self.written
    }

    /// The right edge of the window that a segment of ours offers. That of a SYN is not scaled (RFC 7323, section 2.2).
    #[inline]
    pub(super) fn edge_of(&self, segment: &SentSegment) -> Seq {
        let shift = if segment.syn { 0 } else { self.rcv_shift };
        segment.ack + (u32::from(segment.window) << shift)
    }

    /// Brings RCV.NXT and SND.UNA up to what smoltcp has made of a segment.
    pub(crate) fn update(&mut self, queues: Queues) {
        let received = self.read.wrapping_add(wrapped(queues.recv));
        let acknowledged = self.written.wrapping_sub(wrapped(queues.send));
        self.rcv_nxt = self.irs + 1 + received + u32::from(queues.peer_finished);
        self.snd_una = self.iss + 1 + acknowledged + u32::from(queues.fin_acked);
    }

    /// Takes note of a segment that leaves; `probe`: it is one of the peer or of its closed window.
    #[cfg_attr(feature = "fast", inline(always))]
    pub(crate) fn departs(&mut self, now: Instant, segment: &SentSegment, probe: bool) {
        if segment.rst {
            return;
        }
        let edge = self.edge_of(segment);
        // Without a scale, it never moves left.
        if self.rcv_shift == 0 || segment.syn || edge.is_after(self.rcv_edge) {
            self.rcv_edge = edge;
        }
        if !probe {
            self.rcv_edge_agreed = !segment.syn || self.rcv_shift == 0;
        }
        if segment.syn {
            self.iss = segment.seq;
            self.snd_una = segment.end;
            self.snd_max = segment.end;
        }
        if !probe {
            self.recovery.departs(now, segment, self.numbers());
        }
        self.snd_max = self.snd_max.max(segment.end);
        let length = segment.end.ahead_of(segment.seq).unsigned_abs();
        self.longest_sent = self.longest_sent.max(u16::try_from(length).unwrap_or(u16::MAX));
    }
}

/// Notes each segment of a connection as it leaves.
pub(crate) struct Departures<'t> {
    pub(crate) tcb: &'t mut Tcb,
    pub(crate) now: Instant,
    pub(crate) link_header_len: usize,
    /// The socket is closed: what leaves is a RST, if anything.
    pub(crate) closed: bool,
    /// smoltcp answers at once: SACK blocks are added to what leaves.
    pub(crate) answers: bool,
    /// The last segment that left.
    pub(crate) last: Option<SentSegment>,
}

impl Departures<'_> {
    /// True if the segment is a probe of the peer or of its closed window. Behind the byte of such a probe may be our FIN, but a FIN
    /// alone is none.
    fn is_probe(&self, segment: &SentSegment) -> bool {
        let one_byte = segment.end == segment.seq + 1 + u32::from(segment.fin) && !segment.syn;
        one_byte && (self.tcb.peer_window == 0 || segment.seq.is_before(self.tcb.snd_una))
    }

    /// Gives an empty segment the number at which the peer accepts it, where smoltcp has gone back to send something again: SND.MAX, or
    /// the right edge of the peer's window if that is before it.
    #[cold]
    fn advance_empty(&self, packet: &mut [u8], segment: &mut SentSegment) {
        let seq = self.tcb.snd_edge().min(self.tcb.snd_max);
        if seq.is_after(segment.seq) {
            segment.rewrite_seq(packet, seq);
        }
    }
}

impl Watch for Departures<'_> {
    fn edits(&self) -> bool {
        self.answers
    }

    fn edit(&mut self, draft: &mut Draft) {
        self.tcb.sack_blocks.complete(draft, self.link_header_len);
    }

    #[inline]
    fn departs(&mut self, packet: &mut [u8]) {
        let Some(packet) = packet.get_mut(self.link_header_len..) else {
            return;
        };
        let Some(mut segment) = SentSegment::read(packet) else {
            return;
        };
        if segment.end == segment.seq && self.tcb.recovery.back {
            self.advance_empty(packet, &mut segment);
        }
        let probe = self.is_probe(&segment);
        if !probe && !segment.rst {
            self.tcb.smoltcp_edge = self.tcb.edge_of(&segment);
        }
        echo_window::widen(self.tcb, packet, &mut segment);
        silly_window::limit(self.tcb, packet, &mut segment);
        if self.tcb.rcv_shift > 0 {
            window_rounding::rewrite(self.tcb, packet, &mut segment);
        }
        self.tcb.departs(self.now, &segment, probe);
        self.last = Some(segment);
    }

    #[inline]
    fn permits(&self) -> bool {
        let tcb = &*self.tcb;
        let end = tcb.snd_edge().min(tcb.written_end());
        self.closed || tcb.recovery.permits(tcb.numbers(), end)
    }
}
