//! A client's TCP made of smoltcp: a socket and an `Interface`.

use core::net::SocketAddr;
use std::collections::VecDeque;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::Medium;
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{HardwareAddress, IpCidr};

use crate::device::{Device, Passed};
use crate::memory::ClientMemory;
use crate::transport::{Status, Transport};

/// How one client's smoltcp is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// smoltcp's seed, for the initial sequence number.
    pub seed: u64,
    /// The address on the link, with the medium.
    pub hardware_addr: HardwareAddress,
    /// The MTU of IP.
    pub mtu: usize,
    /// RFC 896.
    pub nagle: bool,
    /// The delay of acknowledgements.
    pub ack_delay: Option<Duration>,
}

/// The connection.
pub struct SmolClient<'a> {
    interface: Interface,
    device: Device,
    sockets: SocketSet<'a>,
    local: SocketAddr,
    remote: SocketAddr,
    connecting: bool,
    closing: bool,
    aborted: bool,
    server_finished: bool,
    /// What was not read when the server's FIN came: smoltcp discards it after TIME-WAIT.
    rest: VecDeque<u8>,
}

impl<'a> SmolClient<'a> {
    /// A connection that begins with the first `transmit`.
    pub fn new(
        local: SocketAddr,
        remote: SocketAddr,
        setup: Setup,
        memory: &'a mut ClientMemory<'a>,
    ) -> SmolClient<'a> {
        let medium = match setup.hardware_addr {
            HardwareAddress::Ethernet(_) => Medium::Ethernet,
            HardwareAddress::Ip => Medium::Ip,
        };
        let mut device = Device::new(medium, setup.mtu);
        let mut config = Config::new(setup.hardware_addr);
        config.random_seed = setup.seed;
        let mut interface = Interface::new(config, &mut device, Instant::ZERO);
        let prefix = if local.is_ipv4() { 16 } else { 64 };
        interface.update_ip_addrs(|own| own.push(IpCidr::new(local.ip().into(), prefix)).unwrap());
        let (rx, tx) = (SocketBuffer::new(&mut memory.rx[..]), SocketBuffer::new(&mut memory.tx[..]));
        let mut socket = Socket::new(rx, tx);
        socket.set_nagle_enabled(setup.nagle);
        socket.set_ack_delay(setup.ack_delay);
        let mut sockets = SocketSet::new(&mut memory.socket[..]);
        sockets.add(socket);
        SmolClient {
            interface,
            device,
            sockets,
            local,
            remote,
            connecting: true,
            closing: false,
            aborted: false,
            server_finished: false,
            rest: VecDeque::new(),
        }
    }

    fn socket(&mut self) -> &mut Socket<'a> {
        self.sockets.get_mut(SocketHandle::default())
    }

    fn state(&self) -> State {
        self.sockets.get::<Socket<'_>>(SocketHandle::default()).state()
    }

    /// Processes what has arrived. Replies go to the device's journal.
    fn ingress(&mut self, now: Instant) {
        while !self.device.arriving.is_empty() {
            self.interface.poll_ingress_single(now, &mut self.device, &mut self.sockets);
            self.server_finished |=
                matches!(self.state(), State::CloseWait | State::LastAck | State::Closing | State::TimeWait);
        }
        if self.server_finished && self.socket().can_recv() {
            let mut rest = vec![0; self.socket().recv_queue()];
            self.socket().recv_slice(&mut rest).unwrap();
            self.rest.extend(rest);
        }
    }
}

impl Transport for SmolClient<'_> {
    fn receive(&mut self, now: Instant, packet: &[u8]) {
        self.device.arriving.push_back(packet.to_vec());
        self.ingress(now);
    }

    fn transmit(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        if self.connecting && self.state() == State::Closed {
            self.connecting = false;
            let socket = self.sockets.get_mut::<Socket<'_>>(SocketHandle::default());
            socket.connect(self.interface.context(), self.remote, self.local.port()).unwrap();
        }
        loop {
            let before = self.device.journal.len();
            self.interface.poll_egress(now, &mut self.device, &mut self.sockets);
            if self.device.journal.len() == before {
                break;
            }
        }
        out.extend(self.device.journal.drain(..).filter_map(|passed| match passed {
            Passed::In(_) => None,
            Passed::Out(packet) => Some(packet),
        }));
    }

    fn deadline(&mut self, now: Instant) -> Option<Instant> {
        if self.connecting || !self.device.journal.is_empty() {
            return Some(now);
        }
        self.interface.poll_at(now, &self.sockets)
    }

    fn room(&mut self) -> usize {
        let socket = self.socket();
        if socket.may_send() { socket.send_capacity() - socket.send_queue() } else { 0 }
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        self.socket().send_slice(bytes).unwrap_or(0)
    }

    fn read(&mut self, bytes: &mut [u8]) -> usize {
        if self.server_finished {
            let given = bytes.len().min(self.rest.len());
            bytes.iter_mut().zip(self.rest.drain(..given)).for_each(|(byte, rest)| *byte = rest);
            return given;
        }
        self.socket().recv_slice(bytes).unwrap_or(0)
    }

    fn close(&mut self) {
        self.closing = true;
        self.socket().close();
    }

    fn abort(&mut self) {
        self.aborted = true;
        self.socket().abort();
    }

    fn status(&self) -> Status {
        match self.state() {
            _ if self.connecting => Status::Connecting,
            State::SynSent => Status::Connecting,
            _ if self.aborted => Status::Reset,
            State::TimeWait => Status::Finished,
            // Our FIN was acknowledged, or a RST came in place of that. Everything from the server had arrived before.
            State::Closed if self.closing && self.server_finished => Status::Finished,
            State::Closed => Status::Reset,
            _ => Status::Open,
        }
    }

    fn server_finished(&self) -> bool {
        self.server_finished
    }
}
