//! SYN cookies: a connection whose half-open slot was evicted is reconstructed from the client's acknowledgement (RFC 4987,
//! section 3.6).
//!
//! A flood of SYNs takes every slot: 8 of them, at 20,000 SYNs a second, every 0.4 ms. That the oldest half-open slot is
//! evicted then helps little, as hardly a client's acknowledgement is back so soon. And for such a client the connection is
//! established: it must not get a RST. So what has to be known of a half-open connection is encoded in its initial sequence
//! number ([`isn`]). The client's first segment tells both numbers; a SYN is built from them and replayed into
//! a slot, and the connection goes on as if it had always been there. Only SYNs and segments to no connection pay for it.
//!
//! **Which segment.** A bare acknowledgement, data or FIN, but it must be the first one: of a later one, what came before it
//! would be lost without a trace. What may be a later segment of an evicted client is dropped without an answer, as the client
//! retransmits its first one. It may also belong to a connection that ended within these seconds, which then gets no RST.
//!
//! **What is lost** is SACK, and the segment size: 536 bytes, which every host takes that does not ask for less (RFC 9293,
//! section 3.7.1), or half a buffer. A client that asks for less is not recognised, and gets a RST. Nothing else is lost
//! without window scaling, so it is not offered with buffers below 64 KiB, where it has no use. With larger ones the client
//! counts on it (our windows must stay scaled, or it would overrun them), so the number encodes it too: there are three kinds.
//! The client's own scale is taken to be 7 or else 0, never more than it is, so that its windows look smaller at worst.
//!
//! **A guess** without having seen the SYN|ACK, that is with a forged source, hits one of 160 numbers in 2^32 (480 with large
//! buffers). All that it gains is a slot until the deadline of dead peers, which anybody gets who uses an address of his own.
//!
//! **An old duplicate** of a first segment can begin a connection that has ended meanwhile. That takes an eviction less than
//! [`COOKIE_AGE`] ago and a handshake less than that ago: otherwise nothing is reconstructed, and every segment to no connection
//! gets its RST. The probe of the silent peer draws a RST and ends it, after the peer's TIME-WAIT if it is in that, or else the
//! deadline of dead peers does.

use smoltcp::time::Instant;
use smoltcp::wire::{TcpControl, TcpRepr};

use crate::tcp::isn::{self, Given, Origin};
use crate::tcp::policy::COOKIE_AGE;
use crate::tcp::segment::Segment;

/// What a client's SYN offered that its connection depends on, encoded as a kind of initial sequence numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CookieKind {
    Unscaled = 0,
    /// With a scale below 7.
    Scaled = 10,
    /// With a scale of 7 or more.
    ScaledBy7 = 20,
    /// The connection cannot be reconstructed.
    Special = 32,
}

/// Whether a segment to no connection is that of an evicted client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recognition {
    /// The client's first segment after its SYN.
    First(CookieKind),
    /// Perhaps a later segment.
    Later,
    /// It is not.
    Unknown,
}

impl CookieKind {
    /// That of a SYN as it is given to smoltcp; `default_size`: the segment size of one that does not ask for any.
    pub(crate) fn of(syn: &TcpRepr<'_>, default_size: u16) -> CookieKind {
        match syn.window_scale {
            // The tag of a number does not survive the wrap of the peer's numbers: a later segment could pass for the first.
            _ if syn.seq_number.0.cast_unsigned() > u32::MAX - isn::UNTAGGED => CookieKind::Special,
            _ if syn.max_seg_size < Some(default_size) => CookieKind::Special,
            None => CookieKind::Unscaled,
            Some(..7) => CookieKind::Scaled,
            Some(7..) => CookieKind::ScaledBy7,
        }
    }

    /// A SYN that stands for the one that this client sent before the segment.
    pub(crate) fn syn(self, segment: &Segment<'_>) -> TcpRepr<'static> {
        TcpRepr {
            src_port: segment.tcp.src_port,
            dst_port: segment.tcp.dst_port,
            control: TcpControl::Syn,
            seq_number: (segment.seq() - 1).into(),
            ack_number: None,
            window_len: segment.tcp.window_len,
            window_scale: match self {
                CookieKind::Unscaled | CookieKind::Special => None,
                CookieKind::Scaled => Some(0),
                CookieKind::ScaledBy7 => Some(7),
            },
            max_seg_size: None,
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &[],
        }
    }
}

/// Whether this is a segment of an evicted client; `scales`: windows may be scaled.
pub(crate) fn recognise(origin: Origin, now: Instant, segment: &Segment<'_>, scales: bool) -> Recognition {
    let (TcpControl::None | TcpControl::Psh | TcpControl::Fin, Some(ack)) =
        (segment.tcp.control, segment.ack())
    else {
        return Recognition::Unknown;
    };
    let kinds = [CookieKind::Unscaled, CookieKind::Scaled, CookieKind::ScaledBy7];
    let mut recognition = Recognition::Unknown;
    for &kind in if scales { &kinds[..] } else { &kinds[..1] } {
        match origin.given(kind as u32, now, COOKIE_AGE, segment.seq() - 1, ack - 1) {
            Given::Valid => return Recognition::First(kind),
            Given::OtherSyn => recognition = Recognition::Later,
            Given::Unknown => {}
        }
    }
    recognition
}
