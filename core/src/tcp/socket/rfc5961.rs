//! RFC 5961: what a segment must be like before it may change a connection. It would be needed beside a perfect stack, too.
//!
//! smoltcp closes on any RST in the window, answers a SYN on a live connection with silence, and believes an
//! acknowledgement of what it has yet to send. Nothing of that gets past here. Nor does it take the RST of a macOS peer that
//! has sent its FIN: that has the FIN's number, RCV.NXT - 1. Linux takes it too once the FIN has come.
//! RFC 5961, sections 3.2, 4.2 and 5.2.
//! Upstream: <https://github.com/smoltcp-rs/smoltcp/issues/12> (open). xarxa audit 015, 079, 082.
//! Shown by: core/tests/smoltcp.rs, `an_inexact_rst_in_the_window_closes`,
//! `an_exact_rst_with_data_at_a_closed_window_is_dropped`, `a_syn_on_a_live_connection_draws_no_challenge_ack`,
//! `an_ack_of_unsent_data_frees_it`, `a_rst_with_the_number_of_the_fin_is_dropped`
//! Kept by: core/src/tests/reset.rs

use smoltcp::socket::tcp::State;
use smoltcp::wire::TcpControl;

use crate::tcp::segment::Segment;
use crate::tcp::seq::Seq;
use crate::tcp::socket::arrival::Verdict;
use crate::tcp::socket::tcb::Tcb;

/// What becomes of a RST, and of a SYN that begins no new connection; None: the segment is neither.
pub(crate) fn reset_or_syn(state: State, tcb: &Tcb, segment: &Segment<'_>) -> Option<Verdict> {
    match segment.tcp.control {
        TcpControl::Syn => Some(Verdict::Challenge),
        TcpControl::Rst if segment.seq() == tcb.rcv_nxt => Some(Verdict::Reset),
        TcpControl::Rst
            if segment.seq() + 1 == tcb.rcv_nxt
                && matches!(state, State::CloseWait | State::Closing | State::LastAck) =>
        {
            Some(Verdict::Reset)
        }
        TcpControl::Rst if segment.seq().is_after(tcb.rcv_nxt) && segment.seq().is_before(tcb.rcv_edge) => {
            Some(Verdict::Challenge)
        }
        TcpControl::Rst => Some(Verdict::Drop),
        _ => None,
    }
}

/// A challenge ACK for an acknowledgement of what was never sent, or older than what can be under way.
#[inline]
pub(crate) fn ack(state: State, tcb: &Tcb, segment: &Segment<'_>) -> Option<Verdict> {
    let ack = segment.ack()?;
    if ack.0.wrapping_sub(tcb.snd_una.0) <= tcb.snd_max.0.wrapping_sub(tcb.snd_una.0) {
        return None;
    }
    unacceptable_ack(state, tcb, ack)
}

/// RFC 5961, section 5.2: SND.UNA - MAX.SND.WND =< SEG.ACK =< SND.NXT; nor older than all that was acknowledged so far, as in
/// Linux. In SYN-RECEIVED, smoltcp answers with a RST, as it should (RFC 9293, section 3.10.7.4).
#[cold]
fn unacceptable_ack(state: State, tcb: &Tcb, ack: Seq) -> Option<Verdict> {
    if state == State::SynReceived {
        return None;
    }
    let behind = tcb.snd_una.ahead_of(ack);
    let acknowledged = tcb.snd_una.0.wrapping_sub((tcb.iss + 1).0);
    let reach = tcb.max_snd_wnd().min(acknowledged);
    (behind <= 0 || behind.unsigned_abs() > reach).then_some(Verdict::Challenge)
}

/// True if whoever sent a segment that is not refused knows where the connection stands: it begins in the window (RFC 9293,
/// section 3.10.7.4), or in the last `window` bytes before, as a retransmission or a keep-alive does; and it acknowledges
/// nothing from long ago (section 5.2; without a scale, no window was larger).
pub(crate) fn is_proof(tcb: &Tcb, segment: &Segment<'_>, window: usize) -> bool {
    let behind = i32::try_from(window).unwrap_or(i32::MAX);
    let room = tcb.rcv_edge.ahead_of(tcb.rcv_nxt).max(0);
    let near = (-behind..=room).contains(&segment.seq().ahead_of(tcb.rcv_nxt));
    near && segment.ack().is_some_and(|ack| ack.ahead_of(tcb.snd_una) >= -i32::from(u16::MAX))
}
