//! Setting up this machine's end of the link, and taking it back when the start fails.

use core::net::IpAddr;
use core::time::Duration;
use std::io;
use std::path::PathBuf;
use std::{fs, thread};

use ipnet::IpNet;
use nix::errno::Errno;

use crate::cli::options::ServeOptions;
use crate::error::{Error, program};
use crate::system::netlink::{Assigned, Link, Netlink, Route};

/// How long the kernel may take until the device's addresses are in use. It takes a second at most.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Refuses addresses that this machine has already: the server's anywhere, its own end of the link elsewhere than on
/// `device`.
pub(crate) fn check_free(
    netlink: &Netlink,
    options: &ServeOptions,
    device: Option<&Link>,
) -> Result<(), Error> {
    let taken = addresses(netlink)?;
    let on_device = |assigned: &Assigned| device.is_some_and(|device| device.index == assigned.index);
    let check = |option, wanted: &IpNet, ours_there: bool| {
        let clash = taken.iter().find(|assigned| {
            let elsewhere_only = is_link_local(wanted.addr()) && !on_device(assigned);
            let wanted_there = ours_there && on_device(assigned);
            assigned.net.addr() == wanted.addr() && !elsewhere_only && !wanted_there
        });
        match clash {
            None => Ok(()),
            Some(assigned) => {
                let interface = name(netlink, assigned.index);
                Err(Error::AddressInUse { address: wanted.addr(), option, interface })
            }
        }
    };
    options.addresses.iter().try_for_each(|wanted| check("--address", wanted, false))?;
    if options.configure {
        options.host_addresses.iter().try_for_each(|wanted| check("--host-address", wanted, true))?;
    }
    Ok(())
}

/// Every link has link-local addresses of its own.
fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

fn name(netlink: &Netlink, index: u32) -> String {
    match netlink.link_at(index) {
        Ok(Some(link)) => link.name,
        Ok(None) | Err(_) => format!("device {index}"),
    }
}

fn addresses(netlink: &Netlink) -> Result<Vec<Assigned>, Error> {
    netlink.addresses().map_err(Error::system("reading the addresses of this machine"))
}

