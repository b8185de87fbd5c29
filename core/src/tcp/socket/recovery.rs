//! What becomes of segments that are lost: each acknowledgement and each timeout passes here, and may order a
//! retransmission; and how much may be in flight.
//!
//! smoltcp's own timer is made to fire in two ways only. Three duplicate acknowledgements, made up, have it send the segment
//! at SND.UNA, at any time, and go on where it was. Where that is not possible, as in LAST-ACK or for a FIN alone,
//! smoltcp is called with the time at which its timer fires, and goes back to SND.UNA. Otherwise that timer is kept from
//! firing before ours: a retransmission leaves at a time so far ahead that smoltcp's next one comes later.

use smoltcp::phy::Device;
use smoltcp::socket::tcp::State;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{TcpControl, TcpRepr};

use crate::cx::Cx;
use crate::ip::interface::Sent;
use crate::tcp::demux::Tuple;
use crate::tcp::segment::{Built, Segment, SentSegment, build};
use crate::tcp::seq::{Seq, wrapped};
use crate::tcp::socket::Socket;
use crate::tcp::socket::congestion_window::CongestionWindow;
use crate::tcp::socket::fast_recovery::{FastRecovery, Phase};
use crate::tcp::socket::retransmission_timer::RetransmissionTimer;
use crate::tcp::socket::sack_scoreboard::Scoreboard;
use crate::tcp::socket::tail_loss_probe::TailLossProbe;
use crate::tcp::timers::NEVER;

/// smoltcp's timer runs for this long at least, and for that long at most.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// On Ethernet, smoltcp is told no time farther ahead than this: it would forget the neighbours, which are
/// renewed every half a minute and kept for a minute.
const NEIGHBOURS: Duration = Duration::from_secs(24);

/// The sender's state beside SND.UNA and SND.MAX.
#[derive(Debug)]
pub(crate) struct Recovery {
    pub(super) timer: RetransmissionTimer,
    probe: TailLossProbe,
    fast: FastRecovery,
    sack: Scoreboard,
    window: CongestionWindow,
    /// SMSS: no segment is longer.
    pub(super) smss: u16,
    /// The MTU of a path that takes less than the device; 0: none.
    pub(super) path_mtu: u16,
    /// The segment at SND.UNA is to be sent again.
    ordered: bool,
    /// smoltcp was made to send it again, and has not yet.
    under_way: bool,
    /// Something has been lost, or seemed to be, since all was acknowledged.
    troubled: bool,
    /// SND.NXT as smoltcp has it.
    snd_nxt: Seq,
    /// The acknowledgement that left last.
    pub(super) acked: Seq,
    /// The farthest time that smoltcp was told.
    told: Instant,
}

/// The numbers of a connection that a recovery goes by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    pub(super) snd_una: Seq,
    pub(super) snd_max: Seq,
}

impl Numbers {
    fn in_flight(self) -> u32 {
        self.snd_max.ahead_of(self.snd_una).max(0).unsigned_abs()
    }
}

impl Recovery {
    pub(crate) const EMPTY: Recovery = Recovery::new(0, false);

    /// That of a connection with this SMSS, whose peer does or does not offer SACK.
    pub(crate) const fn new(smss: u16, sack_permitted: bool) -> Recovery {
        Recovery {
            timer: RetransmissionTimer::NEW,
            probe: TailLossProbe::NEW,
            fast: FastRecovery::NEW,
            sack: Scoreboard::new(sack_permitted),
            window: CongestionWindow::initial(smss),
            smss,
            path_mtu: 0,
            ordered: false,
            under_way: false,
            troubled: false,
            snd_nxt: Seq(0),
            acked: Seq(0),
            told: Instant::ZERO,
        }
    }

    /// Takes note of a segment that leaves; `snd_max`: SND.MAX before.
    #[inline(always)]
    pub(super) fn departs(&mut self, now: Instant, segment: &SentSegment, numbers: Numbers) {
        self.acked = segment.ack;
        if segment.end == segment.seq {
            self.snd_nxt = segment.seq;
            return;
        }
        if self.under_way && segment.seq == numbers.snd_una {
            self.under_way = false;
            self.snd_nxt = self.snd_nxt.max(segment.end);
        } else {
            self.snd_nxt = segment.end;
        }
        if segment.seq.is_before(numbers.snd_max) && !segment.syn {
            self.timer.forget();
        } else if self.fast.phase == Phase::Open {
            self.timer.time(now, segment.end);
        }
        if !segment.syn {
            self.timer.ensure(now);
        }
    }

