use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    IpAddress, IpProtocol, IpRepr, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
    UdpPacket, UdpRepr,
};

use crate::servers::floor::{IPV4_HEADER, MTU, turn_round};

const CLIENT: IpAddress = IpAddress::v4(192, 0, 2, 100);
const SERVER: IpAddress = IpAddress::v4(192, 0, 2, 1);

fn emit(protocol: IpProtocol, length: usize, emit: impl FnOnce(&mut [u8])) -> (Vec<u8>, usize) {
    let ip = IpRepr::new(CLIENT, SERVER, protocol, length, 64);
    let mut packet = vec![0; usize::from(MTU)];
    ip.emit(&mut packet[..], &ChecksumCapabilities::default());
    emit(&mut packet[IPV4_HEADER..IPV4_HEADER + length]);
    (packet, IPV4_HEADER + length)
}

fn segment(control: TcpControl, seq: i32, ack: Option<i32>, payload: &[u8]) -> (Vec<u8>, usize) {
    let opens = control == TcpControl::Syn;
    let tcp = TcpRepr {
        src_port: 40_000,
        dst_port: 8080,
        control,
        seq_number: TcpSeqNumber(seq),
        ack_number: ack.map(TcpSeqNumber),
        window_len: 1000,
        window_scale: opens.then_some(7),
        max_seg_size: opens.then_some(1400),
        sack_permitted: opens,
        sack_ranges: [None; 3],
        timestamp: None,
        payload,
    };
    emit(IpProtocol::Tcp, tcp.buffer_len(), |buffer| {
        let mut packet = TcpPacket::new_unchecked(buffer);
        tcp.emit(&mut packet, &CLIENT, &SERVER, &ChecksumCapabilities::default());
    })
}

/// The transport's part of the answer, once the IP header has been looked at.
fn answer((mut packet, length): (Vec<u8>, usize)) -> Option<Vec<u8>> {
    let length = turn_round(&mut packet, length)?;
    let ip = Ipv4Packet::new_checked(&packet[..length]).unwrap();
    let repr = Ipv4Repr::parse(&ip, &ChecksumCapabilities::default()).unwrap();
    assert_eq!(IpAddress::Ipv4(repr.src_addr), SERVER);
    assert_eq!(IpAddress::Ipv4(repr.dst_addr), CLIENT);
    assert_eq!(IPV4_HEADER + repr.payload_len, length);
    Some(ip.payload().to_vec())
}

/// Reads a segment, whose checksum must be right.
#[track_caller]
fn read(bytes: &[u8]) -> TcpRepr<'_> {
    let packet = TcpPacket::new_checked(bytes).unwrap();
    TcpRepr::parse(&packet, &SERVER, &CLIENT, &ChecksumCapabilities::default()).unwrap()
}

#[test]
fn a_syn_is_acknowledged_without_options_that_take_state() {
    let bytes = answer(segment(TcpControl::Syn, 1000, None, b"")).unwrap();
    let tcp = read(&bytes);
    assert_eq!((tcp.control, tcp.src_port, tcp.dst_port), (TcpControl::Syn, 8080, 40_000));
    assert_eq!((tcp.seq_number, tcp.ack_number), (TcpSeqNumber(0), Some(TcpSeqNumber(1001))));
    assert_eq!((tcp.max_seg_size, tcp.window_scale, tcp.sack_permitted), (Some(1460), None, false));
}

#[test]
fn data_comes_back_uppercased_and_acknowledged() {
    for payload in [&b"a"[..], b"hello, World", &[b'z'; 999], &[b'z'; 1460]] {
        let bytes = answer(segment(TcpControl::Psh, 1001, Some(7), payload)).unwrap();
        let tcp = read(&bytes);
        assert_eq!((tcp.control, tcp.src_port, tcp.dst_port), (TcpControl::Psh, 8080, 40_000));
        assert_eq!(tcp.seq_number, TcpSeqNumber(7));
        assert_eq!(tcp.ack_number, Some(TcpSeqNumber(1001) + payload.len()));
        assert_eq!(tcp.payload, payload.to_ascii_uppercase());
        assert_eq!(tcp.window_len, u16::MAX);
    }
}

#[test]
fn a_fin_is_answered_by_a_fin() {
    let bytes = answer(segment(TcpControl::Fin, 5000, Some(9), b"")).unwrap();
    let tcp = read(&bytes);
    assert_eq!((tcp.control, tcp.payload), (TcpControl::Fin, &b""[..]));
    assert_eq!((tcp.seq_number, tcp.ack_number), (TcpSeqNumber(9), Some(TcpSeqNumber(5001))));
}

#[test]
fn acknowledgements_and_resets_are_not_answered() {
    assert_eq!(answer(segment(TcpControl::None, 5, Some(9), b"")), None);
    assert_eq!(answer(segment(TcpControl::Rst, 5, Some(9), b"")), None);
}

#[test]
fn a_datagram_comes_back_uppercased() {
    for payload in [&b""[..], b"a", b"hello, World", &[b'z'; 1472]] {
        let udp = UdpRepr { src_port: 40_000, dst_port: 8080 };
        let length = udp.header_len() + payload.len();
        let bytes = answer(emit(IpProtocol::Udp, length, |buffer| {
            let mut packet = UdpPacket::new_unchecked(buffer);
            let fill = |buffer: &mut [u8]| buffer.copy_from_slice(payload);
            udp.emit(&mut packet, &CLIENT, &SERVER, payload.len(), fill, &ChecksumCapabilities::default());
        }))
        .unwrap();
        let packet = UdpPacket::new_checked(&bytes[..]).unwrap();
        let udp = UdpRepr::parse(&packet, &SERVER, &CLIENT, &ChecksumCapabilities::default()).unwrap();
        assert_eq!((udp.src_port, udp.dst_port), (8080, 40_000));
        assert_eq!(packet.payload(), payload.to_ascii_uppercase());
    }
}

#[test]
fn what_is_not_for_it_is_left_alone() {
    assert_eq!(answer(emit(IpProtocol::Icmp, 8, |buffer| buffer.fill(0))), None);
    let (mut ipv6, length) = segment(TcpControl::Psh, 1, Some(1), b"a");
    ipv6[0] = 0x60;
    assert_eq!(turn_round(&mut ipv6, length), None);
    let (mut short, _) = segment(TcpControl::Psh, 1, Some(1), b"a");
    assert_eq!(turn_round(&mut short, 30), None);
}
