//! What the package installs: the units are run here as their own lines say, without the init system that reads them.

use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;

use crate::namespace::has_link;
use crate::outsider;
use crate::program::{LIMIT, run};
use crate::server::{Server, V4, V6, shout};
use crate::sockets::{ask, assert_echo, connect, udp, uninterrupted};

tests![the_server_says_when_it_is_ready, the_units_command_line_and_capability_are_enough];

/// A file of those that the package installs.
pub(crate) fn file(name: &str) -> String {
    let path = format!("{}/deploy/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The values that a file gives to a setting.
fn settings(name: &str, setting: &str) -> Vec<String> {
    let value = |line: &str| Some(line.strip_prefix(setting)?.strip_prefix('=')?.to_owned());
    file(name).lines().filter_map(value).collect()
}

/// The one value that a file gives to a setting.
#[track_caller]
fn setting(name: &str, setting: &str) -> String {
    let [value] = &settings(name, setting)[..] else { panic!("{name} does not have one {setting}") };
    value.clone()
}

/// Switches `shout-public@eth0.service` on in this network (`ExecStart`), or off again (`ExecStop`).
#[track_caller]
pub(crate) fn public(setting: &str) {
    let commands = settings("shout-public@.service", setting);
    assert!(!commands.is_empty(), "{setting}");
    let ruleset = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/public.nft");
    for command in commands {
        let command = command.replace("/etc/shout/public.nft", ruleset).replace("%i", "eth0");
        let mut words = command.split_whitespace();
        let output = run(Command::new(words.next().unwrap()).args(words), b"");
        assert!(output.status.success(), "{command}: {output}");
    }
}

fn the_server_says_when_it_is_ready() {
    // An abstract name belongs to the test's own network, as its addresses do.
    let name = SocketAddr::from_abstract_name("manager").unwrap();
    let manager = UnixDatagram::bind_addr(&name).unwrap();
    manager.set_read_timeout(Some(LIMIT)).unwrap();
    let server = Server::start_as(shout(&[]).env("NOTIFY_SOCKET", "@manager"));
    let mut message = [0; 64];
    let length = uninterrupted(|| manager.recv(&mut message)).unwrap();
    assert_eq!(&message[..length], b"READY=1");
    assert_echo(&mut connect(V4));
    assert_eq!(server.terminate().code(), Some(0));
    // A manager that is not there is no reason not to serve.
    let server = Server::start_as(shout(&[]).env("NOTIFY_SOCKET", "@nobody"));
    server.log().wait_for_line(&["service manager", "could not be told"]);
    assert_echo(&mut connect(V4));
}

fn the_units_command_line_and_capability_are_enough() {
    outsider::open_machine();
    let start = setting("shout.service", "ExecStart");
    let arguments = start.strip_prefix("/usr/bin/shout ").expect("the path that the package installs to");
    // What systemd makes of the line, with the options of the file that the package installs.
    let options = setting("shout.default", "SHOUT_OPTIONS");
    let arguments = arguments.replace("$SHOUT_OPTIONS", options.trim_matches('"'));
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let capability = setting("shout.service", "AmbientCapabilities");
    assert_eq!(setting("shout.service", "CapabilityBoundingSet"), capability);

    let server = Server::start_as(&mut outsider::command_with_capability(&capability, &arguments));
    assert_echo(&mut connect(V4));
    assert_echo(&mut connect(V6));
    assert_eq!(ask(&udp(V4), b"unit"), b"UNIT");
    assert_eq!(server.terminate().code(), Some(0));
    assert!(!has_link("shout0"));
}
