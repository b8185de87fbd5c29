//! The fixture: a peer whose segments a test writes down, and bare smoltcp at the other end of a wire, in
//! virtual time.

use smoltcp::iface::{
    Config, Interface, PollIngressSingleResult, PollResult, SocketHandle, SocketSet, SocketStorage,
};
use smoltcp::phy::Medium;
use smoltcp::socket::tcp;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr, TcpControl};

use super::segment::{Origin, PEER, PORT, SERVER, Segment, ack, syn};
use super::wire::Wire;

/// Bytes a direction in the socket of a [`Peer::connected`].
pub(crate) const BUFFER: usize = 1024;
/// The hardware address of smoltcp's side on Ethernet.
pub(crate) const SERVER_MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 1]);
/// The peer's ISS.
const ISS: i32 = 1000;
/// smoltcp that sends more than this many packets at one instant sends without end.
pub(crate) const ENDLESS: usize = 400;

/// A peer of bare smoltcp. smoltcp without a heap, as the core has it, borrows its memory: the tests leak
/// theirs.
pub(crate) struct Peer {
    pub(crate) interface: Interface,
    pub(crate) sockets: SocketSet<'static>,
    pub(crate) wire: Wire,
    pub(crate) now: Instant,
    pub(crate) port: u16,
    /// smoltcp's initial sequence number, once its SYN|ACK has come.
    pub(crate) irs: i32,
}

impl Peer {
    /// `sockets` of smoltcp's listen, with buffers of `buffer` bytes a direction. As the core has them: no
    /// delayed acknowledgements, no Nagle algorithm.
    pub(crate) fn new(sockets: usize, buffer: usize) -> Self {
        Self::on(Medium::Ip, sockets, buffer, 7)
    }

    /// The same on a medium of choice, and with a seed for smoltcp's random numbers.
    pub(crate) fn on(medium: Medium, sockets: usize, buffer: usize, seed: u64) -> Self {
        let mut wire = Wire::new(medium);
        let mut config = Config::new(match medium {
            Medium::Ip => HardwareAddress::Ip,
            _ => SERVER_MAC.into(),
        });
        config.random_seed = seed;
        let now = Instant::from_secs(1000);
        let mut interface = Interface::new(config, &mut wire, now);
        interface.update_ip_addrs(|addresses| addresses.push(IpCidr::new(SERVER.into(), 24)).unwrap());
        let places: [_; 2] = [SocketStorage::EMPTY; 2];
        let mut set = SocketSet::new(Box::leak(Box::new(places)).as_mut_slice());
        for _ in 0..sockets {
            let ring = || tcp::SocketBuffer::new(vec![0; buffer].leak());
            let mut socket = tcp::Socket::new(ring(), ring());
            socket.set_ack_delay(None);
            socket.set_nagle_enabled(false);
            socket.listen(PORT).unwrap();
            set.add(socket);
        }
        Self { interface, sockets: set, wire, now, port: 40_000, irs: 0 }
    }

    /// ESTABLISHED, with buffers of 1024 bytes, a peer's MSS of 1460 and a peer's window of 60,000.
    pub(crate) fn connected() -> Self {
        Self::connected_by(BUFFER, &syn(-1))
    }

    /// ESTABLISHED by this SYN, with buffers of `buffer` bytes.
    pub(crate) fn connected_by(buffer: usize, opening: &Segment) -> Self {
        let mut peer = Self::new(1, buffer);
        peer.connects(opening);
        peer
    }

    /// The three-way handshake, begun with this SYN. Returns the SYN|ACK.
    pub(crate) fn connects(&mut self, opening: &Segment) -> Segment {
        let reply = self.begins(opening);
        self.sends(ack(0, 0));
        assert!(self.receives().is_empty());
        reply
    }

    /// The first half of the handshake: smoltcp is in SYN-RECEIVED then. Returns the SYN|ACK.
    pub(crate) fn begins(&mut self, opening: &Segment) -> Segment {
        self.sends(opening.clone());
        let reply = Segment::read(&self.wire.sent.pop_front().unwrap(), Origin { seq: 0, ack: 0 });
        assert_eq!(reply.control, TcpControl::Syn, "no SYN|ACK: {reply:?}");
        self.irs = reply.seq;
        reply
    }

