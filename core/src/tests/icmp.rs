//! ICMP: ping, errors for closed UDP ports, and RSTs for closed TCP ports.

use smoltcp::time::Duration;
use smoltcp::wire::{
    IpAddress, IpCidr, IpEndpoint, IpProtocol, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
};

use super::fixture::{CLIENT, FAMILIES, SERVER, net, net_with};
use super::packets::{Icmp, icmp, ip, ip_packet, ping, tcp_packet, udp_packet};
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
fn a_closed_tcp_port_answers_with_a_rst() {
    for &(client, server) in FAMILIES {
        let mut net = net();
        let mut segment = TcpRepr {
            src_port: 40_000,
            dst_port: 8081,
            control: TcpControl::Syn,
            seq_number: TcpSeqNumber(-1),
            ack_number: None,
            window_len: 1000,
            window_scale: None,
            max_seg_size: None,
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &[],
        };
        net.arrive(tcp_packet(client, server, &segment));
        let packet = net.next_sent();
        let rst = TcpPacket::new_checked(ip(&packet).3).unwrap();
        assert!(rst.rst() && rst.ack() && rst.ack_number() == TcpSeqNumber(0) && rst.dst_port() == 40_000);

        segment.control = TcpControl::Rst;
        net.arrive(tcp_packet(client, server, &segment));
        net.nothing_sent();
        assert_eq!(net.last.deadline, None);
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
        let mut net = net();
        net.arrive(ip_packet(client, server, IpProtocol::Unknown(132), 20, |_| {}));
        assert_eq!(icmp(&net.next_sent()).2, Icmp::ProtocolUnreachable);
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
