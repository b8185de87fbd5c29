//! smoltcp: one Interface that every connection's socket set takes turns with.

use core::fmt;

use heapless::Vec;
use smoltcp::iface::{self, Interface, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, TxToken};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr, TcpSeqNumber};

use crate::config::{Config, MAX_ADDRESSES};
use crate::sequence;
use crate::timers::NEVER;
use crate::tokens::{OnePacket, Sent, SentSegment, Watched, WayOut, behind_the_door};

/// A set that smoltcp wants to be polled for, but does nothing with, is looked at again after this. It is not known
/// to happen; without this it would keep the caller from ever sleeping.
const STUCK: Duration = Duration::from_millis(10);

/// An orphaned fragment holds one of four reassembly buffers for this long (RFC 791 has 15 s, RFC 8900 says why not).
#[cfg(feature = "fragments")]
const REASSEMBLY: Duration = Duration::from_secs(2);

pub(crate) struct Stack {
    interface: Interface,
    /// For the Interfaces that live for one SYN only.
    addresses: Vec<IpCidr, MAX_ADDRESSES>,
    hardware_addr: HardwareAddress,
    /// Less the checksums that the door has verified.
    capabilities: DeviceCapabilities,
    sent: Sent,
}

/// What a socket set waits for once it has sent what it could.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// For this time; [`NEVER`]: for nothing but a packet.
    At(Instant),
    /// For room in the device.
    Refused,
}

impl Stack {
    /// The configuration must have been checked.
    pub(crate) fn new<D: Device + ?Sized>(config: &Config, device: &mut D, seed: u64, now: Instant) -> Stack {
        let capabilities = behind_the_door(&device.capabilities());
        let mut sent = Sent::default();
        let mut out = WayOut::new(device, &capabilities, &mut sent);
        let interface = interface(config.hardware_addr, &config.addresses, seed, &mut out, now);
        let (addresses, hardware_addr) = (config.addresses.clone(), config.hardware_addr);
        let mut stack = Stack { interface, addresses, hardware_addr, capabilities, sent };
        #[cfg(feature = "fragments")]
        stack.interface.set_reassembly_timeout(REASSEMBLY);
        for gateway in &config.gateways {
            let routes = stack.interface.routes_mut();
            // Cannot fail: smoltcp keeps two routes by default, and `gateways` has two at most.
            let _ = match *gateway {
                IpAddress::Ipv4(gateway) => routes.add_default_ipv4_route(gateway),
                #[cfg(feature = "ipv6")]
                IpAddress::Ipv6(gateway) => routes.add_default_ipv6_route(gateway),
            };
        }
        stack
    }

    /// Lets smoltcp process a packet with these sockets; `tx` is for what it answers at once. Returns the segment
    /// that it answered with.
    pub(crate) fn feed(
        &mut self,
        now: Instant,
        packet: &[u8],
        tx: impl TxToken,
        sockets: &mut SocketSet<'_>,
    ) -> Option<SentSegment> {
        self.sent.segment = None;
        let tx = Watched { token: tx, medium: self.capabilities.medium, sent: &mut self.sent };
        let mut device = OnePacket::new(packet, tx, &self.capabilities);
        self.interface.poll_ingress_single(now, &mut device, sockets);
        self.sent.segment
    }

    /// Lets smoltcp process a SYN such that its SYN|ACK will have this initial sequence number.
    pub(crate) fn feed_syn(
        &mut self,
        now: Instant,
        syn: &[u8],
        tx: impl TxToken,
        sockets: &mut SocketSet<'_>,
        initial: TcpSeqNumber,
    ) {
        let tx = Watched { token: tx, medium: self.capabilities.medium, sent: &mut self.sent };
        let mut device = OnePacket::new(syn, tx, &self.capabilities);
        let seed = sequence::seed(initial);
        let mut interface = interface(self.hardware_addr, &self.addresses, seed, &mut device, now);
        interface.poll_ingress_single(now, &mut device, sockets);
    }

    /// Sends what these sockets have to send, to the last segment, which is returned.
    pub(crate) fn send<D: Device + ?Sized>(
        &mut self,
        now: Instant,
        device: &mut D,
        sockets: &mut SocketSet<'_>,
    ) -> (Next, Option<SentSegment>) {
        self.sent.segment = None;
        let next = loop {
            let before = self.sent.packets;
            let mut out = WayOut::new(device, &self.capabilities, &mut self.sent);
            self.interface.poll_egress(now, &mut out, sockets);
            if out.refused {
                break Next::Refused;
            }
            match self.interface.poll_at(now, sockets) {
                None => break Next::At(NEVER),
                Some(at) if at > now => break Next::At(at),
                Some(_) if self.sent.packets == before => break Next::At(now + STUCK),
                Some(_) => {}
            }
        };
        (next, self.sent.segment)
    }

    /// Packets sent since the server was made.
    pub(crate) fn packets_sent(&self) -> u64 {
        self.sent.packets
    }

    /// True if a packet was sent in part: the rest has to leave before anything else is fragmented.
    pub(crate) fn sends_fragments(&mut self, now: Instant, nobody: &SocketSet<'_>) -> bool {
        cfg!(feature = "fragments") && self.interface.poll_at(now, nobody).is_some()
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

fn interface(
    hardware_addr: HardwareAddress,
    addresses: &Vec<IpCidr, MAX_ADDRESSES>,
    seed: u64,
    device: &mut impl Device,
    now: Instant,
) -> Interface {
    let mut config = iface::Config::new(hardware_addr);
    config.random_seed = seed;
    let mut interface = Interface::new(config, device, now);
    interface.update_ip_addrs(|own| own.clone_from(addresses));
    interface
}
