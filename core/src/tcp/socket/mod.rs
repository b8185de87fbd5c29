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
//! | [`persist`] | a closed window is probed after a second at least, and once a minute in the end |
//! | [`stall`] | no timer runs after a window has shrunk |
//! | [`shrunk_window`] | a window that shrinks with an acknowledgement is probed without data, and nothing is sent again |
//! | [`retransmission_timer`] | the timer starts at a second, and keeps its back-off |
//! | [`tail_loss_probe`] | the loss of a last segment waits for the timer |
//! | [`fast_recovery`] | partial acknowledgements, and duplicates that ride on data, draw nothing |
//! | [`sack_scoreboard`] | SACK blocks are ignored |
//! | [`holes`] | one hole is filled a round trip, and after a timeout all is sent again |
//! | [`congestion_window`] | a whole window leaves at once |
//! | [`path_mtu`] | ICMP errors about packets that are too big are ignored |
//! | [`keep_alive`] | a timeout ends healthy idle connections; a keep-alive is sent over bytes in flight |
//! | [`last_ack`] | LAST-ACK takes no window update |
//! | [`small_segments`] | a window that opens in drips draws segments of that size |
//! | [`silly_window`] | the window opens byte by byte |
//! | [`window_rounding`] | the edge of a scaled window moves left, and what was offered is cut off |
//! | [`echo_window`] | the window is the receive buffer alone |
//! | [`reset_number`] | the RST of an abort has the wrong number behind a closed window, and leaves a retransmission behind |
//! | [`unread_data`] | unread data is lost without a RST |
//!
//! The others are no repairs: [`opening`] begins a connection, [`arrival`] takes a segment in and [`egress`] sends what is due;
//! [`recovery`] decides about lost segments, [`pipe`] says how much is in flight, and [`retransmit`] has smoltcp send again;
//! [`single_segment`] is for small buffers, [`tcb`] and [`rfc5961`] would be needed beside a perfect stack, [`stream`] is the
//! handler's view, [`pieces`] shows smoltcp a segment otherwise than it came, and [`shortcuts`] are for speed.
//!
//! The persist timer and whatever retransmits and limits what is in flight are behind the feature `recovery`, as is path MTU
//! discovery; several SACK blocks are behind `many-holes`. Where a feature is off, a file of `without` stands in.

pub(crate) mod arrival;
mod challenge_rate;
mod closed_window;
#[cfg(feature = "recovery")]
mod congestion_window;
mod cut_fin;
pub(crate) mod echo_window;
mod egress;
mod endless_probe;
mod far_segment;
#[cfg(feature = "recovery")]
mod fast_recovery;
mod fast_retransmit;
mod fin_again;
#[cfg(feature = "recovery")]
mod holes;
mod initial_sequence;
mod keep_alive;
mod last_ack;
mod new_connection;
mod old_ack;
mod old_window;
mod opening;
#[cfg_attr(not(feature = "recovery"), path = "without/path_mtu.rs")]
pub(crate) mod path_mtu;
#[cfg_attr(not(feature = "recovery"), path = "without/persist.rs")]
mod persist;
mod pieces;
#[cfg(feature = "recovery")]
mod pipe;
#[cfg_attr(not(feature = "recovery"), path = "without/recovery.rs")]
mod recovery;
mod reset_number;
#[cfg(feature = "recovery")]
mod retransmission_timer;
#[cfg(feature = "recovery")]
mod retransmit;
mod rfc5961;
#[cfg_attr(not(feature = "many-holes"), path = "without/sack_blocks.rs")]
pub(crate) mod sack_blocks;
#[cfg(feature = "recovery")]
mod sack_scoreboard;
mod scaled_syn_window;
mod shortcuts;
mod shrunk_window;
mod silly_window;
#[cfg(feature = "recovery")]
mod single_segment;
mod small_segments;
mod stall;
pub(crate) mod stream;
#[cfg(feature = "recovery")]
mod tail_loss_probe;
pub(crate) mod tcb;
mod text_after_fin;
mod unread_data;
mod window_rounding;

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::phy::Device;
use smoltcp::socket::tcp::{self, State};

use self::challenge_rate::ChallengeRate;
use self::small_segments::SmallSegment;
use self::tcb::{Queues, Tcb};
use crate::cx::Cx;
use crate::ip::interface::Sent;
use crate::tcp::demux::Tuple;
use crate::tcp::segment::Segment;
use crate::tcp::seq::{Seq, wrapped};
use crate::tcp::timers::NEVER;

/// A TCP socket: smoltcp's, in a set of its own, and what smoltcp does not keep or show.
#[derive(Debug)]
pub(crate) struct Socket<'a> {
    sockets: Option<SocketSet<'a>>,
    pub(super) tcb: Tcb,
    /// What smoltcp's socket said when it was last asked, which is after each call that may change it.
    seen: Seen,
    /// smoltcp has a timer running for this socket.
    has_timer: bool,
    challenge_rate: ChallengeRate,
    small_segment: SmallSegment,
}

/// A copy of what smoltcp's socket says of itself. To ask it costs a look into its set each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    state: State,
    recv_queue: usize,
    send_queue: usize,
}

/// A connection's state, as far as its slot needs to know.
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
        challenge_rate: ChallengeRate::FULL,
        small_segment: SmallSegment::NONE,
    };

    /// Sends a RST, if the device takes it, and closes the socket.
    pub(crate) fn abort<H, D: Device + ?Sized>(
        &mut self,
        cx: &mut Cx<'_, H>,
        device: &mut D,
        tuple: Tuple,
    ) -> Sent {
        let sent = if self.is_synchronized() {
            match device.transmit(cx.now) {
                None => Sent::Blocked,
                Some(token) => {
                    let ack = self.draws_reset(&cx.interface.link_header(tuple.local), tuple);
                    cx.interface.process_without_sockets(cx.now, &ack, &mut Some(token));
                    Sent::All(NEVER)
                }
            }
        } else {
            // smoltcp's own RST has the acknowledgement without which a peer in SYN-SENT takes none (RFC 9293, section 3.10.7.3).
            self.forget();
            self.send(cx, device, None)
        };
        // In either case: in the first, smoltcp's socket is still open; in the second, it still has to send a refused RST.
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

    /// The 4-tuple, as smoltcp knows it.
    fn tuple(&self) -> Option<Tuple> {
        let socket = self.socket();
        Some(Tuple { remote: socket.remote_endpoint()?, local: socket.local_endpoint()?.addr })
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

    #[cfg_attr(feature = "fast", inline(always))]
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
