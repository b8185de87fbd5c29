//! IPv6 addresses: unsolicited advertisements, duplicate address detection (RFC 4862), and MLD (RFC 3810).

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    Icmpv6Packet, Icmpv6Repr, IpCidr, IpProtocol, Ipv6Address, Ipv6Packet, NdiscNeighborFlags, NdiscRepr,
};

use super::*;
use crate::DropReason;
use crate::tests::fixture::{CLIENT_V6, SERVER_V6};
use crate::tests::ndisc::{message, solicitation, solicited_node, v6};
use crate::tests::packets::{frame, ip, ip_packet};

pub(super) const CHANGE_TO_EXCLUDE: u8 = 4;
const MODE_IS_EXCLUDE: u8 = 2;
const ALL_NODES: Ipv6Address = Ipv6Address::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ROUTER: Ipv6Address = Ipv6Address::new(0xfe80, 0, 0, 0, 0, 0, 0, 9);

pub(super) fn group() -> Ipv6Address {
    solicited_node(SERVER_V6)
}

/// The next frame, which must be an MLD report: the type of its records, and their groups.
#[track_caller]
pub(super) fn take_report(net: &mut Net) -> (u8, Vec<Ipv6Address>) {
    let frame = net.next_frame();
    let (source, destination, protocol, packet) = unframe(&frame);
    assert_eq!((source, protocol), (SERVER_MAC, EthernetProtocol::Ipv6));
    assert_eq!(destination, EthernetAddress([0x33, 0x33, 0, 0, 0, 0x16]));
    assert_eq!(Ipv6Packet::new_checked(packet).unwrap().hop_limit(), 1);
    let (from, to, protocol, payload) = ip(packet);
    let to_routers: IpAddress = IpAddress::Ipv6("ff02::16".parse().unwrap());
    assert_eq!((from, to), (Ipv6Address::UNSPECIFIED.into(), to_routers));
    assert_eq!((protocol, &payload[..8]), (IpProtocol::HopByHop, &[58, 0, 5, 2, 0, 0, 1, 0][..]));
    let report = &payload[8..];
    assert!(Icmpv6Packet::new_checked(report).unwrap().verify_checksum(&v6(from), &v6(to)));
    assert_eq!((report[0], report[1]), (143, 0));
    let records: Vec<&[u8]> = report[8..].chunks(20).collect();
    assert_eq!(usize::from(report[7]), records.len());
    let groups = records.iter().map(|record| {
        assert_eq!((record[0], &record[1..4]), (records[0][0], &[0; 3][..]));
        Ipv6Address::from(<[u8; 16]>::try_from(&record[4..]).unwrap())
    });
    (records[0][0], groups.collect())
}

/// Takes an advertisement of our address: where the frame and the packet go, and its flags.
#[track_caller]
fn take_advertisement(net: &mut Net) -> (EthernetAddress, IpAddress, NdiscNeighborFlags) {
    let frame = net.next_frame();
    let (source, destination, _, packet) = unframe(&frame);
    assert_eq!(source, SERVER_MAC);
    assert_eq!(Ipv6Packet::new_checked(packet).unwrap().hop_limit(), 255);
    let (from, to, _, payload) = ip(packet);
    assert_eq!(from, SERVER_V6);
    let icmp = Icmpv6Packet::new_checked(payload).unwrap();
    let repr = Icmpv6Repr::parse(&v6(from), &v6(to), &icmp, &ChecksumCapabilities::default()).unwrap();
    let Icmpv6Repr::Ndisc(NdiscRepr::NeighborAdvert { flags, target_addr, lladdr }) = repr else {
        panic!("{repr:?}");
    };
    assert_eq!((target_addr, lladdr), (v6(SERVER_V6), Some(SERVER_MAC.into())));
    (destination, to, flags)
}

#[track_caller]
pub(super) fn take_announcement(net: &mut Net) {
    let everybody = EthernetAddress([0x33, 0x33, 0, 0, 0, 1]);
    let expected = (everybody, ALL_NODES.into(), NdiscNeighborFlags::OVERRIDE);
    assert_eq!(take_advertisement(net), expected);
}

