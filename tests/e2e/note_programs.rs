//! The Python programs of the teaching note that `shout` grew from (`note/README.md`). The tests replace the address,
//! and the length of a `sleep` where they say so.

use core::time::Duration;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::Instant;

use crate::program::{LIMIT, Program};

pub(crate) const TCP_CLIENT: &str = include_str!("note/tcp_client.py");
pub(crate) const TCP_SERVER: &str = include_str!("note/tcp_server.py");
pub(crate) const UDP_CLIENT: &str = include_str!("note/udp_client.py");
pub(crate) const UDP_SERVER_SERIAL: &str = include_str!("note/udp_server_serial.py");
pub(crate) const UDP_SERVER_THREADING: &str = include_str!("note/udp_server_threading.py");

/// Where the note's servers listen.
pub(crate) const ADDRESS: &str = "127.0.0.1:8080";

/// One of the note's clients, pointed at this server.
pub(crate) fn client(program: &str) -> Command {
    client_of(program, "192.168.69.1")
}

/// One of the note's clients, pointed at this address.
pub(crate) fn client_of(program: &str, address: &str) -> Command {
    assert!(program.contains("'127.0.0.1'"));
    python(&program.replace("127.0.0.1", address))
}

/// Starts one of the note's servers and waits until its socket is bound: it prints nothing then.
#[track_caller]
pub(crate) fn server(program: &str) -> Program {
    let server = Program::start(&mut python(program));
    let table = if program.contains("TCP") { "tcp" } else { "udp" };
    // The local address 127.0.0.1:8080, as the kernel prints it, and any remote one.
    wait_for_socket(table, "0100007F:1F90 00000000:0000");
    server
}

fn python(program: &str) -> Command {
    let mut command = Command::new("python3");
    // Unbuffered, so that its output arrives at once.
    command.args(["-u", "-c", program]);
    command
}

/// Waits until the kernel's table of sockets in this network namespace has a line with this text.
#[track_caller]
fn wait_for_socket(table: &str, text: &str) {
    let deadline = Instant::now() + LIMIT;
    // The kernel does not tell when a socket is bound, so this polls.
    while !fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap().contains(text) {
        assert!(Instant::now() < deadline, "no {table} socket {text}");
        thread::sleep(Duration::from_millis(5));
    }
}
