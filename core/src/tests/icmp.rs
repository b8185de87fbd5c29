//! ICMP: ping, errors for closed UDP ports, and RSTs for closed TCP ports.

use smoltcp::time::Duration;
use smoltcp::wire::{IpAddress, IpCidr, IpEndpoint, IpProtocol, Ipv4Packet, TcpControl};

use super::fixture::{CLIENT, FAMILIES, SERVER, net, net_with};
use super::packets::{Icmp, icmp, ip, ip_packet, ping, udp_packet};
use super::peer::{letters, peer_from};
use crate::DropReason;

#[test]
fn ping_is_answered() {
    for &(client, server) in FAMILIES {
        let mut net = net();
        for length in [0, 1, 56, 1452, 1472] {
            if length == 1472 && client != CLIENT {
                continue; // the header of IPv6 is longer by 20 bytes
            }
            net.arrive(ping(client, server, &letters(length)));
            let reply = net.next_sent();
            net.nothing_sent();
            assert_eq!(icmp(&reply), (server, client, Icmp::EchoReply(letters(length))));
        }
        assert_eq!(net.last.deadline, None);
    }
}

#[test]
fn ping_is_answered_from_the_address_that_was_asked() {
    let second = IpAddress::v4(198, 51, 100, 1);
    let mut net = net_with::<1>(|config| config.addresses.push(IpCidr::new(second, 24)).unwrap());
    for address in [SERVER, second] {
        net.arrive(ping(CLIENT, address, b"x"));
        assert_eq!(icmp(&net.next_sent()).0, address);
    }
}

#[test]
fn a_ping_with_a_wrong_checksum_is_not_answered() {
    for &(client, server) in FAMILIES {
        let mut net = net();
        let mut packet = ping(client, server, b"data");
        *packet.last_mut().unwrap() ^= 1;
        net.arrive(packet);
        net.nothing_sent();
    }
}

#[test]
fn a_closed_udp_port_answers_that_it_is_unreachable() {
    for &(client, server) in FAMILIES {
        let mut net = net();
        for length in [0, 1000, 1452] {
            let closed = IpEndpoint::new(server, 8081);
            net.arrive(udp_packet(IpEndpoint::new(client, 50_000), closed, &letters(length)));
            let error = net.next_sent();
            net.nothing_sent();
            assert_eq!(icmp(&error), (server, client, Icmp::PortUnreachable));
            assert!(error.len() <= 1280 && (error.len() <= 576 || client != CLIENT));
        }
        assert_eq!(net.stats().datagrams_in, 0);
    }
}

#[test]
fn an_unknown_protocol_is_said_to_be_unreachable() {
    for &(client, server) in FAMILIES {
        for protocol in [132, 2, 4, 41, 50, 51, if client == CLIENT { 58 } else { 1 }] {
            let mut net = net();
            net.arrive(ip_packet(client, server, IpProtocol::from(protocol), 20, |_| {}));
            let error = net.next_sent();
            assert_eq!(icmp(&error).2, Icmp::ProtocolUnreachable);
            // With the header that names the protocol, and over IPv6 with a pointer to that.
            assert_eq!(ip(&error).3[4..8], if client == CLIENT { [0; 4] } else { [0, 0, 0, 6] });
            net.nothing_sent();
        }
    }
}

/// RFC 1122, section 3.2.2: the header that came, of which smoltcp's parser keeps the half.
#[test]
fn errors_quote_the_packet_as_it_came() {
    for &(client, server) in FAMILIES {
        for length in [0, 100, 1400] {
            let (from, to) = (IpEndpoint::new(client, 50_000), IpEndpoint::new(server, 8081));
            let mut packet = udp_packet(from, to, &letters(length));
            match client {
                IpAddress::Ipv4(_) => {
                    // Type of service, identification, no don't-fragment, time to live, and options: none, four times.
                    packet.splice(20..20, [1; 4]);
                    packet[0] = 0x46;
                    packet[1] = 0xb8;
                    packet[4..8].copy_from_slice(&[0x12, 0x34, 0, 0]);
                    packet[8] = 7;
                    let total = u16::try_from(packet.len()).unwrap();
                    let mut view = Ipv4Packet::new_unchecked(&mut packet[..]);
                    view.set_total_len(total);
                    view.fill_checksum();
                }
                #[cfg(feature = "ipv6")]
                IpAddress::Ipv6(_) => {
                    packet[..4].copy_from_slice(&[0x6b, 0x81, 0x23, 0x45]); // traffic class and flow label
                    packet[7] = 7;
                }
            }
            let mut net = net();
            net.arrive(packet.clone());
            let error = net.next_sent();
            let (least_mtu, headers) = if client == CLIENT { (576, 28) } else { (1280, 48) };
            assert_eq!(icmp(&error), (server, client, Icmp::PortUnreachable));
            assert_eq!(error.len(), (headers + packet.len()).min(least_mtu));
            assert!(error[headers..] == packet[..error.len() - headers]);
            if client == CLIENT {
                assert_eq!(error[1], 0xc0, "internetwork control");
            }
        }
    }
}

