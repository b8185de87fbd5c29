//! SEGMENT ARRIVES (RFC 9293, section 3.10.7.4): a segment is judged, shown to smoltcp, and the TCB brought up to date.

use smoltcp::socket::tcp::State;
use smoltcp::time::Instant;
use smoltcp::wire::TcpControl;

use crate::cx::Cx;
use crate::ip::device::Room;
use crate::ip::neighbours::Evidence;
use crate::tcp::segment::Segment;
use crate::tcp::seq::wrapped;
use crate::tcp::socket::{
    Socket, cut_fin, far_segment, new_connection, old_window, rfc5961, scaled_syn_window, text_after_fin,
};

/// What becomes of a segment that smoltcp must not process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It changes nothing, and is answered with an acknowledgement.
    Challenge,
    /// It changes nothing.
    Drop,
    /// It ends the connection, whatever else there is in it.
    Reset,
    /// It begins a new connection with the same 4-tuple.
    Reopen,
    /// It is the SYN that began the connection: its SYN|ACK is to be sent again.
    RepeatSynAck,
}

/// What a segment did to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It was processed.
    Processed(Progress),
    /// It changed nothing, though it may have been answered.
    Refused,
    /// It ended the connection.
    Reset,
    /// It begins a new connection with the same 4-tuple.
    Reopen,
    /// It is the SYN that began the connection: its SYN|ACK is to be sent again.
    RepeatSynAck,
}

/// What a segment has brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The peer keeps us waiting for nothing: it has acknowledged something, or there is nothing to acknowledge, or it says that its
    /// window is closed.
    pub(crate) keeps_up: bool,
    /// A payload byte made its way in either direction.
    pub(crate) payload: bool,
    /// All that was received is answered, all that was sent is acknowledged, and the peer's window is open.
    pub(crate) at_rest: bool,
}

/// Without prediction, all segments are looked at in full.
const PREDICTS: bool = cfg!(feature = "fast");

