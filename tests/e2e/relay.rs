//! A network between client and server that may lose packets: two TUN devices of the test's own, one in the server's
//! network, which forwards, and one in the client's.

use std::sync::Arc;
use std::thread;

use tun_tap::{Iface, Mode};

use crate::namespace::{ip, isolate_thread, sysctl};
use crate::server::Server;

/// Which way a packet goes.
#[derive(Clone, Copy)]
pub(crate) enum Direction {
    ToServer,
    ToClient,
}

/// Starts a server in the calling thread's network and moves the thread to another, from which IPv4 reaches the server
/// through a relay that loses each packet for which `passes` says no.
#[track_caller]
pub(crate) fn serve_far_away(
    arguments: &[&str],
    passes: impl Fn(Direction, &[u8]) -> bool + Send + Sync + 'static,
) -> Server {
    let server = Server::start(arguments);
    sysctl("ipv4/ip_forward", "1");
    let near_server = Arc::new(device("10.0.0.1/24"));
    isolate_thread();
    let near_client = Arc::new(device("10.0.0.2/24"));
    ip("route add default dev relay0");

    let passes = Arc::new(passes);
    for (from, to, direction) in [
        (Arc::clone(&near_client), Arc::clone(&near_server), Direction::ToServer),
        (near_server, near_client, Direction::ToClient),
    ] {
        let passes = Arc::clone(&passes);
        // Both wait for packets until the test process ends: there is nothing that it would be worth to stop them for.
        thread::spawn(move || {
            let mut packet = [0; 1500];
            loop {
                let length = from.recv(&mut packet).unwrap();
                if passes(direction, &packet[..length]) {
                    to.send(&packet[..length]).unwrap();
                }
            }
        });
    }
    server
}

/// One end of the relay, in the calling thread's network.
fn device(address: &str) -> Iface {
    // Without IPv6 the kernel sends nothing of its own accord, so every packet is the test's.
    sysctl("ipv6/conf/default/disable_ipv6", "1");
    let device = Iface::without_packet_info("relay0", Mode::Tun).unwrap();
    ip(&format!("addr add {address} dev relay0"));
    ip("link set relay0 up");
    device
}
