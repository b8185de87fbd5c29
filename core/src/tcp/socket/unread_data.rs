//! smoltcp ends a connection in good order although data has come that the application can no longer read and answer.
//!
//! RFC 9293, section 3.6.1: a RST shows that data was lost, so that the peer does not believe that all is well.
//! Upstream: none. xarxa audit 019.
//! Shown by: core/tests/smoltcp.rs, `unread_data_is_lost_without_a_rst`
//! Kept by: core/src/tests/half_close.rs

use smoltcp::socket::tcp::State;

use crate::tcp::socket::Socket;

impl Socket<'_> {
    /// True if our FIN is out, the peer has finished too, and something is unread.
    pub(crate) fn has_lost_data(&self) -> bool {
        matches!(self.state(), State::Closing | State::TimeWait) && self.recv_queue() > 0
    }
}
