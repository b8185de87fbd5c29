//! smoltcp takes no window update in LAST-ACK.
//!
//! RFC 9293, section 3.10.7.4: in LAST-ACK, an acknowledgement is processed as in ESTABLISHED. So our FIN waits until what
//! is left to send fits into the window.
//! Upstream: <https://github.com/smoltcp-rs/smoltcp/pull/1126> brought it. xarxa audit 085.
//! Shown by: core/tests/smoltcp.rs, `last_ack_takes_no_window_update`
//! Kept by: core/src/tests/half_close.rs

use crate::tcp::socket::Socket;

impl Socket<'_> {
    /// True if the FIN can be sent without the need of another window update.
    pub(crate) fn can_finish(&self) -> bool {
        self.may_send() && self.send_queue() <= self.tcb.snd_wnd()
    }
}
