//! How much smoltcp sends at once (RFC 5681, RFC 6928), and in packets of which size (RFC 1191, RFC 8201).

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::time::Duration;
use smoltcp::wire::{
    IPV4_HEADER_LEN, Icmpv4DstUnreachable, Icmpv4Packet, Icmpv4Repr, IpProtocol, Ipv4Address, Ipv4Packet,
    Ipv4Repr,
};

use super::peer::Peer;
use super::repaired::repaired_by;
use super::segment::{SERVER, syn};

/// A buffer of 60 segments of 1000 bytes, the peer's window.
const LARGE: usize = 60_000;
const ROUTER: Ipv4Address = Ipv4Address::new(192, 0, 2, 254);

/// A connection's first data fill the peer's window in one burst. RFC 6928, section 2: at most ten segments;
/// RFC 5681, section 3.1. (smoltcp has a congestion window behind the features `socket-tcp-reno` and
/// `socket-tcp-cubic`, which the core does not ask for.)
#[test]
fn a_whole_window_leaves_at_once_at_the_start() {
    let mut peer = Peer::connected_by(LARGE, &syn(-1).mss(1000));
    peer.service_writes(LARGE);
    peer.turn();
    repaired_by("tcp/socket/congestion_window.rs", peer.receives_data().len() == 60);
}

/// A timeout sends the whole window again. RFC 5681, section 3.1: the congestion window is one segment then.
#[test]
fn a_whole_window_leaves_again_after_a_timeout() {
    let mut peer = Peer::connected_by(LARGE, &syn(-1).mss(1000));
    peer.service_writes(LARGE);
    peer.turn();
    peer.receives();
    let (_, again) = peer.waits_for_segments(Duration::from_secs(60));
    repaired_by("tcp/socket/congestion_window.rs", again.len() == 60);
}

/// A router says that the packets are too big for the next link, and smoltcp sends packets of the same size
/// again, for ever, with Don't Fragment set. RFC 1191, section 3; RFC 9293, section 3.9.2.2 (MUST-54): TCP
/// acts on ICMP errors.
#[test]
fn icmp_fragmentation_needed_changes_nothing() {
    let mut peer = Peer::connected_by(LARGE, &syn(-1).mss(1460));
    peer.service_writes(1460);
    peer.turn();
    let lost = peer.wire.sent.pop_back().unwrap();
    peer.sends_packet(fragmentation_needed(&lost, 1000));
    let (_, again) = peer.waits_for_segments(Duration::from_secs(60));
    repaired_by("tcp/socket/path_mtu.rs", again[0].data.len() == 1460);
}

/// ICMP type 3, code 4, from a router whose next link takes packets of `mtu` bytes. It quotes the header and
/// the first 8 bytes behind it.
fn fragmentation_needed(lost: &[u8], mtu: u16) -> Vec<u8> {
    let checksums = ChecksumCapabilities::default();
    let quoted = Ipv4Packet::new_checked(lost).unwrap();
    let icmp = Icmpv4Repr::DstUnreachable {
        reason: Icmpv4DstUnreachable::FragRequired,
        header: Ipv4Repr::parse(&quoted, &checksums).unwrap(),
        data: &lost[IPV4_HEADER_LEN..IPV4_HEADER_LEN + 8],
    };
    let ip = Ipv4Repr {
        src_addr: ROUTER,
        dst_addr: SERVER,
        next_header: IpProtocol::Icmp,
        payload_len: icmp.buffer_len(),
        hop_limit: 64,
    };
    let mut packet = vec![0; IPV4_HEADER_LEN + icmp.buffer_len()];
    ip.emit(&mut Ipv4Packet::new_unchecked(&mut packet[..]), &checksums);
    icmp.emit(&mut Icmpv4Packet::new_unchecked(&mut packet[IPV4_HEADER_LEN..]), &checksums);
    packet[IPV4_HEADER_LEN + 6..IPV4_HEADER_LEN + 8].copy_from_slice(&mtu.to_be_bytes());
    Icmpv4Packet::new_unchecked(&mut packet[IPV4_HEADER_LEN..]).fill_checksum();
    packet
}
