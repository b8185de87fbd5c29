//! What becomes of segments that are lost: each acknowledgement and each timeout passes here, and may order a
//! retransmission, which is carried out by [`retransmit`](super::retransmit); and how much may be in flight.

use smoltcp::time::Instant;

use crate::tcp::segment::{Segment, SentSegment};
use crate::tcp::seq::Seq;
use crate::tcp::socket::congestion_window::CongestionWindow;
use crate::tcp::socket::fast_recovery::{FastRecovery, Phase};
pub(super) use crate::tcp::socket::pipe::Numbers;
use crate::tcp::socket::retransmission_timer::RetransmissionTimer;
use crate::tcp::socket::sack_scoreboard::Scoreboard;
use crate::tcp::socket::tail_loss_probe::TailLossProbe;

/// The sender's state beside SND.UNA and SND.MAX.
#[derive(Debug)]
pub(crate) struct Recovery {
    pub(super) timer: RetransmissionTimer,
    pub(super) probe: TailLossProbe,
    pub(super) fast: FastRecovery,
    pub(super) sack: Scoreboard,
    /// The peer offered SACK with its SYN.
    pub(super) sack_permitted: bool,
    pub(super) window: CongestionWindow,
    /// SMSS: no segment is longer.
    pub(super) smss: u16,
    /// SMSS where segments are not divided ([`single_segment`](super::single_segment)).
    pub(super) whole_smss: u16,
    /// The path takes no segments as long as smoltcp would send.
    pub(super) path_is_narrow: bool,
    /// Half of the send buffer.
    pub(super) buffer_half: u16,
    /// What is lost is to be sent again, from `resume` on.
    pub(super) ordered: bool,
    /// What is before this number and was sent again is not sent again now.
    pub(super) resume: Seq,
    /// smoltcp was made to send the segment at SND.UNA again, and has not yet.
    pub(super) under_way: bool,
    /// smoltcp has gone back, and its SND.NXT has not come to SND.MAX again.
    pub(super) back: bool,
    /// The closed window is to be probed, as soon as the device has room.
    pub(super) probes_window: bool,
    /// HighRxt (RFC 6675, section 2): one past the highest byte that was sent again, since that was last begun at SND.UNA.
    pub(super) high_rxt: Seq,
    /// Something has been lost, or seemed to be, since all was acknowledged.
    pub(super) troubled: bool,
    /// Something has been lost on this connection.
    pub(super) lossy: bool,
    /// SND.NXT as smoltcp has it.
    pub(super) snd_nxt: Seq,
    /// Last.ACK.sent (RFC 7323, section 4.3): the acknowledgement number of the last segment that left.
    pub(super) last_ack_sent: Seq,
    /// The same of the last segment with data.
    pub(super) last_ack_with_data: Seq,
    /// The farthest time that smoltcp was told.
    pub(super) told: Instant,
}

impl Recovery {
    pub(crate) const EMPTY: Recovery = Recovery::new(0, 0, false);

    /// That of a connection with this SMSS and half of this send buffer, whose peer does or does not offer SACK.
    pub(crate) const fn new(smss: u16, buffer_half: u16, sack_permitted: bool) -> Recovery {
        Recovery {
            timer: RetransmissionTimer::NEW,
            probe: TailLossProbe::NEW,
            fast: FastRecovery::NEW,
            sack: Scoreboard::NEW,
            sack_permitted,
            window: CongestionWindow::initial(smss),
            smss,
            whole_smss: smss,
            path_is_narrow: false,
            buffer_half,
            ordered: false,
            resume: Seq(0),
            under_way: false,
            back: false,
            probes_window: false,
            high_rxt: Seq(0),
            troubled: false,
            lossy: false,
            snd_nxt: Seq(0),
            last_ack_sent: Seq(0),
            last_ack_with_data: Seq(0),
            told: Instant::ZERO,
        }
    }

