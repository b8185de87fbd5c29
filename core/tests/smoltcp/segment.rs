//! Segments as the tests write them: numbers count from the first data byte of each direction, so that
//! SEG.SEQ = 0 is the peer's first byte, and SEG.ACK = 3 acknowledges three bytes of smoltcp's.

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    IPV4_HEADER_LEN, IpProtocol, Ipv4Address, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr,
    TcpSeqNumber,
};

/// The address of smoltcp's side.
pub(crate) const SERVER: Ipv4Address = Ipv4Address::new(192, 0, 2, 1);
/// The peer's address.
pub(crate) const PEER: Ipv4Address = Ipv4Address::new(192, 0, 2, 100);
/// The port that smoltcp's sockets listen on.
pub(crate) const PORT: u16 = 8080;
/// The window that a segment offers, unless told otherwise.
const WINDOW: u16 = 60_000;

/// A TCP segment of either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) control: TcpControl,
    pub(crate) seq: i32,
    pub(crate) ack: Option<i32>,
    pub(crate) window: u16,
    pub(crate) data: Vec<u8>,
    pub(crate) mss: Option<u16>,
    pub(crate) window_scale: Option<u8>,
    pub(crate) sack_permitted: bool,
    pub(crate) sack: [Option<(u32, u32)>; 3],
}

/// Where the two directions begin: IRS + 1 and ISS + 1 of whoever sends the segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) seq: i32,
    pub(crate) ack: i32,
}

fn segment(control: TcpControl, seq: i32) -> Segment {
    Segment {
        control,
        seq,
        ack: Some(0),
        window: WINDOW,
        data: Vec::new(),
        mss: None,
        window_scale: None,
        sack_permitted: false,
        sack: [None; 3],
    }
}

/// A SYN without ACK. SEG.SEQ = -1 is the number of the SYN that opened the connection.
pub(crate) fn syn(seq: i32) -> Segment {
    Segment { ack: None, mss: Some(1460), ..segment(TcpControl::Syn, seq) }
}

/// A segment with data, PSH set.
pub(crate) fn data(seq: i32, bytes: &[u8]) -> Segment {
    Segment { data: bytes.to_vec(), ..segment(TcpControl::Psh, seq) }
}

/// An acknowledgement without data: SEG.SEQ, SEG.ACK.
pub(crate) fn ack(seq: i32, ack: i32) -> Segment {
    segment(TcpControl::None, seq).acks(ack)
}

/// A FIN behind these bytes.
pub(crate) fn fin(seq: i32, bytes: &[u8]) -> Segment {
    Segment { control: TcpControl::Fin, ..data(seq, bytes) }
}

/// A RST.
pub(crate) fn rst(seq: i32) -> Segment {
    segment(TcpControl::Rst, seq)
}

impl Segment {
    /// With this acknowledgement number.
    pub(crate) fn acks(self, ack: i32) -> Self {
        Self { ack: Some(ack), ..self }
    }

    /// With this window field.
    pub(crate) fn window(self, window: u16) -> Self {
        Self { window, ..self }
    }

    /// With this MSS option.
    pub(crate) fn mss(self, mss: u16) -> Self {
        Self { mss: Some(mss), ..self }
    }

    /// With this window scale option.
    pub(crate) fn window_scale(self, shift: u8) -> Self {
        Self { window_scale: Some(shift), ..self }
    }

    /// With the option SACK-permitted.
    pub(crate) fn sack_permitted(self) -> Self {
        Self { sack_permitted: true, ..self }
    }

    /// With one SACK block, in bytes of smoltcp's direction.
    pub(crate) fn sack(self, left: u32, right: u32) -> Self {
        Self { sack: [Some((left, right)), None, None], ..self }
    }

    /// The packet that carries it from the peer to smoltcp.
    pub(crate) fn packet(&self, from: Ipv4Address, port: u16, origin: Origin) -> Vec<u8> {
        let tcp = TcpRepr {
            src_port: port,
            dst_port: PORT,
            control: self.control,
            seq_number: TcpSeqNumber(origin.seq.wrapping_add(self.seq)),
            ack_number: self.ack.map(|ack| TcpSeqNumber(origin.ack.wrapping_add(ack))),
            window_len: self.window,
            window_scale: self.window_scale,
            max_seg_size: self.mss,
            sack_permitted: self.sack_permitted,
            sack_ranges: self.sack.map(|block| {
                let at = |offset: u32| origin.ack.cast_unsigned().wrapping_add(offset);
                block.map(|(left, right)| (at(left), at(right)))
            }),
            timestamp: None,
            payload: &self.data,
        };
        let ip = Ipv4Repr {
            src_addr: from,
            dst_addr: SERVER,
            next_header: IpProtocol::Tcp,
            payload_len: tcp.buffer_len(),
            hop_limit: 64,
        };
        let checksums = ChecksumCapabilities::default();
        let mut packet = vec![0; IPV4_HEADER_LEN + tcp.buffer_len()];
        ip.emit(&mut Ipv4Packet::new_unchecked(&mut packet[..]), &checksums);
        let mut header = TcpPacket::new_unchecked(&mut packet[IPV4_HEADER_LEN..]);
        tcp.emit(&mut header, &from.into(), &SERVER.into(), &checksums);
        packet
    }

    /// Reads a packet that smoltcp sent.
    pub(crate) fn read(packet: &[u8], origin: Origin) -> Self {
        let header = TcpPacket::new_checked(&packet[IPV4_HEADER_LEN..]).unwrap();
        let tcp =
            TcpRepr::parse(&header, &SERVER.into(), &PEER.into(), &ChecksumCapabilities::ignored()).unwrap();
        Self {
            control: tcp.control,
            seq: tcp.seq_number.0.wrapping_sub(origin.seq),
            ack: tcp.ack_number.map(|ack| ack.0.wrapping_sub(origin.ack)),
            window: tcp.window_len,
            data: tcp.payload.to_vec(),
            mss: tcp.max_seg_size,
            window_scale: tcp.window_scale,
            sack_permitted: tcp.sack_permitted,
            sack: tcp.sack_ranges.map(|block| {
                let at = |number: u32| number.wrapping_sub(origin.ack.cast_unsigned());
                block.map(|(left, right)| (at(left), at(right)))
            }),
        }
    }
}

/// Changes a packet's TCP header, and makes its checksum right again.
pub(crate) fn altered(mut packet: Vec<u8>, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    change(&mut packet[IPV4_HEADER_LEN..]);
    TcpPacket::new_unchecked(&mut packet[IPV4_HEADER_LEN..]).fill_checksum(&PEER.into(), &SERVER.into());
    packet
}
