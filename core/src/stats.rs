//! What a server counts.

use core::fmt;

/// Why a packet was dropped, or not acted upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DropReason {
    /// Truncated, or with fields that contradict each other.
    Malformed,
    /// A wrong checksum, or none where one is due (UDP over IPv6: RFC 8200, section 8.1).
    Checksum,
    /// Not for one of the server's addresses.
    NotOurs,
    /// For a broadcast or multicast address, or a broadcast or multicast frame around a unicast packet.
    Broadcast,
    /// From an address that no host can send from: broadcast, multicast, loopback, unspecified.
    Source,
    /// From one of the server's own addresses (LAND).
    OwnSource,
    /// A fragment that cannot be put together with others (too long, contradictory, or no buffer is free), or any without the
    /// feature `fragments`.
    Fragment,
    /// An IPv6 packet whose extension headers ask for it to be dropped, or lead to nothing; one with more than 8 of them;
    /// one of more than 2048 bytes without them; neighbour discovery behind them.
    ExtensionHeader,
    /// A SYN, or an evicted client's acknowledgement, when every slot has an open connection.
    NoSlot,
    /// A SYN, or an evicted client's acknowledgement, of a source that has as many connections as it may
    /// ([`Config::per_source`](crate::Config::per_source)).
    PerSource,
    /// A SYN while the server shuts down.
    ShuttingDown,
    /// A segment that its connection must not act upon (RFC 5961), such as a SYN or an inexact RST.
    Unacceptable,
    /// A datagram from port 0, from the server's own port number, or from the port of a service that answers whatever it
    /// gets: a reply might be answered for ever.
    EchoLoop,
    /// A datagram to which the reply would add nothing, from a source that has sent many of them: it may be an echo
    /// itself.
    EchoLimit,
    /// A packet that deserves an ICMP error or, at a closed port, a RST, but there have been too many of these.
    AnswerLimit,
    /// A datagram whose reply found no room.
    ReplyQueue,
    /// A reply to a neighbour that does not answer ARP or neighbour solicitations.
    Neighbour,
}

impl DropReason {
    /// All reasons, in the order of their declaration.
    pub const ALL: [DropReason; 17] = [
        Self::Malformed,
        Self::Checksum,
        Self::NotOurs,
        Self::Broadcast,
        Self::Source,
        Self::OwnSource,
        Self::Fragment,
        Self::ExtensionHeader,
        Self::NoSlot,
        Self::PerSource,
        Self::ShuttingDown,
        Self::Unacceptable,
        Self::EchoLoop,
        Self::EchoLimit,
        Self::AnswerLimit,
        Self::ReplyQueue,
        Self::Neighbour,
    ];

    /// A few words for a person.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Checksum => "checksum",
            Self::NotOurs => "not ours",
            Self::Broadcast => "broadcast",
            Self::Source => "bad source",
            Self::OwnSource => "own source",
            Self::Fragment => "fragment",
            Self::ExtensionHeader => "extension header",
            Self::NoSlot => "no slot",
            Self::PerSource => "too many of one source",
            Self::ShuttingDown => "shutting down",
            Self::Unacceptable => "unacceptable segment",
            Self::EchoLoop => "echo loop",
            Self::EchoLimit => "echo limit",
            Self::AnswerLimit => "answer limit",
            Self::ReplyQueue => "reply queue",
            Self::Neighbour => "no neighbour",
        }
    }
}

/// Counters since the server was made; they wrap after 2^64.
///
/// At any time `opened = closed + reset + timed_out + aborted + live`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Packets (frames on Ethernet) that came from the device.
    pub packets_in: u64,
    /// Packets (frames on Ethernet) that went to the device.
    pub packets_out: u64,
    /// Connections that were established.
    pub opened: u64,
    /// Connections that ended with a FIN of each side.
    pub closed: u64,
    /// Connections that the peer reset.
    pub reset: u64,
    /// Connections that a deadline ended: a dead peer, unacknowledged data, an idle connection not closed in time.
    pub timed_out: u64,
    /// Connections that the server reset: as it shut down, or as data came when it had sent its FIN.
    pub aborted: u64,
    /// SYNs, and acknowledgements of evicted clients, that found no slot.
    pub refused: u64,
    /// Half-open slots that were evicted for another connection.
    pub evicted: u64,
    /// Connections whose half-open slot was evicted, and that the client's acknowledgement opened all the same.
    pub revived: u64,
    /// Half-open slots that ended without a connection: reset, given up by their deadline, shut down, or begun anew.
    pub abandoned: u64,
    /// Established connections now.
    pub live: u64,
    /// The most that `live` has been.
    pub most_live: u64,
    /// TCP payload bytes taken from peers.
    pub bytes_in: u64,
    /// TCP payload bytes given back.
    pub bytes_out: u64,
    /// UDP datagrams taken.
    pub datagrams_in: u64,
    /// UDP datagrams sent.
    pub datagrams_out: u64,
    /// UDP payload bytes taken from clients, those beyond the first 1024 of a datagram too.
    pub datagram_bytes_in: u64,
    /// UDP payload bytes given back.
    pub datagram_bytes_out: u64,
    drops: Drops,
}

/// A number for each reason, in the order of [`DropReason::ALL`].
pub(crate) type Drops = [u64; DropReason::ALL.len()];

impl Stats {
    /// Packets dropped for this reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.drops[reason as usize]
    }

    #[cfg(feature = "log")]
    pub(crate) fn drops(&self) -> Drops {
        self.drops
    }

    pub(crate) fn drop(&mut self, reason: DropReason) {
        self.drops[reason as usize] += 1;
    }
}

/// One readable block; reasons of drops that did not occur are left out.
impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self;
        writeln!(f, "packets      {} in, {} out", s.packets_in, s.packets_out)?;
        writeln!(
            f,
            "connections  {} live (peak {}), {} opened, {} closed, {} reset, {} timed out, {} aborted",
            s.live, s.most_live, s.opened, s.closed, s.reset, s.timed_out, s.aborted
        )?;
        writeln!(
            f,
            "half-open    {} refused, {} evicted, {} revived, {} abandoned",
            s.refused, s.evicted, s.revived, s.abandoned
        )?;
        writeln!(
            f,
            "bytes        {} in, {} out (TCP); {} in, {} out (UDP)",
            s.bytes_in, s.bytes_out, s.datagram_bytes_in, s.datagram_bytes_out
        )?;
        writeln!(f, "datagrams    {} in, {} out", s.datagrams_in, s.datagrams_out)?;
        write!(f, "dropped     ")?;
        let mut any = false;
        for reason in DropReason::ALL {
            let count = self.dropped(reason);
            if count > 0 {
                let comma = if any { "," } else { "" };
                write!(f, "{comma} {count} {}", reason.name())?;
                any = true;
            }
        }
        f.write_str(if any { "" } else { " none" })
    }
}
