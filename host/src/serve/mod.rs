//! Serving: everything that can fail first, then the privileges away, then the event loop.

pub(crate) mod as_found;
pub(crate) mod clock;
pub(crate) mod counters;
pub(crate) mod event_loop;
pub(crate) mod memory;
pub(crate) mod notify;
pub(crate) mod report;
pub(crate) mod service;
pub(crate) mod signals;
pub(crate) mod silence;
pub(crate) mod stats_file;

use core::net::{IpAddr, SocketAddr};
use std::path::Path;

use ipnet::IpNet;
use shout_core::{Config, Handler, Server, Uppercase};
use smoltcp::phy::PcapLinkType;
use smoltcp::time::Duration;
use smoltcp::wire::{HardwareAddress, IpCidr};

use crate::cli::faults::FaultOptions;
use crate::cli::options::ServeOptions;
use crate::demo;
use crate::device::PacketDevice;
use crate::device::capture::{Capture, Captured};
use crate::device::faults::Faulty;
use crate::device::mac;
use crate::device::tun::Tun;
use crate::error::Error;
use crate::logging::Log;
use crate::serve::clock::Clock;
use crate::serve::event_loop::EventLoop;
use crate::serve::report::Report;
use crate::serve::service::{Chargen, Discard, Echo, Service};
use crate::serve::signals::Signals;
use crate::serve::stats_file::StatsFile;
use crate::system::link::{self, Setup};
use crate::system::netlink::{Link, Netlink};
use crate::system::privileges;
use crate::system::sandbox::{self, Needs};

/// Serves until SIGINT, SIGTERM or SIGHUP.
pub(crate) fn run(options: ServeOptions, log: &Log) -> Result<(), Error> {
    // A server for each service, so that none pays for another on the way of a packet.
    match options.service {
        Service::Upper => serve(Uppercase, options, log),
        Service::Echo => serve(Echo, options, log),
        Service::Discard => serve(Discard, options, log),
        Service::Chargen => serve(Chargen, options, log),
    }
}

fn serve<H: Handler<State: 'static>>(handler: H, mut options: ServeOptions, log: &Log) -> Result<(), Error> {
    let clock = Clock::start();
    // Before the signals are blocked: a pipe is waited for here until somebody reads it.
    let capture = options.pcap.as_deref().map(Capture::open).transpose()?;
    let storage = memory::allocate(&options)?;
    let signals = Signals::block().map_err(Error::system("waiting for signals"))?;

    let netlink = Netlink::open().map_err(Error::system("asking the kernel for its network devices"))?;
    let before = find(&netlink, &options.tun)?;
    let speaks_ipv6 = options.host_addresses.iter().any(|net| net.addr().is_ipv6());
    if options.configure && speaks_ipv6 && !link::has_ipv6(&options.tun) {
        leave_ipv6_out(&mut options)?;
    }
    link::check_free(&netlink, &options, before.as_ref())?;
    if !options.configure && before.is_none() {
        return Err(as_found::no_device(&options));
    }

    let config = config(&options)?;
    let tun = Tun::open(&options.tun, options.tap)?;
    let Some(link) = find(&netlink, &options.tun)? else {
        return Err(Error::DeviceGone { device: options.tun });
    };
    if let HardwareAddress::Ethernet(mac) = config.hardware_addr
        && link.hardware_addr == mac.as_bytes()
    {
        return Err(Error::MacInUse { device: options.tun, mac: mac::printable(mac) });
    }
    let (setup, reachable) = if options.configure {
        (Some(Setup::apply(netlink, &link, &options)?), options.addresses.first().copied())
    } else {
        (None, as_found::look_at(&netlink, &link, &options)?)
    };
    // Not before: an earlier recording is not to be lost to a server that cannot start.
    let link_type = if options.tap { PcapLinkType::Ethernet } else { PcapLinkType::Ip };
    let tun = Captured::new(tun, capture.and_then(|capture| capture.begin(link_type)));
    let open = if options.tap { PacketDevice::ethernet } else { PacketDevice::new };
    let mut device = open(tun, options.mtu);
    let server = Server::with_handler(handler, &config, storage, &mut device, clock.now())?;

    privileges::drop_all()?;
    // From now on there is no right to undo anything.
    if let Some(setup) = setup {
        setup.keep();
    }
    // By the user that will write it again and again.
    let stats_file = options.stats_file.as_deref().map(open_stats_file).transpose()?;
    // Only now: capabilities belong to a thread.
    log.detach().map_err(Error::NoThread)?;

    if before.is_some() {
        // Without a privilege left, there is no way to take its addresses away again.
        log::info!("attached to {}, which stays when shout ends, as it is set up now", options.tun);
    }
    let faults = options.faults.asked().cloned().map(settle_seed).transpose()?;
    if let Some((faults, seed)) = &faults {
        let again = if faults.by_chance() { format!(" (--seed {seed})") } else { String::new() };
        log::warn!("faults on purpose, in each direction: {faults}{again}");
    }
    if let HardwareAddress::Ethernet(mac) = config.hardware_addr {
        log::info!("the server's hardware address on {} is {}", options.tun, mac::printable(mac));
    }
    notify::ready();
    if options.parent_is_demo {
        demo::report_readiness().map_err(Error::system("telling `shout demo` that the server is ready"))?;
    }
    if options.sandbox {
        let needs = Needs { capture: options.pcap.is_some(), stats_file: options.stats_file.is_some() };
        sandbox::enter(needs);
    }
    log::info!("{}", greeting(&options));
    if let Some(address) = reachable {
        log::info!("{}", suggestion(address, &options));
    }
    let report = Report::new(options.stats, stats_file, clock.now());
    let event_loop =
        EventLoop { server, device, signals, clock, busy_poll: options.busy_poll, name: options.tun, report };
    match faults {
        None => event_loop.run(),
        Some((faults, seed)) => event_loop.with_device(|device| Faulty::new(device, &faults, seed)).run(),
    }
}

