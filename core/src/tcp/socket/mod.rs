//! smoltcp's TCP socket as RFC 9293 and RFC 5961 have it. Nothing outside this folder names `smoltcp::socket::tcp`.
//!
//! Each shortcoming of smoltcp 0.14 is repaired in a module of its own, shown by a test on bare smoltcp
//! (`core/tests/smoltcp.rs`) and kept by one of the core's tests. When the former goes red, smoltcp has mended it: delete
//! the module.
//!
//! | module | shortcoming |
//! |---|---|
//! | [`initial_sequence`] | one generator with public constants gives all initial sequence numbers |
//! | [`new_connection`] | no new SYN is taken in TIME-WAIT and SYN-RECEIVED; the same SYN again is not answered |
//! | [`far_segment`] | a segment about 2^31 away from RCV.NXT panics |
//! | [`cut_fin`] | the FIN of a segment whose tail is cut off is taken |
//! | [`fin_again`] | a FIN behind data that has been received is never taken |
//! | [`old_ack`] | data with an acknowledgement older than SND.UNA is dropped |
//! | [`challenge_rate`] | segments without data outside the window are answered once a second |
//! | [`sack_blocks`] | of several blocks behind holes, one is told |
//! | [`scaled_syn_window`] | the window of the SYN\|ACK is taken to be scaled |
//! | [`text_after_fin`] | bytes after the peer's FIN are taken |
//! | [`closed_window`] | acknowledgement and window of a segment outside a closed window are ignored |
//! | [`old_window`] | an old segment changes the window |
//! | [`fast_retransmit`] | a fast retransmission ignores the window |
//! | [`endless_probe`] | a closed window is probed without end in FIN-WAIT-2 |
//! | [`persist`] | probes of a closed window are up to a minute apart |
//! | [`stall`] | no timer runs after a window has shrunk |
//! | [`retransmission_timer`] | the timer starts at a second, and keeps its back-off |
//! | [`tail_loss_probe`] | the loss of a last segment waits for the timer |
//! | [`fast_recovery`] | partial acknowledgements, and duplicates that ride on data, draw nothing |
//! | [`sack_scoreboard`] | SACK blocks are ignored |
//! | [`congestion_window`] | a whole window leaves at once |
//! | [`path_mtu`] | ICMP errors about packets that are too big are ignored |
//! | [`keep_alive`] | a timeout ends healthy idle connections; a keep-alive is sent over bytes in flight |
//! | [`last_ack`] | LAST-ACK takes no window update |
//! | [`small_segments`] | a window that opens in drips draws segments of that size |
//! | [`silly_window`] | the window opens byte by byte |
//! | [`echo_window`] | the window is the receive buffer alone |
//! | [`reset_number`] | the RST of an abort behind a closed window has the wrong number |
//! | [`unread_data`] | unread data is lost without a RST |
//!
//! The others are no repairs: [`recovery`] has those of the sender work together, [`tcb`] and [`rfc5961`] would be needed
//! beside a perfect stack, [`stream`] is the handler's view, [`pieces`] is how smoltcp is shown what did not come so, and
//! [`shortcuts`] are for speed.

mod challenge_rate;
mod closed_window;
mod congestion_window;
mod cut_fin;
pub(crate) mod echo_window;
mod endless_probe;
mod far_segment;
mod fast_recovery;
mod fast_retransmit;
mod fin_again;
mod initial_sequence;
mod keep_alive;
mod last_ack;
mod new_connection;
mod old_ack;
mod old_window;
pub(crate) mod path_mtu;
mod persist;
mod pieces;
mod recovery;
mod reset_number;
mod retransmission_timer;
mod rfc5961;
pub(crate) mod sack_blocks;
mod sack_scoreboard;
mod scaled_syn_window;
mod shortcuts;
mod silly_window;
mod small_segments;
mod stall;
pub(crate) mod stream;
mod tail_loss_probe;
pub(crate) mod tcb;
mod text_after_fin;
mod unread_data;

