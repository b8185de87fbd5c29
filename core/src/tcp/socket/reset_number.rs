//! smoltcp's RST of an `abort` has SND.NXT, also behind a closed window. A fast retransmission that is due when it leaves is
//! left to the next connection, whose first segment then ignores the window.
//!
//! RFC 5961, section 3.2: the peer accepts a RST only with the number that it expects, which is SND.UNA behind a closed
//! window. RFC 9293, section 3.10.5: with the RST, all that was to be sent is gone. So smoltcp is not asked for the RST of a
//! connection, but for the one that answers an acknowledgement to no connection (RFC 9293, section 3.10.7.1), and has that number.
//! Upstream: none. Near xarxa audit 017.
//! Shown by: core/tests/smoltcp.rs, `an_abort_behind_a_closed_window_has_the_wrong_number`,
//! `a_fast_retransmission_is_due_on_the_next_connection`
//! Kept by: core/src/tests/reset.rs, core/src/tests/arp.rs

use smoltcp::wire::TcpRepr;

use crate::tcp::demux::Tuple;
use crate::tcp::segment::{Built, Segment, bare_ack, build};
use crate::tcp::socket::Socket;

impl Socket<'_> {
    /// The acknowledgement that, if it is to no connection, smoltcp answers with the RST which the peer expects: with
    /// SND.NXT, or SND.UNA behind a closed window.
    pub(super) fn draws_reset(&self, link_header: &[u8], tuple: Tuple) -> Built {
        let tcb = &self.tcb;
        let mut tcp = self.last_ack(tuple);
        if tcb.peer_window > 0 && !tcb.window_shrank {
            tcp.ack_number = Some(tcb.recovery.snd_nxt(tcb.numbers()).into());
        }
        build(&Segment { packet: &[], link_header, tuple, tcp }, &tcp)
    }

    /// An empty segment from the peer that says what it said last.
    pub(super) fn last_ack(&self, tuple: Tuple) -> TcpRepr<'static> {
        let own_port = self.socket().local_endpoint().map_or(0, |local| local.port);
        let tcb = &self.tcb;
        bare_ack((tuple.remote.port, own_port), tcb.rcv_nxt, tcb.snd_una, tcb.peer_window)
    }
}
