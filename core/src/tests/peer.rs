//! A TCP client without a state machine: it sends what the test says, segment by segment.

use std::vec::Vec;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{IpAddress, IpProtocol, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber};

use super::fixture::{CLIENT, Net, PORT, SERVER};
use super::packets::{ip, tcp_packet};
use crate::Handler;

/// A parsed segment. Sequence numbers are relative: SEG.SEQ - IRS and SEG.ACK - ISS, seen from the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seg {
    pub(super) control: TcpControl,
    pub(super) seq: i32,
    pub(super) ack: Option<i32>,
    pub(super) window: u16,
    pub(super) mss: Option<u16>,
    pub(super) scale: Option<u8>,
    pub(super) data: Vec<u8>,
}

/// The client. Its sequence numbers are relative to `iss` and `irs`, so that the first byte of data has number 1.
pub(super) struct Peer {
    pub(super) address: IpAddress,
    pub(super) server: IpAddress,
    pub(super) port: u16,
    pub(super) iss: i32,
    /// The server's initial sequence number.
    pub(super) irs: i32,
    pub(super) window: u16,
    pub(super) mss: Option<u16>,
    pub(super) scale: Option<u8>,
    /// Offers SACK, and sends these blocks with each segment.
    pub(super) sack: Option<[Option<(i32, i32)>; 3]>,
    /// SND.NXT, and RCV.NXT as `acked`.
    pub(super) next: i32,
    pub(super) acked: i32,
    /// The right edge of the server's window: the number of the first byte that may not be sent.
    pub(super) edge: i32,
    /// The server's window scale.
    pub(super) shift: u8,
}

pub(super) fn peer(port: u16) -> Peer {
    peer_from(CLIENT, SERVER, port)
}

pub(super) fn peer_from(address: IpAddress, server: IpAddress, port: u16) -> Peer {
    Peer {
        address,
        server,
        port,
        iss: 0x7fff_ffff, // the first byte of data is where a signed comparison of numbers would go wrong
        irs: 0,
        window: 60_000,
        mss: Some(1460),
        scale: None,
        sack: None,
        next: 0,
        acked: 0,
        edge: 0,
        shift: 0,
    }
}

impl Peer {
    /// Builds a segment. `seq` and `ack` are relative.
    pub(super) fn segment(&self, control: TcpControl, seq: i32, ack: Option<i32>, payload: &[u8]) -> Vec<u8> {
        let syn = control == TcpControl::Syn;
        tcp_packet(
            self.address,
            self.server,
            &TcpRepr {
                src_port: self.port,
                dst_port: PORT,
                control,
                seq_number: TcpSeqNumber(self.iss.wrapping_add(seq)),
                ack_number: ack.map(|ack| TcpSeqNumber(self.irs.wrapping_add(ack))),
                window_len: self.window,
                window_scale: self.scale.filter(|_| syn),
                max_seg_size: self.mss.filter(|_| syn),
                sack_permitted: syn && self.sack.is_some(),
                sack_ranges: self.sack.filter(|_| !syn).unwrap_or_default().map(|block| {
                    let number = |at: i32| self.irs.wrapping_add(at).cast_unsigned();
                    block.map(|(left, right)| (number(left), number(right)))
                }),
                timestamp: None,
                payload,
            },
        )
    }

    /// Sends SYN, and takes the SYN|ACK.
    #[track_caller]
    pub(super) fn syn(&mut self, net: &mut Net<impl Handler<State: 'static>>) -> Seg {
        net.arrive(self.segment(TcpControl::Syn, 0, None, &[]));
        self.take_syn_ack(net)
    }

    #[track_caller]
    pub(super) fn take_syn_ack(&mut self, net: &mut Net<impl Handler<State: 'static>>) -> Seg {
        (self.irs, self.next, self.acked, self.shift) = (0, 0, 0, 0);
        let answer = self.take(net);
        assert_eq!((answer.control, answer.ack), (TcpControl::Syn, Some(1)));
        self.irs = answer.seq;
        self.shift = answer.scale.unwrap_or(0);
        (self.next, self.acked) = (1, 1);
        Seg { seq: 0, ..answer }
    }

    /// The whole handshake.
    #[track_caller]
    pub(super) fn connect(&mut self, net: &mut Net<impl Handler<State: 'static>>) {
        self.syn(net);
        self.send(net, TcpControl::None, &[]);
        net.nothing_sent();
    }

    /// Sends the next segment in order, which acknowledges everything taken so far.
    #[track_caller]
    pub(super) fn send(
        &mut self,
        net: &mut Net<impl Handler<State: 'static>>,
        control: TcpControl,
        payload: &[u8],
    ) {
        net.arrive(self.segment(control, self.next, Some(self.acked), payload));
        self.next += length(payload) + i32::from(control == TcpControl::Fin);
    }

    /// Sends an acknowledgement of everything taken so far.
    #[track_caller]
    pub(super) fn ack(&mut self, net: &mut Net<impl Handler<State: 'static>>) {
        self.send(net, TcpControl::None, &[]);
    }

