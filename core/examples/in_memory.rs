//! The server and a smoltcp client at the two ends of a link in memory: `cargo run -p shout-core --example in_memory`.

use core::error::Error;

use shout_core::smoltcp::iface::{self, Interface, SocketSet, SocketStorage};
use shout_core::smoltcp::socket::tcp::{Socket, SocketBuffer};
use shout_core::smoltcp::time::{Duration, Instant};
use shout_core::smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};
use shout_core::{Config, Memory, Server};

mod link;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut here, mut there) = link::pair();
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
            socket.recv(|bytes| (bytes.len(), println!("{}", String::from_utf8_lossy(bytes))))?;
        }
        server.poll(now, &mut here);
        now += Duration::from_millis(1);
    }
    Ok(())
}
