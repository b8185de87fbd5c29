//! smoltcp takes no new SYN in TIME-WAIT and in SYN-RECEIVED, and does not answer the same SYN again.
//!
//! RFC 9293, section 3.10.7.4: in SYN-RECEIVED, a SYN in the window returns a passive open to LISTEN, and one outside draws an
//! acknowledgement (the first check). The SYN that began the connection has lost its SYN|ACK, which is sent again at once; with other
//! options, it begins the connection anew, as a client may leave out what seemed to be why no SYN|ACK came. From
//! TIME-WAIT, a new connection may begin if its SYN is above RCV.NXT; an older one is an old duplicate (section 3.6.1).
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `time_wait_takes_no_new_syn`, `a_syn_that_comes_again_in_syn_received_draws_nothing`
//! Kept by: core/src/tests/reuse.rs

use smoltcp::socket::tcp::State;
use smoltcp::wire::TcpControl;

use crate::tcp::segment::Segment;
use crate::tcp::socket::arrival::Verdict;
use crate::tcp::socket::tcb::Tcb;

/// What becomes of a SYN that may begin a new connection; None: the segment is none.
pub(crate) fn judge(state: State, tcb: &Tcb, segment: &Segment<'_>) -> Option<Verdict> {
    if segment.tcp.control != TcpControl::Syn || segment.tcp.ack_number.is_some() {
        return None;
    }
    match state {
        State::SynReceived if segment.seq() == tcb.irs => Some(Verdict::RepeatSynAck),
        State::SynReceived if is_in_window(tcb, segment) => Some(Verdict::Reopen),
        State::TimeWait if segment.seq().is_after(tcb.rcv_nxt) => Some(Verdict::Reopen),
        // Others draw an acknowledgement, as on a live connection (`rfc5961`).
        _ => None,
    }
}

fn is_in_window(tcb: &Tcb, segment: &Segment<'_>) -> bool {
    !segment.seq().is_before(tcb.rcv_nxt) && segment.seq().is_before(tcb.rcv_edge)
}
