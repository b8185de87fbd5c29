//! smoltcp's `set_timeout` ends healthy idle connections, and its keep-alive is sent over bytes that are in flight.
//!
//! RFC 9293, section 3.8.4. Both are off; when a peer is probed or dead is decided in [`policy`](crate::tcp::policy).
//! Upstream: <https://github.com/smoltcp-rs/smoltcp/issues/1202> (open), its pull request 1204.
//! Shown by: core/tests/smoltcp.rs, `a_timeout_ends_a_healthy_idle_connection`,
//! `a_keep_alive_takes_the_place_of_a_byte_in_flight`
//! Kept by: core/src/tests/deadlines.rs

use smoltcp::time::Duration;

use crate::tcp::socket::Socket;

impl Socket<'_> {
    /// True if a keep-alive may be sent: nothing is in flight, which would be a probe of its own. smoltcp's keep-alive has
    /// a byte in the place of the last one that was sent; if that has not arrived, the peer takes it for data.
    pub(crate) fn can_keep_alive(&self) -> bool {
        self.send_queue() == 0 && self.may_send()
    }

    /// Has smoltcp send one keep-alive when it sends next.
    pub(crate) fn arm_keep_alive(&mut self) {
        let socket = self.socket_mut();
        // Any interval starts the timer at once; without one it does not start again.
        socket.set_keep_alive(Some(Duration::from_secs(20)));
        socket.set_keep_alive(None);
    }
}
