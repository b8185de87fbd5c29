//! RFC 862: what comes goes back as it is.

use core::net::SocketAddr;

use shout_core::{Handler, Next, Reply, Stream, reply_with};

/// The echo service, over TCP and UDP.
pub(crate) struct Echo;

impl Handler for Echo {
    type State = ();

    const PASSES: bool = true;

    fn open(&mut self, _peer: SocketAddr) -> Option<()> {
        Some(())
    }

    fn stream(&mut self, (): &mut (), stream: &mut Stream<'_, '_>) -> Next {
        stream.pass(|_| {});
        Next::Continue
    }

    fn datagram(&mut self, _peer: SocketAddr, request: &[u8], reply: &mut Reply) -> bool {
        reply_with(request, reply);
        true
    }
}
