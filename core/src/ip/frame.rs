//! Ethernet frames that the server makes without smoltcp.

use heapless::Vec;
use smoltcp::wire::{ETHERNET_HEADER_LEN, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr};
#[cfg(feature = "ipv6")]
use smoltcp::wire::{Ipv6Packet, Ipv6Repr};

/// The longest of them: with IPv6 an MLD report of a group for each address (IPv6 header, router alert, report), else ARP.
const LONGEST: usize = ETHERNET_HEADER_LEN
    + if cfg!(feature = "ipv6") { 40 + 8 + 8 + 20 * crate::config::MAX_ADDRESSES } else { 28 };

pub(crate) type Frame = Vec<u8, LONGEST>;

/// A frame with this much room for its payload; None if that is longer than any that is made here.
pub(crate) fn ethernet(
    src_addr: EthernetAddress,
    dst_addr: EthernetAddress,
    ethertype: EthernetProtocol,
    length: usize,
) -> Option<Frame> {
    let mut frame = Frame::new();
    frame.resize(ETHERNET_HEADER_LEN + length, 0).ok()?;
    EthernetRepr { src_addr, dst_addr, ethertype }.emit(&mut EthernetFrame::new_unchecked(&mut frame[..]));
    Some(frame)
}

/// A frame around an IPv6 packet, whose payload is written by `emit`.
#[cfg(feature = "ipv6")]
pub(crate) fn ipv6(
    source: EthernetAddress,
    destination: EthernetAddress,
    header: &Ipv6Repr,
    emit: impl FnOnce(&mut [u8]),
) -> Option<Frame> {
    let length = header.buffer_len() + header.payload_len;
    let mut frame = ethernet(source, destination, EthernetProtocol::Ipv6, length)?;
    let (room, payload) = frame[ETHERNET_HEADER_LEN..].split_at_mut(header.buffer_len());
    header.emit(&mut Ipv6Packet::new_unchecked(room));
    emit(payload);
    Some(frame)
}
