//! Three kinds of netcat as clients.

use std::process::Command;

use crate::program::{run, run_until};
use crate::server::Server;

tests![nc_over_tcp, nc_over_udp, ncat_over_tcp, ncat_over_udp, socat_over_tcp, socat_over_udp,];

/// A program that half-closes at the end of its input and ends when the server has closed.
#[track_caller]
fn assert_tcp(command: &str) {
    let _server = Server::start(&[]);
    for address in ["192.168.69.1", "fd69::1"] {
        let output = run(&mut words(command, address), b"hello\nnetcat\n");
        assert!(output.status.success() && output.stdout() == "HELLO\nNETCAT\n", "{command}: {output}");
    }
}

/// A program that does not end, or only after a while: there is no close in UDP.
#[track_caller]
fn assert_udp(command: &str) {
    let _server = Server::start(&[]);
    for address in ["192.168.69.1", "fd69::1"] {
        let output = run_until(&mut words(command, address), "hello\n", "HELLO\n");
        assert_eq!(output, "HELLO\n", "{command}");
    }
}

fn words(command: &str, address: &str) -> Command {
    // socat wants brackets around an IPv6 address, netcat wants none.
    let bracketed = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
    let command = command.replace("[ADDRESS]", &bracketed).replace("ADDRESS", address);
    let mut words = command.split_whitespace();
    let mut program = Command::new(words.next().unwrap());
    program.args(words);
    program
}

fn nc_over_tcp() {
    assert_tcp("nc -N ADDRESS 8080");
}

fn nc_over_udp() {
    assert_udp("nc -u ADDRESS 8080");
}

fn ncat_over_tcp() {
    assert_tcp("ncat ADDRESS 8080");
}

fn ncat_over_udp() {
    assert_udp("ncat -u ADDRESS 8080");
}

fn socat_over_tcp() {
    assert_tcp("socat -t 10 - TCP:[ADDRESS]:8080");
}

fn socat_over_udp() {
    assert_udp("socat - UDP:[ADDRESS]:8080");
}
