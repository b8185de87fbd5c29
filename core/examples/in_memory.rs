//! The server and a smoltcp client at the two ends of an in-memory device: `cargo run -p shout-core --example in_memory`.

use core::error::Error;
use std::sync::mpsc::{Receiver, Sender, channel};

use shout_core::smoltcp::iface::{self, Interface, SocketSet, SocketStorage};
use shout_core::smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use shout_core::smoltcp::socket::tcp::{Socket, SocketBuffer};
use shout_core::smoltcp::time::{Duration, Instant};
use shout_core::smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};
use shout_core::{Config, Memory, Server};

/// One end of the device: what is sent here is received at the other.
struct End(Sender<Vec<u8>>, Receiver<Vec<u8>>);
struct Packet(Vec<u8>);
struct Room<'a>(&'a Sender<Vec<u8>>);

impl Device for End {
    type RxToken<'a> = Packet;
    type TxToken<'a> = Room<'a>;
    fn receive(&mut self, _: Instant) -> Option<(Packet, Room<'_>)> {
        Some((Packet(self.1.try_recv().ok()?), Room(&self.0)))
    }
    fn transmit(&mut self, _: Instant) -> Option<Room<'_>> {
        Some(Room(&self.0))
    }
    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        (capabilities.medium, capabilities.max_transmission_unit) = (Medium::Ip, 1500);
        capabilities
    }
}
impl RxToken for Packet {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}
impl TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut packet = vec![0; length];
        let result = f(&mut packet);
        let _ = self.0.send(packet); // lost, if the other end is gone: as on any network
        result
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let ((to_client, from_server), (to_server, from_client)) = (channel(), channel());
    let (mut here, mut there) = (End(to_client, from_client), End(to_server, from_server));
    let mut now = Instant::ZERO;

    let mut memory: Memory<'_, 1> = Memory::new();
    let mut config = Config::new(HardwareAddress::Ip, *b"not for real use");
    config.addresses.extend([IpCidr::new(IpAddress::v4(192, 168, 69, 1), 24)]);
    let mut server = Server::new(&config, memory.storage(), &mut here, now)?;

    let mut stack = Interface::new(iface::Config::new(HardwareAddress::Ip), &mut there, now);
    stack.update_ip_addrs(|own| own.extend([IpCidr::new(IpAddress::v4(192, 168, 69, 2), 24)]));
    let (mut rx, mut tx, mut place) = ([0; 1024], [0; 1024], [SocketStorage::EMPTY]);
    let mut sockets = SocketSet::new(&mut place[..]);
    let client = sockets.add(Socket::new(SocketBuffer::new(&mut rx[..]), SocketBuffer::new(&mut tx[..])));
    let socket = sockets.get_mut::<Socket<'_>>(client);
    socket.connect(stack.context(), (IpAddress::v4(192, 168, 69, 1), 8080), 40_000)?;

    while server.stats().closed == 0 {
        stack.poll(now, &mut there, &mut sockets);
        let socket = sockets.get_mut::<Socket<'_>>(client);
        if socket.can_send() {
            socket.send_slice(b"Hello, World!")?;
            socket.close(); // what was sent before comes back all the same
        } else if socket.can_recv() {
            socket.recv(|octets| (octets.len(), println!("{}", String::from_utf8_lossy(octets))))?;
        }
        server.poll(now, &mut here);
        now += Duration::from_millis(1);
    }
    Ok(())
}
