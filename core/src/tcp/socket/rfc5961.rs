//! What a connection may take from the network: RFC 5961, and gaps of smoltcp.
//!
//! smoltcp closes on any RST in the window and answers a SYN on a live connection with silence. It can panic over a
//! segment about 2^31 away from what it expects, it accepts a FIN on a segment that overruns the window though it
//! cuts off the segment's tail, it takes what is behind a FIN for data, and an acknowledgement of what it has yet to send for
//! one of what it has sent. Nothing of that gets past here.

use smoltcp::socket::tcp::State;
use smoltcp::wire::{TcpControl, TcpRepr, TcpSeqNumber};

/// Where a connection stands, as far as segments are judged by it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) state: State,
    /// IRS.
    pub(crate) initial: TcpSeqNumber,
    /// RCV.NXT.
    pub(crate) next: TcpSeqNumber,
    /// The right edge of the window that was offered last, but for probes.
    pub(crate) edge: TcpSeqNumber,
    /// smoltcp takes the edge to be where it is. It does not after a SYN|ACK with a window scale: its window is not
    /// scaled (RFC 7323, section 2.2), but smoltcp scales it.
    pub(crate) edge_agreed: bool,
    /// SND.NXT, which does not go back when something is sent again.
    pub(crate) send_next: TcpSeqNumber,
}

/// What becomes of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// smoltcp may process it.
    Accept,
    /// It changes nothing, and is answered with an acknowledgement.
    Challenge,
    /// It changes nothing.
    Ignore,
    /// It ends the connection, whatever else there is in it. smoltcp would refuse it with data, when its window is closed.
    Reset,
    /// It begins a new connection with the same 4-tuple.
    Reopen,
}

/// The farthest that a segment may be from RCV.NXT: the largest window (RFC 7323, section 2.3).
const REACH: u32 = 1 << 30;

/// Judges a segment for a slot that is not free.
pub(crate) fn judge(expected: &Expected, segment: &TcpRepr<'_>) -> Judgement {
    let offset = distance(segment.seq_number, expected.next);
    match segment.control {
        TcpControl::Syn => syn(expected, segment),
        // RFC 5961, section 3.2.
        TcpControl::Rst if offset == 0 => Judgement::Reset,
        TcpControl::Rst if offset > 0 && distance(segment.seq_number, expected.edge) < 0 => {
            Judgement::Challenge
        }
        TcpControl::Rst => Judgement::Ignore,
        _ if segment.ack_number.is_none() => Judgement::Ignore,
        _ if offset.unsigned_abs() > REACH => Judgement::Challenge,
        _ if acknowledges_unsent(expected, segment) => Judgement::Challenge,
        _ if overruns(expected, segment, offset) || is_behind_fin(expected, segment, offset) => {
            Judgement::Challenge
        }
        _ => Judgement::Accept,
    }
}

fn syn(expected: &Expected, segment: &TcpRepr<'_>) -> Judgement {
    let opens = segment.ack_number.is_none();
    match expected.state {
        // The same SYN again: smoltcp sends its SYN|ACK again by itself.
        State::SynReceived if opens && segment.seq_number == expected.initial => Judgement::Ignore,
        // RFC 9293, section 3.10.7.4: from SYN-RECEIVED, a passive open goes back to LISTEN. From TIME-WAIT, a new
        // connection may begin (section 3.6.1); an old SYN that comes late only leaves half a connection behind.
        State::SynReceived | State::TimeWait if opens => Judgement::Reopen,
        // RFC 5961, section 4.2.
        _ => Judgement::Challenge,
    }
}

/// True if the segment acknowledges what was never sent (RFC 5961, section 5.2). smoltcp believes it of whatever waits in
/// the send buffer, and forgets that. In SYN-RECEIVED, it answers with a RST, as it should.
fn acknowledges_unsent(expected: &Expected, segment: &TcpRepr<'_>) -> bool {
    let beyond = |number| distance(number, expected.send_next) > 0;
    expected.state != State::SynReceived && segment.ack_number.is_some_and(beyond)
}

/// True if taking the segment as it is would lose octets of it.
fn overruns(expected: &Expected, segment: &TcpRepr<'_>, offset: i32) -> bool {
    let room = distance(expected.edge, expected.next).max(0);
    let cut = !segment.payload.is_empty() && end(segment, offset) > room;
    cut && (segment.control == TcpControl::Fin || !expected.edge_agreed)
}

/// True if the segment has octets behind the peer's FIN, which smoltcp would take in CLOSE-WAIT (RFC 9293, section
/// 3.10.7.4: "ignore the segment text").
fn is_behind_fin(expected: &Expected, segment: &TcpRepr<'_>, offset: i32) -> bool {
    let finished =
        matches!(expected.state, State::CloseWait | State::LastAck | State::Closing | State::TimeWait);
    finished && !segment.payload.is_empty() && end(segment, offset) > 0
}

/// True if everything in the segment came before, so that smoltcp looks no further (RFC 9293, section 3.10.7.4).
pub(crate) fn is_old(expected: &Expected, segment: &TcpRepr<'_>) -> bool {
    let end = end(segment, distance(segment.seq_number, expected.next));
    end < 0 || end == 0 && !segment.payload.is_empty()
}

