//! Clients that send prepared segments, and the wire to the server.

use smoltcp::phy::{ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
use smoltcp::wire::{
    IpAddress, IpProtocol, IpRepr, Ipv4Address, Ipv4Packet, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
};

pub(crate) const SERVER: Ipv4Address = Ipv4Address::new(192, 0, 2, 1);
pub(crate) const PORT: u16 = 8080;
const MTU: usize = 1500;

/// One packet each way, in memory.
pub(crate) struct Wire {
    arriving: Option<usize>,
    inbox: [u8; MTU],
    sent: usize,
    outbox: [u8; MTU],
}

impl Wire {
    pub(crate) fn new() -> Wire {
        Wire { arriving: None, inbox: [0; MTU], sent: 0, outbox: [0; MTU] }
    }

    fn put(&mut self, length: usize) -> &mut [u8] {
        self.arriving = Some(length);
        &mut self.inbox[..length]
    }
}

pub(crate) struct Rx<'w>(&'w [u8]);
pub(crate) struct Tx<'w>(&'w mut [u8; MTU], &'w mut usize);

impl RxToken for Rx<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl TxToken for Tx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        *self.1 = length;
        f(&mut self.0[..length])
    }
}

impl Device for Wire {
    type RxToken<'a> = Rx<'a>;
    type TxToken<'a> = Tx<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(Rx<'_>, Tx<'_>)> {
        let length = self.arriving.take()?;
        Some((Rx(&self.inbox[..length]), Tx(&mut self.outbox, &mut self.sent)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Tx<'_>> {
        Some(Tx(&mut self.outbox, &mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = MTU;
        capabilities
    }
}

/// A client in its request-reply conversation.
pub(crate) struct Peer {
    address: Ipv4Address,
    port: u16,
    next: TcpSeqNumber,
    expected: TcpSeqNumber,
}

impl Peer {
    pub(crate) fn new(number: usize) -> Peer {
        let [.., high, low] = number.to_be_bytes();
        Peer {
            address: Ipv4Address::new(198, 18, high, low),
            port: 40_000,
            next: TcpSeqNumber(1000),
            expected: TcpSeqNumber(0),
        }
    }

    /// Puts a segment on the wire.
    pub(crate) fn send(&mut self, wire: &mut Wire, control: TcpControl, payload: &[u8]) {
        let opens = control == TcpControl::Syn;
        let tcp = TcpRepr {
            src_port: self.port,
            dst_port: PORT,
            control,
            seq_number: self.next,
            ack_number: (!opens).then_some(self.expected),
            window_len: 64_000,
            window_scale: None,
            max_seg_size: opens.then_some(1460),
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload,
        };
        let (from, to) = (IpAddress::Ipv4(self.address), IpAddress::Ipv4(SERVER));
        let ip = IpRepr::new(from, to, IpProtocol::Tcp, tcp.buffer_len(), 64);
        let checksums = ChecksumCapabilities::default();
        let packet = wire.put(ip.buffer_len());
        ip.emit(&mut packet[..], &checksums);
        tcp.emit(&mut TcpPacket::new_unchecked(&mut packet[ip.header_len()..]), &from, &to, &checksums);
        self.next += payload.len() + usize::from(opens);
    }

    /// Takes the segment that the server sent last, which must carry this payload.
    pub(crate) fn take(&mut self, wire: &mut Wire, payload: &[u8]) {
        let packet = Ipv4Packet::new_unchecked(&wire.outbox[..wire.sent]);
        assert_eq!(packet.dst_addr(), self.address);
        let segment = TcpPacket::new_unchecked(packet.payload());
        assert_eq!(segment.payload(), payload);
        self.expected = segment.seq_number() + segment.segment_len();
        wire.sent = 0;
    }

    pub(crate) fn nothing(wire: &Wire) {
        assert_eq!(wire.sent, 0, "a packet that nobody waits for");
    }
}
