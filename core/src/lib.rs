#![doc = include_str!("../README.md")]
//!
//! # Driving it
//!
//! The four things that [`Server`] needs from its caller:
//!
//! - a **device**: anything that implements smoltcp's [`Device`](smoltcp::phy::Device), IP or Ethernet;
//! - **time**: a monotonic [`Instant`](smoltcp::time::Instant), handed to each call;
//! - **entropy**: 16 bytes at construction ([`Config::entropy`]);
//! - **memory**: a [`Storage`] of borrowed slices, for instance out of a `static` [`Memory`].
//!
//! # Polling
//!
//! [`Server::poll`] does all the work: it takes the packets that the device has (a bounded number a call), runs what is
//! due, and says in [`Poll`] when it wants to be called again. Call it when the device may have a packet, when
//! [`Poll::deadline`] has come, and, after [`Poll::blocked`], when the device can send again. Calls that were not needed are
//! safe and cost only time; late calls delay retransmissions and deadlines. Time must not go back between calls.
//!
//! ```
//! use shout_core::{Config, Memory, Server};
//! # use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
//! use smoltcp::time::Instant;
//! use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};
//!
//! # struct Idle;
//! # struct Never;
//! # impl RxToken for Never {
//! #     fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R { f(&[]) }
//! # }
//! # impl TxToken for Never {
//! #     fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, _: usize, f: F) -> R { f(&mut []) }
//! # }
//! # impl Device for Idle {
//! #     type RxToken<'a> = Never;
//! #     type TxToken<'a> = Never;
//! #     fn receive(&mut self, _: Instant) -> Option<(Never, Never)> { None }
//! #     fn transmit(&mut self, _: Instant) -> Option<Never> { None }
//! #     fn capabilities(&self) -> DeviceCapabilities {
//! #         let mut capabilities = DeviceCapabilities::default();
//! #         capabilities.medium = Medium::Ip;
//! #         capabilities.max_transmission_unit = 1500;
//! #         capabilities
//! #     }
//! # }
//! # let mut device = Idle;
//! let mut memory: Memory<'_, 8> = Memory::new(); // on a microcontroller, a `static`
//! let entropy = *b"from the caller!"; // a real one asks its random number generator
//!
//! let mut config = Config::new(HardwareAddress::Ip, entropy);
//! config.addresses.push(IpCidr::new(IpAddress::v4(192, 168, 69, 1), 24)).unwrap();
//!
//! let now = Instant::from_millis(0);
//! let mut server = Server::new(&config, memory.storage(), &mut device, now)?;
//! let next = server.poll(now, &mut device);
//! assert_eq!(next.deadline, None); // no connection, nothing to wait for but a packet
//! # Ok::<(), shout_core::ConfigError>(())
//! ```
//!
//! # A socket set for each connection
//!
//! smoltcp looks through a socket set from the start for every packet, and has no listener with a backlog. Here each
//! connection has a socket set of its own, and the demultiplexer decides which one sees a packet. So the cost of a packet does
//! not grow with the number of connections, a duplicate SYN cannot take over a live connection, and the backlog is the
//! server's to define. CONTRIBUTING.md in the repository follows a packet through the modules.

#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::too_many_lines)]

#[cfg(test)]
extern crate std;

mod config;
mod cx;
#[cfg(feature = "embassy")]
pub mod embassy;
#[cfg_attr(not(feature = "log"), path = "without/events.rs")]
mod events;
mod handler;
mod ip;
mod memory;
mod server;
mod stats;
mod tcp;
mod udp;
mod uppercase;

#[cfg(test)]
mod tests;

pub use config::{Config, ConfigError, MAX_ADDRESSES};
pub use handler::{End, Handler, Next, Reply, reply_with};
pub use memory::{BUFFER_SIZE, Memory, Storage, UdpStorage};
pub use server::{Poll, Server};
pub use smoltcp;
pub use stats::{DropReason, Stats};
pub use tcp::demux::{Bucket, DemuxEntry};
pub use tcp::per_source::SourceEntry;
pub use tcp::slots::Slot;
pub use tcp::socket::stream::Stream;
pub use udp::delayed::DelayedMetadata;
pub use uppercase::Uppercase;
