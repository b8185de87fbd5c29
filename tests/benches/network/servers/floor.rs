//! The floor: a packet is read, turned round in its place, and written. There is no stack.
//!
//! Nothing correct can do less for a packet. It is right only as long as each TCP connection has one segment with data
//! in flight, since it keeps nothing: all that an answer needs is in the segment that is answered.

use std::io;
use std::process::Command;

use smoltcp::wire::{IpAddress, IpProtocol, Ipv4Packet, TcpPacket, TcpSeqNumber, UdpPacket};
use tun_tap::{Iface, Mode};

pub(crate) const IPV4_HEADER: usize = 20;
/// A TCP header and the option for the maximum segment size.
const SYN_HEADER: u8 = 24;
pub(crate) const MTU: u16 = 1500;
const MSS: [u8; 2] = (MTU - 40).to_be_bytes();

/// Serves whoever talks to an address behind `host_address` until it is killed. Sleeps in read(2): no call of poll(2).
pub(crate) fn serve(device: &str, host_address: &str) -> io::Result<()> {
    let tun = Iface::without_packet_info(device, Mode::Tun)?;
    // The clients' packets at once may be more than the 500 that a TUN device has room for.
    for arguments in [
        format!("address add {host_address} dev {device}"),
        format!("link set {device} up mtu {MTU} txqueuelen 5000"),
    ] {
        if !Command::new("ip").args(arguments.split(' ')).status()?.success() {
            return Err(io::Error::other(format!("ip {arguments} failed")));
        }
    }
    let mut packet = [0; MTU as usize];
    loop {
        let length = tun.recv(&mut packet)?;
        if let Some(length) = turn_round(&mut packet, length) {
            tun.send(&packet[..length])?;
        }
    }
}

/// Makes a packet into its answer and gives the answer's length, if there is any.
pub(crate) fn turn_round(buffer: &mut [u8], length: usize) -> Option<usize> {
    let ip = Ipv4Packet::new_checked(&buffer[..length]).ok()?;
    if usize::from(ip.header_len()) != IPV4_HEADER {
        return None;
    }
    let (client, server, protocol) = (ip.src_addr(), ip.dst_addr(), ip.next_header());
    let transport = &mut buffer[IPV4_HEADER..];
    let answer = match protocol {
        IpProtocol::Udp => turn_datagram(&mut transport[..length - IPV4_HEADER]),
        IpProtocol::Tcp => {
            let length = turn_segment(transport, length - IPV4_HEADER)?;
            let mut segment = TcpPacket::new_unchecked(&mut transport[..length]);
            segment.fill_checksum(&IpAddress::Ipv4(server), &IpAddress::Ipv4(client));
            Some(length)
        }
        _ => None,
    }?;
    let answer = IPV4_HEADER + answer;
    let mut ip = Ipv4Packet::new_unchecked(&mut buffer[..length.max(answer)]);
    ip.set_src_addr(server);
    ip.set_dst_addr(client);
    // The sum over the header is the same whichever way round the addresses are.
    if answer != length {
        ip.set_total_len(u16::try_from(answer).ok()?);
        ip.fill_checksum();
    }
    Some(answer)
}

fn turn_datagram(octets: &mut [u8]) -> Option<usize> {
    let mut datagram = UdpPacket::new_checked(&mut *octets).ok()?;
    let (client, server) = (datagram.src_port(), datagram.dst_port());
    datagram.set_src_port(server);
    datagram.set_dst_port(client);
    datagram.payload_mut().make_ascii_uppercase();
    // None: RFC 768.
    datagram.set_checksum(0);
    Some(octets.len())
}

fn turn_segment(buffer: &mut [u8], length: usize) -> Option<usize> {
    let mut segment = TcpPacket::new_checked(&mut buffer[..length]).ok()?;
    let header = usize::from(segment.header_len());
    let octets = length - header;
    let (syn, fin) = (segment.syn(), segment.fin());
    // An acknowledgement and a reset have no answer.
    if segment.rst() || !(syn || fin || octets > 0) {
        return None;
    }
    let (client, server) = (segment.src_port(), segment.dst_port());
    let next = if syn { TcpSeqNumber(0) } else { segment.ack_number() };
    let expected = segment.seq_number() + octets + usize::from(syn) + usize::from(fin);
    segment.set_src_port(server);
    segment.set_dst_port(client);
    segment.set_seq_number(next);
    segment.set_ack_number(expected);
    segment.set_ack(true);
    segment.set_window_len(u16::MAX);
    if !syn {
        buffer[header..length].make_ascii_uppercase();
        return Some(length);
    }
    // A SYN of Linux has more options than this one, so there is room.
    segment.set_header_len(SYN_HEADER);
    let options = buffer.get_mut(20..SYN_HEADER.into())?;
    options.copy_from_slice(&[2, 4, MSS[0], MSS[1]]);
    Some(SYN_HEADER.into())
}
