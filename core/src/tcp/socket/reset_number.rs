//! smoltcp's RST of an `abort` has SND.NXT, also behind a closed window.
//!
//! RFC 5961, section 3.2: the peer accepts a RST only with the number that it expects. Behind a closed window, that is
//! SND.UNA, and so is the number of the RST that answers an acknowledgement to no connection (RFC 9293, section 3.10.7.1).
//! Upstream: none. Near xarxa audit 017.
//! Shown by: core/tests/smoltcp.rs, `an_abort_behind_a_closed_window_has_the_wrong_number`
//! Kept by: core/src/tests/reset.rs

use crate::tcp::demux::Tuple;
use crate::tcp::segment::{Built, Segment, bare_ack, build};
use crate::tcp::socket::Socket;

impl Socket<'_> {
    /// True if the peer takes nothing beyond SND.UNA, as its window is closed. A peer in SYN-SENT takes a RST only with an
    /// acknowledgement, as smoltcp's own has it (RFC 9293, section 3.10.7.3).
    pub(super) fn is_shut_out(&self) -> bool {
        self.tcb.peer_window == 0 && self.is_synchronized()
    }

    /// The acknowledgement that, if it is to no connection, smoltcp answers with the RST which the peer expects.
    pub(super) fn draws_reset(&self, link_header: &[u8], tuple: Tuple) -> Built {
        let tcp = self.last_ack(tuple);
        build(&Segment { packet: &[], link_header, tuple, tcp }, &tcp)
    }

    /// An empty segment from the peer that says what it said last.
    pub(super) fn last_ack(&self, tuple: Tuple) -> smoltcp::wire::TcpRepr<'static> {
        let own_port = self.socket().local_endpoint().map_or(0, |local| local.port);
        let tcb = &self.tcb;
        bare_ack((tuple.remote.port, own_port), tcb.rcv_nxt, tcb.snd_una, tcb.peer_window)
    }
}