    /// Takes note of what a segment acknowledges; `before`: SND.UNA before it.
    #[inline(always)]
    pub(super) fn hears(
        &mut self,
        now: Instant,
        segment: &Segment<'_>,
        numbers: Numbers,
        before: Seq,
        window: u16,
    ) {
        self.timer.measure(now, numbers.snd_una);
        let acked = numbers.snd_una.ahead_of(before);
        if acked > 0 {
            self.advances(now, segment, numbers, acked.unsigned_abs());
        } else if numbers.in_flight() > 0 && segment.ack() == Some(before) && window > 0 {
            // Behind a closed window, it answers a probe of it.
            self.stands_still(now, segment, numbers, window);
        }
    }

    /// SND.UNA has advanced.
    #[inline(always)]
    fn advances(&mut self, now: Instant, segment: &Segment<'_>, numbers: Numbers, acked: u32) {
        self.snd_nxt = self.snd_nxt.max(numbers.snd_una);
        self.window.grow(acked, numbers.in_flight() + acked, self.smss);
        if numbers.in_flight() == 0 {
            self.timer.stop();
        } else {
            self.timer.restart(now);
        }
        if self.troubled || numbers.in_flight() > 0 && segment.tcp.sack_ranges[0].is_some() {
            self.advances_in_trouble(now, segment, numbers);
        }
    }

    /// The same where something has been lost, or seemed to be.
    #[cold]
    #[inline(never)]
    fn advances_in_trouble(&mut self, now: Instant, segment: &Segment<'_>, numbers: Numbers) {
        self.troubled = numbers.in_flight() > 0;
        self.timer.backoff = 0;
        self.probe = TailLossProbe::NEW;
        let partial = self.fast.advance(numbers.snd_una);
        if numbers.in_flight() == 0 {
            self.ordered = false;
            self.sack.clear();
            return;
        }
        self.timer.restart(now);
        self.sack.advance(numbers.snd_una);
        self.sack.take(&segment.tcp.sack_ranges, numbers.snd_una, numbers.snd_max);
        if partial {
            self.order(now, numbers);
        }
    }

    /// An acknowledgement of what was acknowledged before, while something is in flight.
    #[cold]
    #[inline(never)]
    fn stands_still(&mut self, now: Instant, segment: &Segment<'_>, numbers: Numbers, window: u16) {
        self.troubled = true;
        let tcp = &segment.tcp;
        let news = self.sack.take(&tcp.sack_ranges, numbers.snd_una, numbers.snd_max);
        let bare = tcp.payload.is_empty() && tcp.control == TcpControl::None && tcp.window_len == window;
        let is_duplicate = if self.sack.permitted { news } else { bare };
        if is_duplicate {
            let later = news && self.sack.reaches_beyond(self.fast.mark());
            if self.fast.duplicate(later) || self.fast.phase == Phase::Open && self.is_lost() {
                self.recover(now, numbers);
            } else if self.fast.phase == Phase::Open && self.tells_of_hole(numbers) {
                self.timer.hasten(now, TailLossProbe::reordering(&self.timer));
            }
        }
        self.timer.heard();
    }

    /// IsLost of the first segment, if DupThresh segments' worth of bytes have arrived behind it (RFC 6675, section 4).
    fn is_lost(&self) -> bool {
        self.sack.bytes() > 2 * u32::from(self.smss)
    }

    /// Duplicates tell of a loss: that of the first segment, or of its retransmission.
    fn recover(&mut self, now: Instant, numbers: Numbers) {
        if self.fast.phase == Phase::Open {
            self.window.halve(numbers.in_flight(), self.smss);
            self.fast.begin(Phase::Recovery, numbers.snd_max);
        }
        self.order(now, numbers);
    }