    /// Takes the next packet, which must be a segment to this peer. If it is in order, its data counts as received.
    #[track_caller]
    pub(super) fn take(&mut self, net: &mut Net<impl Handler<State: 'static>>) -> Seg {
        let mut seg = self.read(&net.next_sent());
        // A byte that was acknowledged only asks for an acknowledgement.
        let more = net.wire.sent.front().is_some_and(|next| {
            next[22..24] == self.port.to_be_bytes() && next.len() != 41 && next[33] & 4 == 0
        });
        if seg.seq == self.acked - 1 && seg.data == [0] && more {
            seg = self.read(&net.next_sent());
        }
        if seg.seq == self.acked {
            self.acked += length(&seg.data) + i32::from(seg.control == TcpControl::Fin);
        }
        if let Some(ack) = seg.ack.filter(|_| seg.control != TcpControl::Rst) {
            let edge = ack.wrapping_add(i32::from(seg.window) << self.shift);
            assert!(edge.wrapping_sub(self.edge) >= 0 || ack == 1, "the window shrinks: {seg:?}");
            self.edge = edge;
        }
        // The same behind the data that is to be acknowledged.
        while let Some(packet) = net.wire.sent.front()
            && self.asks(packet)
        {
            net.wire.sent.pop_front();
        }
        seg
    }

    /// Takes all segments that were sent, which must be in order. Returns their data.
    #[track_caller]
    pub(super) fn take_data(&mut self, net: &mut Net<impl Handler<State: 'static>>) -> Vec<u8> {
        let mut data = Vec::new();
        while !net.wire.sent.is_empty() {
            let expected = self.acked;
            let seg = self.take(net);
            assert!(matches!(seg.control, TcpControl::None | TcpControl::Psh), "{seg:?}");
            assert_eq!((seg.seq, seg.ack), (expected, Some(self.next)));
            data.extend_from_slice(&seg.data);
        }
        data
    }

    /// Takes all segments that were sent. Returns where those with data begin.
    #[cfg(feature = "recovery")]
    #[track_caller]
    pub(super) fn begins(&mut self, net: &mut Net<impl Handler<State: 'static>>) -> Vec<i32> {
        let mut begins = Vec::new();
        while !net.wire.sent.is_empty() {
            let seg = self.take(net);
            if !seg.data.is_empty() {
                begins.push(seg.seq);
            }
        }
        begins
    }

    /// Takes the only segment that was sent, which must be an empty acknowledgement of everything sent.
    #[track_caller]
    pub(super) fn take_ack(&mut self, net: &mut Net<impl Handler<State: 'static>>) -> Seg {
        let seg = self.take(net);
        net.nothing_sent();
        assert_eq!((seg.control, seg.seq, seg.ack), (TcpControl::None, self.acked, Some(self.next)));
        assert_eq!(seg.data, b"");
        seg
    }

    /// Takes the only segment that was sent, which must be a RST at RCV.NXT.
    #[track_caller]
    pub(super) fn take_rst(&mut self, net: &mut Net<impl Handler<State: 'static>>) {
        let seg = self.take(net);
        net.nothing_sent();
        assert_eq!((seg.control, seg.seq), (TcpControl::Rst, self.acked));
    }

    /// Sends `data` in segments of at most `most` bytes, as the window allows, and returns the echo.
    #[track_caller]
    pub(super) fn exchange(
        &mut self,
        net: &mut Net<impl Handler<State: 'static>>,
        data: &[u8],
        most: usize,
    ) -> Vec<u8> {
        let (mut echo, mut left) = (Vec::new(), data);
        while echo.len() < data.len() {
            let room = usize::try_from(self.edge - self.next).unwrap();
            let (now, later) = left.split_at(left.len().min(room).min(most));
            left = later;
            self.send(net, if now.is_empty() { TcpControl::None } else { TcpControl::Psh }, now);
            let part = self.take_data(net);
            assert!(!now.is_empty() || !part.is_empty(), "neither end sends anything");
            echo.extend_from_slice(&part);
        }
        self.ack(net);
        net.nothing_sent();
        echo
    }

    /// True if this packet is a byte to the left of what this peer has acknowledged, on a device without frames.
    fn asks(&self, packet: &[u8]) -> bool {
        let header = if packet[0] >> 4 == 4 { 20 } else { 40 };
        packet.len() == header + 21
            && packet[header..][..2] == PORT.to_be_bytes()
            && packet[header + 20] == 0
            && self.read(packet).seq + 1 < self.acked
    }

    #[track_caller]
    fn read(&self, packet: &[u8]) -> Seg {
        let (source, destination, protocol, payload) = ip(packet);
        assert_eq!((source, destination, protocol), (self.server, self.address, IpProtocol::Tcp));
        let packet = TcpPacket::new_checked(payload).unwrap();
        let repr = TcpRepr::parse(&packet, &source, &destination, &ChecksumCapabilities::default()).unwrap();
        assert_eq!((repr.src_port, repr.dst_port), (PORT, self.port));
        Seg {
            control: repr.control,
            seq: repr.seq_number.0.wrapping_sub(self.irs),
            ack: repr.ack_number.map(|ack| ack.0.wrapping_sub(self.iss)),
            window: repr.window_len,
            mss: repr.max_seg_size,
            scale: repr.window_scale,
            data: repr.payload.to_vec(),
        }
    }
}

/// Lower case letters without a period shorter than 650, so that data out of place is noticed.
pub(super) fn letters(length: usize) -> Vec<u8> {
    (0..length).map(|at| b'a' + u8::try_from((at + at / 26 + at / 650) % 26).unwrap()).collect()
}

pub(super) fn upper(data: &[u8]) -> Vec<u8> {
    data.to_ascii_uppercase()
}

fn length(data: &[u8]) -> i32 {
    i32::try_from(data.len()).unwrap()
}