impl Socket<'_> {
    /// Header prediction, as in BSD (Jacobson, 1990): true if the segment is the next one in order on an established connection,
    /// and has data within the window or acknowledges something. Nearly all segments are such. None of them is to be refused, and
    /// smoltcp treats them rightly: [`arrives_as_predicted`](Self::arrives_as_predicted) is enough.
    #[cfg_attr(feature = "fast", inline(always))]
    pub(crate) fn is_predicted(&self, segment: &Segment<'_>) -> bool {
        let (tcb, tcp) = (&self.tcb, &segment.tcp);
        let Some(ack) = segment.ack() else {
            return false;
        };
        let acked = ack.ahead_of(tcb.snd_una).cast_unsigned();
        let length = wrapped(tcp.payload.len());
        PREDICTS
            && segment.seq() == tcb.rcv_nxt
            && acked <= tcb.snd_max.ahead_of(tcb.snd_una).cast_unsigned()
            && (acked, length) != (0, 0)
            && tcp.window_len != 0
            && tcb.smoltcp_edge.ahead_of(tcb.rcv_nxt) >= length.max(1).cast_signed()
            && tcb.rcv_edge_agreed
            && matches!(tcp.control, TcpControl::None | TcpControl::Psh)
            && self.state() == State::Established
            && !segment.packet.is_empty()
    }

    /// SEGMENT ARRIVES for a segment that [`is_predicted`](Self::is_predicted).
    #[cfg_attr(feature = "fast", inline(always))]
    pub(crate) fn arrives_as_predicted<H>(
        &mut self,
        cx: &mut Cx<'_, H>,
        segment: &Segment<'_>,
        tx: &mut (impl Room + ?Sized),
    ) -> Progress {
        debug_assert!(
            self.judge(segment).is_none() && !self.needs_room(segment),
            "it would be refused, or wait"
        );
        debug_assert!(!self.hides(segment) && self.news_at_closed_window(segment).is_none());
        debug_assert!(self.is_proof(segment));
        if cx.interface.has_frames() {
            cx.learn_from(segment, Evidence::Accepted);
        }
        self.feed(cx, segment.packet, tx);
        self.small_segment.forget_shown();
        let progress = self.progress(cx.now, segment, false, false);
        self.ask_for_ack_if_due(cx, segment, tx);
        progress
    }

    /// SEGMENT ARRIVES (RFC 9293, section 3.10.7.4) for any segment. `tx` is for what is answered at once.
    pub(crate) fn arrives<H>(
        &mut self,
        cx: &mut Cx<'_, H>,
        segment: &Segment<'_>,
        tx: &mut (impl Room + ?Sized),
    ) -> Arrival {
        match self.judge(segment) {
            None => {
                if cx.interface.has_frames() && self.is_proof(segment) {
                    cx.learn_from(segment, Evidence::Accepted);
                }
                self.process(cx, segment, tx)
            }
            Some(Verdict::Challenge) => {
                self.challenge(cx, segment, tx);
                Arrival::Refused
            }
            Some(Verdict::Drop) => Arrival::Refused,
            Some(Verdict::Reset) => Arrival::Reset,
            Some(Verdict::Reopen) => Arrival::Reopen,
            Some(Verdict::RepeatSynAck) => Arrival::RepeatSynAck,
        }
    }

    /// What becomes of the segment; None: smoltcp may process it.
    pub(super) fn judge(&self, segment: &Segment<'_>) -> Option<Verdict> {
        self.judge_numbers(segment)
            .or_else(|| cut_fin::judge(&self.tcb, segment))
            .or_else(|| scaled_syn_window::judge(&self.tcb, segment))
    }

    /// What becomes of the segment for its flags and numbers, wherever its data ends.
    #[cfg_attr(feature = "fast", inline(always))]
    pub(super) fn judge_numbers(&self, segment: &Segment<'_>) -> Option<Verdict> {
        let (state, tcb) = (self.state(), &self.tcb);
        new_connection::judge(state, tcb, segment)
            .or_else(|| rfc5961::reset_or_syn(state, tcb, segment))
            // RFC 9293, section 3.10.7.4: "if the ACK bit is off, drop the segment and return".
            .or_else(|| segment.tcp.ack_number.is_none().then_some(Verdict::Drop))
            .or_else(|| far_segment::judge(tcb, segment))
            .or_else(|| rfc5961::ack(state, tcb, segment))
            .or_else(|| text_after_fin::judge(state, tcb, segment))
    }

    /// True if a forger who knows nothing of the connection can hardly have sent the segment.
    pub(super) fn is_proof(&self, segment: &Segment<'_>) -> bool {
        // No peer has more in flight than both buffers hold.
        let socket = self.socket();
        rfc5961::is_proof(&self.tcb, segment, socket.recv_capacity() + socket.send_capacity())
    }

    /// Has smoltcp process a segment.
    pub(super) fn process<H>(
        &mut self,
        cx: &mut Cx<'_, H>,
        segment: &Segment<'_>,
        tx: &mut (impl Room + ?Sized),
    ) -> Arrival {
        let rcv_nxt = self.tcb.rcv_nxt;
        let overtaken = self.is_overtaken(segment);
        let other_window = self.window_in_last_ack(segment);
        self.tcb.window_shrank = other_window.is_some();
        let otherwise;
        let mut segment = segment;
        if overtaken || other_window.is_some() || segment.seq() != rcv_nxt && self.brings_fin_alone(segment) {
            otherwise = self.rewrite(segment);
            segment = &otherwise;
        }
        let in_order = segment.seq() == rcv_nxt;
        let says_nothing = overtaken && self.says_nothing(segment);
        if says_nothing || self.hides(segment) {
            return Arrival::Processed(self.progress_apart(cx.now, segment, says_nothing, says_nothing));
        }
        self.acknowledge_before_window_closes(cx, segment);
        let news = self.news_at_closed_window(segment);
        if let Some(ack) = news {
            let update = self.window_update(segment, ack, segment.tcp.window_len);
            self.inject(cx, &update);
        }
        if self.is_duplicate_in_last_ack(segment) {
            // It is not shown.
        } else if !in_order && self.is_outside(segment) {
            self.answer_outside(cx, segment, tx);
        } else if segment.packet.is_empty() {
            self.feed_pieces(cx, segment, tx);
        } else if !self.is_at_edge(segment) {
            self.feed_apart(cx, segment.packet, tx);
        }
        self.small_segment.forget_shown();
        if self.probes_without_end(segment) {
            self.update();
            let update = self.window_update(segment, self.tcb.snd_una, 1);
            self.inject(cx, &update);
        }
        let old = !in_order && news.is_none() && old_window::is_old(rcv_nxt, segment);
        let progress = self.progress_apart(cx.now, segment, old, overtaken);
        self.ask_for_ack_if_due(cx, segment, tx);
        Arrival::Processed(Progress { at_rest: progress.at_rest && in_order, ..progress })
    }

    /// Brings the TCB up to what smoltcp has made of a segment. `old`: its window does not count; `overtaken`: nor does its
    /// acknowledgement.
    #[cfg_attr(feature = "fast", inline(always))]
    fn progress(&mut self, now: Instant, segment: &Segment<'_>, old: bool, overtaken: bool) -> Progress {
        let (rcv_nxt, snd_una, window) = (self.tcb.rcv_nxt, self.tcb.snd_una, self.tcb.peer_window);
        self.update();
        let tcb = &mut self.tcb;
        // smoltcp has not taken the window of such a segment either.
        let counts = !old && segment.ack() == Some(tcb.snd_una);
        if counts {
            tcb.peer_window = segment.tcp.window_len;
            tcb.largest_peer_window = tcb.largest_peer_window.max(tcb.peer_window);
            if window == 0 && tcb.peer_window > 0 {
                tcb.recovery.window_opens();
            }
        }
        let numbers = tcb.numbers();
        if !overtaken {
            tcb.recovery.hears(now, segment, numbers, snd_una, window);
        }
        let (acked, received) = (tcb.snd_una != snd_una, tcb.rcv_nxt != rcv_nxt);
        let nothing_owed = self.send_queue() == 0;
        // A peer that cannot take more is not dead. But after our FIN its patience alone does not keep the slot.
        let content = (nothing_owed || segment.tcp.window_len == 0) && self.may_send();
        let at_rest = counts
            && nothing_owed
            && self.recv_queue() == 0
            && segment.tcp.payload.is_empty()
            && segment.tcp.window_len > 0;
        Progress { keeps_up: acked || content, payload: acked || received, at_rest }
    }

    /// The same, not inlined, for all segments but the predicted ones.
    #[cold]
    #[inline(never)]
    fn progress_apart(
        &mut self,
        now: Instant,
        segment: &Segment<'_>,
        old: bool,
        overtaken: bool,
    ) -> Progress {
        self.progress(now, segment, old, overtaken)
    }

    /// Shows smoltcp a packet, and takes note of what it answers.
    #[cfg_attr(feature = "fast", inline(always))]
    fn feed<H>(&mut self, cx: &mut Cx<'_, H>, packet: &[u8], tx: &mut (impl Room + ?Sized)) {
        let (sockets, mut departures) = self.departures(cx);
        departures.answers = true;
        cx.interface.process(cx.now, (packet, tx), sockets, &mut departures);
        let last = departures.last;
        self.note(last);
        self.look();
    }

    /// The same, not inlined, for all segments but the predicted ones.
    #[cold]
    #[inline(never)]
    pub(super) fn feed_apart<H>(&mut self, cx: &mut Cx<'_, H>, packet: &[u8], tx: &mut (impl Room + ?Sized)) {
        self.feed(cx, packet, tx);
    }

    /// Shows smoltcp a segment that the server built, and discards the answer.
    pub(super) fn inject<H>(&mut self, cx: &mut Cx<'_, H>, packet: &[u8]) {
        cx.interface.inject(cx.now, packet, self.sockets());
        self.look();
    }
}
