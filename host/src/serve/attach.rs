//! The device: made or attached to, checked against this machine, and set up or looked at.

use ipnet::IpNet;
use smoltcp::wire::HardwareAddress;

use crate::cli::options::ServeOptions;
use crate::device::mac;
use crate::device::tun::Tun;
use crate::error::Error;
use crate::serve::as_found;
use crate::system::link::{self, Setup};
use crate::system::netlink::{Link, Netlink};

/// The device, and what is known of this machine's end of it.
pub(super) struct Attachment {
    /// The device itself.
    pub(super) tun: Tun,
    /// What was changed on it, taken back if the start fails.
    pub(super) setup: Option<Setup>,
    /// An address at which this machine reaches the server, if there is one.
    pub(super) reachable: Option<IpNet>,
    /// Whether the device was there before.
    pub(super) was_there: bool,
}

/// Attaches to the device that the options name. Without IPv6 on this machine, its addresses are taken out of the options.
pub(super) fn attach(options: &mut ServeOptions) -> Result<Attachment, Error> {
    let netlink = Netlink::open().map_err(Error::system("asking the kernel for its network devices"))?;
    let before = find(&netlink, &options.tun)?;
    let speaks_ipv6 = options.host_addresses.iter().any(|net| net.addr().is_ipv6());
    if options.configure && speaks_ipv6 && !link::has_ipv6(&options.tun) {
        leave_ipv6_out(options)?;
    }
    link::check_free(&netlink, options, before.as_ref())?;
    if !options.configure && before.is_none() {
        return Err(as_found::no_device(options));
    }

    let tun = Tun::open(&options.tun, options.tap)?;
    let Some(link) = find(&netlink, &options.tun)? else {
        return Err(Error::DeviceGone { device: options.tun.clone() });
    };
    if let HardwareAddress::Ethernet(mac) = hardware_addr(options)
        && link.hardware_addr == mac.as_bytes()
    {
        return Err(Error::MacInUse { device: options.tun.clone(), mac: mac::printable(mac) });
    }
    let (setup, reachable) = if options.configure {
        (Some(Setup::apply(netlink, &link, options)?), options.addresses.first().copied())
    } else {
        (None, as_found::look_at(&netlink, &link, options)?)
    };
    Ok(Attachment { tun, setup, reachable, was_there: before.is_some() })
}

/// The server's own hardware address, if its device has such addresses.
pub(super) fn hardware_addr(options: &ServeOptions) -> HardwareAddress {
    match options.mac {
        _ if !options.tap => HardwareAddress::Ip,
        Some(mac) => HardwareAddress::Ethernet(mac),
        None => HardwareAddress::Ethernet(mac::from_name(&options.tun)),
    }
}

fn find(netlink: &Netlink, name: &str) -> Result<Option<Link>, Error> {
    netlink.link(name).map_err(Error::system(&format!("asking the kernel for the device {name}")))
}

fn leave_ipv6_out(options: &mut ServeOptions) -> Result<(), Error> {
    let is_v4 = |net: &IpNet| net.addr().is_ipv4();
    if options.addresses.iter().all(is_v4) {
        return Ok(());
    }
    options.addresses.retain(is_v4);
    options.host_addresses.retain(is_v4);
    if options.addresses.is_empty() {
        return Err(Error::NoIpv6);
    }
    log::warn!("this machine has no IPv6, or has it disabled: serving IPv4 only");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_ipv6_its_addresses_are_left_out() {
        let mut only_ipv6 = ServeOptions::default();
        only_ipv6.addresses.retain(|net| net.addr().is_ipv6());
        let mut both = ServeOptions::default();
        leave_ipv6_out(&mut both).unwrap();
        assert!(both.addresses.iter().chain(&both.host_addresses).all(|net| net.addr().is_ipv4()));
        assert!(matches!(leave_ipv6_out(&mut only_ipv6), Err(Error::NoIpv6)));
    }
}
