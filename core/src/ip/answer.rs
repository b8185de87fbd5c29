//! Answers that the server builds itself, to packets that nothing here takes: RSTs and ICMP errors, and their limits.

use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{IpAddress, IpProtocol, IpRepr};

use crate::ip::device::Room;
use crate::ip::interface::Interface;
use crate::ip::token_bucket::{Rate, TokenBucket, TokenBuckets};
use crate::ip::{closed_port, icmp};

/// ICMP errors to one source: Linux's `icmp_ratelimit`, a burst of 6 and then one a second.
const ERRORS_A_SOURCE: Rate = Rate { burst: 6, interval: Duration::from_secs(1) };

/// ICMP errors to all sources: Linux's `icmp_msgs_burst` and `icmp_msgs_per_sec`. RFC 4443, section 2.4(f) demands a
/// limit, RFC 1812, section 4.3.2.8 advises it.
const ERRORS: Rate = Rate { burst: 50, interval: Duration::from_millis(1) };

/// RSTs to closed ports, to all sources: FreeBSD's `net.inet.icmp.icmplim`. There is no limit a source: a client whose
/// connection is refused waits for its RST each time.
const RESETS: Rate = Rate { burst: 200, interval: Duration::from_millis(5) };

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// To a TCP segment for a closed port, which must not be a RST.
    Reset,
    /// To a UDP datagram for a closed port.
    PortUnreachable,
    /// To an IPv4 packet with a protocol that nothing here speaks.
    ProtocolUnreachable,
    /// To an IPv6 packet: what is wrong, and at which of its bytes.
    #[cfg(feature = "ipv6")]
    ParameterProblem(Problem, u16),
}

/// The codes of ICMPv6's Parameter Problem (RFC 4443, section 3.4).
#[cfg(feature = "ipv6")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    HeaderField = 0,
    NextHeader = 1,
    Option = 2,
    /// RFC 7112.
    IncompleteChain = 3,
}

/// A packet that nothing here takes, and that is to be answered.
#[derive(Debug)]
pub(crate) struct Unwanted<'p> {
    pub(crate) answer: Answer,
    /// Nothing, or the Ethernet header.
    pub(crate) link_header: &'p [u8],
    /// What stands behind the packet's IP header and extension headers.
    pub(crate) payload: &'p [u8],
    pub(crate) source: IpAddress,
    pub(crate) destination: IpAddress,
}

impl Unwanted<'_> {
    /// Sends the answer to this packet, which came in this frame.
    ///
    /// Do not be tempted to let it be inlined: every packet would pay.
    #[inline(never)]
    pub(crate) fn send_answer(&self, frame: &[u8], tx: &mut dyn Room, interface: &mut Interface) {
        match self.answer {
            Answer::Reset => closed_port::reset(self, tx, interface),
            _ => icmp::error(&frame[self.link_header.len()..], self, tx, interface),
        }
    }

    /// Sends a packet with this protocol and payload length to the source of the unwanted one, from its destination. `emit`:
    /// as in [`Interface::send_back`].
    pub(crate) fn reply(
        &self,
        (protocol, length): (IpProtocol, usize),
        tx: &mut dyn Room,
        interface: &mut Interface,
        emit: impl Fn(&mut [u8], usize),
    ) {
        let ip = IpRepr::new(self.destination, self.source, protocol, length, 64);
        interface.send_back(self.link_header, &ip, tx, emit);
    }
}

/// Limits how many of its own answers the server sends.
#[derive(Debug)]
pub(crate) struct AnswerLimits {
    errors_a_source: TokenBuckets,
    errors: TokenBucket,
    resets: TokenBucket,
}

impl AnswerLimits {
    pub(crate) const fn new(key: [u8; 16]) -> AnswerLimits {
        AnswerLimits {
            errors_a_source: TokenBuckets::new(key),
            errors: TokenBucket::FULL,
            resets: TokenBucket::FULL,
        }
    }

    /// Whether the limits let this packet be answered now.
    ///
    /// Do not be tempted to let it be inlined: every packet would pay.
    #[inline(never)]
    pub(crate) fn permit(&mut self, now: Instant, packet: &Unwanted<'_>) -> bool {
        match packet.answer {
            Answer::Reset => self.resets.take(now, &RESETS),
            _ => {
                self.errors_a_source.take(now, &ERRORS_A_SOURCE, packet.source, 0)
                    && self.errors.take(now, &ERRORS)
            }
        }
    }
}
