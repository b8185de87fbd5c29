//! What the examples of handlers share: a client in the same process, at the other end of a link in memory.
//!
//! The client is smoltcp's own TCP socket, time is virtual, and nothing else of the machine is used. How a server is driven over
//! a device is shown in full in `in_memory.rs`.

#![allow(dead_code, reason = "no example needs all of it")]

use shout_core::smoltcp::iface::{self, Interface, SocketHandle, SocketSet, SocketStorage};
use shout_core::smoltcp::socket::tcp::{Socket, SocketBuffer};
use shout_core::smoltcp::time::{Duration, Instant};
use shout_core::smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};
use shout_core::{BUFFER_SIZE, Config, Handler, Memory, Server};

use link::End;

#[path = "../link/mod.rs"]
mod link;

/// No conversation has to wait for so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client that has connected to a server with the handler `H`. It prints what passes: `>` what it says, `<` what it hears.
pub(crate) struct Client<'a, H: Handler> {
    server: Server<'a, H>,
    server_end: End,
    stack: Interface,
    client_end: End,
    sockets: SocketSet<'a>,
    socket: SocketHandle,
    now: Instant,
}

/// Runs a conversation: a server with this handler, and a client that does what `conversation` says.
pub(crate) fn converse<H: Handler>(handler: H, conversation: impl FnOnce(&mut Client<'_, H>)) {
    let (mut server_end, mut client_end) = link::pair();
    let now = Instant::ZERO;

    let mut memory: Memory<'_, 1, BUFFER_SIZE, 2048, H::State> = Memory::new();
    let mut config = Config::new(HardwareAddress::Ip, *b"not for real use");
    config.addresses.extend([IpCidr::new(IpAddress::v4(192, 168, 69, 1), 24)]);
    let server = Server::with_handler(handler, &config, memory.storage(), &mut server_end, now);
    let Ok(server) = server else { unreachable!("address, storage and device fit") };

    let mut stack = Interface::new(iface::Config::new(HardwareAddress::Ip), &mut client_end, now);
    stack.update_ip_addrs(|own| own.extend([IpCidr::new(IpAddress::v4(192, 168, 69, 2), 24)]));
    let (mut rx, mut tx, mut place) = ([0; 1024], [0; 1024], [SocketStorage::EMPTY]);
    let mut sockets = SocketSet::new(&mut place[..]);
    let mut socket = Socket::new(SocketBuffer::new(&mut rx[..]), SocketBuffer::new(&mut tx[..]));
    let connected = socket.connect(stack.context(), (IpAddress::v4(192, 168, 69, 1), 8080), 40_000);
    assert_eq!(connected, Ok(()), "the socket is new, and both addresses are right");
    let socket = sockets.add(socket);

    let mut client = Client { server, server_end, stack, client_end, sockets, socket, now };
    println!("(the client connects)");
    client.step_until(|socket| socket.may_send());
    conversation(&mut client);
}

impl<'a, H: Handler> Client<'a, H> {
    /// Sends a text.
    pub(crate) fn say(&mut self, text: &str) {
        print_lines('>', text);
        let mut unsent = text.as_bytes();
        self.step_until(|socket| {
            unsent = &unsent[socket.send_slice(unsent).unwrap_or(0)..];
            unsent.is_empty()
        });
    }

    /// Waits for what the server says next; None if it has finished or reset the connection.
    pub(crate) fn hear(&mut self) -> Option<String> {
        self.step_until(|socket| socket.can_recv() || !socket.may_recv());
        let heard =
            self.socket().recv(|bytes| (bytes.len(), String::from_utf8_lossy(bytes).into_owned())).ok();
        match &heard {
            Some(text) => print_lines('<', text),
            None => println!("(the server has finished)"),
        }
        heard
    }

    /// Waits for all that the server says until it finishes.
    pub(crate) fn hear_all(&mut self) -> String {
        core::iter::from_fn(|| self.hear()).collect()
    }

    /// Sends a FIN: the client has said all that it has to say.
    pub(crate) fn finish(&mut self) {
        println!("(the client has finished)");
        self.socket().close();
    }

    /// Sends a RST, and waits until the server knows.
    pub(crate) fn reset(&mut self) {
        println!("(the client resets the connection)");
        self.socket().abort();
        self.wait(Duration::from_millis(10));
    }

    /// Lets time pass, in which the client reads nothing.
    pub(crate) fn wait(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.step();
        }
    }

    /// The server's handler.
    pub(crate) fn handler(&self) -> &H {
        self.server.handler()
    }

    fn socket(&mut self) -> &mut Socket<'a> {
        self.sockets.get_mut(self.socket)
    }

    fn step_until(&mut self, mut found: impl FnMut(&mut Socket<'a>) -> bool) {
        let end = self.now + PATIENCE;
        while !found(self.socket()) {
            assert!(self.now < end, "the server says nothing");
            self.step();
        }
    }

    /// Packets take a millisecond. A program would sleep until one comes or a deadline has come.
    fn step(&mut self) {
        self.stack.poll(self.now, &mut self.client_end, &mut self.sockets);
        self.server.poll(self.now, &mut self.server_end);
        self.now += Duration::from_millis(1);
    }
}

fn print_lines(sign: char, text: &str) {
    for line in text.lines() {
        println!("{sign} {line}");
    }
}