    fn origin(&self) -> Origin {
        Origin { seq: ISS + 1, ack: self.irs.wrapping_add(1) }
    }

    /// The packet that carries a segment of the peer's.
    pub(crate) fn packet(&self, segment: &Segment) -> Vec<u8> {
        segment.packet(PEER, self.port, self.origin())
    }

    /// The segment arrives, and smoltcp sends what it has to.
    #[expect(clippy::needless_pass_by_value, reason = "`peer.sends(rst(5))` is how a scenario reads best")]
    pub(crate) fn sends(&mut self, segment: Segment) {
        let packet = self.packet(&segment);
        self.sends_packet(packet);
    }

    /// The same with a packet made by hand.
    pub(crate) fn sends_packet(&mut self, packet: Vec<u8>) {
        self.arrives(packet);
        self.turn();
    }

    /// A packet arrives; smoltcp's sockets have not had their turn yet.
    pub(crate) fn arrives(&mut self, packet: Vec<u8>) {
        self.wire.arriving.push_back(packet);
        while self.interface.poll_ingress_single(self.now, &mut self.wire, &mut self.sockets)
            != PollIngressSingleResult::None
        {}
    }

    /// smoltcp sends what it has to at this instant. Returns how many packets that were, and stops at
    /// [`ENDLESS`].
    pub(crate) fn turn(&mut self) -> usize {
        (0..ENDLESS)
            .take_while(|_| {
                self.interface.poll_egress(self.now, &mut self.wire, &mut self.sockets) != PollResult::None
            })
            .count()
    }

    /// What smoltcp has sent since the last call.
    pub(crate) fn receives(&mut self) -> Vec<Segment> {
        let origin = Origin { seq: self.irs.wrapping_add(1), ack: ISS + 1 };
        self.wire.sent.drain(..).map(|packet| Segment::read(&packet, origin)).collect()
    }

    /// The data that smoltcp has sent since the last call, segment by segment; empty segments are left out.
    pub(crate) fn receives_data(&mut self) -> Vec<(i32, usize)> {
        let segments = self.receives();
        segments.iter().filter(|s| !s.data.is_empty()).map(|s| (s.seq, s.data.len())).collect()
    }

    /// The service writes into smoltcp's send buffer; nothing is sent before the next turn.
    pub(crate) fn service_writes(&mut self, bytes: usize) {
        assert_eq!(self.socket().send_slice(&vec![b'a'; bytes]).unwrap(), bytes);
    }

    /// The service reads so many bytes.
    pub(crate) fn service_reads(&mut self, bytes: usize) {
        assert_eq!(self.socket().recv_slice(&mut vec![0; bytes]).unwrap(), bytes);
    }

    /// Virtual time passes, and smoltcp gets its turn whenever it asks for one.
    pub(crate) fn waits(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.turn();
        while let Some(due) = self.due().filter(|&due| due > self.now && due <= end) {
            self.now = due;
            self.turn();
        }
        self.now = end;
        self.turn();
    }

    /// Virtual time passes until smoltcp sends something, at most `limit`. Returns how long that took, and
    /// what it was.
    pub(crate) fn waits_for_segments(&mut self, limit: Duration) -> (Duration, Vec<Segment>) {
        let begun = self.now;
        while self.wire.sent.is_empty() {
            match self.due().filter(|&due| due <= begun + limit) {
                Some(due) => self.now = due.max(self.now),
                None => break,
            }
            self.turn();
        }
        (self.now - begun, self.receives())
    }

    /// When smoltcp asks for its next turn.
    pub(crate) fn due(&mut self) -> Option<Instant> {
        self.interface.poll_at(self.now, &self.sockets)
    }

    pub(crate) fn handle(&self, index: usize) -> SocketHandle {
        self.sockets.iter().nth(index).unwrap().0
    }

    /// The first socket.
    pub(crate) fn socket(&mut self) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.handle(0))
    }

    /// The first socket's state.
    pub(crate) fn state(&mut self) -> tcp::State {
        self.socket().state()
    }
}
