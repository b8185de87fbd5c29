//! RFC 863: what comes is thrown away.

use core::net::SocketAddr;

use shout_core::{Handler, Next, Stream};

/// The discard service, over TCP and UDP. A datagram has no reply.
pub(crate) struct Discard;

impl Handler for Discard {
    type State = ();

    fn open(&mut self, _peer: SocketAddr) -> Option<()> {
        Some(())
    }

    fn stream(&mut self, (): &mut (), stream: &mut Stream<'_, '_>) -> Next {
        while stream.read(|bytes| (bytes.len(), ())).is_some() {}
        Next::Continue
    }
}
