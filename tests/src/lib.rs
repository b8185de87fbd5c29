//! A network in memory and in virtual time, for the tests of [`shout_core`].
//!
//! ```text
//!  apps ──▶ their TCP ──▶ link ──▶ device ──▶ Server
//!           (two kinds)   (loses,   (can be full)
//!                         corrupts)    └── invariants: checks all packets that pass here, in order
//! ```
//!
//! A [`Network`](network::Network) is one server, the device it runs on, and clients on a link. Its time jumps from one
//! event to the next, so that minutes of waiting cost nothing, and everything random in it comes from one seed. A
//! [`SingleServer`](single_server::SingleServer) is a server without a link, for packets that no client would send.
//!
//! The code that judges the server shares nothing with it: [`wire`] builds and parses packets, not smoltcp, and half of
//! the clients have a TCP written for these tests ([`tcp_client`]). `tests/README.md` has a table of these modules.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation is how a test fails"
)]

/// The handler of README.md, which `cargo test` compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

pub mod app;
pub mod attacker;
pub mod content;
pub mod device;
pub mod ethernet;
pub mod fuzz;
pub mod host;
pub mod invariants;
pub mod link;
pub mod memory;
pub mod network;
pub mod pauses;
pub mod scenario;
pub mod single_server;
pub mod smol_client;
pub mod tcp_client;
pub mod tcp_options;
pub mod trace;
pub mod transport;
pub mod udp_client;
pub mod wire;
