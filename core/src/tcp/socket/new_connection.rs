//! smoltcp takes no new SYN in TIME-WAIT and in SYN-RECEIVED.
//!
//! RFC 9293, section 3.10.7.4: from SYN-RECEIVED, a passive open returns to LISTEN; from TIME-WAIT, a new connection may
//! begin (section 3.6.1). An old SYN that comes late only leaves half a connection behind.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `time_wait_takes_no_new_syn`, `a_syn_that_comes_again_in_syn_received_draws_nothing`
//! Kept by: core/src/tests/reuse.rs

use smoltcp::socket::tcp::State;
use smoltcp::wire::TcpControl;

use crate::tcp::segment::Segment;
use crate::tcp::socket::Verdict;
use crate::tcp::socket::tcb::Tcb;

/// What becomes of a SYN that may begin a new connection; None: the segment is none.
pub(crate) fn judge(state: State, tcb: &Tcb, segment: &Segment<'_>) -> Option<Verdict> {
    if segment.tcp.control != TcpControl::Syn || segment.tcp.ack_number.is_some() {
        return None;
    }
    match state {
        // The same SYN again: smoltcp retransmits its SYN|ACK by itself.
        State::SynReceived if segment.seq() == tcb.irs => Some(Verdict::Drop),
        State::SynReceived | State::TimeWait => Some(Verdict::Reopen),
        _ => None,
    }
}
