//! smoltcp's probes of a closed window are up to a minute apart, too long to tell a living peer from a dead one.
//!
//! RFC 9293, section 3.8.6.1. A silent peer is probed every 5 seconds ([`policy`](crate::tcp::policy)); behind a closed
//! window, smoltcp's own probe is the one, so its timer is restarted.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `probes_of_a_closed_window_back_off_to_a_minute`
//! Kept by: core/src/tests/deadlines.rs

use crate::tcp::socket::Socket;

impl Socket<'_> {
    /// True if the timer of the probes is to be restarted to probe a silent peer. smoltcp's first probe comes no sooner
    /// than a retransmission would: do not be tempted to restart the timer again before it has fired.
    pub(crate) fn restarts_persist(&mut self) -> bool {
        let restarts = self.send_queue() > 0 && self.tcb.peer_window == 0 && !self.persist_restarted;
        self.persist_restarted |= restarts;
        restarts
    }
}