use smoltcp::iface::{SocketHandle, SocketSet, SocketStorage};
use smoltcp::phy::{Device, TxToken};
use smoltcp::socket::tcp::{self, State};
use smoltcp::time::Instant;
use smoltcp::wire::{ETHERNET_HEADER_LEN, TcpRepr};

use self::challenge_rate::ChallengeRate;
use self::recovery::Numbers;
use self::small_segments::SmallSegment;
use self::tcb::{Answers, Departures, Queues, Tcb};
use crate::cx::Cx;
use crate::handler::Handler;
use crate::ip::device::Lent;
use crate::ip::interface::Sent;
use crate::ip::neighbours::Evidence;
use crate::tcp::demux::Tuple;
use crate::tcp::segment::{Built, Segment};
use crate::tcp::seq::{Seq, wrapped};
use crate::tcp::timers::NEVER;

/// A TCP socket: smoltcp's, in a set of its own, and what it does not tell.
#[derive(Debug)]
pub(crate) struct Socket<'a> {
    sockets: Option<SocketSet<'a>>,
    pub(super) tcb: Tcb,
    /// What smoltcp's socket said when it was last asked: after everything that may change it.
    seen: Seen,
    /// smoltcp has a timer running for this socket.
    has_timer: bool,
    /// The timer of the probes of a closed window was restarted, and nothing has been sent since.
    persist_restarted: bool,
    challenge_rate: ChallengeRate,
    small_segment: SmallSegment,
}

/// What smoltcp's socket says of itself. To ask it costs a look into its set each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    state: State,
    recv_queue: usize,
    send_queue: usize,
}

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

/// What the peer said with a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Something was acknowledged, or there is nothing to acknowledge, or the peer says that its window is closed.
    pub(crate) acked: bool,
    /// A payload byte made its way in either direction.
    pub(crate) payload: bool,
    /// All that was received is answered, all that was sent is acknowledged, and the peer's window is open.
    pub(crate) at_rest: bool,
}

/// How a connection stands, as far as its slot needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// SYN-RECEIVED.
    HalfOpen,
    /// ESTABLISHED.
    Established,
    /// One side has finished.
    Closing,
    TimeWait,
    Closed,
}