/// How far the end of the segment's payload is ahead of RCV.NXT; behind it if negative.
fn end(segment: &TcpRepr<'_>, offset: i32) -> i32 {
    offset.saturating_add_unsigned(u32::try_from(segment.payload.len()).unwrap_or(u32::MAX))
}

/// How far `a` is ahead of `b`.
pub(crate) fn distance(a: TcpSeqNumber, b: TcpSeqNumber) -> i32 {
    a.0.wrapping_sub(b.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEXT: i32 = i32::MAX - 100; // the window lies across the wrap

    fn expected(state: State) -> Expected {
        Expected {
            state,
            initial: TcpSeqNumber(NEXT - 1),
            next: TcpSeqNumber(NEXT),
            edge: TcpSeqNumber(NEXT.wrapping_add(1024)),
            edge_agreed: true,
            send_next: TcpSeqNumber(0),
        }
    }

    fn segment(control: TcpControl, offset: i32, payload: &[u8]) -> TcpRepr<'_> {
        TcpRepr {
            src_port: 1,
            dst_port: 2,
            control,
            seq_number: TcpSeqNumber(NEXT.wrapping_add(offset)),
            ack_number: Some(TcpSeqNumber(0)),
            window_len: 1000,
            window_scale: None,
            max_seg_size: None,
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload,
        }
    }

    fn established(control: TcpControl, offset: i32, payload: &[u8]) -> Judgement {
        judge(&expected(State::Established), &segment(control, offset, payload))
    }

    #[test]
    fn only_an_exact_rst_closes() {
        assert_eq!(established(TcpControl::Rst, 0, &[]), Judgement::Reset);
        assert_eq!(established(TcpControl::Rst, 1, &[]), Judgement::Challenge);
        assert_eq!(established(TcpControl::Rst, 1023, &[]), Judgement::Challenge);
        assert_eq!(established(TcpControl::Rst, 1024, &[]), Judgement::Ignore);
        assert_eq!(established(TcpControl::Rst, -1, &[]), Judgement::Ignore);
    }

    #[test]
    fn a_syn_on_a_live_connection_is_challenged_wherever_it_is() {
        for offset in [0, 1, -1, i32::MAX, i32::MIN] {
            assert_eq!(established(TcpControl::Syn, offset, &[]), Judgement::Challenge);
        }
    }

    #[test]
    fn a_syn_opens_anew_from_time_wait_and_half_open_only() {
        let mut again = segment(TcpControl::Syn, 5000, &[]);
        again.ack_number = None;
        assert_eq!(judge(&expected(State::TimeWait), &again), Judgement::Reopen);
        assert_eq!(judge(&expected(State::SynReceived), &again), Judgement::Reopen);
        assert_eq!(judge(&expected(State::LastAck), &again), Judgement::Challenge);
        again.seq_number = TcpSeqNumber(NEXT - 1);
        assert_eq!(judge(&expected(State::SynReceived), &again), Judgement::Ignore);
    }

    #[test]
    fn segments_from_far_away_do_not_get_past() {
        for (offset, judgement) in [
            (1 << 30, Judgement::Accept),
            ((1 << 30) + 1, Judgement::Challenge),
            (i32::MAX, Judgement::Challenge),
            (i32::MIN, Judgement::Challenge),
            (-(1 << 30), Judgement::Accept),
            (-(1 << 30) - 1, Judgement::Challenge),
        ] {
            assert_eq!(established(TcpControl::None, offset, &[]), judgement, "at {offset}");
        }
    }

    #[test]
    fn an_acknowledgement_of_what_was_never_sent_does_not_get_past() {
        let judge = |state, ack| {
            let ack_number = Some(TcpSeqNumber(ack));
            judge(&expected(state), &TcpRepr { ack_number, ..segment(TcpControl::None, 0, &[]) })
        };
        for ack in [0, -1, -100_000] {
            assert_eq!(judge(State::Established, ack), Judgement::Accept);
        }
        for ack in [1, 100_000, i32::MAX] {
            assert_eq!(judge(State::Established, ack), Judgement::Challenge);
            assert_eq!(judge(State::SynReceived, ack), Judgement::Accept);
        }
    }

    #[test]
    fn nothing_is_taken_from_behind_a_fin() {
        for state in [State::CloseWait, State::LastAck, State::Closing, State::TimeWait] {
            let judge =
                |offset, payload| judge(&expected(state), &segment(TcpControl::None, offset, payload));
            assert_eq!(judge(0, b"x"), Judgement::Challenge);
            assert_eq!(judge(-1, b"xy"), Judgement::Challenge);
            assert_eq!(judge(-1, b"x"), Judgement::Accept);
            assert_eq!(judge(0, b""), Judgement::Accept);
        }
    }

    #[test]
    fn a_fin_is_not_taken_with_a_segment_that_overruns_the_window() {
        let payload = [0; 1025];
        assert_eq!(established(TcpControl::Fin, 0, &payload[..1024]), Judgement::Accept);
        assert_eq!(established(TcpControl::Fin, 0, &payload), Judgement::Challenge);
        assert_eq!(established(TcpControl::Fin, -1, &payload), Judgement::Accept);
        assert_eq!(established(TcpControl::None, 0, &payload), Judgement::Accept);
        let mut scaled = expected(State::Established);
        scaled.edge_agreed = false;
        assert_eq!(judge(&scaled, &segment(TcpControl::None, 0, &payload)), Judgement::Challenge);
    }
}
