//! The server as a whole, over an in-memory device and in virtual time, with packets made by hand.

mod acknowledgements;
mod back_pressure;
mod collisions;
mod config;
mod deadlines;
mod drops;
mod echo;
mod ethernet;
mod events;
mod fixture;
#[cfg(feature = "fragments")]
mod fragments;
mod half_close;
mod hammer;
mod handlers;
mod handshake;
mod icmp;
mod idle;
mod memory;
#[cfg(feature = "ipv6")]
mod ndisc;
mod nonsense;
mod nuisances;
mod packets;
mod peer;
mod refusing_device;
mod reset;
mod reuse;
mod segments;
mod sequence_numbers;
mod shutdown;
mod slots;
mod stalls;
mod states;
mod syn_cookie;
mod timers;
mod udp;
