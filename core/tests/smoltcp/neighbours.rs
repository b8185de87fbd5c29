//! On Ethernet: what waits for a neighbour, and what waits behind it (RFC 826; RFC 1122, section 2.3.2).

use smoltcp::phy::Medium;
use smoltcp::socket::tcp::State;
use smoltcp::socket::udp;
use smoltcp::time::Duration;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, ETHERNET_HEADER_LEN, EthernetAddress, EthernetFrame, EthernetProtocol,
    IPV4_HEADER_LEN, IpEndpoint, Ipv4Address, TcpPacket,
};

use super::peer::{BUFFER, Peer, SERVER_MAC};
use super::repaired::repaired_by;
use super::segment::{Origin, SERVER, Segment, ack, fin, syn};

/// The neighbours of the tests are 192.0.2.WHO, and the peer is the hundredth.
const PEER: u8 = 100;

fn address(who: u8) -> Ipv4Address {
    Ipv4Address::new(192, 0, 2, who)
}

fn mac(who: u8) -> EthernetAddress {
    EthernetAddress([2, 0, 0, 0, 0, who])
}

fn frame(from: u8, protocol: EthernetProtocol, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; ETHERNET_HEADER_LEN + payload.len()];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes);
    frame.set_src_addr(mac(from));
    frame.set_dst_addr(SERVER_MAC);
    frame.set_ethertype(protocol);
    frame.payload_mut().copy_from_slice(payload);
    bytes
}

/// `who` asks for smoltcp's hardware address, and so makes its own known.
fn arp_request(who: u8) -> Vec<u8> {
    let arp = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Request,
        source_hardware_addr: mac(who),
        source_protocol_addr: address(who),
        target_hardware_addr: EthernetAddress([0; 6]),
        target_protocol_addr: SERVER,
    };
    let mut bytes = vec![0; arp.buffer_len()];
    arp.emit(&mut ArpPacket::new_unchecked(&mut bytes));
    frame(who, EthernetProtocol::Arp, &bytes)
}

fn is_arp(frame: &[u8]) -> bool {
    EthernetFrame::new_checked(frame).unwrap().ethertype() == EthernetProtocol::Arp
}

/// Two neighbours have to be found, and smoltcp asks for one of them, and for the other a second later: the
/// limit is for all together. RFC 1122, section 2.3.2.1: at most one request a second for each destination.
#[test]
fn one_neighbour_a_second_is_asked_for() {
    let mut peer = Peer::on(Medium::Ethernet, 2, BUFFER, 7);
    for who in [PEER, PEER + 1] {
        let opening = syn(-1).packet(address(who), u16::from(who), Origin { seq: 1000, ack: 0 });
        peer.arrives(frame(who, EthernetProtocol::Ipv4, &opening));
    }
    peer.turn();
    repaired_by("ip/neighbours.rs", peer.wire.sent.iter().filter(|frame| is_arp(frame)).count() == 1);
}

/// A datagram whose neighbour does not answer stays at the head of the UDP socket's queue, and with it all
/// behind it, though their neighbours are known. RFC 1122, section 2.3.2.2: a packet may wait, but for its
/// own neighbour.
#[test]
fn a_silent_neighbour_clogs_the_udp_socket() {
    let (silent, known) = (PEER, PEER + 1);
    let mut peer = Peer::on(Medium::Ethernet, 0, 0, 7);
    let ring = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 4].leak(), vec![0; 1024].leak());
    let mut socket = udp::Socket::new(ring(), ring());
    socket.bind(9).unwrap();
    for who in [silent, known] {
        socket.send_slice(b"x", IpEndpoint::new(address(who).into(), 5)).unwrap();
    }
    peer.sockets.add(socket);
    peer.arrives(arp_request(known));
    peer.wire.sent.clear();
    peer.waits(Duration::from_secs(10));
    repaired_by("udp/mod.rs", peer.wire.sent.iter().all(|frame| is_arp(frame)));
}

/// TIME-WAIT does not end while its last ACK waits for a neighbour that has been pushed out of the cache by
/// others and does not answer. RFC 9293, section 3.6.1: it ends after two maximum segment lifetimes.
#[test]
fn time_wait_does_not_end_while_its_ack_waits_for_a_neighbour() {
    assert_eq!(an_hour_of_time_wait(5), State::Closed);
    repaired_by("tcp/policy.rs", an_hour_of_time_wait(40) == State::TimeWait);
}

/// The peer's FIN comes when so many others have been heard since the peer; the cache has 32 places. Returns
/// the state an hour later.
fn an_hour_of_time_wait(others: u8) -> State {
    let mut peer = Peer::on(Medium::Ethernet, 1, BUFFER, 7);
    let arrives = |peer: &mut Peer, segment: Segment| {
        let packet = peer.packet(&segment);
        peer.sends_packet(frame(PEER, EthernetProtocol::Ipv4, &packet));
    };
    peer.arrives(arp_request(PEER));
    peer.wire.sent.clear();
    arrives(&mut peer, syn(-1));
    let reply = peer.wire.sent.pop_front().unwrap();
    peer.irs =
        TcpPacket::new_checked(&reply[ETHERNET_HEADER_LEN + IPV4_HEADER_LEN..]).unwrap().seq_number().0;
    arrives(&mut peer, ack(0, 0));
    peer.socket().close();
    peer.turn();
    arrives(&mut peer, ack(0, 1));
    assert_eq!(peer.state(), State::FinWait2);
    for other in 0..others {
        peer.now += Duration::from_millis(1);
        peer.arrives(arp_request(PEER + 1 + other));
    }
    arrives(&mut peer, fin(0, b"").acks(1));
    assert_eq!(peer.state(), State::TimeWait);
    for _ in 0..3600 {
        peer.now += Duration::from_secs(1);
        peer.turn();
    }
    peer.state()
}