    /// Takes note of a segment that leaves; `numbers`: as they are before it.
    #[cfg_attr(feature = "fast", inline(always))]
    pub(super) fn departs(&mut self, now: Instant, segment: &SentSegment, numbers: Numbers) {
        self.last_ack_sent = segment.ack;
        if segment.end == segment.seq {
            if !self.back {
                self.snd_nxt = segment.seq;
            }
            return;
        }
        self.last_ack_with_data = segment.ack;
        let idle = self.is_idle(numbers.snd_una);
        if self.under_way && segment.seq == numbers.snd_una {
            self.under_way = false;
            self.snd_nxt = self.snd_nxt.max(segment.end);
        } else {
            self.snd_nxt = segment.end;
        }
        if segment.seq.is_before(numbers.snd_max) && !segment.syn {
            self.repeats(segment, numbers);
        } else {
            self.timer.time(now, segment.end);
        }
        if idle && !segment.syn {
            // Anew: it may have run as the persist timer.
            self.timer.restart(now);
        }
        if self.lossy && self.fast.phase == Phase::Open {
            self.hasten_probe(now, Numbers { snd_max: self.snd_nxt, ..numbers });
        }
    }

    /// Takes what is in flight to be lost.
    pub(super) fn times_out(&mut self, numbers: Numbers) {
        let again = self.fast.phase == Phase::Loss;
        self.troubled = true;
        self.window.collapse(numbers.in_flight(), self.smss, again);
        self.fast.begin(Phase::Loss, numbers.snd_max);
    }

    /// Takes note of a segment that leaves again.
    #[cold]
    #[inline(never)]
    fn repeats(&mut self, segment: &SentSegment, numbers: Numbers) {
        self.timer.repeats(segment.seq, segment.end);
        self.high_rxt = self.repeated_to(numbers.snd_una).max(segment.end);
        self.back = self.snd_nxt.is_before(numbers.snd_max);
    }

    /// SND.NXT.
    pub(super) fn snd_nxt(&self, numbers: Numbers) -> Seq {
        if self.back { self.snd_nxt } else { numbers.snd_max }
    }

    /// Takes note of what a segment acknowledges; `before`: SND.UNA before it.
    #[cfg_attr(feature = "fast", inline(always))]
    pub(super) fn hears(
        &mut self,
        now: Instant,
        segment: &Segment<'_>,
        numbers: Numbers,
        before: Seq,
        window: u16,
    ) {
        self.timer.measure(now, numbers.snd_una);
        if segment.tcp.sack_ranges[0].is_some() {
            self.hears_twice(segment, before);
        }
        let acked = numbers.snd_una.ahead_of(before);
        if acked > 0 {
            self.advances(now, segment, numbers, acked.unsigned_abs());
        } else if numbers.in_flight() > 0 && segment.ack() == Some(before) {
            self.stands_still(now, segment, numbers, window);
        }
    }

    /// SND.UNA has advanced.
    #[cfg_attr(feature = "fast", inline(always))]
    fn advances(&mut self, now: Instant, segment: &Segment<'_>, numbers: Numbers, acked: u32) {
        self.snd_nxt = self.snd_nxt.max(numbers.snd_una);
        self.window.grow(acked, numbers.in_flight() + acked, self.smss);
        if self.troubled || numbers.in_flight() > 0 && segment.tcp.sack_ranges[0].is_some() {
            self.advances_in_trouble(now, segment, numbers);
        } else if numbers.in_flight() == 0 {
            self.timer.stop();
        } else {
            self.timer.restart(now);
        }
    }

    /// The same where something has been lost, or seemed to be.
    #[cold]
    #[inline(never)]
    fn advances_in_trouble(&mut self, now: Instant, segment: &Segment<'_>, numbers: Numbers) {
        self.troubled = self.lossy || numbers.in_flight() > 0;
        self.timer.backoff = 0;
        self.unite_if_sound(numbers);
        let probed = self.was_probe_needed(now);
        self.probe = TailLossProbe::NEW;
        let partial = self.fast.advance(numbers.snd_una);
        if numbers.in_flight() == 0 {
            if probed {
                self.hears_of_probe(segment);
            }
            self.timer.stop();
            (self.ordered, self.back) = (false, false);
            self.sack.clear();
            self.divide();
            return;
        }
        self.sack.advance(numbers.snd_una);
        self.hears_blocks(now, segment, numbers);
        if probed && numbers.snd_una.is_before(self.fast.mark()) {
            // What left before the probe and is not acknowledged with it is lost, too.
            self.lossy = true;
            self.window.halve(numbers.in_flight(), self.smss);
            self.fast.begin(Phase::Loss, self.fast.mark());
            self.order(now, numbers);
        } else if partial && !self.back && !numbers.snd_una.is_before(self.high_rxt) {
            self.order(now, numbers);
        } else {
            self.wait(now, numbers);
            self.fill_new_holes(numbers);
        }
    }

