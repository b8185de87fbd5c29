//! Ethernet for clients that know only IP: frames, ARP and neighbour discovery, without smoltcp.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::wire::{Fragment, ICMPV6, Ip, icmp_packet, ip_packet, transport_checksum};

/// A hardware address.
pub type Mac = [u8; 6];

/// The server's hardware address.
pub const SERVER_MAC: Mac = [2, 0, 0, 0xff, 0, 1];

/// The length of an Ethernet header, in bytes.
pub const HEADER: usize = 14;

const IPV4: [u8; 2] = [0x08, 0x00];
const ARP: [u8; 2] = [0x08, 0x06];
const IPV6: [u8; 2] = [0x86, 0xdd];

/// One host on the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbour {
    /// Its hardware address.
    pub mac: Mac,
    /// Its IP address.
    pub address: IpAddr,
}

/// What a frame has for a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrived<'f> {
    /// An IP packet.
    Packet(&'f [u8]),
    /// A request for the host's hardware address, and the frame that answers it.
    Question(Vec<u8>),
    /// Nothing for this host.
    Nothing,
}

impl Neighbour {
    /// Takes a frame from the link.
    pub fn receive<'f>(&self, frame: &'f [u8]) -> Arrived<'f> {
        let Some((header, packet)) = frame.split_at_checked(HEADER) else {
            return Arrived::Nothing;
        };
        let answer = match [header[12], header[13]] {
            ARP => self.arp_reply(packet),
            IPV6 => self.advertisement(packet),
            _ => None,
        };
        match answer {
            Some(frame) => Arrived::Question(frame),
            None if header[..6] == self.mac && [header[12], header[13]] != ARP => Arrived::Packet(packet),
            None => Arrived::Nothing,
        }
    }

    /// The frame with this packet to the server.
    pub fn frame(&self, packet: &[u8]) -> Vec<u8> {
        let kind = if packet.first().is_some_and(|first| first >> 4 == 6) { IPV6 } else { IPV4 };
        self.framed(kind, packet)
    }

    fn framed(&self, kind: [u8; 2], packet: &[u8]) -> Vec<u8> {
        [&SERVER_MAC[..], &self.mac, &kind, packet].concat()
    }

    /// RFC 826.
    fn arp_reply(&self, request: &[u8]) -> Option<Vec<u8>> {
        let IpAddr::V4(own) = self.address else { return None };
        let (from, asked) = (request.get(8..18)?, request.get(24..28)?);
        let is_request = request[..8] == [0, 1, 8, 0, 6, 4, 0, 1];
        (is_request && asked == own.octets()).then(|| {
            let reply = [&[0, 1, 8, 0, 6, 4, 0, 2], &self.mac[..], &own.octets(), from].concat();
            self.framed(ARP, &reply)
        })
    }

    /// A gratuitous ARP reply: tells the server this host's hardware address without being asked.
    pub fn announcement(&self, to: Ipv4Addr) -> Option<Vec<u8>> {
        let question = [&[0, 1, 8, 0, 6, 4, 0, 1], &SERVER_MAC[..], &to.octets(), &[0; 6]].concat();
        let IpAddr::V4(own) = self.address else { return None };
        self.arp_reply(&[&question[..], &own.octets()].concat())
    }

    /// An ARP request or a neighbour solicitation for the hardware address of `about`.
    pub fn question(&self, about: IpAddr) -> Vec<u8> {
        match (self.address, about) {
            (IpAddr::V4(own), IpAddr::V4(about)) => {
                let request = [&[0, 1, 8, 0, 6, 4, 0, 1], &self.mac[..], &own.octets(), &[0; 6]].concat();
                self.framed(ARP, &[&request[..], &about.octets()].concat())
            }
            (IpAddr::V6(_), IpAddr::V6(target)) => {
                let message =
                    [&[135, 0, 0, 0, 0, 0, 0, 0], &target.octets()[..], &[1, 1], &self.mac].concat();
                let mut packet = icmp_packet(self.address, about, message);
                packet[7] = 255;
                self.framed(IPV6, &packet)
            }
            _ => panic!("{} and {about} are not of one family", self.address),
        }
    }

    /// RFC 4861, section 7.2.4.
    fn advertisement(&self, packet: &[u8]) -> Option<Vec<u8>> {
        let IpAddr::V6(own) = self.address else { return None };
        let ip = Ip::read(packet).filter(|ip| ip.protocol == ICMPV6)?;
        let target = <[u8; 16]>::try_from(ip.payload.get(8..24)?).ok()?;
        if ip.payload[0] != 135 || Ipv6Addr::from(target) != own {
            return None;
        }
        // Flags Solicited and Override, then the option Target Link-Layer Address.
        let mut message = [&[136, 0, 0, 0, 0x60, 0, 0, 0], &target[..], &[2, 1], &self.mac].concat();
        let sum = transport_checksum(self.address, ip.from, ICMPV6, &message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        let mut packet = ip_packet(self.address, ip.from, ICMPV6, Fragment::default(), &message);
        packet[7] = 255; // the hop limit that RFC 4861, section 7.1 demands
        Some(self.framed(IPV6, &packet))
    }
}