impl<'a> Socket<'a> {
    /// A socket without memory.
    pub(crate) const EMPTY: Socket<'a> = Socket {
        sockets: None,
        tcb: Tcb::EMPTY,
        seen: Seen { state: State::Closed, recv_queue: 0, send_queue: 0 },
        has_timer: false,
        persist_restarted: false,
        challenge_rate: ChallengeRate::FULL,
        small_segment: SmallSegment::NONE,
    };

    /// Gives the socket its memory.
    pub(crate) fn furnish(&mut self, storage: &'a mut SocketStorage<'a>, rx: &'a mut [u8], tx: &'a mut [u8]) {
        let mut socket = tcp::Socket::new(tcp::SocketBuffer::new(rx), tcp::SocketBuffer::new(tx));
        // The reply carries the acknowledgement: the handler runs between ingress and egress. Nagle's algorithm would wait
        // for the peer's delayed one.
        socket.set_ack_delay(None);
        socket.set_nagle_enabled(false);
        let mut sockets = SocketSet::new(core::slice::from_mut(storage));
        sockets.add(socket);
        self.sockets = Some(sockets);
    }

    /// Opens half a connection with this initial sequence number, whatever the socket was before; nothing is sent about
    /// what it was. `packets`: the SYN, and what is to be processed with it at once. False if smoltcp refuses the SYN.
    pub(crate) fn open<H: Handler>(
        &mut self,
        cx: &mut Cx<'_, H>,
        syn: &TcpRepr<'_>,
        iss: Seq,
        packets: &[Built],
    ) -> bool {
        // smoltcp keeps beside the socket which neighbour it waits for, up to a second. That was the last peer's.
        let sockets = self.sockets();
        let socket = sockets.remove(SocketHandle::default());
        sockets.add(socket);
        let socket = self.socket_mut();
        socket.abort();
        // Cannot fail: the socket is closed, and `syn` is for a port that is not 0.
        let _ = socket.listen(syn.dst_port);
        let buffer = socket.recv_capacity();
        self.tcb = Tcb::listen(syn, iss, buffer, recovery::smss(syn, cx.interface.capabilities().ip_mtu()));
        if H::PASSES {
            self.tcb.offer_both(buffer);
        }
        self.persist_restarted = false;
        self.challenge_rate = ChallengeRate::FULL;
        self.small_segment = SmallSegment::NONE;
        initial_sequence::open(cx, packets, self.sockets(), iss);
        self.look();
        self.state() == State::SynReceived
    }

    /// Takes note of a SYN|ACK that was sent before this socket had the connection.
    pub(crate) fn has_sent_syn_ack(&mut self) {
        let buffer = wrapped(self.socket().recv_capacity());
        let advertised = |capacity: u32| capacity.min(u16::MAX.into());
        self.tcb.rcv_edge = self.tcb.rcv_nxt + advertised(self.tcb.both.unwrap_or(buffer));
        self.tcb.smoltcp_edge = self.tcb.rcv_nxt + advertised(buffer);
        self.tcb.rcv_edge_agreed = self.tcb.rcv_shift == 0;
    }

    /// SEGMENT ARRIVES (RFC 9293, section 3.10.7.4). `tx` is for what is answered at once.
    pub(crate) fn arrives<H>(
        &mut self,
        cx: &mut Cx<'_, H>,
        segment: &Segment<'_>,
        tx: impl TxToken,
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
    fn judge(&self, segment: &Segment<'_>) -> Option<Verdict> {
        self.judge_numbers(segment)
            .or_else(|| cut_fin::judge(&self.tcb, segment))
            .or_else(|| scaled_syn_window::judge(&self.tcb, segment))
    }

    /// What becomes of the segment for its flags and numbers, wherever its data ends.
    #[inline(always)]
    fn judge_numbers(&self, segment: &Segment<'_>) -> Option<Verdict> {
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
    fn is_proof(&self, segment: &Segment<'_>) -> bool {
        // No peer has more in flight than both buffers hold.
        let socket = self.socket();
        rfc5961::is_proof(&self.tcb, segment, socket.recv_capacity() + socket.send_capacity())
    }

    /// Has smoltcp process a segment.
    fn process<H>(&mut self, cx: &mut Cx<'_, H>, segment: &Segment<'_>, tx: impl TxToken) -> Arrival {
        let rcv_nxt = self.tcb.rcv_nxt;
        let overtaken = self.is_overtaken(segment);
        let otherwise;
        let mut segment = segment;
        if overtaken || segment.seq() != rcv_nxt && self.brings_fin_alone(segment) {
            otherwise = self.rewrite(segment);
            segment = &otherwise;
        }
        let in_order = segment.seq() == rcv_nxt;
        let says_nothing = overtaken && self.says_nothing(segment);
        if says_nothing || self.hides(segment) {
            return Arrival::Processed(self.progress_of_hidden(cx.now, segment, says_nothing));
        }
        let news = self.news_at_closed_window(segment);
        if let Some(ack) = news {
            let update = self.window_update(segment, ack, segment.tcp.window_len);
            self.inject(cx, &update);
        }
        let mut tx = Some(tx);
        let lent = Lent(&mut tx);
        if !in_order && self.is_outside(segment) {
            self.answer_outside(cx, segment, lent);
        } else if segment.packet.is_empty() {
            self.feed_pieces(cx, segment, lent);
        } else if !self.is_at_edge(segment) {
            self.feed(cx, segment.packet, lent);
        }
        self.small_segment.forget_shown();
        if self.probes_without_end(segment) {
            self.update();
            let update = self.window_update(segment, self.tcb.snd_una, 1);
            self.inject(cx, &update);
        }
        let old = !in_order && news.is_none() && old_window::is_old(rcv_nxt, segment);
        let progress = self.progress(cx.now, segment, old, overtaken);
        if !segment.tcp.payload.is_empty()
            && self.waits_for_each_other()
            && let Some(tx) = tx
        {
            self.ask_for_ack(cx, segment, tx);
        }
        Arrival::Processed(Progress { at_rest: progress.at_rest && in_order, ..progress })
    }

    /// Takes note of a segment that smoltcp is not shown. On its own, as most segments do not come here.
    #[cold]
    #[inline(never)]
    fn progress_of_hidden(&mut self, now: Instant, segment: &Segment<'_>, old: bool) -> Progress {
        self.progress(now, segment, old, old)
    }

    /// Brings the TCB up to what smoltcp has made of a segment; `overtaken`: its acknowledgement says nothing.
    #[inline(always)]
    fn progress(&mut self, now: Instant, segment: &Segment<'_>, old: bool, overtaken: bool) -> Progress {
        let (rcv_nxt, snd_una, window) = (self.tcb.rcv_nxt, self.tcb.snd_una, self.tcb.peer_window);
        self.update();
        let tcb = &mut self.tcb;
        // smoltcp has not taken the window of an old or overtaken segment either.
        let counts = !old && segment.ack() == Some(tcb.snd_una);
        if counts {
            tcb.peer_window = segment.tcp.window_len;
            tcb.largest_peer_window = tcb.largest_peer_window.max(tcb.peer_window);
        }
        let numbers = Numbers { snd_una: tcb.snd_una, snd_max: tcb.snd_max };
        if !overtaken {
            tcb.recovery.hears(now, segment, numbers, snd_una, window);
        }
        let (acked, received) = (tcb.snd_una != snd_una, tcb.rcv_nxt != rcv_nxt);
        if received {
            tcb.tell_stream_from_conversation();
        }
        let nothing_owed = self.send_queue() == 0;
        // A peer that cannot take more is not dead. But after our FIN its patience alone does not keep the slot.
        let content = (nothing_owed || segment.tcp.window_len == 0) && self.may_send();
        let at_rest = counts
            && nothing_owed
            && self.recv_queue() == 0
            && segment.tcp.payload.is_empty()
            && segment.tcp.window_len > 0;
        Progress { acked: acked || content, payload: acked || received, at_rest }
    }

    /// Shows smoltcp a packet, and takes note of what it answers.
    #[inline]
    fn feed<H>(&mut self, cx: &mut Cx<'_, H>, packet: &[u8], tx: impl TxToken) {
        let send_queue_empty = self.send_queue() == 0;
        let (sockets, departures) = self.departures(cx, send_queue_empty);
        let mut answers = Answers(departures);
        cx.interface.process(cx.now, packet, tx, sockets, &mut answers);
        let last = answers.0.last;
        self.note(last);
        self.look();
    }

    /// The same with a packet that the server built. Do not be tempted to call `feed` instead: a function with several callers
    /// is not inlined, and every segment would pay.
    #[cold]
    #[inline(never)]
    fn feed_built<H>(&mut self, cx: &mut Cx<'_, H>, packet: &[u8], tx: impl TxToken) {
        self.feed(cx, packet, tx);
    }

    /// Shows smoltcp a segment that the server built, and discards the answer.
    fn inject<H>(&mut self, cx: &mut Cx<'_, H>, packet: &[u8]) {
        cx.interface.inject(cx.now, packet, self.sockets());
        self.look();
    }

    /// Sends what there is to send, to the last segment. `end`: where a segment ends that is known to be the last, and to
    /// have nothing in flight before it.
    pub(crate) fn send<H, D: Device + ?Sized>(
        &mut self,
        cx: &mut Cx<'_, H>,
        device: &mut D,
        end: Option<Seq>,
    ) -> Sent {
        self.withhold_small_segment(cx);
        if self.is_stream_with_room() {
            self.show_window(cx, self.tcb.half());
            if self.send_at_path_mtu(cx, device, None) == Sent::Blocked {
                return Sent::Blocked;
            }
            self.show_window(cx, wrapped(self.tcb.snd_wnd()));
        }
        self.send_at_path_mtu(cx, device, end)
    }

    /// Sends with the MTU of the path.
    #[inline]
    fn send_at_path_mtu<H, D: Device + ?Sized>(
        &mut self,
        cx: &mut Cx<'_, H>,
        device: &mut D,
        end: Option<Seq>,
    ) -> Sent {
        match self.tcb.recovery.path_mtu {
            0 => self.send_wide(cx, device, end),
            mtu => self.send_narrow(cx, device, mtu),
        }
    }

    /// Sends with the device's MTU.
    #[inline]
    fn send_wide<H, D: Device + ?Sized>(
        &mut self,
        cx: &mut Cx<'_, H>,
        device: &mut D,
        end: Option<Seq>,
    ) -> Sent {
        if let Some(end) = end
            && let Some(sent) = self.send_last(cx, device, end)
        {
            return sent;
        }
        if let Some(sent) = self.send_again(cx, device) {
            return sent;
        }
        let send_queue_empty = self.send_queue() == 0;
        let (sockets, mut departures) = self.departures(cx, send_queue_empty);
        let sent = cx.interface.send(cx.now, device, sockets, &mut departures);
        let last = departures.last;
        self.note(last);
        self.look();
        self.has_timer = sent != Sent::All(NEVER);
        if sent == Sent::Held
            && let Some(sent) = self.acknowledge(cx, device)
        {
            return sent;
        }
        sent
    }

    /// smoltcp's socket, and who is to note what it sends.
    #[inline]
    fn departures<H>(
        &mut self,
        cx: &Cx<'_, H>,
        send_queue_empty: bool,
    ) -> (&mut SocketSet<'a>, Departures<'_>) {
        let link_header = if cx.interface.has_frames() { ETHERNET_HEADER_LEN } else { 0 };
        let closed = self.state() == State::Closed;
        let Socket { sockets, tcb, .. } = self;
        let now = cx.now;
        (set(sockets), Departures { tcb, now, link_header, send_queue_empty, closed, last: None })
    }

    fn note(&mut self, last: Option<crate::tcp::segment::SentSegment>) {
        if let Some(last) = last {
            self.persist_restarted &= last.end == last.seq;
        }
    }

    /// Sends a RST, if the device takes it, and closes the socket.
    pub(crate) fn abort<H, D: Device + ?Sized>(
        &mut self,
        cx: &mut Cx<'_, H>,
        device: &mut D,
        tuple: Tuple,
    ) -> Sent {
        let sent = if self.is_shut_out() {
            match device.transmit(cx.now) {
                None => Sent::Blocked,
                Some(token) => {
                    let ack = self.draws_reset(&cx.interface.link_header(tuple.local), tuple);
                    cx.interface.process_without_sockets(cx.now, &ack, token);
                    Sent::All(NEVER)
                }
            }
        } else {
            self.forget();
            self.send(cx, device, None)
        };
        // In either case: in the first, the socket has not been told; in the second, the device may have refused the RST.
        self.forget();
        sent
    }

    /// Closes the socket without a word to the peer.
    pub(crate) fn forget(&mut self) {
        self.socket_mut().abort();
        self.look();
    }

    /// Sends a FIN after what has been written.
    pub(crate) fn close(&mut self) {
        self.socket_mut().close();
        self.look();
    }

    /// Throws away what has been received and not been read; returns how many bytes that is.
    pub(crate) fn discard(&mut self) -> usize {
        let mut discarded = 0;
        while let Ok(taken @ 1..) = self.socket_mut().recv(|bytes| (bytes.len(), bytes.len())) {
            discarded += taken;
        }
        self.tcb.read = self.tcb.read.wrapping_add(wrapped(discarded));
        self.look();
        discarded
    }

    pub(crate) fn standing(&self) -> Standing {
        match self.state() {
            State::SynReceived => Standing::HalfOpen,
            State::Established => Standing::Established,
            State::FinWait1 | State::FinWait2 | State::CloseWait | State::Closing | State::LastAck => {
                Standing::Closing
            }
            State::TimeWait => Standing::TimeWait,
            State::Listen | State::Closed | State::SynSent => Standing::Closed,
        }
    }

    /// True if the peer's FIN is the last that has come, and ours has not been sent.
    pub(crate) fn is_half_closed(&self) -> bool {
        self.state() == State::CloseWait
    }

    /// True if our side has not finished.
    pub(crate) fn may_send(&self) -> bool {
        matches!(self.state(), State::Established | State::CloseWait)
    }

    /// Bytes that have been received and not been read.
    pub(crate) fn recv_queue(&self) -> usize {
        self.seen().recv_queue
    }

    /// Bytes that have been written and not been acknowledged.
    pub(crate) fn send_queue(&self) -> usize {
        self.seen().send_queue
    }

    /// ISS.
    pub(crate) fn iss(&self) -> Seq {
        self.tcb.iss
    }

    /// RCV.NXT.
    pub(crate) fn rcv_nxt(&self) -> Seq {
        self.tcb.rcv_nxt
    }

    /// SND.MAX.
    pub(crate) fn snd_max(&self) -> Seq {
        self.tcb.snd_max
    }

    /// True if the segment acknowledges another SYN|ACK than ours: that of an earlier half-open slot with the same 4-tuple,
    /// which was evicted before its SYN came again.
    pub(crate) fn is_doubtful(&self, segment: &Segment<'_>) -> bool {
        segment.ack().is_some_and(|ack| ack != self.tcb.iss + 1)
    }

    fn is_synchronized(&self) -> bool {
        !matches!(self.standing(), Standing::HalfOpen | Standing::Closed)
    }

    fn update(&mut self) {
        let Seen { state, recv_queue, send_queue } = self.seen();
        let queues = Queues {
            recv: recv_queue,
            send: send_queue,
            peer_finished: matches!(
                state,
                State::CloseWait | State::LastAck | State::Closing | State::TimeWait
            ),
            fin_acked: matches!(state, State::FinWait2 | State::TimeWait),
        };
        self.tcb.update(queues);
    }

    fn state(&self) -> State {
        self.seen().state
    }

    #[inline]
    fn seen(&self) -> Seen {
        debug_assert_eq!(self.seen, see(self.socket()), "smoltcp's socket changed unseen");
        self.seen
    }

    /// Takes note of what smoltcp's socket says, after something that may have changed it.
    #[inline]
    fn look(&mut self) {
        self.seen = see(self.socket());
    }

    fn socket(&self) -> &tcp::Socket<'a> {
        match &self.sockets {
            Some(sockets) => sockets.get(SocketHandle::default()),
            None => unreachable!("the server furnishes every slot before it uses one"),
        }
    }

    fn socket_mut(&mut self) -> &mut tcp::Socket<'a> {
        self.sockets().get_mut(SocketHandle::default())
    }

    fn sockets(&mut self) -> &mut SocketSet<'a> {
        set(&mut self.sockets)
    }
}

fn see(socket: &tcp::Socket<'_>) -> Seen {
    Seen { state: socket.state(), recv_queue: socket.recv_queue(), send_queue: socket.send_queue() }
}

fn set<'s, 'a>(sockets: &'s mut Option<SocketSet<'a>>) -> &'s mut SocketSet<'a> {
    match sockets {
        Some(sockets) => sockets,
        None => unreachable!("the server furnishes every slot before it uses one"),
    }
}
