//! smoltcp answers segments without data outside the window once a second: probes, a FIN that comes again.
//!
//! RFC 9293, section 3.10.7.4, first check: each unacceptable segment draws an acknowledgement, without which the peer
//! retransmits or gives up. RFC 5961, section 7: challenge ACKs may be limited, to 10 in 5 seconds for example, and section 10
//! warns of those who draw many. So a segment with a sequence number of its own (a FIN) is answered each time, like one with
//! data, and all others within that limit.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `keep_alive_probes_are_answered_once_a_second`,
//! `a_fin_that_comes_again_is_acknowledged_once_a_second`
//! Kept by: core/src/tests/repeated_segments.rs

use smoltcp::time::{Duration, Instant};
use smoltcp::wire::TcpControl;

use crate::cx::Cx;
use crate::ip::device::Room;
use crate::tcp::segment::{Built, Segment, build, old_byte};
use crate::tcp::seq::Seq;
use crate::tcp::socket::Socket;

/// One answer is earned in this time.
const EARN: Duration = Duration::from_millis(500);
/// No more are saved than are earned in this time.
const SAVE: Duration = Duration::from_secs(5);

/// The limit of one connection, a token bucket.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChallengeRate {
    /// When all that was spent has been earned.
    earned_at: Instant,
}

impl ChallengeRate {
    pub(super) const FULL: ChallengeRate = ChallengeRate { earned_at: Instant::ZERO };

    /// True if one more answer may be sent; then it is counted.
    fn allows(&mut self, now: Instant) -> bool {
        let earned_at = self.earned_at.max(now) + EARN;
        let allows = earned_at <= now + SAVE;
        if allows {
            self.earned_at = earned_at;
        }
        allows
    }
}

impl Socket<'_> {
    /// True if the segment has no data and stands outside the window. All that it is due is an answer.
    #[inline]
    pub(super) fn is_outside(&self, segment: &Segment<'_>) -> bool {
        let (seq, tcb) = (segment.seq(), &self.tcb);
        segment.tcp.payload.is_empty() && (seq.is_before(tcb.rcv_nxt) || seq.is_after(tcb.rcv_edge))
    }

    /// Answers a segment with an acknowledgement, within the limit.
    #[cold]
    pub(super) fn challenge<H>(
        &mut self,
        cx: &mut Cx<'_, H>,
        segment: &Segment<'_>,
        tx: &mut (impl Room + ?Sized),
    ) {
        if self.challenge_rate.allows(cx.now) {
            self.answer(cx, segment, tx);
        }
    }

    /// Answers a segment which [`is_outside`](Self::is_outside) the window.
    #[cold]
    pub(super) fn answer_outside<H>(
        &mut self,
        cx: &mut Cx<'_, H>,
        segment: &Segment<'_>,
        tx: &mut (impl Room + ?Sized),
    ) {
        if segment.tcp.control == TcpControl::Fin {
            self.answer(cx, segment, tx);
        } else {
            self.challenge(cx, segment, tx);
        }
    }

    /// Has smoltcp send an acknowledgement.
    fn answer<H>(&mut self, cx: &mut Cx<'_, H>, segment: &Segment<'_>, tx: &mut (impl Room + ?Sized)) {
        // smoltcp has been shown an acknowledgement that is news, and answers none that is older.
        let is_new = |ack: &Seq| {
            cfg!(feature = "recovery") && ack.is_after(self.tcb.snd_una) && !ack.is_after(self.tcb.snd_max)
        };
        let ack = segment.ack().filter(is_new).unwrap_or(self.tcb.snd_una);
        let byte = self.old_byte(segment, ack, segment.tcp.window_len);
        self.feed_apart(cx, &byte, tx);
    }

    /// [`old_byte`] from the sender of `way`: smoltcp answers it with an acknowledgement each time, and changes nothing.
    pub(super) fn old_byte(&self, way: &Segment<'_>, ack: Seq, window: u16) -> Built {
        let ports = (way.tcp.src_port, way.tcp.dst_port);
        build(way, &old_byte(ports, self.tcb.rcv_nxt, ack, window))
    }
}
