//! Everything below TCP and UDP: the filter of packets, smoltcp's interface, and what Ethernet needs.

#[cfg(any(feature = "ipv6", feature = "fragments"))]
use heapless::Vec;
#[cfg(any(feature = "ipv6", feature = "fragments"))]
use smoltcp::wire::ETHERNET_HEADER_LEN;

pub(crate) mod address;
#[cfg(feature = "ethernet-duties")]
pub(crate) mod announce;
pub(crate) mod answer;
#[cfg_attr(
    not(feature = "ethernet-duties"),
    expect(dead_code, reason = "without it, only the frame is used by which smoltcp is told of a neighbour")
)]
pub(crate) mod arp;
pub(crate) mod checksum;
mod closed_port;
pub(crate) mod device;
#[cfg_attr(not(feature = "ethernet-duties"), path = "without/duties.rs")]
mod duties;
#[cfg(feature = "ipv6")]
pub(crate) mod extension_headers;
pub(crate) mod filter;
#[cfg(feature = "fragments")]
pub(crate) mod fragment;
pub(crate) mod frame;
pub(crate) mod housekeeping;
mod icmp;
pub(crate) mod interface;
pub(crate) mod link;
#[cfg(all(feature = "ipv6", feature = "ethernet-duties"))]
pub(crate) mod mld;
#[cfg(feature = "recovery")]
pub(crate) mod narrow;
#[cfg(feature = "ipv6")]
#[cfg_attr(
    not(feature = "ethernet-duties"),
    expect(dead_code, reason = "without it, only the frame is used by which smoltcp is told of a neighbour")
)]
pub(crate) mod ndisc;
pub(crate) mod neighbours;
mod own;
#[cfg(feature = "fragments")]
pub(crate) mod reassembly;
pub(crate) mod token_bucket;
#[cfg_attr(not(feature = "ethernet-duties"), path = "without/unanswered.rs")]
pub(crate) mod unanswered;

/// The longest payload of a fragmented packet, and the longest IPv6 packet with extension headers, that are rebuilt.
#[cfg(any(feature = "ipv6", feature = "fragments"))]
pub(crate) const LONGEST_REBUILT: usize = 2048;

/// A packet that was rebuilt from fragments, or without its extension headers, for smoltcp to take: with its link header.
#[cfg(any(feature = "ipv6", feature = "fragments"))]
pub(crate) type Rebuilt = Vec<u8, { ETHERNET_HEADER_LEN + LONGEST_IPV4_HEADER + LONGEST_REBUILT }>;

/// An IPv4 header with all the options that it has room for.
#[cfg(any(feature = "ipv6", feature = "fragments"))]
const LONGEST_IPV4_HEADER: usize = 60;
