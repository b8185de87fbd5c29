//! The default handler: what comes goes back in upper case. Nothing else in this crate knows what upper case is.

use core::net::SocketAddr;

use crate::handler::{Handler, Next, Reply, reply_with};
use crate::tcp::socket::stream::Stream;

/// What comes goes back in upper case: the ASCII letters of it, as Python's `bytes.upper()` has it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Uppercase;

impl Handler for Uppercase {
    type State = ();

    const PASSES: bool = true;

    fn open(&mut self, _peer: SocketAddr) -> Option<()> {
        Some(())
    }

    fn stream(&mut self, (): &mut (), stream: &mut Stream<'_, '_>) -> Next {
        stream.pass(<[u8]>::make_ascii_uppercase);
        Next::Continue
    }

    fn datagram(&mut self, _peer: SocketAddr, request: &[u8], reply: &mut Reply) -> bool {
        reply_with(request, reply);
        reply.make_ascii_uppercase();
        true
    }
}
