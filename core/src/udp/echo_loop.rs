//! Datagrams that an answer might send back and forth for ever (CVE-2024-2169).
//!
//! One datagram is enough, with the address of another service that answers whatever it gets as its source: both answer
//! each other's answers. No content tells such a service from a client. But the reply to what is in upper case already is what
//! came, so a loop has come to that after one turn at most, and it has one datagram on its way at a time: it ends when one
//! is not answered. So replies that add nothing are limited, and a loop that is faster than the limit dies.

use smoltcp::time::{Duration, Instant};
use smoltcp::wire::IpEndpoint;

use crate::ip::token_bucket::{Rate, TokenBuckets};
use crate::stats::DropReason;

/// Replies that add nothing, to one address and port. More than a person types, or a script with a few lines.
const NOTHING_NEW: Rate = Rate { burst: 100, interval: Duration::from_millis(20) };

/// Services that answer whatever they get, if only with an error: echo, users, daytime, quote of the day, chargen, time,
/// DNS, TFTP, NTP. No client sends from these ports.
const ANSWERING_PORTS: [u16; 9] = [7, 11, 13, 17, 19, 37, 53, 69, 123];

/// Decides which datagrams are answered.
#[derive(Debug)]
pub(crate) struct EchoLoop {
    port: u16,
    replies: TokenBuckets,
}

impl EchoLoop {
    /// `port` is the server's own.
    pub(crate) const fn new(port: u16, key: [u8; 16]) -> EchoLoop {
        EchoLoop { port, replies: TokenBuckets::new(key) }
    }

    /// An error if nothing that comes from there is to be answered.
    pub(crate) fn check_source(&self, source: IpEndpoint) -> Result<(), DropReason> {
        let port = source.port;
        // Nobody can have asked from port 0.
        if port == 0 || port == self.port || ANSWERING_PORTS.contains(&port) {
            return Err(DropReason::EchoLoop);
        }
        Ok(())
    }

    /// An error if the reply adds nothing to the request, which may be longer, and its source had many such replies.
    pub(crate) fn check_reply(
        &mut self,
        now: Instant,
        source: IpEndpoint,
        request: &[u8],
        reply: &[u8],
    ) -> Result<(), DropReason> {
        if request.starts_with(reply) && !self.replies.take(now, &NOTHING_NEW, source.addr, source.port) {
            return Err(DropReason::EchoLimit);
        }
        Ok(())
    }
}
