//! One slot: a TCP connection from its SYN to the slot's next use.

use smoltcp::iface::{SocketHandle, SocketSet, SocketStorage};
use smoltcp::socket::tcp::{self, State};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{TcpControl, TcpRepr, TcpSeqNumber};

use crate::echo;
use crate::ip::device::SentSegment;
use crate::tcp::demux::Flow;
use crate::tcp::policy::{Deadlines, PROBE};
use crate::tcp::socket::rfc5961::{self, Expected};
use crate::tcp::timers::NEVER;

/// The memory of one TCP connection.
#[derive(Debug)]
pub struct Slot<'a> {
    sockets: Option<SocketSet<'a>>,
    pub(crate) phase: Phase,
    /// IRS and ISS.
    initial_receive: TcpSeqNumber,
    initial_send: TcpSeqNumber,
    /// Behind everything that was ever sent.
    send_next: TcpSeqNumber,
    /// Octets that the service took from the receive buffer and put into the send buffer, modulo 2^32.
    pub(super) taken: u32,
    pub(super) given: u32,
    /// Octets that the peer sent and that it acknowledged, when it was last heard.
    received: u32,
    acknowledged: u32,
    /// The right edge of the window that was offered last, but for probes, and whether smoltcp takes it to be there.
    edge: TcpSeqNumber,
    edge_agreed: bool,
    window_shift: u8,
    /// The window that the peer offered last, as it stood in the header, and its scale.
    pub(super) peer_window: u16,
    peer_shift: u8,
    /// No segment of ours is larger.
    pub(super) segment_size: u16,
    /// smoltcp waits for a time.
    pub(super) timed: bool,
    /// It began anew to probe the peer's closed window, and has sent nothing since.
    probes_anew: bool,
    pub(super) deadlines: Deadlines,
}

/// How far a slot's connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Free,
    HalfOpen,
    Open,
    TimeWait,
}

/// How a deadline changed a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// Not at all: no deadline of the slot's own has come.
    Nothing,
    /// The half-open connection is given up without a word, or one in TIME-WAIT is forgotten.
    Abandoned,
    /// The idle connection is being closed.
    Closing,
    /// The silent peer is to be probed.
    Probe,
    /// smoltcp is to be told to send again what it has lost track of.
    Nudge,
    /// The peer is dead, or did not let the connection end: it is to be aborted.
    Dead,
}

/// What the service did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Served {
    /// Octets that it took and gave.
    pub(crate) taken: usize,
    pub(crate) given: usize,
    /// Where these octets end, if there is nothing else to send, and nothing in flight before them.
    pub(crate) end: Option<TcpSeqNumber>,
}