/// The longest frame that the server makes itself.
#[test]
fn eight_addresses_are_reported_in_one_frame() {
    let addresses = (1..=8).map(|last| IpAddress::v6(0x2001, 0xdb8, 0, 0, 0, 0, 0, last));
    let own = addresses.clone().map(|address| IpCidr::new(address, 64)).collect();
    let mut net = starting_ethernet(|config| config.addresses = own);
    net.poll();
    assert_eq!(take_report(&mut net), (CHANGE_TO_EXCLUDE, addresses.map(solicited_node).collect()));
}

#[test]
fn an_answer_overrides_what_was_known() {
    let mut net = ethernet(|_| {});
    net.arrive_frame(solicitation(CLIENT_MAC, v6(CLIENT_V6), group()));
    let flags = NdiscNeighborFlags::SOLICITED | NdiscNeighborFlags::OVERRIDE;
    assert_eq!(take_advertisement(&mut net), (CLIENT_MAC, CLIENT_V6, flags));
    net.nothing_sent();
}

/// Neighbour unreachability detection sends such solicitations (RFC 4861, section 7.3.3).
#[test]
fn an_answer_to_a_solicitation_to_us_alone_overrides_too() {
    let mut net = ethernet(|_| {});
    net.arrive_frame(solicitation(CLIENT_MAC, v6(CLIENT_V6), v6(SERVER_V6)));
    let flags = NdiscNeighborFlags::SOLICITED | NdiscNeighborFlags::OVERRIDE;
    assert_eq!(take_advertisement(&mut net), (CLIENT_MAC, CLIENT_V6, flags));
    net.nothing_sent();
}

fn looks_for_a_duplicate(target: IpAddress) -> Vec<u8> {
    let solicit = NdiscRepr::NeighborSolicit { target_addr: v6(target), lladdr: None };
    message(CLIENT_MAC, Ipv6Address::UNSPECIFIED, solicited_node(target), solicit)
}

#[test]
fn a_host_that_looks_for_a_duplicate_of_our_address_finds_it() {
    let mut net = ethernet(|_| {});
    net.arrive_frame(looks_for_a_duplicate(SERVER_V6));
    take_announcement(&mut net);
    net.nothing_sent();
    // Of the same group.
    net.arrive_frame(looks_for_a_duplicate(IpAddress::v6(0x2001, 0xdb8, 0, 0, 9, 0, 0, 1)));
    net.nothing_sent();
    assert_eq!(net.stats().dropped(DropReason::Source), 0);
}

#[test]
fn a_solicitation_of_a_router_at_its_link_local_address_is_answered() {
    let mut net = ethernet(|_| {});
    net.arrive_frame(solicitation(CLIENT_MAC, ROUTER, group()));
    let (mac, to, _) = take_advertisement(&mut net);
    assert_eq!((mac, to), (CLIENT_MAC, ROUTER.into()));
}

#[test]
fn a_solicitation_from_another_link_is_not_answered() {
    let mut net = ethernet(|_| {});
    let mut packet = solicitation(CLIENT_MAC, v6(CLIENT_V6), group());
    packet[14 + 7] = 254;
    net.arrive_frame(packet);
    let mut packet = looks_for_a_duplicate(SERVER_V6);
    let last = packet.len() - 1;
    packet[last] ^= 1; // and with another checksum
    net.arrive_frame(packet);
    net.nothing_sent();
}

/// A query for all groups, to be answered within this many milliseconds.
fn query(from: Ipv6Address, hop_limit: u8, options: [u8; 8], longest: u16) -> Vec<u8> {
    query_of::<28>(from, hop_limit, options, longest)
}

/// The same with this many bytes of MLD.
fn query_of<const LENGTH: usize>(
    from: Ipv6Address,
    hop_limit: u8,
    options: [u8; 8],
    longest: u16,
) -> Vec<u8> {
    let mut message = [0; LENGTH];
    message[0] = 130;
    message[4..6].copy_from_slice(&longest.to_be_bytes());
    Icmpv6Packet::new_unchecked(&mut message[..]).fill_checksum(&from, &ALL_NODES);
    let length = options.len() + message.len();
    let mut packet = ip_packet(from.into(), ALL_NODES.into(), IpProtocol::HopByHop, length, |payload| {
        payload[..8].copy_from_slice(&options);
        payload[8..].copy_from_slice(&message);
    });
    packet[7] = hop_limit;
    frame(CLIENT_MAC, EthernetAddress([0x33, 0x33, 0, 0, 0, 1]), EthernetProtocol::Ipv6, &packet)
}

