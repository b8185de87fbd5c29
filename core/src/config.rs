//! The configuration of a server, given once, at construction.

use core::fmt;
use core::num::NonZeroU16;

use heapless::Vec;
use smoltcp::phy::{DeviceCapabilities, Medium};
use smoltcp::time::Duration;
use smoltcp::wire::{ETHERNET_HEADER_LEN, HardwareAddress, IpAddress, IpCidr};

use crate::ip::address;

/// The most addresses that a server can have (smoltcp's `iface-max-addr-count-8`).
pub const MAX_ADDRESSES: usize = 8;

/// The configuration of a [`Server`](crate::Server).
///
/// [`Config::new`] has the defaults; what is to be otherwise is assigned to its fields.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The server's own address on the link: [`HardwareAddress::Ip`] for a device without one, such as TUN.
    pub hardware_addr: HardwareAddress,
    /// The server's IP addresses, at least one, each with the prefix length of its subnet.
    pub addresses: Vec<IpCidr, MAX_ADDRESSES>,
    /// Routers for destinations outside the subnets, at most one for IPv4 and one for IPv6. Unused without Ethernet.
    pub gateways: Vec<IpAddress, 2>,
    /// The port of both TCP and UDP, 1 to 65535.
    pub port: u16,
    /// The most connections, open and half-open, that one source may have at once: an IPv4 address, or an IPv6 /64. A SYN
    /// above that is dropped. `None`: no limit. With one, [`Storage::sources`](crate::Storage::sources) is needed.
    #[cfg(feature = "per-source")]
    pub per_source: Option<NonZeroU16>,
    /// Close a connection that carried no payload byte in either direction for this long. `None`: never.
    pub idle_timeout: Option<Duration>,
    /// Send each UDP reply this long after its request came. `None`: at once.
    #[cfg(feature = "delay")]
    pub delay: Option<Duration>,
    /// Unpredictable bytes, different ones each time a server is made. They key the hash of the connection index and the
    /// initial sequence numbers (RFC 6528): an attacker who knows them can predict both.
    pub entropy: [u8; 16],
}

impl Config {
    /// The defaults: port 8080, no limit per source, no idle timeout, no delay, and no address yet.
    pub const fn new(hardware_addr: HardwareAddress, entropy: [u8; 16]) -> Config {
        Config {
            hardware_addr,
            addresses: Vec::new(),
            gateways: Vec::new(),
            port: 8080,
            #[cfg(feature = "per-source")]
            per_source: None,
            idle_timeout: None,
            #[cfg(feature = "delay")]
            delay: None,
            entropy,
        }
    }

    /// The limit for each source, if there is one.
    pub(crate) fn limit_per_source(&self) -> Option<NonZeroU16> {
        #[cfg(feature = "per-source")]
        return self.per_source;
        #[cfg(not(feature = "per-source"))]
        None
    }

    /// The delay of UDP replies, if there is one.
    pub(crate) fn reply_delay(&self) -> Option<Duration> {
        #[cfg(feature = "delay")]
        return self.delay;
        #[cfg(not(feature = "delay"))]
        None
    }

    /// Checks everything that smoltcp would panic over, or that could never work.
    pub(crate) fn check(&self, device: &DeviceCapabilities) -> Result<(), ConfigError> {
        if self.port == 0 {
            return Err(ConfigError::NoPort);
        }
        let link_header_len = match (self.hardware_addr, device.medium) {
            #[cfg(feature = "medium-ip")]
            (HardwareAddress::Ip, Medium::Ip) => 0,
            (HardwareAddress::Ethernet(address), Medium::Ethernet) if address.is_unicast() => {
                ETHERNET_HEADER_LEN
            }
            _ => return Err(ConfigError::HardwareAddress),
        };
        let mut least_mtu = 576;
        for (index, own) in self.addresses.iter().enumerate() {
            let address = own.address();
            if !is_host_of(own) {
                return Err(ConfigError::NotUnicast(address));
            }
            if self.addresses[..index].iter().any(|other| other.address() == address) {
                return Err(ConfigError::Duplicate(address));
            }
            if !matches!(own, IpCidr::Ipv4(_)) {
                least_mtu = 1280;
            }
        }
        if self.addresses.is_empty() {
            return Err(ConfigError::NoAddress);
        }
        if let Some(&gateway) = self.gateways.iter().find(|&&gateway| !address::is_host(gateway)) {
            return Err(ConfigError::NotUnicast(gateway));
        }
        if device.max_transmission_unit < least_mtu + link_header_len {
            return Err(ConfigError::Mtu(least_mtu));
        }
        Ok(())
    }
}

/// True if a single host can have this address in its subnet. RFC 3021: one of two has neither network nor broadcast.
fn is_host_of(own: &IpCidr) -> bool {
    match own {
        IpCidr::Ipv4(cidr) => {
            let host_bits = u32::MAX.checked_shr(cidr.prefix_len().into()).unwrap_or(0);
            let host = cidr.address().to_bits() & host_bits;
            address::is_host(cidr.address().into())
                && (cidr.prefix_len() > 30 || host != 0 && host != host_bits)
        }
        #[cfg(feature = "ipv6")]
        IpCidr::Ipv6(cidr) => address::is_host(cidr.address().into()),
    }
}

/// Why a [`Server`](crate::Server) cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// [`Config::addresses`] is empty.
    NoAddress,
    /// This address is not unicast, or it is the network's or the broadcast address of its subnet.
    NotUnicast(IpAddress),
    /// This address stands twice in [`Config::addresses`].
    Duplicate(IpAddress),
    /// [`Config::port`] is 0.
    NoPort,
    /// [`Config::hardware_addr`] is not of the device's medium, or not unicast.
    HardwareAddress,
    /// The device's MTU is below this one: 576 bytes, or 1280 with an IPv6 address (RFC 8200, section 5).
    Mtu(usize),
    /// A slice of the storage has another length than it needs: its name and the length.
    Storage(&'static str, usize),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress => f.write_str("no address: give the server one at least"),
            Self::NotUnicast(address) => {
                write!(f, "{address} is not the address of a single host: choose another")
            }
            Self::Duplicate(address) => write!(f, "{address} is given twice: once is enough"),
            Self::NoPort => f.write_str("port 0 cannot be served: choose one from 1 to 65535"),
            Self::HardwareAddress => {
                f.write_str("the hardware address does not fit the device: give a unicast one of its medium")
            }
            Self::Mtu(least) => write!(f, "the device's MTU is too small: it must be {least} or more"),
            Self::Storage(name, length) => {
                write!(f, "the storage's `{name}` has the wrong length: {length} is needed")
            }
        }
    }
}

impl core::error::Error for ConfigError {}
