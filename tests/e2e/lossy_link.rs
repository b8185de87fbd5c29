//! A link between the clients' machine and the servers', which loses a part of the TCP segments in each direction.

use core::net::SocketAddr;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::thread;

use crate::capture::Capture;
use crate::cloud_network::{Machine, gateway, wire};
use crate::namespace::{ip, sysctl};
use crate::program::run;
use crate::server::Server;

/// Where the server on the kernel's sockets is.
pub(crate) const KERNEL_V4: &str = "10.69.0.1:8080";
pub(crate) const KERNEL_V6: &str = "[fd68::1]:8080";

/// The link. The calling thread is on the clients' machine.
pub(crate) struct LossyLink {
    clients: Machine,
    servers: Machine,
}

impl LossyLink {
    /// A link that loses nothing yet.
    #[track_caller]
    pub(crate) fn new() -> Self {
        let (clients, servers) = (Machine::new(), Machine::new());
        wire(1500, (&servers, "eth0", "10.69.0.1/24"), (&clients, "eth0", "10.69.0.2/24"));
        for (machine, address) in [(&servers, "fd68::1/64"), (&clients, "fd68::2/64")] {
            machine.enter();
            ip(&format!("address add {address} dev eth0 nodad"));
            // Otherwise up to 64 KiB of a kernel's stream would pass as one packet, and be lost as one.
            ip("link set eth0 gso_max_segs 1");
            // A connection begins without what was learnt on the last one.
            sysctl("ipv4/tcp_no_metrics_save", "1");
        }
        servers.enter();
        sysctl("ipv4/ip_forward", "1");
        sysctl("ipv6/conf/all/forwarding", "1");
        gateway(&clients, "10.69.0.1");
        ip("-6 route add default via fd68::1");
        Self { clients, servers }
    }

    /// Starts `shout` at the other end.
    #[track_caller]
    pub(crate) fn serve(&self, arguments: &[&str]) -> Server {
        self.servers.enter();
        let server = Server::start(arguments);
        self.clients.enter();
        server
    }

    /// Captures from now on what passes between `shout` and its device: there a segment has the time at which it was sent.
    pub(crate) fn capture(&self) -> Capture {
        self.servers.enter();
        let capture = Capture::start_at("shout0");
        self.clients.enter();
        capture
    }

    /// Starts a server on the kernel's sockets at the other end, which receives and sends as `shout` does: 1024 bytes at once.
    #[track_caller]
    pub(crate) fn serve_with_the_kernels_sockets(&self) {
        self.servers.enter();
        for address in [KERNEL_V4, KERNEL_V6] {
            let address: SocketAddr = address.parse().unwrap();
            let listener = TcpListener::bind(address).unwrap();
            // It waits for clients until the test process ends.
            thread::spawn(move || {
                for stream in listener.incoming() {
                    thread::spawn(move || shout_back(stream.unwrap()));
                }
            });
        }
        self.clients.enter();
    }

    /// From now on, each end loses so many of a hundred TCP segments that arrive there: a kernel that drops a segment as
    /// it sends it tells its TCP.
    #[track_caller]
    pub(crate) fn lose(&self, percent: u8) {
        let rule = format!("iifname eth0 meta l4proto tcp numgen random mod 100 < {percent} drop");
        for machine in [&self.servers, &self.clients] {
            machine.enter();
            filter(&rule);
        }
    }

    /// From now on, acknowledgements that a client sends without data are lost, and nothing else: its next request brings
    /// them, as if it had delayed them for so long.
    #[track_caller]
    pub(crate) fn lose_bare_acknowledgements(&self) {
        self.servers.enter();
        // A request from Linux has PSH.
        filter("iifname eth0 tcp flags & (fin | syn | rst | psh) == 0 drop");
        self.clients.enter();
    }
}

fn shout_back(mut stream: std::net::TcpStream) {
    stream.set_nodelay(true).unwrap();
    let mut turn = [0; 1024];
    while let Ok(length @ 1..) = stream.read(&mut turn) {
        turn[..length].make_ascii_uppercase();
        if stream.write_all(&turn[..length]).is_err() {
            return;
        }
    }
}

/// Replaces the rule for packets that arrive in the calling thread's network; an empty one lets all pass.
#[track_caller]
pub(crate) fn filter(rule: &str) {
    let ruleset = format!(
        "table inet loss {{}}\ndelete table inet loss\n\
         table inet loss {{\nchain arriving {{\ntype filter hook prerouting priority raw;\n{rule}\n}}\n}}\n"
    );
    let output = run(Command::new("/usr/sbin/nft").args(["--file", "-"]), ruleset.as_bytes());
    assert!(output.status.success(), "{output}");
}
