//! In place of path MTU discovery: all packets are as long as the device takes them.

use smoltcp::phy::Device;
use smoltcp::time::Instant;

use crate::cx::Cx;
use crate::ip::interface::Sent;
use crate::tcp::demux::Tuple;
use crate::tcp::socket::Socket;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooBig {
    pub(crate) tuple: Tuple,
}

impl TooBig {
    pub(crate) fn read(_packet: &[u8]) -> Option<TooBig> {
        None
    }
}

impl Socket<'_> {
    pub(crate) fn too_big(&mut self, _now: Instant, _error: &TooBig) -> bool {
        false
    }

    pub(super) fn send_narrow<H, D: Device + ?Sized>(
        &mut self,
        _cx: &mut Cx<'_, H>,
        _device: &mut D,
    ) -> Option<Sent> {
        None
    }
}
