//! The floor: a server on a TUN device without a TCP/IP stack. It reads a packet, makes it the reply in place, and writes it.
//!
//! No correct server does less per packet, so it bounds what any stack can reach. It keeps no state: the reply is made from
//! the request alone. That is correct only while each TCP connection has at most one segment with data in flight, so it
//! cannot serve streams.

use std::io;
use std::process::Command;

use smoltcp::wire::{IpAddress, IpProtocol, Ipv4Packet, TcpPacket, TcpSeqNumber, UdpPacket};
use tun_tap::{Iface, Mode};

pub(crate) const IPV4_HEADER: usize = 20;
/// The length of a TCP header with the maximum segment size option.
const SYN_HEADER: u8 = 24;
pub(crate) const MTU: u16 = 1500;
const MSS: [u8; 2] = (MTU - 40).to_be_bytes();

/// Answers every address in the subnet of `host_address` until it is killed. It blocks in read(2) and never calls poll(2).
pub(crate) fn serve(device: &str, host_address: &str) -> io::Result<()> {
    let tun = Iface::without_packet_info(device, Mode::Tun)?;
    // A thousand clients may have more packets waiting than the 500 that a TUN device queues by default.
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

/// Turns a packet into its reply in place and returns the reply's length, or `None` if there is no reply.
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
    // Swapping the two addresses does not change the header's checksum; a new length does.
    if answer != length {
        ip.set_total_len(u16::try_from(answer).ok()?);
        ip.fill_checksum();
    }
    Some(answer)
}

fn turn_datagram(bytes: &mut [u8]) -> Option<usize> {
    let mut datagram = UdpPacket::new_checked(&mut *bytes).ok()?;
    let (client, server) = (datagram.src_port(), datagram.dst_port());
    datagram.set_src_port(server);
    datagram.set_dst_port(client);
    datagram.payload_mut().make_ascii_uppercase();
    // Zero means that there is no checksum: RFC 768.
    datagram.set_checksum(0);
    Some(bytes.len())
}

fn turn_segment(buffer: &mut [u8], length: usize) -> Option<usize> {
    let mut segment = TcpPacket::new_checked(&mut buffer[..length]).ok()?;
    let header = usize::from(segment.header_len());
    let bytes = length - header;
    let (syn, fin) = (segment.syn(), segment.fin());
    // A bare acknowledgement and a RST get no reply.
    if segment.rst() || !(syn || fin || bytes > 0) {
        return None;
    }
    let (client, server) = (segment.src_port(), segment.dst_port());
    let next = if syn { TcpSeqNumber(0) } else { segment.ack_number() };
    let expected = segment.seq_number() + bytes + usize::from(syn) + usize::from(fin);
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
    // A SYN from Linux carries more options than this reply, so the buffer is long enough.
    segment.set_header_len(SYN_HEADER);
    let options = buffer.get_mut(20..SYN_HEADER.into())?;
    options.copy_from_slice(&[2, 4, MSS[0], MSS[1]]);
    Some(SYN_HEADER.into())
}
