//! `--no-configure`: the device has been set up by somebody else, and is served on as it is.

use ipnet::IpNet;

use crate::cli::options::ServeOptions;
use crate::error::Error;
use crate::system::link::{self, Way};
use crate::system::netlink::{Link, Netlink};

/// There is no such device.
pub(crate) fn no_device(options: &ServeOptions) -> Error {
    let host_address = options.host_addresses.first();
    Error::NoDevice {
        device: options.tun.clone(),
        kind: if options.tap { "tap" } else { "tun" },
        host_address: host_address.map_or_else(|| "CIDR".to_owned(), IpNet::to_string),
    }
}

/// Warns where the device, or the way to it, differs from what the options say. Returns an address at which this machine
/// reaches the server, if there is one.
pub(crate) fn look_at(
    netlink: &Netlink,
    link: &Link,
    options: &ServeOptions,
) -> Result<Option<IpNet>, Error> {
    if link.mtu != u32::from(options.mtu) {
        log::warn!(
            "{0} has an MTU of {1}, not {2}: give --mtu {1}, or type `sudo ip link set {0} mtu {2}`",
            link.name,
            link.mtu,
            options.mtu
        );
    }
    if !link.up {
        // A device that is down has no routes: whether there will be any is not known.
        log::warn!("{0} is down, so no packet arrives: run `sudo ip link set {0} up`", link.name);
        return Ok(None);
    }
    link::await_addresses(netlink, link)?;
    let mut reachable = None;
    for &net in &options.addresses {
        let way = link::way(netlink, link.index, net.addr())?;
        match warning(&way, net, options) {
            Some(warning) => log::warn!("{warning}"),
            None => reachable = reachable.or(Some(net)),
        }
    }
    Ok(reachable)
}

/// What is to be said of an address to which packets go that way.
fn warning(way: &Way, net: IpNet, options: &ServeOptions) -> Option<String> {
    let (address, device) = (net.addr(), &options.tun);
    let fault = match way {
        Way::Device => return None,
        Way::Nowhere => format!("this machine has no route to {address}"),
        Way::Elsewhere(other) => format!("this machine looks for {address} on {other}, not on {device}"),
    };
    let remedy = match options.host_addresses.iter().find(|host| host.contains(&address)) {
        Some(host) => format!("sudo ip address add {host} dev {device}"),
        None => format!("sudo ip route add {address} dev {device}"),
    };
    Some(format!("{fault}: it does not reach the server there before `{remedy}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_has_its_remedy() {
        let options = ServeOptions::default();
        let warning = |way: Way, net: &str| warning(&way, net.parse().unwrap(), &options);
        assert_eq!(warning(Way::Device, "fd69::1/64"), None);
        assert_eq!(
            warning(Way::Nowhere, "fd69::1/64").unwrap(),
            "this machine has no route to fd69::1: it does not reach the server there before `sudo ip address add \
             fd69::100/64 dev shout0`"
        );
        let elsewhere = warning(Way::Elsewhere("eth0".to_owned()), "10.0.0.1/8").unwrap();
        assert!(elsewhere.contains(" on eth0, not on shout0"), "{elsewhere}");
        assert!(elsewhere.contains("`sudo ip route add 10.0.0.1 dev shout0`"), "{elsewhere}");
    }
}
