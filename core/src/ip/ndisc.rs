//! What smoltcp leaves out of neighbour discovery: its advertisements lack the Override flag, it answers no duplicate
//! address detection, and announces nothing.

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, IPV6_LINK_LOCAL_ALL_NODES, Icmpv6Message, Icmpv6Packet,
    Icmpv6Repr, IpProtocol, Ipv6Address, Ipv6Packet, Ipv6Repr, NdiscNeighborFlags, NdiscRepr,
    RawHardwareAddress,
};

use crate::ip::address::{self, is_station};
use crate::ip::frame::{self, Frame};

/// Where frames for all nodes on the link go (RFC 2464, section 7).
const ALL_NODES_MAC: EthernetAddress = EthernetAddress([0x33, 0x33, 0, 0, 0, 1]);

/// A neighbour solicitation for an address of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Solicitation {
    /// Whose frame it came in.
    frame_source: EthernetAddress,
    /// Who asks; None: a host that looks for duplicates of the address that it wants (RFC 4862, section 5.4.2).
    pub(crate) source: Option<Ipv6Address>,
    /// Where it says that it is.
    pub(crate) lladdr: Option<EthernetAddress>,
    /// The address of ours.
    pub(crate) target: Ipv6Address,
}

impl Solicitation {
    /// None if it is something else, is not for us, or is not valid (RFC 4861, section 7.1.1).
    pub(crate) fn parse(
        packet: &[u8],
        own: EthernetAddress,
        is_ours: impl Fn(Ipv6Address) -> bool,
    ) -> Option<Solicitation> {
        let frame = EthernetFrame::new_checked(packet).ok()?;
        let (frame_source, destination) = (frame.src_addr(), frame.dst_addr());
        if frame.ethertype() != EthernetProtocol::Ipv6
            || destination != own && !destination.is_multicast()
            || !is_station(frame_source)
        {
            return None;
        }
        let ip = Ipv6Packet::new_checked(frame.payload()).ok()?;
        // A packet from a router away has a smaller hop limit.
        if ip.next_header() != IpProtocol::Icmpv6 || ip.hop_limit() != 255 {
            return None;
        }
        let (from, to) = (ip.src_addr(), ip.dst_addr());
        let icmp = Icmpv6Packet::new_checked(ip.payload()).ok()?;
        if icmp.msg_type() != Icmpv6Message::NeighborSolicit || icmp.msg_code() != 0 {
            return None;
        }
        let Icmpv6Repr::Ndisc(NdiscRepr::NeighborSolicit { target_addr: target, lladdr }) =
            Icmpv6Repr::parse(&from, &to, &icmp, &ChecksumCapabilities::default()).ok()?
        else {
            return None;
        };
        let lladdr = lladdr.and_then(|raw| <[u8; 6]>::try_from(raw.as_bytes()).ok()).map(EthernetAddress);
        if !is_ours(target) || to != target && to != solicited_node(target) {
            return None;
        }
        if from.is_unspecified() {
            let valid = lladdr.is_none() && to.is_multicast();
            return valid.then_some(Solicitation { frame_source, source: None, lladdr, target });
        }
        let valid = address::is_host(from.into()) && !is_ours(from) && lladdr.is_none_or(is_station);
        valid.then_some(Solicitation { frame_source, source: Some(from), lladdr, target })
    }

    /// The advertisement that answers it (RFC 4861, section 7.2.4): to who asks, or to all if that has no address yet. It
    /// overrides what was known, as it has our hardware address and nobody speaks for us.
    pub(crate) fn answer(&self, own: EthernetAddress) -> Option<Frame> {
        let solicited = NdiscNeighborFlags::SOLICITED | NdiscNeighborFlags::OVERRIDE;
        match self.source {
            Some(source) => {
                let to = self.lladdr.unwrap_or(self.frame_source);
                advertisement(own, to, self.target, source, solicited)
            }
            None => announcement(own, self.target),
        }
    }
}

/// An unsolicited advertisement (RFC 4861, section 7.2.6): others learn where our address is now.
pub(crate) fn announcement(own: EthernetAddress, address: Ipv6Address) -> Option<Frame> {
    advertisement(own, ALL_NODES_MAC, address, IPV6_LINK_LOCAL_ALL_NODES, NdiscNeighborFlags::OVERRIDE)
}

/// An advertisement that `target` is at `source`, in a frame from there.
pub(crate) fn advertisement(
    source: EthernetAddress,
    destination: EthernetAddress,
    target: Ipv6Address,
    to: Ipv6Address,
    flags: NdiscNeighborFlags,
) -> Option<Frame> {
    let lladdr = Some(RawHardwareAddress::from(source));
    let advertisement = Icmpv6Repr::Ndisc(NdiscRepr::NeighborAdvert { flags, target_addr: target, lladdr });
    let header = Ipv6Repr {
        src_addr: target,
        dst_addr: to,
        next_header: IpProtocol::Icmpv6,
        payload_len: advertisement.buffer_len(),
        // RFC 4861, section 7.1.2: no other is accepted.
        hop_limit: 255,
    };
    frame::ipv6(source, destination, &header, |payload| {
        let mut packet = Icmpv6Packet::new_unchecked(payload);
        advertisement.emit(&target, &to, &mut packet, &ChecksumCapabilities::default());
    })
}

/// The multicast group that the owner of this address listens to, so that it can be asked for its hardware address (RFC
/// 4291, section 2.7.1).
pub(crate) fn solicited_node(address: Ipv6Address) -> Ipv6Address {
    let [.., a, b, c] = address.octets();
    Ipv6Address::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}
