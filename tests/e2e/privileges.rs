//! Privileges: what the server needs at start, that it drops all of them, and how to run it without root.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;

use nix::sched::{CloneFlags, setns};
use nix::sys::signal::Signal;

use crate::namespace::{has_link, has_other_users, ip};
use crate::outsider;
use crate::server::{Server, V4, V6};
use crate::shim::Shimmed;
use crate::sockets::{ask, assert_echo, connect, udp};

tests![
    a_system_call_that_serving_does_not_take_ends_the_server,
    every_thread_is_in_the_sandbox,
    after_set_up_the_server_holds_no_privilege,
    a_user_in_a_namespace_of_their_own_needs_no_root,
    a_user_who_owns_the_device_needs_no_capability,
];

/// The values of a line of `/proc/PID/status`, or of a thread's.
fn status<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)).expect("a line of this name");
    line.trim_start_matches(':').split_whitespace().collect()
}

/// Checks each thread: capabilities are a thread's, not a process's.
#[track_caller]
pub(crate) fn assert_powerless(id: u32) {
    for task in fs::read_dir(format!("/proc/{id}/task")).unwrap() {
        let text = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(status(&text, set), ["0000000000000000"], "{set} in\n{text}");
        }
        assert_eq!(status(&text, "NoNewPrivs"), ["1"], "{text}");
        // In a user namespace of a single user, root is that user.
        if has_other_users() {
            assert!(!status(&text, "Uid").contains(&"0"), "{text}");
            assert!(!status(&text, "Gid").contains(&"0"), "{text}");
            assert!(!status(&text, "Groups").contains(&"0"), "{text}");
        }
    }
}

fn after_set_up_the_server_holds_no_privilege() {
    let server = Server::start(&[]);
    assert_powerless(server.id());
    // It serves so, and its device goes with it although it could no longer take it away itself.
    assert_echo(&mut connect(V4));
    assert_echo(&mut connect(V6));
    assert_powerless(server.id());
    assert_eq!(server.terminate().code(), Some(0));
    assert!(!has_link("shout0"));
}

fn a_user_in_a_namespace_of_their_own_needs_no_root() {
    outsider::open_machine();
    let server = Server::start_as(&mut outsider::command_in_own_namespaces(&[]));
    assert!(!has_link("shout0"), "the device is in the user's network");
    let network = File::open(format!("/proc/{}/ns/net", server.id())).unwrap();
    setns(network, CloneFlags::CLONE_NEWNET).unwrap();
    assert!(has_link("shout0"));
    assert_echo(&mut connect(V4));
    assert_echo(&mut connect(V6));
    assert_eq!(ask(&udp(V4), b"rootless"), b"ROOTLESS");
    assert_powerless(server.id());
    assert_eq!(server.terminate().code(), Some(0));
}

fn a_user_who_owns_the_device_needs_no_capability() {
    outsider::open_machine();
    ip(&format!("tuntap add dev shout0 mode tun user {}", outsider::user()));
    ip("addr add 192.168.69.100/24 dev shout0");
    ip("addr add fd69::100/64 dev shout0");
    ip("link set shout0 up");
    let server = Server::start_as(&mut outsider::command(&["--no-configure"]));
    assert_echo(&mut connect(V4));
    assert_echo(&mut connect(V6));
    assert_powerless(server.id());
    assert_eq!(server.terminate().code(), Some(0));
    assert!(has_link("shout0"));
}

fn a_system_call_that_serving_does_not_take_ends_the_server() {
    let mut shimmed = Shimmed::start_in_sandbox(&[]);
    assert_echo(&mut connect(V4));
    shimmed.intrude();
    udp(V4).send(b"now").unwrap();
    assert_eq!(shimmed.server.wait().signal(), Some(Signal::SIGSYS as i32));

    let shimmed = Shimmed::start(&[]);
    shimmed.intrude();
    assert_eq!(ask(&udp(V4), b"no sandbox"), b"NO SANDBOX");
    assert_eq!(shimmed.terminate(), Some(0));
}

fn every_thread_is_in_the_sandbox() {
    let modes = |server: &Server| {
        let tasks = fs::read_dir(format!("/proc/{}/task", server.id())).unwrap();
        let mode = |task: fs::DirEntry| {
            let text = fs::read_to_string(task.path().join("status")).unwrap();
            status(&text, "Seccomp").concat()
        };
        tasks.map(|task| mode(task.unwrap())).collect::<Vec<_>>()
    };
    // 2: a filter (proc(5)).
    assert_eq!(modes(&Server::start(&[])), ["2", "2"]);
    assert_eq!(modes(&Server::start(&["--no-sandbox"])), ["0", "0"]);
}
