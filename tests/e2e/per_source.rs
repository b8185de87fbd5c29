//! `--per-source`: what one address may hold.

use core::time::Duration;
use std::net::TcpStream;

use nix::sys::signal::Signal;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect as connect_socket, socket,
};

use crate::namespace::ip;
use crate::program::LIMIT;
use crate::server::{Server, V4, V6};
use crate::sockets::{assert_echo, connect};

tests![one_address_gets_its_share_and_another_its_own, an_ipv6_network_is_one_source];

/// A client with this address of the machine's.
fn connect_from(source: &str) -> TcpStream {
    let flags = SockFlag::SOCK_CLOEXEC;
    let descriptor = socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap();
    let local: SockaddrIn = format!("{source}:0").parse().unwrap();
    bind(std::os::fd::AsRawFd::as_raw_fd(&descriptor), &local).unwrap();
    let server: SockaddrIn = V4.parse().unwrap();
    connect_socket(std::os::fd::AsRawFd::as_raw_fd(&descriptor), &server).unwrap();
    let stream = TcpStream::from(descriptor);
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// The server says nothing to the SYN.
#[track_caller]
fn assert_no_answer(server: &str) {
    let address = server.parse().unwrap();
    let error = TcpStream::connect_timeout(&address, Duration::from_millis(300)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}

fn one_address_gets_its_share_and_another_its_own() {
    let server = Server::start(&["--per-source", "3"]);
    ip("address add 192.168.69.101/24 dev shout0");
    let mut clients: Vec<TcpStream> = (0..3).map(|_| connect(V4)).collect();
    assert_no_answer(V4);
    server.log().wait_for_line(&["WARN", "its source has 3 connections already"]);
    clients.push(connect_from("192.168.69.101"));
    clients.iter_mut().for_each(assert_echo);
    server.signal(Signal::SIGUSR1);
    server.log().wait_for_line(&["dropped", "too many of one source"]);
    // The place of one that has gone is free at once.
    let gone = clients.remove(0);
    let address = gone.local_addr().unwrap();
    drop(gone);
    server.logs_departure(address);
    assert_echo(&mut connect(V4));
}

fn an_ipv6_network_is_one_source() {
    let _server = Server::start(&["--per-source", "1"]);
    ip("address add fd69::101/64 dev shout0 nodad");
    let mut client = connect(V6);
    // Whichever address it comes from: both are of one /64.
    assert_no_answer(V6);
    assert_echo(&mut client);
    assert_echo(&mut connect(V4));
}
