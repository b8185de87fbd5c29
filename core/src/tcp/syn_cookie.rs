//! Clients whose half-open slot had to give way, and who are let in with their acknowledgement after all.
//!
//! A flood of SYNs from anywhere takes every slot: 8 of them, at 20,000 SYNs a second, every 0.4 ms. That the oldest
//! half-open slot gives way is then of little use, as hardly a client's acknowledgement is back so soon. And for such a
//! client the connection is open: it must not get a RST. So what has to be known of a half-open connection stands in its
//! initial sequence number ([`sequence`](crate::tcp::isn)), as in a SYN cookie (RFC 4987, section 3.6): the client's first
//! segment tells both numbers, a SYN is made up from them and replayed into a slot, and the connection goes on as if it
//! had always been there. Only SYNs and segments that are nobody's pay for it.
//!
//! **Which segment.** Bare acknowledgement, data or FIN, but it must be the first: of a later one, what came before it
//! would be lost without a trace. What may be a later segment of such a client is dropped without a word, as the client
//! sends its first again. It may also belong to a connection that ended within these seconds, which then gets no RST.
//!
//! **What is lost** is SACK, which costs nothing here, and the segment size: 536 octets, which every host takes that does
//! not ask for less (RFC 9293, section 3.7.1), or half a buffer. Who asks for less is not known again, and gets a RST as
//! before. Without window scaling nothing else is lost, so it is not offered with buffers below 64 KiB, where it has no
//! use. With larger ones the client counts on it (our windows must stay scaled, or it would overrun them), so the number tells
//! it too: there are 3 kinds. The client's own scale is taken to be 7 or else 0, never more than it is, so that its windows
//! look smaller at worst.
//!
//! **A guess** without having seen the SYN|ACK, that is with a forged source, hits one of 160 numbers in 2^32 (480 with large
//! buffers). All that it gains is a slot until the dead-peer deadline, which anybody gets who uses an address of his own.
//!
//! **A ghost** is what an old first segment, delivered twice, makes of a connection that has ended meanwhile. That takes an
//! eviction less than [`HALF_OPEN`] ago and a handshake less than that ago: otherwise nothing is revived, and every stray
//! segment gets its RST. The probe of the silent peer draws a RST and ends it, after the peer's TIME-WAIT if it is in that,
//! or else the dead-peer deadline does.

use smoltcp::time::Instant;
use smoltcp::wire::{TcpControl, TcpRepr, TcpSeqNumber};

use crate::tcp::isn::Origin;
use crate::tcp::policy::HALF_OPEN;

/// What a client's SYN offered that its connection depends on; as a kind of initial sequence numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Terms {
    Unscaled = 0,
    /// With a scale below 7, and from 7 on.
    Scaled = 10,
    ScaledBy7 = 20,
    /// Not to be revived.
    Special = 32,
}

/// What a segment is that no connection knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stray {
    /// The first of an evicted client.
    First(Terms),
    /// Possibly a later one of an evicted client.
    Later,
    Foreign,
}

impl Terms {
    /// Those of a SYN as it is given to smoltcp; `ordinary`: the segment size of one that does not ask for any.
    pub(crate) fn of(syn: &TcpRepr<'_>, ordinary: u16) -> Terms {
        match syn.window_scale {
            _ if syn.max_seg_size < Some(ordinary) => Terms::Special,
            None => Terms::Unscaled,
            Some(..7) => Terms::Scaled,
            Some(7..) => Terms::ScaledBy7,
        }
    }

    /// As good as the SYN that this client sent before the segment.
    pub(crate) fn syn(self, segment: &TcpRepr<'_>) -> TcpRepr<'static> {
        TcpRepr {
            src_port: segment.src_port,
            dst_port: segment.dst_port,
            control: TcpControl::Syn,
            seq_number: before(segment.seq_number),
            ack_number: None,
            window_len: segment.window_len,
            window_scale: match self {
                Terms::Unscaled | Terms::Special => None,
                Terms::Scaled => Some(0),
                Terms::ScaledBy7 => Some(7),
            },
            max_seg_size: None,
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &[],
        }
    }
}

/// Whose segment this can be; `scales`: windows may be scaled.
pub(crate) fn recognise(origin: Origin, now: Instant, segment: &TcpRepr<'_>, scales: bool) -> Stray {
    let (TcpControl::None | TcpControl::Psh | TcpControl::Fin, Some(acknowledged)) =
        (segment.control, segment.ack_number)
    else {
        return Stray::Foreign;
    };
    let kinds = [Terms::Unscaled, Terms::Scaled, Terms::ScaledBy7];
    let mut stray = Stray::Foreign;
    for &terms in if scales { &kinds[..] } else { &kinds[..1] } {
        let (peer, number) = (before(segment.seq_number), before(acknowledged));
        match origin.knows(terms as u32, now, HALF_OPEN, peer, number) {
            Some(true) => return Stray::First(terms),
            Some(false) => stray = Stray::Later,
            None => {}
        }
    }
    stray
}

/// The initial sequence number, of the number behind it.
pub(crate) fn before(number: TcpSeqNumber) -> TcpSeqNumber {
    TcpSeqNumber(number.0.wrapping_sub(1))
}