impl<'a> Slot<'a> {
    /// A slot before its first use.
    pub const EMPTY: Slot<'a> = Slot {
        sockets: None,
        phase: Phase::Free,
        initial_receive: TcpSeqNumber(0),
        initial_send: TcpSeqNumber(0),
        send_next: TcpSeqNumber(0),
        taken: 0,
        given: 0,
        received: 0,
        acknowledged: 0,
        edge: TcpSeqNumber(0),
        edge_agreed: false,
        window_shift: 0,
        peer_window: 0,
        peer_shift: 0,
        segment_size: 0,
        timed: false,
        probes_anew: false,
        deadlines: Deadlines::NONE,
    };

    /// Gives the slot its memory.
    pub(crate) fn furnish(&mut self, storage: &'a mut SocketStorage<'a>, rx: &'a mut [u8], tx: &'a mut [u8]) {
        let mut socket = tcp::Socket::new(tcp::SocketBuffer::new(rx), tcp::SocketBuffer::new(tx));
        // The echo carries the acknowledgement: the service runs between ingress and egress. Nagle's algorithm would
        // wait for the peer's delayed one.
        socket.set_ack_delay(None);
        socket.set_nagle_enabled(false);
        let mut sockets = SocketSet::new(core::slice::from_mut(storage));
        sockets.add(socket);
        self.sockets = Some(sockets);
    }

    /// The set of this slot's only socket.
    pub(crate) fn sockets(&mut self) -> &mut SocketSet<'a> {
        match &mut self.sockets {
            Some(sockets) => sockets,
            None => unreachable!("the server furnishes every slot before it uses one"),
        }
    }

    /// True if the peer sends nothing more.
    fn peer_finished(&self) -> bool {
        matches!(self.socket().state(), State::CloseWait | State::LastAck | State::Closing | State::TimeWait)
    }

    pub(crate) fn state(&self) -> State {
        self.socket().state()
    }

    /// Makes the slot ready for this SYN, as smoltcp will see it, whatever it was before. Nothing is sent about what it was.
    pub(crate) fn listen(&mut self, now: Instant, syn: &TcpRepr<'_>, initial_send: TcpSeqNumber) {
        // smoltcp keeps beside the socket which neighbour it waits for, up to a second. That was the last peer's.
        let sockets = self.sockets();
        let socket = sockets.remove(SocketHandle::default());
        sockets.add(socket);
        let socket = self.socket_mut();
        socket.abort();
        // Cannot fail: the socket is closed, and `syn` is for a port that is not 0.
        let _ = socket.listen(syn.dst_port);
        let shift = (usize::BITS - socket.recv_capacity().leading_zeros()).saturating_sub(16);
        self.window_shift = match syn.window_scale {
            #[expect(clippy::cast_possible_truncation, reason = "at most 48")]
            Some(_) => shift as u8,
            None => 0,
        };
        // Each side scales if both do (RFC 7323, section 2.2), and smoltcp does if the peer does.
        self.peer_shift = syn.window_scale.unwrap_or(0);
        self.peer_window = syn.window_len;
        self.segment_size = syn.max_seg_size.unwrap_or(0);
        self.phase = Phase::HalfOpen;
        self.initial_receive = syn.seq_number;
        self.initial_send = initial_send;
        self.send_next = advance(initial_send, 1);
        (self.taken, self.given) = (0, 0);
        (self.received, self.acknowledged) = (0, 0);
        self.edge = TcpSeqNumber(syn.seq_number.0.wrapping_add(1));
        self.edge_agreed = false;
        self.probes_anew = false;
        self.deadlines = Deadlines::begin(now);
    }

    /// Closes the socket without a word to the peer.
    pub(crate) fn forget(&mut self) {
        let socket = self.socket_mut();
        socket.abort();
        // `listen` clears the 4-tuple, without which no RST is sent.
        if socket.listen(1).is_ok() {
            socket.abort();
        }
        self.phase = Phase::Free;
    }

    pub(crate) fn abort(&mut self) {
        self.socket_mut().abort();
    }

    /// What a segment for this connection is judged by.
    pub(crate) fn expected(&self) -> Expected {
        Expected {
            state: self.state(),
            initial: self.initial_receive,
            next: self.receive_next(),
            edge: self.edge,
            edge_agreed: self.edge_agreed,
            send_next: self.send_next,
        }
    }

    /// RCV.NXT.
    // Needed twice a segment: without the hint it is called, and an echo takes 33 instructions more.
    #[inline]
    pub(crate) fn receive_next(&self) -> TcpSeqNumber {
        let controls = 1 + u32::from(self.peer_finished());
        advance(self.initial_receive, self.received().wrapping_add(controls))
    }

    /// SND.UNA.
    pub(crate) fn send_unacknowledged(&self) -> TcpSeqNumber {
        self.send_number(self.acknowledged())
    }

    /// SND.UNA, when so many octets have been acknowledged.
    fn send_number(&self, acknowledged: u32) -> TcpSeqNumber {
        let fin = matches!(self.state(), State::FinWait2 | State::TimeWait);
        advance(self.initial_send, acknowledged.wrapping_add(1 + u32::from(fin)))
    }

    /// True if the segment acknowledges another SYN|ACK than the one that this half-open connection began with. It may have
    /// had one before: a slot can give way between a SYN and the same SYN again.
    pub(crate) fn is_doubtful(&self, segment: &TcpRepr<'_>) -> bool {
        segment.ack_number.is_some_and(|number| number != advance(self.initial_send, 1))
    }

    /// True if the connection is open, in smoltcp's books and in ours.
    pub(crate) fn is_established(&self) -> bool {
        self.phase == Phase::Open && self.state() == State::Established
    }

    /// True if data came that the service cannot answer any more, as our FIN is out, and the peer has finished too: it
    /// must not believe that all is well (RFC 9293, section 3.6.1).
    pub(crate) fn has_lost_data(&self) -> bool {
        let socket = self.socket();
        matches!(socket.state(), State::Closing | State::TimeWait) && socket.recv_queue() > 0
    }

    /// smoltcp has processed a segment from the peer; `old`: it says nothing that counts. Returns true if nothing has come
    /// that is not answered, and everything that was sent has arrived, as an empty segment says whose window is open.
    pub(crate) fn heard(&mut self, now: Instant, segment: &TcpRepr<'_>, old: bool) -> bool {
        let (received, acknowledged) = (self.received(), self.acknowledged());
        // smoltcp has not taken the window of an old or overtaken segment either.
        let counts = !old && segment.ack_number == Some(self.send_number(acknowledged));
        if counts {
            self.peer_window = segment.window_len;
        }
        let nothing_owed = acknowledged == self.given;
        // A peer that cannot take more is not dead. But after our FIN its patience alone does not keep the slot.
        let content = (nothing_owed || segment.window_len == 0) && self.socket().may_send();
        let progress = acknowledged != self.acknowledged || content;
        let payload = (received, acknowledged) != (self.received, self.acknowledged);
        self.deadlines.heard(now, progress, payload);
        (self.received, self.acknowledged) = (received, acknowledged);
        counts
            && nothing_owed
            && received == self.taken
            && segment.payload.is_empty()
            && segment.window_len > 0
    }

    /// Runs the service. Closes when the peer has and all is answered; `finish`: also when the peer has not.
    pub(crate) fn serve(&mut self, finish: bool) -> Served {
        let window = self.peer_window();
        let socket = self.socket_mut();
        let (received, sent) = (socket.recv_queue(), socket.send_queue());
        if received > 0 {
            echo::stream(socket);
        }
        let taken = received - socket.recv_queue();
        let given = socket.send_queue() - sent;
        let last = finish || socket.state() == State::CloseWait;
        // smoltcp takes no window update in LAST-ACK: close only when the rest fits into the window that there is.
        if last && socket.recv_queue() == 0 && socket.send_queue() <= window && socket.may_send() {
            socket.close();
        }
        self.taken = self.taken.wrapping_add(wrapped(taken));
        self.given = self.given.wrapping_add(wrapped(given));
        let socket = self.socket();
        let at_once = given > 0 && sent == 0 && window > 0;
        let all = at_once && socket.recv_queue() == 0 && socket.state() == State::Established;
        Served { taken, given, end: all.then(|| advance(self.initial_send, self.given.wrapping_add(1))) }
    }

    /// Notes what smoltcp sent last for this slot, if anything.
    pub(crate) fn sent(&mut self, segment: Option<SentSegment>) {
        let Some(segment) = segment.filter(|segment| !segment.rst) else {
            return;
        };
        if !self.is_probe(&segment) {
            let shift = if segment.syn { 0 } else { self.window_shift };
            self.edge = advance(segment.acknowledgement, u32::from(segment.window) << shift);
            self.edge_agreed = !segment.syn || self.window_shift == 0;
        }
        if segment.syn {
            self.initial_send = segment.sequence;
        }
        if segment.syn || rfc5961::distance(segment.end, self.send_next) > 0 {
            self.send_next = segment.end;
        }
        self.probes_anew &= segment.end == segment.sequence;
    }

    /// True if the segment is a probe of the peer or of its closed window. smoltcp takes no note of the window that it offers
    /// with one, and would cut off what comes behind the window before, though it takes the FIN.
    fn is_probe(&self, segment: &SentSegment) -> bool {
        let one_octet = rfc5961::distance(segment.end, segment.sequence) == 1 && !segment.syn;
        one_octet && (self.peer_window == 0 || self.socket().send_queue() == 0)
    }

    /// The SYN|ACK was sent when the connection began for the first time.
    pub(crate) fn answered(&mut self) {
        self.sent(Some(SentSegment {
            sequence: self.initial_send,
            end: advance(self.initial_send, 1),
            acknowledgement: self.receive_next(),
            window: u16::try_from(self.socket().recv_capacity()).unwrap_or(u16::MAX),
            syn: true,
            rst: false,
        }));
    }

    /// When [`expire`](Self::expire) has something to do.
    pub(crate) fn deadline(&self, idle_timeout: Option<Duration>) -> Instant {
        match self.phase {
            Phase::Free => NEVER,
            Phase::TimeWait => self.deadlines.forget_at(),
            Phase::HalfOpen => self.deadlines.abandon_at(),
            Phase::Open => {
                let others = self.deadlines.probe_at().min(self.deadlines.nudge_at());
                self.deadlines.dead_at().min(self.idle_at(idle_timeout)).min(others)
            }
        }
    }

    /// Does what a deadline of the slot's own asks for.
    pub(crate) fn expire(&mut self, now: Instant, idle_timeout: Option<Duration>) -> Expiry {
        if now < self.deadline(idle_timeout) {
            return Expiry::Nothing;
        }
        match self.phase {
            Phase::Free => Expiry::Nothing,
            Phase::HalfOpen | Phase::TimeWait => Expiry::Abandoned,
            Phase::Open if now >= self.deadlines.dead_at() => Expiry::Dead,
            Phase::Open if now >= self.idle_at(idle_timeout) => {
                self.socket_mut().close();
                self.deadlines.closed(now);
                Expiry::Closing
            }
            Phase::Open if now >= self.deadlines.nudge_at() => {
                self.deadlines.nudged();
                Expiry::Nudge
            }
            Phase::Open => {
                self.deadlines.probed(now);
                let socket = self.socket();
                // Only if nothing is in flight, which is a probe of its own: smoltcp's has an octet at the place of the
                // last one that was sent. If that has not arrived, the peer takes it for data.
                match socket.send_queue() {
                    0 if socket.may_send() => Expiry::Probe,
                    // smoltcp's own probes of a closed window are up to a minute apart by now. It begins anew, but its
                    // first one comes no sooner than a retransmission would: do not be tempted to put that off again.
                    1.. if self.peer_window == 0 && !self.probes_anew => {
                        self.probes_anew = true;
                        Expiry::Nudge
                    }
                    _ => Expiry::Nothing,
                }
            }
        }
    }

    /// smoltcp has sent what it could, and waits for a time or not.
    pub(crate) fn waits(&mut self, now: Instant, timed: bool) {
        self.timed = timed;
        let stuck = !timed && self.socket().send_queue() > 0;
        self.deadlines.waits(now, stuck);
    }

    /// smoltcp has nothing to send, and waits for nothing.
    pub(crate) fn rests(&mut self, now: Instant) {
        self.timed = false;
        self.deadlines.waits(now, false);
    }

    /// Has smoltcp probe the peer when it sends next, and not again.
    pub(crate) fn arm_probe(&mut self) {
        let socket = self.socket_mut();
        socket.set_keep_alive(Some(PROBE));
        socket.set_keep_alive(None);
    }

    /// True if there is something that the peer's closed window keeps it from taking.
    pub(crate) fn is_shut_out(&self) -> bool {
        let fin = matches!(self.state(), State::FinWait1 | State::Closing | State::LastAck);
        self.phase == Phase::Open && self.peer_window == 0 && (fin || self.socket().send_queue() > 0)
    }

    /// An empty segment from the peer that says what it said last.
    pub(crate) fn acknowledgement(&self, flow: &Flow) -> TcpRepr<'static> {
        TcpRepr {
            src_port: flow.remote.port,
            dst_port: self.socket().local_endpoint().map_or(0, |local| local.port),
            control: TcpControl::None,
            seq_number: self.receive_next(),
            ack_number: Some(self.send_unacknowledged()),
            window_len: self.peer_window,
            window_scale: None,
            max_seg_size: None,
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &[],
        }
    }

    fn idle_at(&self, idle_timeout: Option<Duration>) -> Instant {
        match idle_timeout {
            Some(idle) if self.socket().may_send() => self.deadlines.idle_at(idle),
            _ => NEVER,
        }
    }

    pub(super) fn peer_window(&self) -> usize {
        usize::from(self.peer_window) << self.peer_shift
    }

    fn received(&self) -> u32 {
        self.taken.wrapping_add(wrapped(self.socket().recv_queue()))
    }

    fn acknowledged(&self) -> u32 {
        self.given.wrapping_sub(wrapped(self.socket().send_queue()))
    }

    pub(super) fn socket(&self) -> &tcp::Socket<'a> {
        match &self.sockets {
            Some(sockets) => sockets.get(SocketHandle::default()),
            None => unreachable!("the server furnishes every slot before it uses one"),
        }
    }

    fn socket_mut(&mut self) -> &mut tcp::Socket<'a> {
        self.sockets().get_mut(SocketHandle::default())
    }
}

fn advance(number: TcpSeqNumber, octets: u32) -> TcpSeqNumber {
    TcpSeqNumber(number.0.wrapping_add_unsigned(octets))
}

#[expect(clippy::cast_possible_truncation, reason = "sequence numbers wrap")]
fn wrapped(octets: usize) -> u32 {
    octets as u32
}