#[test]
fn a_query_is_answered_within_its_time() {
    let mut waits = Vec::new();
    let mut net = ethernet(|_| {});
    for options in [[58, 0, 5, 2, 0, 0, 1, 0], [58, 0, 1, 0, 5, 2, 0, 0]].repeat(4) {
        net.arrive_frame(query(ROUTER, 1, options, 1000));
        let wait = net.last.deadline.unwrap() - net.now;
        assert!(wait < Duration::from_secs(1), "{wait}");
        waits.push(wait);
        net.pass(wait);
        assert_eq!(take_report(&mut net), (MODE_IS_EXCLUDE, std::vec![group()]));
        net.nothing_sent();
        assert_eq!(net.last.deadline, None);
    }
    assert!(waits.windows(2).any(|two| two[0] != two[1]), "{waits:?}");
}

#[test]
fn what_is_no_query_of_a_router_is_not_answered() {
    let mut net = ethernet(|_| {});
    let alert = [58, 0, 5, 2, 0, 0, 1, 0];
    for packet in [
        query(v6(CLIENT_V6), 1, alert, 1000),
        query(ROUTER, 64, alert, 1000),
        query(ROUTER, 1, [58, 0, 1, 4, 0, 0, 0, 0], 1000),
    ] {
        net.arrive_frame(packet);
    }
    let mut packet = query(ROUTER, 1, alert, 1000);
    let last = packet.len() - 1;
    packet[last] ^= 1;
    net.arrive_frame(packet);
    net.arrive_frame(query_of::<23>(ROUTER, 1, alert, 1000));
    let mut to_another_station = query(ROUTER, 1, alert, 1000);
    to_another_station[..6].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
    net.arrive_frame(to_another_station);
    net.pass(Duration::from_secs(40));
    net.nothing_sent();
}

/// RFC 3810, section 8.1: a query of 24 bytes is one of MLDv1.
#[test]
fn a_query_of_mldv1_is_answered_too() {
    let mut net = ethernet(|_| {});
    net.arrive_frame(query_of::<24>(ROUTER, 1, [58, 0, 5, 2, 0, 0, 1, 0], 1000));
    net.pass(Duration::from_secs(1));
    assert_eq!(take_report(&mut net), (MODE_IS_EXCLUDE, std::vec![group()]));
    net.nothing_sent();
}

#[test]
fn a_report_has_a_record_for_each_group() {
    let second = IpAddress::v6(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
    let mut net = starting_ethernet(|config| {
        config.addresses.push(IpCidr::new(second, 64)).unwrap();
    });
    net.poll();
    assert_eq!(take_report(&mut net), (CHANGE_TO_EXCLUDE, std::vec![group(), solicited_node(second)]));
}

/// Whatever is cut off or changed in frames that are looked at without smoltcp, the server lives, and answers no more than
/// one with one.
#[test]
fn damaged_frames_do_no_harm() {
    let mut net = ethernet(|_| {});
    let frames = [
        probe(SERVER),
        solicitation(CLIENT_MAC, v6(CLIENT_V6), group()),
        looks_for_a_duplicate(SERVER_V6),
        query(ROUTER, 1, [58, 0, 5, 2, 0, 0, 1, 0], 0),
    ];
    for whole in &frames {
        for length in 0..whole.len() {
            net.arrive_frame(whole[..length].to_vec());
            for change in [0x01, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[length] ^= change;
                net.arrive_frame(damaged);
                assert!(net.wire.sent.len() <= 1);
                net.wire.sent.clear();
            }
        }
    }
    net.arrive_frame(probe(SERVER));
    take_arp(&mut net);
}

#[test]
fn a_report_has_each_group_once_and_comes_from_the_link_local_address() {
    use smoltcp::wire::IpCidr;
    let mut net = starting_ethernet(|config| {
        let same_group = IpAddress::v6(0x2001, 0xdb8, 0, 0, 9, 0, 0, 1);
        config.addresses.push(IpCidr::new(same_group, 64)).unwrap();
        config.addresses.push(IpCidr::new(ROUTER.into(), 64)).unwrap();
    });
    net.poll();
    let report = net.next_frame();
    let (_, _, _, packet) = unframe(&report);
    let (from, _, _, payload) = ip(packet);
    assert_eq!((from, payload[8 + 7]), (ROUTER.into(), 2));
}
