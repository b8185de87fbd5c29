//! Serving: everything that can fail first, then the privileges away, then the event loop.

mod announce;
pub(crate) mod as_found;
mod attach;
pub(crate) mod clock;
pub(crate) mod counters;
pub(crate) mod drops;
pub(crate) mod event_loop;
pub(crate) mod memory;
pub(crate) mod notify;
pub(crate) mod report;
pub(crate) mod service;
pub(crate) mod signals;
pub(crate) mod silence;
pub(crate) mod stats_file;

use std::path::Path;

use shout_core::{Config, Handler, Server, Uppercase};
use smoltcp::phy::PcapLinkType;
use smoltcp::time::Duration;
use smoltcp::wire::IpCidr;

use crate::cli::faults::FaultOptions;
use crate::cli::options::ServeOptions;
use crate::demo;
use crate::device::PacketDevice;
use crate::device::capture::{Capture, Captured};
use crate::device::faults::Faulty;
use crate::error::Error;
use crate::logging::Log;
use crate::serve::attach::{Attachment, attach, hardware_addr};
use crate::serve::clock::Clock;
use crate::serve::event_loop::EventLoop;
use crate::serve::report::Report;
use crate::serve::service::{Chargen, Discard, Echo, Service};
use crate::serve::signals::Signals;
use crate::serve::stats_file::StatsFile;
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
    let Attachment { tun, setup, reachable, was_there } = attach(&mut options)?;
    let config = config(&options)?;
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

    let faults = options.faults.asked().cloned().map(settle_seed).transpose()?;
    announce::surroundings(&options, was_there, faults.as_ref());
    be_ready(&options)?;
    announce::readiness(&options, reachable);
    let report = Report::new(options.stats, stats_file, clock.now());
    let event_loop =
        EventLoop { server, device, signals, clock, busy_poll: options.busy_poll, name: options.tun, report };
    match faults {
        None => event_loop.run(),
        Some((faults, seed)) => event_loop.with_device(|device| Faulty::new(device, &faults, seed)).run(),
    }
}

/// Tells whoever waits for it that all is ready, and enters the sandbox.
fn be_ready(options: &ServeOptions) -> Result<(), Error> {
    notify::ready();
    if options.parent_is_demo {
        demo::report_readiness().map_err(Error::system("telling `shout demo` that the server is ready"))?;
    }
    if options.sandbox {
        let needs = Needs { capture: options.pcap.is_some(), stats_file: options.stats_file.is_some() };
        sandbox::enter(needs);
    }
    Ok(())
}

fn open_stats_file(path: &Path) -> Result<StatsFile, Error> {
    StatsFile::begin(path).map_err(|source| Error::StatsFile {
        path: path.display().to_string(),
        user: nix::unistd::geteuid().as_raw(),
        source,
    })
}

fn config(options: &ServeOptions) -> Result<Config, Error> {
    let mut entropy = [0; 16];
    getrandom::fill(&mut entropy).map_err(Error::system("asking the kernel for random bytes"))?;
    let micros = |duration: core::time::Duration| {
        // The command line takes no more than a year.
        Duration::from_micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
    };
    let cidrs = options.addresses.iter().map(|net| IpCidr::new(net.addr().into(), net.prefix_len()));
    let mut config = Config::new(hardware_addr(options), entropy);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_is_told_what_was_asked_for() {
        let asked = ServeOptions {
            port: 7,
            per_source: core::num::NonZeroU16::new(64),
            delay: Some(core::time::Duration::from_millis(250)),
            ..ServeOptions::default()
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
