//! What the log says as the server starts.

use core::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use smoltcp::wire::HardwareAddress;

use crate::cli::faults::FaultOptions;
use crate::cli::options::ServeOptions;
use crate::device::mac;
use crate::serve::attach::hardware_addr;

/// Says what the device and the network are like. `was_there`: whether the device was there before.
pub(super) fn surroundings(options: &ServeOptions, was_there: bool, faults: Option<&(FaultOptions, u64)>) {
    if was_there {
        // Without a privilege left, there is no way to take its addresses away again.
        log::info!("attached to {}, which stays, with its present settings, when shout ends", options.tun);
    }
    if let Some((faults, seed)) = faults {
        let again = if faults.by_chance() { format!(" (--seed {seed})") } else { String::new() };
        log::warn!("faults on purpose, in each direction: {faults}{again}");
    }
    if let HardwareAddress::Ethernet(mac) = hardware_addr(options) {
        log::info!("the server's hardware address on {} is {}", options.tun, mac::printable(mac));
    }
}

/// Says that all is ready, and how to see that it is. `reachable`: an address at which this machine reaches the server.
pub(super) fn readiness(options: &ServeOptions, reachable: Option<IpNet>) {
    log::info!("{}", greeting(options));
    if let Some(address) = reachable {
        log::info!("{}", suggestion(address, options));
    }
}

/// The line that says that all is ready. Tests and scripts wait for it.
fn greeting(options: &ServeOptions) -> String {
    let endpoints = options.addresses.iter().map(|net| SocketAddr::new(net.addr(), options.port).to_string());
    let (endpoints, protocols) = (enumerated(endpoints.collect()), options.service.protocols());
    let title = options.service.title().map_or_else(String::new, |title| format!(": {title}"));
    format!("listening on {endpoints} ({protocols}) through {}{title}", options.tun)
}

fn enumerated(mut items: Vec<String>) -> String {
    match items.pop() {
        Some(last) if !items.is_empty() => format!("{} and {last}", items.join(", ")),
        last => last.unwrap_or_default(),
    }
}

/// The command that shows that the server is there, at an address that this machine reaches.
fn suggestion(net: IpNet, options: &ServeOptions) -> String {
    let target = match net.addr() {
        IpAddr::V6(address) if address.is_unicast_link_local() => format!("{address}%{}", options.tun),
        address => address.to_string(),
    };
    let port = options.port;
    if options.service.answers_datagrams() {
        format!("try it: nc {target} {port} (TCP) or nc -u {target} {port} (UDP)")
    } else {
        format!("try it: nc {target} {port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::service::Service;

    fn options(addresses: &str) -> ServeOptions {
        let addresses = addresses.split_whitespace().map(|net| net.parse().unwrap()).collect();
        ServeOptions { addresses, ..ServeOptions::default() }
    }

    #[test]
    fn the_greeting_names_every_endpoint() {
        assert_eq!(
            greeting(&options("192.168.69.1/24 fd69::1/64")),
            "listening on 192.168.69.1:8080 and [fd69::1]:8080 (TCP and UDP) through shout0"
        );
        assert_eq!(
            greeting(&options("10.0.0.1/8")),
            "listening on 10.0.0.1:8080 (TCP and UDP) through shout0"
        );
        let chargen = ServeOptions { service: Service::Chargen, ..options("10.0.0.1/8") };
        assert_eq!(greeting(&chargen), "listening on 10.0.0.1:8080 (TCP) through shout0: chargen (RFC 864)");
        let three = greeting(&options("10.0.0.1/8 10.0.0.2/8 10.0.0.3/8"));
        assert!(three.contains(" 10.0.0.1:8080, 10.0.0.2:8080 and 10.0.0.3:8080 "), "{three}");
    }

    #[test]
    fn the_suggestion_can_be_typed_as_it_stands() {
        let suggestion = |address: &str| suggestion(address.parse().unwrap(), &options(address));
        assert_eq!(
            suggestion("192.168.69.1/24"),
            "try it: nc 192.168.69.1 8080 (TCP) or nc -u 192.168.69.1 8080 (UDP)"
        );
        assert!(suggestion("fe80::1/64").contains("nc fe80::1%shout0 8080"));
        let discard = ServeOptions { service: Service::Discard, ..options("10.0.0.1/8") };
        assert_eq!(super::suggestion("10.0.0.1/8".parse().unwrap(), &discard), "try it: nc 10.0.0.1 8080");
    }
}
