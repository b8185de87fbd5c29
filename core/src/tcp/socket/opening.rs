//! How a socket gets its memory, and its connection.

use smoltcp::iface::{SocketHandle, SocketSet, SocketStorage};
use smoltcp::socket::tcp::{self, State};

use crate::cx::Cx;
use crate::handler::Handler;
use crate::tcp::segment::{Built, Segment, smss};
use crate::tcp::seq::{Seq, wrapped};
use crate::tcp::socket::challenge_rate::ChallengeRate;
use crate::tcp::socket::small_segments::SmallSegment;
use crate::tcp::socket::tcb::Tcb;
use crate::tcp::socket::{Socket, initial_sequence};

impl<'a> Socket<'a> {
    /// Gives the socket its memory.
    pub(crate) fn furnish(&mut self, storage: &'a mut SocketStorage<'a>, rx: &'a mut [u8], tx: &'a mut [u8]) {
        let mut socket = tcp::Socket::new(tcp::SocketBuffer::new(rx), tcp::SocketBuffer::new(tx));
        // The reply carries the acknowledgement: the handler runs between ingress and egress. Nagle's algorithm would wait
        // for the peer's delayed one.
        socket.set_ack_delay(None);
        socket.set_nagle_enabled(false);
        let mut sockets = SocketSet::new(core::slice::from_mut(storage));
        sockets.add(socket);
        self.sockets = Some(sockets);
    }

    /// Opens half a connection with this initial sequence number, whatever the socket was before; nothing is sent about
    /// what it was. `packets`: the SYN, and what is to be processed with it at once. False if smoltcp refuses the SYN.
    pub(crate) fn open<H: Handler>(
        &mut self,
        cx: &mut Cx<'_, H>,
        syn: &Segment<'_>,
        iss: Seq,
        packets: &[Built],
    ) -> bool {
        // smoltcp keeps beside the socket which neighbour it waits for, up to a second. That was the last peer's.
        let sockets = self.sockets();
        let socket = sockets.remove(SocketHandle::default());
        sockets.add(socket);
        let socket = self.socket_mut();
        socket.abort();
        // Cannot fail: the socket is closed, and `syn` is for a port that is not 0.
        let _ = socket.listen(syn.tcp.dst_port);
        let buffer = socket.recv_capacity();
        self.tcb = Tcb::listen(&syn.tcp, iss, buffer, smss(syn, cx.interface.capabilities().ip_mtu()));
        if H::PASSES {
            self.tcb.offer_both(buffer);
        }
        self.challenge_rate = ChallengeRate::FULL;
        self.small_segment = SmallSegment::NONE;
        initial_sequence::open(cx, packets, self.sockets(), iss);
        self.look();
        self.state() == State::SynReceived
    }

    /// True if this half-open connection began with a SYN that had the same segment size and window scale as this one.
    pub(crate) fn began_with<H>(&self, cx: &Cx<'_, H>, syn: &Segment<'_>) -> bool {
        let tcb = &self.tcb;
        // Windows are scaled where ours are too large for the header.
        let scale = (tcb.rcv_shift > 0).then_some(tcb.snd_shift);
        (scale, tcb.recovery.smss) == (syn.tcp.window_scale, smss(syn, cx.interface.capabilities().ip_mtu()))
    }

    /// Takes note of a SYN|ACK that was sent before this socket had the connection.
    pub(crate) fn has_sent_syn_ack(&mut self) {
        let buffer = wrapped(self.socket().recv_capacity());
        let advertised = |capacity: u32| capacity.min(u16::MAX.into());
        self.tcb.rcv_edge = self.tcb.rcv_nxt + advertised(self.tcb.both.unwrap_or(buffer));
        self.tcb.smoltcp_edge = self.tcb.rcv_nxt + advertised(buffer);
        self.tcb.rcv_edge_agreed = self.tcb.rcv_shift == 0;
    }
}
