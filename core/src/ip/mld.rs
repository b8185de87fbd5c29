//! Multicast listener discovery, version 2 (RFC 3810): which groups we listen to, so that a switch that keeps multicast from
//! ports without a listener lets the solicitations for our addresses through (RFC 4541, section 3).
//!
//! smoltcp's own (its feature `multicast`) is of no use: it sends its reports amid a socket's turn, with the token that was
//! for the socket, and it joins a group with the record that leaves it (CHANGE_TO_INCLUDE without a source).

use heapless::Vec;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, IPV6_LINK_LOCAL_ALL_MLDV2_ROUTERS, Icmpv6Packet,
    IpProtocol, Ipv6Address, Ipv6Packet, Ipv6Repr,
};

use crate::config::MAX_ADDRESSES;
use crate::ip::frame::{self, Frame};
use crate::ip::ndisc;

/// To whom reports go (RFC 3810, section 5.2.14), and in which frames.
const ROUTERS: Ipv6Address = IPV6_LINK_LOCAL_ALL_MLDV2_ROUTERS;
const ROUTERS_MAC: EthernetAddress = EthernetAddress([0x33, 0x33, 0, 0, 0, 0x16]);

/// Hop-by-hop options before ICMPv6: router alert for MLD (RFC 2711, section 2.1), and padding.
const ROUTER_ALERT: [u8; 8] = [58, 0, 5, 2, 0, 0, 1, 0];

const QUERY: u8 = 130;
const REPORT: u8 = 143;
const RECORD: usize = 20;

/// Why a group is reported: the record's type (RFC 3810, section 5.2.12). Both are of a listener to all sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Record {
    /// It was asked for.
    ModeIsExclude = 2,
    /// We listen to it from now on.
    ChangeToExclude = 4,
}

/// A report of the solicited-node groups of these addresses; None without any.
pub(crate) fn report(
    own: EthernetAddress,
    addresses: impl Iterator<Item = Ipv6Address>,
    record: Record,
) -> Option<Frame> {
    let mut groups: Vec<Ipv6Address, MAX_ADDRESSES> = Vec::new();
    // Snooping switches take a report from the unspecified address, which is due while there is no link-local one (RFC
    // 3810, section 5.2.13; RFC 3590).
    let mut source = Ipv6Address::UNSPECIFIED;
    for address in addresses {
        if address.is_unicast_link_local() {
            source = address;
        }
        let group = ndisc::solicited_node(address);
        if !groups.contains(&group) {
            // Cannot fail: there are no more addresses.
            let _ = groups.push(group);
        }
    }
    if groups.is_empty() {
        return None;
    }
    let header = Ipv6Repr {
        src_addr: source,
        dst_addr: ROUTERS,
        next_header: IpProtocol::HopByHop,
        payload_len: ROUTER_ALERT.len() + 8 + RECORD * groups.len(),
        hop_limit: 1,
    };
    frame::ipv6(own, ROUTERS_MAC, &header, |payload| {
        let (alert, message) = payload.split_at_mut(ROUTER_ALERT.len());
        alert.copy_from_slice(&ROUTER_ALERT);
        message[0] = REPORT;
        // There are MAX_ADDRESSES at most.
        message[7] = u8::try_from(groups.len()).unwrap_or(u8::MAX);
        for (room, group) in message[8..].chunks_exact_mut(RECORD).zip(&groups) {
            room[0] = record as u8;
            room[4..].copy_from_slice(&group.octets());
        }
        Icmpv6Packet::new_unchecked(message).fill_checksum(&source, &ROUTERS);
    })
}

/// The longest that a report may be put off that answers this query, in milliseconds. None if the frame is no valid query
/// (RFC 3810, section 6.2). MLDv1's queries are the start of MLDv2's, and switches take the same report for an answer.
pub(crate) fn query(packet: &[u8]) -> Option<u16> {
    let frame = EthernetFrame::new_checked(packet).ok()?;
    if frame.ethertype() != EthernetProtocol::Ipv6 || !frame.dst_addr().is_multicast() {
        return None;
    }
    let ip = Ipv6Packet::new_checked(frame.payload()).ok()?;
    let (from, to) = (ip.src_addr(), ip.dst_addr());
    if ip.next_header() != IpProtocol::HopByHop || ip.hop_limit() != 1 || !from.is_unicast_link_local() {
        return None;
    }
    // The options that every query has; the order of the two is free.
    let (options, message) = ip.payload().split_at_checked(ROUTER_ALERT.len())?;
    let alert = options[..2] == [58, 0] && (options[2..6] == [5, 2, 0, 0] || options[4..] == [5, 2, 0, 0]);
    if !alert || message.len() < 24 || message[0] != QUERY {
        return None;
    }
    // Do not be tempted to let smoltcp check the length: it wants the 28 bytes of MLDv2.
    let packet = Icmpv6Packet::new_unchecked(message);
    if !packet.verify_checksum(&from, &to) {
        return None;
    }
    // Above, it is a number with an exponent (section 5.1.3): 32 s is soon enough for all of them.
    Some(u16::from_be_bytes([message[4], message[5]]).min(0x7fff))
}
