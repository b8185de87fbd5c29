//! The Ethernet controller as a driver of embassy's kind: what its interrupt wakes looks at it again.

use core::task::Context;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;
use shout_core::smoltcp::phy::{self, Device};
use shout_core::smoltcp::time::Instant;

use crate::mac::{self, Mac, Received, Sending};

/// The task that waits for a frame, or for room for one.
static WAITING: AtomicWaker = AtomicWaker::new();

/// The controller's interrupt: a frame has come, or has been sent.
pub(super) fn interrupted() {
    mac::acknowledge(mac::registers());
    WAITING.wake();
}

impl Driver for Mac<'_> {
    type RxToken<'t>
        = Received<'t>
    where
        Self: 't;
    type TxToken<'t>
        = Sending<'t>
    where
        Self: 't;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Received<'_>, Sending<'_>)> {
        // Before the look: what happens after it wakes.
        WAITING.register(context.waker());
        Device::receive(self, Instant::ZERO)
    }

    fn transmit(&mut self, context: &mut Context<'_>) -> Option<Sending<'_>> {
        WAITING.register(context.waker());
        Device::transmit(self, Instant::ZERO)
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        // The PHY is not asked: without a link, nothing comes.
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = Device::capabilities(self).max_transmission_unit;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.address())
    }
}

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        phy::TxToken::consume(self, length, f)
    }
}
