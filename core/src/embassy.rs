//! The server on embassy: behind any driver of embassy's network stack, as a task of any executor.
//!
//! [`Adapter`] makes a [`Driver`] the [`Device`](phy::Device) that a [`Server`] is polled with, and [`run`] serves with it
//! for ever. The task sleeps until the driver has a packet or room for one, its link goes down or up, or the server's
//! deadline comes. Time is embassy-time's, whose driver the board supplies; embassy-net is not used.
//!
//! A whole program, behind a TAP device of Linux; on a board, only the driver and the entropy differ:
//!
//! ```no_run
#![doc = include_str!("../examples/embassy.rs")]
//! ```

use core::convert::Infallible;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embassy_net_driver::{self as driver, Driver, LinkState};
use embassy_time::{TICK_HZ, Timer};
use smoltcp::phy::{self, Checksum, DeviceCapabilities, Medium};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress};

use crate::{ConfigError, Handler, Server, events};

/// A driver of embassy's as smoltcp's device.
///
/// The device has the driver's MTU, checksum capabilities and hardware address. While the link is down, it neither gives nor takes
/// packets. A connection outlives an outage: a deadline that passed meanwhile probes the peer first.
#[derive(Debug)]
pub struct Adapter<D> {
    driver: D,
    hardware_addr: HardwareAddress,
    /// The task that the driver wakes; none until the server is run.
    waker: Waker,
    link_is_up: bool,
}

impl<D: Driver> Adapter<D> {
    /// Takes a driver for Ethernet or for IP. Its link is taken to be up until [`run`] looks at it.
    ///
    /// # Errors
    ///
    /// [`ConfigError::HardwareAddress`] if the driver is for another medium, such as IEEE 802.15.4.
    pub fn new(driver: D) -> Result<Adapter<D>, ConfigError> {
        let hardware_addr = match driver.hardware_address() {
            driver::HardwareAddress::Ethernet(address) => HardwareAddress::Ethernet(EthernetAddress(address)),
            #[cfg(feature = "medium-ip")]
            driver::HardwareAddress::Ip => HardwareAddress::Ip,
            _ => return Err(ConfigError::HardwareAddress),
        };
        Ok(Adapter { driver, hardware_addr, waker: Waker::noop().clone(), link_is_up: true })
    }

    /// The driver's own address, for [`Config::new`](crate::Config::new).
    pub fn hardware_addr(&self) -> HardwareAddress {
        self.hardware_addr
    }

    /// From now on, the driver wakes the task that is polled.
    fn attach(&mut self, context: &mut Context<'_>) {
        self.waker.clone_from(context.waker());
        let is_up = self.driver.link_state(context) == LinkState::Up;
        if is_up != self.link_is_up {
            self.link_is_up = is_up;
            events::link(is_up);
        }
    }
}

/// The present time of embassy-time, for [`Server::new`].
pub fn now() -> Instant {
    let micros = embassy_time::Instant::now().as_micros();
    Instant::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// Serves for ever. Other tasks of the executor get their turn after a bounded number of packets.
///
/// The future may be dropped while it waits: nothing is lost, and `run` may be called again with the same server and device.
pub async fn run<D: Driver, H: Handler>(server: &mut Server<'_, H>, device: &mut Adapter<D>) -> Infallible {
    poll_fn(|context| {
        device.attach(context);
        // A timer that is dropped again wakes the task all the same; should it not be needed any more, that is harmless.
        if let Some(deadline) = server.poll(now(), device).deadline
            && (deadline <= now() || pin!(Timer::at(not_before(deadline))).poll(context).is_ready())
        {
            context.waker().wake_by_ref();
        }
        // Without a deadline too: the driver wakes the task for a packet, for room and for its link.
        Poll::Pending
    })
    .await
}

/// The first tick at which this time has come: a tick too early, the server would have nothing to do and be polled again
/// and again until it is due.
fn not_before(time: Instant) -> embassy_time::Instant {
    let micros = u64::try_from(time.total_micros()).unwrap_or(0);
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    // The second product is at most 10^6 times the highest tick rate of embassy-time, below 2^64.
    let ticks = seconds.saturating_mul(TICK_HZ).saturating_add((micros * TICK_HZ).div_ceil(1_000_000));
    embassy_time::Instant::from_ticks(ticks)
}

impl<D: Driver> phy::Device for Adapter<D> {
    type RxToken<'a>
        = RxToken<D::RxToken<'a>>
    where
        Self: 'a;
    type TxToken<'a>
        = TxToken<D::TxToken<'a>>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        if !self.link_is_up {
            return None;
        }
        let (rx, tx) = self.driver.receive(&mut Context::from_waker(&self.waker))?;
        Some((RxToken(rx), TxToken(tx)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Self::TxToken<'_>> {
        if !self.link_is_up {
            return None;
        }
        self.driver.transmit(&mut Context::from_waker(&self.waker)).map(TxToken)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let of_driver = self.driver.capabilities();
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = match self.hardware_addr {
            HardwareAddress::Ethernet(_) => Medium::Ethernet,
            #[cfg(feature = "medium-ip")]
            HardwareAddress::Ip => Medium::Ip,
        };
        // Both count an Ethernet header, and no checksum behind the frame.
        capabilities.max_transmission_unit = of_driver.max_transmission_unit;
        capabilities.max_burst_size = of_driver.max_burst_size;
        capabilities.checksum.ipv4 = checksum(of_driver.checksum.ipv4);
        capabilities.checksum.udp = checksum(of_driver.checksum.udp);
        capabilities.checksum.tcp = checksum(of_driver.checksum.tcp);
        capabilities.checksum.icmpv4 = checksum(of_driver.checksum.icmpv4);
        #[cfg(feature = "ipv6")]
        {
            capabilities.checksum.icmpv6 = checksum(of_driver.checksum.icmpv6);
        }
        capabilities
    }
}

/// Which checksums are left to the server: both crates mean the same by the same names.
fn checksum(of_driver: driver::Checksum) -> Checksum {
    match of_driver {
        driver::Checksum::Both => Checksum::Both,
        driver::Checksum::Rx => Checksum::Rx,
        driver::Checksum::Tx => Checksum::Tx,
        driver::Checksum::None => Checksum::None,
    }
}

/// A received packet.
#[derive(Debug)]
pub struct RxToken<T>(T);

impl<T: driver::RxToken> phy::RxToken for RxToken<T> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        self.0.consume(|packet| f(packet))
    }
}

/// Room for a packet.
#[derive(Debug)]
pub struct TxToken<T>(T);

impl<T: driver::TxToken> phy::TxToken for TxToken<T> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        self.0.consume(length, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_a_tick_that_is_not_before_it() {
        for micros in [0_u32, 999_999, 1_000_000, 3_250_001] {
            let tick = not_before(Instant::from_micros(i64::from(micros))).as_ticks();
            assert_eq!(u128::from(tick), (u128::from(micros) * u128::from(TICK_HZ)).div_ceil(1_000_000));
        }
        assert_eq!(not_before(Instant::from_micros(-1_i64)).as_ticks(), 0);
    }
}