    /// Takes note of SACK blocks. Returns the first one that tells of anything new.
    pub(super) fn hears_blocks(
        &mut self,
        now: Instant,
        segment: &Segment<'_>,
        numbers: Numbers,
    ) -> Option<(Seq, Seq)> {
        let news = self.sack.take(&segment.tcp.sack_ranges, numbers.snd_una, numbers.snd_max);
        if let Some(block) = news {
            self.timer.measure_block(now, block);
        }
        news
    }

    /// An acknowledgement of what was acknowledged before, while something is in flight.
    #[cold]
    #[inline(never)]
    fn stands_still(&mut self, now: Instant, segment: &Segment<'_>, numbers: Numbers, window: u16) {
        if window == 0 || segment.tcp.window_len == 0 {
            self.stands_still_at_closed_window(now, segment, numbers, window);
            return;
        }
        self.troubled = true;
        if self.misses_answer(now, segment, numbers) {
            self.lossy = true;
            self.probe.fills_again();
            self.order(now, numbers);
            return;
        }
        let news = self.hears_blocks(now, segment, numbers);
        let bare = segment.is_bare() && segment.tcp.window_len == window;
        let is_duplicate = if self.sack_permitted { news.is_some() } else { bare };
        if is_duplicate {
            let later = news.is_some() && self.sack.highest(numbers.snd_una).is_after(self.fast.mark());
            if self.fast.duplicate(later) || self.fast.phase == Phase::Open && self.is_lost() {
                self.recover(now, numbers);
            } else if self.fast.phase == Phase::Open {
                if self.tells_of_hole(numbers) {
                    self.timer.hasten(now, TailLossProbe::reordering(&self.timer));
                }
            } else {
                if news.is_some_and(|block| block.0.is_before(self.high_rxt)) {
                    // What was sent again behind the first segment has arrived before it.
                    self.timer.hasten(now, self.probe.reordering_again(&self.timer));
                }
                self.fill_new_holes(numbers);
            }
        }
        self.timer.heard();
    }

    /// In a recovery, has holes filled that SACK has told of since (RFC 6675, section 5, step C).
    fn fill_new_holes(&mut self, numbers: Numbers) {
        let repeated = self.repeated_to(numbers.snd_una);
        let new = self.fast.phase == Phase::Recovery
            && self.sack.has_hole(repeated, self.sack.highest(numbers.snd_una));
        if new && !self.back && !self.ordered {
            (self.ordered, self.resume) = (true, repeated);
        }
    }

    /// IsLost of the first segment, if DupThresh segments' worth of bytes have arrived behind it (RFC 6675, section 4).
    fn is_lost(&self) -> bool {
        self.sack.bytes() > 2 * u32::from(self.smss)
    }

    /// Duplicates tell of a loss: that of the first segment, or of its retransmission.
    fn recover(&mut self, now: Instant, numbers: Numbers) {
        self.lossy = true;
        if self.fast.phase == Phase::Open {
            self.window.halve(numbers.in_flight(), self.smss);
            self.fast.begin(Phase::Recovery, numbers.snd_max);
        }
        self.order(now, numbers);
    }

    /// Orders the retransmission of what is lost, from the first segment on, and starts the timer for it.
    pub(super) fn order(&mut self, now: Instant, numbers: Numbers) {
        (self.ordered, self.resume, self.high_rxt) = (true, numbers.snd_una, numbers.snd_una);
        self.fast.retransmits(numbers.snd_max);
        self.wait(now, numbers);
    }

    /// Starts the timer for the first segment.
    fn wait(&mut self, now: Instant, numbers: Numbers) {
        let patience = self.patience(numbers).unwrap_or_else(|| self.timer.backed_off());
        self.timer.start(now, patience);
    }

    /// The timer has fired.
    #[cold]
    pub(super) fn fires(&mut self, now: Instant, numbers: Numbers) {
        self.troubled = true;
        if numbers.in_flight() == 0 {
            self.timer.stop();
        } else if self.tells_of_hole(numbers) && self.fast.phase == Phase::Open {
            self.recover(now, numbers);
        } else if self.patience(numbers).is_some() {
            self.probe.fills_again();
            self.order(now, numbers);
        } else if self.fast.phase == Phase::Open && self.probe.takes(&self.timer) {
            self.order(now, numbers);
        } else {
            self.lossy |= self.has_room_for_one();
            self.times_out(numbers);
            self.backs_off();
            self.order(now, numbers);
        }
    }
}