/// Whether this machine speaks IPv6 on the device, or would on one that is yet to be made. Where that cannot be seen, it will be
/// when the device gets its addresses.
pub(crate) fn has_ipv6(device: &str) -> bool {
    let disabled = |interface: &str| fs::read_to_string(sysctl(interface, "disable_ipv6"));
    match disabled(device).or_else(|_| disabled("default")) {
        Ok(value) => value.trim() == "0",
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

fn sysctl(device: &str, name: &str) -> PathBuf {
    ["/proc/sys/net/ipv6/conf", device, name].iter().collect()
}

/// Waits until the addresses of a device that is up are in use.
///
/// The kernel takes an IPv6 address up a little after it was given, from a work queue, and on a device that was there
/// before not until it has noticed that the server holds it, which can take a second. Until then it drops what the
/// server answers, and a client gets the address of another device as its own, for as long as it is connected.
pub(crate) fn await_addresses(netlink: &Netlink, device: &Link) -> Result<(), Error> {
    let started = std::time::Instant::now();
    for assigned in addresses(netlink)?.iter().filter(|assigned| assigned.index == device.index) {
        let address = assigned.net.addr();
        while !route(netlink, address)?.is_some_and(|route| route.local) {
            if started.elapsed() > LONGEST_WAIT {
                log::warn!("{address} of {} is not in use: clients may not get through", device.name);
                break;
            }
            // No notification says that the kernel is done; a millisecond is no wait at start.
            thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}

fn route(netlink: &Netlink, address: IpAddr) -> Result<Option<Route>, Error> {
    netlink.route(address).map_err(Error::system(&format!("looking up the route to {address}")))
}

/// Where packets from this machine to an address of the server go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// To the server's device.
    Device,
    /// To this other device.
    Elsewhere(String),
    /// There is no route.
    Nowhere,
}

/// Looks up where packets to `address` go. A link-local address goes to whatever device it is used with.
pub(crate) fn way(netlink: &Netlink, device: u32, address: IpAddr) -> Result<Way, Error> {
    if is_link_local(address) {
        return Ok(Way::Device);
    }
    Ok(match route(netlink, address)?.and_then(|route| route.device) {
        None => Way::Nowhere,
        Some(index) if index == device => Way::Device,
        Some(index) => Way::Elsewhere(name(netlink, index)),
    })
}

/// Whether there is no such device any more. Its settings are files that are not there.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ENODEV as i32)
}

/// A segment and the acknowledgement of an echo.
const PACKETS_A_CONNECTION: u32 = 2;

/// The changes made to a device, taken back in reverse when this is dropped before [`keep`](Self::keep) is called.
///
/// On a device that vanishes with the program that hardly matters, but one that was there before is to be found as it
/// was.
pub(crate) struct Setup {
    netlink: Netlink,
    index: u32,
    device: String,
    undo: Vec<Undo>,
}

enum Undo {
    Mtu(u32),
    Queue(u32),
    Down,
    KeepAddresses(String),
    Address(IpNet),
}

impl Setup {
    /// Sets MTU, link state and host addresses as far as they are not so already: a device that its owner has set up
    /// takes no privilege.
    pub(crate) fn apply(netlink: Netlink, device: &Link, options: &ServeOptions) -> Result<Setup, Error> {
        let present = addresses(&netlink)?;
        let mut setup = Setup { netlink, index: device.index, device: device.name.clone(), undo: Vec::new() };
        setup.set_mtu(device.mtu, options.mtu.into())?;
        setup.lengthen_queue(device.queue, options.connections);
        if options.host_addresses.iter().any(|net| net.addr().is_ipv6()) {
            setup.keep_addresses();
        }
        if !device.up {
            setup.set_up()?;
        }
        for &net in &options.host_addresses {
            let assigned = Assigned { index: device.index, net };
            if !present.contains(&assigned) {
                setup.add_address(assigned)?;
            }
        }
        await_addresses(&setup.netlink, device)?;
        // On a bridge, what has no host address in its subnet need not be reached through the device.
        let reached = |net: &&IpNet| options.host_addresses.iter().any(|host| host.contains(&net.addr()));
        for &net in options.addresses.iter().filter(reached) {
            setup.check_route(net)?;
        }
        Ok(setup)
    }

    /// The changes stay.
    pub(crate) fn keep(mut self) {
        self.undo.clear();
    }

    fn set_mtu(&mut self, old: u32, new: u32) -> Result<(), Error> {
        if old == new {
            return Ok(());
        }
        let result = self.netlink.set_mtu(self.index, new);
        self.done(result, Undo::Mtu(old), |device| format!("setting the MTU of {device} to {new}"))
    }

    /// A TUN device keeps 500 packets. If all clients speak at once, what does not fit is lost, and sent again only after
    /// their time-out.
    fn lengthen_queue(&mut self, old: u32, connections: u16) {
        let new = PACKETS_A_CONNECTION * u32::from(connections);
        if old >= new {
            return;
        }
        match self.netlink.set_queue(self.index, new) {
            Ok(()) => self.undo.push(Undo::Queue(old)),
            // On a device that its owner has set up, all works without it.
            Err(error) => log::debug!("{} keeps {old} packets, not {new}: {error}", self.device),
        }
    }

    fn set_up(&mut self) -> Result<(), Error> {
        let result = self.netlink.set_up(self.index, true);
        self.done(result, Undo::Down, |device| format!("setting {device} up"))
    }

    fn add_address(&mut self, assigned: Assigned) -> Result<(), Error> {
        let result = self.netlink.add_address(assigned);
        self.done(result, Undo::Address(assigned.net), |device| {
            format!("giving {device} the address {}", assigned.net)
        })
    }

    fn done(
        &mut self,
        result: io::Result<()>,
        undo: Undo,
        what: impl FnOnce(&str) -> String,
    ) -> Result<(), Error> {
        let what = what(&self.device);
        log::debug!("{what}");
        let Err(source) = result else {
            self.undo.push(undo);
            return Ok(());
        };
        Err(match source.kind() {
            io::ErrorKind::PermissionDenied => {
                Error::ConfigureRefused { what, device: self.device.clone(), program: program() }
            }
            _ => Error::System { what, source },
        })
    }

    /// Without this the kernel removes the IPv6 addresses (not the IPv4 ones) of a link that goes down.
    fn keep_addresses(&mut self) {
        let path = sysctl(&self.device, "keep_addr_on_down");
        let Ok(old) = fs::read_to_string(&path) else { return };
        if old.trim() == "1" {
            return;
        }
        match fs::write(&path, "1") {
            Ok(()) => self.undo.push(Undo::KeepAddresses(old)),
            // For instance a container's read-only /proc/sys. All works until the link goes down.
            Err(error) => log::warn!(
                "{} cannot be set ({error}): if {} goes down, it loses its IPv6 addresses; start shout again then",
                path.display(),
                self.device
            ),
        }
    }

    /// Refuses an address of the server that this machine would look for elsewhere: in the subnet of another device.
    fn check_route(&self, net: IpNet) -> Result<(), Error> {
        match way(&self.netlink, self.index, net.addr())? {
            Way::Device | Way::Nowhere => Ok(()),
            Way::Elsewhere(interface) => {
                Err(Error::RoutedElsewhere { address: net.addr(), device: self.device.clone(), interface })
            }
        }
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        for undo in self.undo.drain(..).rev() {
            let result = match undo {
                Undo::Mtu(mtu) => self.netlink.set_mtu(self.index, mtu),
                Undo::Queue(packets) => self.netlink.set_queue(self.index, packets),
                Undo::Down => self.netlink.set_up(self.index, false),
                Undo::KeepAddresses(old) => fs::write(sysctl(&self.device, "keep_addr_on_down"), old),
                Undo::Address(net) => self.netlink.remove_address(Assigned { index: self.index, net }),
            };
            match result {
                Ok(()) => {}
                // The privilege went before the start failed. Whoever reads the reason of that can do nothing about this.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    log::debug!("a change to {} stays: {error}", self.device);
                }
                // With it went the changes.
                Err(error) if is_gone(&error) => {}
                Err(error) => log::warn!("a change to {} could not be undone: {error}", self.device),
            }
        }
    }
}
