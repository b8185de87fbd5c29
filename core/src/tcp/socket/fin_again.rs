//! smoltcp never takes a FIN that comes again together with data that has all been received, and the close hangs.
//!
//! RFC 9293, section 3.10.7.4: a segment is acceptable if any part of it is in the window, and the FIN is its last number. lwIP
//! sends so. smoltcp looks at the data alone.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `a_fin_that_comes_again_with_received_data_is_never_taken`,
//! `a_fin_behind_all_of_the_received_data_is_never_taken`
//! Kept by: core/src/tests/half_close.rs

use smoltcp::socket::tcp::State;
use smoltcp::wire::TcpControl;

use crate::tcp::segment::Segment;
use crate::tcp::socket::Socket;

impl Socket<'_> {
    /// True if the FIN is all that is new in the segment.
    #[inline]
    pub(super) fn brings_fin_alone(&self, segment: &Segment<'_>) -> bool {
        segment.tcp.control == TcpControl::Fin
            && !segment.tcp.payload.is_empty()
            && segment.end() == self.tcb.rcv_nxt
            && matches!(self.state(), State::Established | State::FinWait1 | State::FinWait2)
    }

    /// Takes away the data before the FIN.
    pub(super) fn leave_fin_alone(&self, segment: &mut Segment<'_>) {
        segment.packet = &[];
        segment.tcp.seq_number = self.tcb.rcv_nxt.into();
        segment.tcp.payload = &[];
    }
}