    /// Orders the retransmission of the first segment, and starts the timer for it.
    fn order(&mut self, now: Instant, numbers: Numbers) {
        self.ordered = true;
        // The acknowledgement of whatever is being timed waits for this one.
        self.timer.forget();
        self.fast.retransmits(numbers.snd_max);
        let patience = if self.tells_of_hole(numbers) { self.probe.patience(&self.timer) } else { None };
        self.timer.start(now, patience.unwrap_or_else(|| self.timer.backed_off()));
    }

    /// True if the peer has something behind a hole.
    /// Without SACK, something has to be in flight behind the first segment.
    fn tells_of_hole(&self, numbers: Numbers) -> bool {
        self.fast.duplicates > 0 && numbers.in_flight() > u32::from(self.smss) || !self.sack.is_empty()
    }

    /// The timer has fired.
    #[cold]
    fn fires(&mut self, now: Instant, numbers: Numbers) {
        self.troubled = true;
        if numbers.in_flight() == 0 {
            self.timer.stop();
        } else if self.tells_of_hole(numbers) && self.fast.phase == Phase::Open {
            self.recover(now, numbers);
        } else if self.tells_of_hole(numbers) && self.probe.patience(&self.timer).is_some() {
            self.probe.fills_again();
            self.order(now, numbers);
        } else if self.fast.phase == Phase::Open && self.probe.takes(&self.timer) {
            self.order(now, numbers);
        } else {
            let again = self.fast.phase == Phase::Loss;
            self.window.collapse(numbers.in_flight(), self.smss, again);
            self.fast.begin(Phase::Loss, numbers.snd_max);
            self.timer.backoff = self.timer.backoff.saturating_add(1);
            self.order(now, numbers);
        }
    }

    /// The path takes packets of this MTU, headers included: what is in flight is lost, and no sign of congestion (RFC 1191,
    /// section 6.5). False if the packets are no longer than that anyway.
    pub(super) fn narrows(&mut self, now: Instant, mtu: u16, headers: u16, numbers: Numbers) -> bool {
        let narrows = mtu.saturating_sub(headers) < self.smss;
        if narrows {
            (self.path_mtu, self.smss) = (mtu, mtu - headers);
            self.troubled = true;
            self.fast.begin(Phase::Recovery, numbers.snd_max);
            self.order(now, numbers);
        }
        narrows
    }

    /// How much is in the network: what was sent, less what has arrived.
    fn pipe(&self, snd_una: Seq) -> u32 {
        let sent = self.snd_nxt.ahead_of(snd_una).max(0).unsigned_abs();
        let arrived = match self.sack.permitted {
            true => self.sack.bytes(),
            false => u32::from(self.fast.duplicates) * u32::from(self.smss),
        };
        sent.saturating_sub(arrived)
    }

    /// True if another segment with data may leave, if there is any that the peer's window has room for; `end`: of all that
    /// there is to send and has room.
    #[inline]
    pub(super) fn permits(&self, snd_una: Seq, end: Seq) -> bool {
        !end.is_after(self.snd_nxt) || self.window.permits(self.pipe(snd_una), self.smss)
    }
}

/// SMSS of a connection with this SYN on a device with this MTU. smoltcp takes no smaller one than 48 from its peer, and 40
/// bytes are headers.
pub(super) fn smss(syn: &TcpRepr<'_>, mtu: usize) -> u16 {
    let longest = u16::try_from(mtu.saturating_sub(40)).unwrap_or(u16::MAX);
    syn.max_seg_size.unwrap_or(536).max(48).min(longest)
}