fn open_stats_file(path: &Path) -> Result<StatsFile, Error> {
    StatsFile::begin(path).map_err(|source| Error::StatsFile {
        path: path.display().to_string(),
        user: nix::unistd::geteuid().as_raw(),
        source,
    })
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

fn config(options: &ServeOptions) -> Result<Config, Error> {
    let mut entropy = [0; 16];
    getrandom::fill(&mut entropy).map_err(Error::system("asking the kernel for random bytes"))?;
    let micros = |duration: core::time::Duration| {
        // The command line takes no more than a year.
        Duration::from_micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
    };
    let cidrs = options.addresses.iter().map(|net| IpCidr::new(net.addr().into(), net.prefix_len()));
    let hardware_addr = match options.mac {
        _ if !options.tap => HardwareAddress::Ip,
        Some(mac) => HardwareAddress::Ethernet(mac),
        None => HardwareAddress::Ethernet(mac::from_name(&options.tun)),
    };
    let mut config = Config::new(hardware_addr, entropy);
    // The command line takes no more than the core has room for.
    config.addresses = cidrs.take(config.addresses.capacity()).collect();
    config.port = options.port;
    config.per_source = options.per_source;
    config.idle_timeout = options.idle_timeout.map(micros);
    config.delay = options.delay.map(micros);
    Ok(config)
}

/// The seed that was asked for, or one that nobody has asked for yet.
fn settle_seed(faults: FaultOptions) -> Result<(FaultOptions, u64), Error> {
    let seed = match faults.seed {
        Some(seed) => seed,
        // Not longer than one likes to type.
        None => getrandom::u32().map_err(Error::system("asking the kernel for random bytes"))?.into(),
    };
    Ok((faults, seed))
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

    #[test]
    fn without_ipv6_its_addresses_are_left_out() {
        let mut both = ServeOptions::default();
        leave_ipv6_out(&mut both).unwrap();
        assert!(both.addresses.iter().chain(&both.host_addresses).all(|net| net.addr().is_ipv4()));
        assert!(matches!(leave_ipv6_out(&mut options("fd69::1/64")), Err(Error::NoIpv6)));
    }

    #[test]
    fn the_core_is_told_what_was_asked_for() {
        let asked = ServeOptions {
            port: 7,
            per_source: core::num::NonZeroU16::new(64),
            delay: Some(core::time::Duration::from_millis(250)),
            ..options("192.168.69.1/24 fd69::1/64")
        };
        let config = config(&asked).unwrap();
        assert_eq!(config.port, 7);
        assert_eq!(config.per_source, asked.per_source);
        assert_eq!(config.delay, Some(Duration::from_millis(250)));
        assert_eq!(config.idle_timeout, None);
        assert_eq!(config.addresses.len(), 2);
        assert_ne!(config.entropy, super::config(&asked).unwrap().entropy);
    }
}
