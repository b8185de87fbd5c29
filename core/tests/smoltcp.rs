//! Tests on bare smoltcp 0.14.0: what it does otherwise than the RFCs, one test for each shortcoming that the
//! core repairs.
//!
//! A test is green while the shortcoming is there. When a new smoltcp turns one red, its message names the
//! module of the core that upstream has made superfluous. `core/tests/shortcomings.rs` compares these tests
//! with `core/src/tcp/socket/`, so that no module stands without a test, and no test without a module.
//!
//! Nothing of the core runs here: the fixture ([`peer`]) has smoltcp's own `Interface` and sockets, with the
//! features that the core asks for, and a peer whose segments each test writes down. Where a test might be
//! green for another reason, a test whose name begins with `control_` shows the nearest case that smoltcp
//! gets right.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation is how a test fails"
)]

#[path = "smoltcp/packets.rs"]
mod packets;
#[path = "smoltcp/peer.rs"]
mod peer;
#[path = "smoltcp/repaired.rs"]
mod repaired;
#[path = "smoltcp/segment.rs"]
mod segment;
#[path = "smoltcp/wire.rs"]
mod wire;

#[path = "smoltcp/acceptability.rs"]
mod acceptability;
#[path = "smoltcp/acknowledgements.rs"]
mod acknowledgements;
#[path = "smoltcp/closing.rs"]
mod closing;
#[path = "smoltcp/congestion.rs"]
mod congestion;
#[cfg(feature = "fragments")]
#[path = "smoltcp/fragments.rs"]
mod fragments;
#[path = "smoltcp/icmp.rs"]
mod icmp;
#[path = "smoltcp/ip.rs"]
mod ip;
#[cfg(feature = "ipv6")]
#[path = "smoltcp/ipv6.rs"]
mod ipv6;
#[path = "smoltcp/neighbours.rs"]
mod neighbours;
#[path = "smoltcp/opening.rs"]
mod opening;
#[path = "smoltcp/persist.rs"]
mod persist;
#[path = "smoltcp/retransmission.rs"]
mod retransmission;
#[path = "smoltcp/windows.rs"]
mod windows;
