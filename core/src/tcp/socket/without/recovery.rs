//! In place of recovery from loss: smoltcp's timer sends again what is lost, after a second or more, and the window of the
//! peer alone says how much is in flight.

use smoltcp::phy::Device;
use smoltcp::time::Instant;

use crate::cx::Cx;
use crate::ip::device::Room;
use crate::ip::interface::Sent;
use crate::tcp::segment::{Segment, SentSegment};
use crate::tcp::seq::Seq;
use crate::tcp::socket::Socket;
use crate::tcp::timers::NEVER;

#[derive(Debug)]
pub(crate) struct Recovery {
    /// SMSS: no segment is longer.
    pub(super) smss: u16,
    /// smoltcp is never made to go back.
    pub(super) back: bool,
    /// The timer of the probes of a closed window was restarted, and nothing has been sent since.
    pub(super) persist_restarted: bool,
}

#[derive(Debug, Clone, Copy)]
#[expect(dead_code, reason = "nothing goes by them")]
pub(super) struct Numbers {
    pub(super) snd_una: Seq,
    pub(super) snd_max: Seq,
}

impl Recovery {
    pub(crate) const EMPTY: Recovery = Recovery::new(0, 0, false);

    pub(crate) const fn new(smss: u16, _half: u16, _sack_permitted: bool) -> Recovery {
        Recovery { smss, back: false, persist_restarted: false }
    }

    pub(super) fn departs(&mut self, _now: Instant, _segment: &SentSegment, _numbers: Numbers) {}

    pub(super) fn hears(
        &mut self,
        _now: Instant,
        _segment: &Segment<'_>,
        _numbers: Numbers,
        _before: Seq,
        _window: u16,
    ) {
    }

    pub(super) fn window_opens(&mut self) {}

    /// SND.NXT, as if smoltcp had not gone back.
    pub(super) fn snd_nxt(&self, numbers: Numbers) -> Seq {
        numbers.snd_max
    }

    pub(super) fn permits(&self, _numbers: Numbers, _end: Seq) -> bool {
        true
    }
}

impl Socket<'_> {
    pub(crate) fn retransmits_at(&self) -> Instant {
        NEVER
    }

    pub(crate) fn retransmission_due(&mut self, _now: Instant) -> bool {
        false
    }

    pub(super) fn send_one<H>(&mut self, cx: &mut Cx<'_, H>, at: Instant, tx: &mut (impl Room + ?Sized)) {
        let (sockets, mut departures) = self.departures(cx);
        cx.interface.send_one(at, tx, sockets, &mut departures);
        let last = departures.last;
        self.note(last);
        self.look();
    }

    pub(super) fn outlast_timer<H, D: Device + ?Sized>(&mut self, _cx: &mut Cx<'_, H>, _device: &mut D) {}

    pub(super) fn send_again<H, D: Device + ?Sized>(
        &mut self,
        _cx: &mut Cx<'_, H>,
        _device: &mut D,
    ) -> Option<Sent> {
        None
    }

    pub(super) fn acknowledge<H, D: Device + ?Sized>(
        &mut self,
        _cx: &mut Cx<'_, H>,
        _device: &mut D,
    ) -> Option<Sent> {
        None
    }
}