impl Socket<'_> {
    pub(super) fn numbers(&self) -> Numbers {
        Numbers { snd_una: self.tcb.snd_una, snd_max: self.tcb.snd_max }
    }

    /// When [`retransmission_due`](Self::retransmission_due) has something to do. Behind a closed window, smoltcp's probes
    /// take the timer's place (RFC 9293, section 3.8.6.1).
    #[inline]
    pub(crate) fn retransmits_at(&self) -> Instant {
        if self.tcb.peer_window == 0 { NEVER } else { self.tcb.recovery.timer.at() }
    }

    /// The retransmission timer has fired.
    pub(crate) fn retransmission_due(&mut self, now: Instant) {
        let numbers = self.numbers();
        self.tcb.recovery.fires(now, numbers);
    }

    /// Sends the segment at SND.UNA again, if that was ordered. None if there is nothing that keeps the rest from being sent.
    #[inline]
    pub(super) fn send_again<H, D: Device + ?Sized>(
        &mut self,
        cx: &mut Cx<'_, H>,
        device: &mut D,
    ) -> Option<Sent> {
        if self.tcb.recovery.ordered { self.retransmit(cx, device) } else { None }
    }

    #[cold]
    fn retransmit<H, D: Device + ?Sized>(&mut self, cx: &mut Cx<'_, H>, device: &mut D) -> Option<Sent> {
        let is_due = self.numbers().in_flight() > 0 && self.tcb.peer_window > 0 && self.is_synchronized();
        if !is_due {
            self.tcb.recovery.ordered = false;
            return None;
        }
        let Some(token) = device.transmit(cx.now) else {
            return Some(Sent::Blocked);
        };
        self.tcb.recovery.ordered = false;
        let at = if self.can_repeat() {
            let tuple = self.tuple()?;
            self.restart_timer(cx, tuple);
            self.tcb.recovery.under_way = true;
            // smoltcp's timer is started when the segment leaves.
            let ours = self.tcb.recovery.timer.interval();
            cx.now + if ours > SHORTEST { ours - SHORTEST } else { Duration::ZERO }
        } else {
            // Where smoltcp has nothing to send, it tells when its timer fires.
            match cx.interface.poll_at(cx.now, self.sockets()) {
                at if at > cx.now && at < NEVER => at,
                _ => self.tcb.recovery.told.max(cx.now) + LONGEST,
            }
        };
        let at = if cx.interface.has_frames() { at.min(cx.now + NEIGHBOURS) } else { at };
        self.tcb.recovery.told = self.tcb.recovery.told.max(at);
        let (sockets, mut departures) = self.departures(cx, false);
        cx.interface.send_one(at, token, sockets, &mut departures);
        let last = departures.last;
        self.note(last);
        self.look();
        None
    }

    /// Sends the acknowledgement or the window that is due while the congestion window holds back the data that it would ride
    /// on: smoltcp answers a byte to the left of the window with it.
    #[cold]
    pub(super) fn acknowledge<H, D: Device + ?Sized>(
        &mut self,
        cx: &mut Cx<'_, H>,
        device: &mut D,
    ) -> Option<Sent> {
        let tcb = &self.tcb;
        let room = wrapped(self.socket().recv_capacity() - self.recv_queue());
        let opens = (tcb.rcv_nxt + room).ahead_of(tcb.rcv_edge) >= tcb.edge_step.cast_signed();
        if tcb.recovery.acked == tcb.rcv_nxt && !opens {
            return None;
        }
        let tuple = self.tuple()?;
        let Some(token) = device.transmit(cx.now) else {
            return Some(Sent::Blocked);
        };
        let link_header = cx.interface.link_header(tuple.local);
        let mut tcp = self.last_ack(tuple);
        tcp.seq_number = (self.tcb.rcv_nxt - 1).into();
        tcp.payload = &[0];
        let probe: Built = build(&Segment { packet: &[], link_header: &link_header, tuple, tcp }, &tcp);
        self.feed_apart(cx, &probe, token);
        None
    }

    /// True if smoltcp sends the segment at SND.UNA alone for three duplicates: not in LAST-ACK, where it answers
    /// them; not a FIN alone; and not if the window has no room for the segment, which smoltcp ignores.
    fn can_repeat(&self) -> bool {
        let longest = usize::from(self.tcb.recovery.smss).min(self.send_queue());
        longest > 0 && longest <= self.tcb.snd_wnd() && self.state() != State::LastAck
    }

    /// The 4-tuple, as smoltcp knows it.
    fn tuple(&self) -> Option<Tuple> {
        let socket = self.socket();
        Some(Tuple { remote: socket.remote_endpoint()?, local: socket.local_endpoint()?.addr })
    }
}