#[test]
fn an_error_on_ethernet_goes_to_where_the_packet_came_from() {
    for &(client, server) in FAMILIES {
        let mut net = super::fixture::ethernet(|_| {});
        let mut packet = udp_packet(IpEndpoint::new(client, 50_000), IpEndpoint::new(server, 8081), b"x");
        let length = packet.len();
        packet.resize(100, 0xee); // the rest of the frame
        net.arrive(packet.clone());
        let error = net.next_sent();
        assert_eq!(icmp(&error).2, Icmp::PortUnreachable);
        let quoted = &error[error.len() - length..];
        assert!(quoted == &packet[..length]);
        net.nothing_sent();
    }
}

/// RFC 4443, section 2.4(f); the numbers are Linux's.
#[test]
fn errors_are_limited_for_each_source_and_for_all() {
    for &(client, server) in FAMILIES {
        let to_closed_port =
            |port| udp_packet(IpEndpoint::new(client, port), IpEndpoint::new(server, 8081), b"x");
        let mut net = net();
        for port in 1..=3000 {
            net.arrive(to_closed_port(port));
        }
        assert_eq!(net.wire.sent.drain(..).count(), 6);
        net.dropped_only(DropReason::AnswerLimit, 2994);
        net.pass(Duration::from_millis(999));
        net.arrive(to_closed_port(1));
        net.nothing_sent();
        net.pass(Duration::from_millis(1));
        net.arrive(to_closed_port(1));
        assert_eq!(icmp(&net.next_sent()).2, Icmp::PortUnreachable);
        // Pings have no limit, and neither have replies.
        for port in 1..=3000 {
            net.arrive(ping(client, server, b"x"));
            net.arrive(super::udp::question(client, 10_000 + port, server, b"x"));
        }
        assert_eq!(net.wire.sent.len(), 6000);
    }
    let mut net = net();
    for last in 2..=250 {
        for _ in 0..2 {
            let client = IpEndpoint::new(IpAddress::v4(192, 0, 2, last), 50_000);
            net.arrive(udp_packet(client, IpEndpoint::new(SERVER, 8081), b"x"));
        }
    }
    assert_eq!(net.wire.sent.len(), 50);
}

/// RFC 1122, section 3.2.2; RFC 4443, section 2.4(e). What is from or to more than one host is tried in `drops`.
#[test]
fn there_are_no_errors_about_errors() {
    for &(client, server) in FAMILIES {
        let mut net = net();
        net.arrive(udp_packet(IpEndpoint::new(client, 50_000), IpEndpoint::new(server, 8081), b"x"));
        let mut error = net.next_sent();
        // The same error, sent to the server.
        let (from, to) = if client == CLIENT { (12..16, 16..20) } else { (8..24, 24..40) };
        let (source, destination) = (error[from.clone()].to_vec(), error[to.clone()].to_vec());
        error[from].copy_from_slice(&destination);
        error[to].copy_from_slice(&source);
        net.arrive(error);
        net.nothing_sent();
    }
}

#[test]
fn errors_that_quote_a_live_connection_do_not_end_it() {
    for &(client, server) in FAMILIES {
        let (mut net, mut peer) = (net(), peer_from(client, server, 40_000));
        peer.connect(&mut net);
        peer.send(&mut net, TcpControl::Psh, b"hello");
        let quoted = net.wire.sent[0][..].to_vec();
        assert_eq!(peer.take_data(&mut net), b"HELLO");
        let (protocol, errors) = match client {
            // Unreachable: network, host, protocol, port, fragmentation needed; source quench; redirect; time exceeded.
            IpAddress::Ipv4(_) => {
                (IpProtocol::Icmp, &[(3, 0), (3, 1), (3, 2), (3, 3), (3, 4), (4, 0), (5, 1), (11, 0)][..])
            }
            #[cfg(feature = "ipv6")]
            IpAddress::Ipv6(_) => {
                (IpProtocol::Icmpv6, &[(1, 0), (1, 4), (2, 0), (3, 0), (4, 1), (137, 0)][..])
            }
        };
        for &(kind, code) in errors {
            let length = 8 + quoted.len();
            net.arrive(ip_packet(client, server, protocol, length, |message| {
                message[..2].copy_from_slice(&[kind, code]);
                message[8..].copy_from_slice(&quoted);
                super::packets::fill_icmp_checksum(client, server, message);
            }));
        }
        net.nothing_sent();
        peer.ack(&mut net);
        assert_eq!(peer.exchange(&mut net, b"alive", 5), b"ALIVE");
        assert!(DropReason::ALL.iter().all(|&reason| net.stats().dropped(reason) == 0));
        net.pass(Duration::from_secs(1));
        assert_eq!(net.stats().live, 1);
    }
}

/// ICMPv6 over IPv4 is an unknown protocol like others, though smoltcp would answer it: without a limit.
#[test]
fn errors_about_icmp_of_the_other_version_are_limited_too() {
    for &(client, server) in FAMILIES {
        let mut net = net();
        let other = if client == CLIENT { 58 } else { 1 };
        for _ in 0..7 {
            net.arrive(ip_packet(client, server, IpProtocol::from(other), 20, |_| {}));
        }
        assert_eq!(net.wire.sent.len(), 6);
        net.dropped_only(DropReason::AnswerLimit, 1);
    }
}
