//! Below and beside TCP: what smoltcp makes of packets, and of addresses.

use std::panic::catch_unwind;

use smoltcp::wire::IpVersion;
#[cfg(feature = "ipv6")]
use smoltcp::wire::{IpAddress, IpEndpoint};

use super::repaired::repaired_by;

/// The version of a packet of no bytes is read out of its first byte. A device may deliver such a packet (RFC
/// 1122, section 1.2.2: be liberal in what you accept).
#[test]
fn the_version_of_an_empty_packet_panics() {
    repaired_by("ip/filter.rs", catch_unwind(|| IpVersion::of_packet(&[])).is_err());
}

/// An endpoint of IPv6 is printed without brackets, so that nobody can tell its port. RFC 5952, section 6.
#[cfg(feature = "ipv6")]
#[test]
fn endpoints_of_ipv6_are_printed_without_brackets() {
    let endpoint = IpEndpoint::new(IpAddress::v6(0xfd69, 0, 0, 0, 0, 0, 0, 1), 80);
    repaired_by("events.rs", endpoint.to_string() == "fd69::1:80");
}
