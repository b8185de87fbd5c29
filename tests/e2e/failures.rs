//! Failures at start: each exits with 1, says what to do, and leaves nothing behind.

use std::fs;
use std::process::Command;

use nix::mount::{MsFlags, mount};
use tun_tap::{Iface, Mode};

use crate::namespace::{has_other_users, ip, own_mounts, snapshot};
use crate::outsider;
use crate::program::run;
use crate::server::{Server, V4, shout};
use crate::shim::shout_that_keeps_its_privileges;
use crate::sockets::{assert_echo, connect};

tests![
    without_privilege,
    without_permission_to_open_the_device_file,
    without_the_device_file,
    a_device_held_by_someone_else,
    a_second_server_on_the_same_device,
    a_device_of_the_name_that_is_no_tun_device,
    the_servers_address_is_in_use_on_this_machine,
    the_hosts_address_is_in_use_on_another_link,
    more_memory_than_there_is,
    no_configure_without_a_device,
    no_thread_can_be_started,
    privileges_cannot_be_given_up,
    too_few_files_may_be_open,
    a_full_disk_for_the_counters,
];

/// Runs a server that cannot start, and checks that it says each of `parts` in a single line.
#[track_caller]
fn assert_fails(command: &mut Command, parts: &[&str]) {
    let before = snapshot();
    let output = run(command, b"");
    assert_eq!(output.code(), Some(1), "{output}");
    assert_eq!(output.stdout(), "");
    // Remedies that are a list stand below it.
    let lines = output.stderr.lines().filter(|line| !line.starts_with("  "));
    assert_eq!(lines.count(), 1, "not one line: {output}");
    let line = &output.stderr;
    for part in parts {
        assert!(line.contains(part), "{part:?} is missing in: {line}");
    }
    assert_eq!(snapshot(), before, "something was left behind");
}

/// The three ways to get the privilege, and the one to do without.
const REMEDIES: [&str; 5] = ["CAP_NET_ADMIN", "sudo", "setcap", "ip tuntap add", "shout demo"];

fn without_privilege() {
    outsider::open_machine();
    assert_fails(&mut outsider::command(&[]), &REMEDIES);
    // A device that somebody has made is of no use to anybody else. (In a user namespace there is nobody else.)
    if has_other_users() {
        ip("tuntap add dev shout0 mode tun user 12345");
        assert_fails(&mut outsider::command(&["--no-configure"]), &REMEDIES);
    }
}

fn without_permission_to_open_the_device_file() {
    own_mounts();
    cover_dev_net();
    fs::write("/dev/net/tun", "").unwrap();
    fs::set_permissions("/dev/net/tun", std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    let mut command = Command::new("setpriv");
    // Root without capabilities is refused what the permissions refuse.
    command.args(["--bounding-set=-all", "--inh-caps=-all", "--", env!("CARGO_BIN_EXE_shout")]);
    assert_fails(&mut command, &["/dev/net/tun", "sudo"]);
}

fn without_the_device_file() {
    own_mounts();
    cover_dev_net();
    assert_fails(&mut shout(&[]), &["/dev/net/tun", "modprobe tun"]);
}

/// Puts an empty directory over the one that holds the device file.
pub(crate) fn cover_dev_net() {
    mount(Some("tmpfs"), "/dev/net", Some("tmpfs"), MsFlags::empty(), Some("mode=755")).unwrap();
}

fn a_device_held_by_someone_else() {
    let _held = Iface::without_packet_info("shout0", Mode::Tun).unwrap();
    assert_fails(&mut shout(&[]), &["shout0", "--tun"]);
}

fn a_second_server_on_the_same_device() {
    let _first = Server::start(&[]);
    assert_fails(&mut shout(&[]), &["shout0", "--tun"]);
    assert_echo(&mut connect(V4));
}

fn a_device_of_the_name_that_is_no_tun_device() {
    ip("link add shout0 type bridge");
    assert_fails(&mut shout(&[]), &["shout0", "--tun"]);
    ip("link del shout0");
    ip("tuntap add dev shout0 mode tap");
    assert_fails(&mut shout(&[]), &["shout0", "--tun"]);
}

fn the_servers_address_is_in_use_on_this_machine() {
    ip("addr add 192.168.69.1/32 dev lo");
    assert_fails(&mut shout(&[]), &["192.168.69.1", "--address"]);
    assert_fails(&mut shout(&["--tun", "other0"]), &["192.168.69.1", "--address"]);
    ip("addr del 192.168.69.1/32 dev lo");
    ip("addr add fd69::1/128 dev lo");
    assert_fails(&mut shout(&[]), &["fd69::1", "--address"]);
}

fn the_hosts_address_is_in_use_on_another_link() {
    let _first = Server::start(&[]);
    // A second server with the same addresses and a device of its own would take the first one's clients away.
    assert_fails(&mut shout(&["--tun", "shout1"]), &["192.168.69.100", "--host-address"]);
    assert_echo(&mut connect(V4));
}

fn more_memory_than_there_is() {
    let mut command = Command::new("prlimit");
    command.args(["--as=1000000000", "--", env!("CARGO_BIN_EXE_shout")]);
    assert_fails(
        command.args(["--connections", "65535", "--buffer", "1048576"]),
        &["--connections", "--buffer"],
    );
}

fn no_configure_without_a_device() {
    assert_fails(
        &mut shout(&["--no-configure"]),
        &[
            "no device shout0",
            "--no-configure",
            "ip tuntap add dev shout0",
            "ip address add 192.168.69.100/24",
        ],
    );
    assert_fails(&mut shout(&["--no-configure", "--tap"]), &["ip tuntap add dev shout0 mode tap"]);
}

/// By then the privileges are gone, and with them the right to undo what was set up.
fn no_thread_can_be_started() {
    // Root is not counted, and remains root where there is no other user.
    if !has_other_users() {
        return;
    }
    let mut command = Command::new("prlimit");
    command.args(["--nproc=0", "--", env!("CARGO_BIN_EXE_shout")]);
    assert_fails(command.env_remove("RUST_LOG"), &["thread", "ulimit -u"]);
    // The changes to a device that was there before stay, and nothing is said of them either.
    ip("tuntap add dev shout0 mode tun");
    let output = run(&mut command, b"");
    assert_eq!((output.code(), output.stderr.lines().count()), (Some(1), 1), "{output}");
}

/// By then the device is set up. One that the server has made takes all of that with it.
fn privileges_cannot_be_given_up() {
    assert_fails(&mut shout_that_keeps_its_privileges(), &["no_new_privs"]);
    ip("tuntap add dev shout0 mode tun");
    // The first time up, the kernel gives a device its queue.
    ip("link set shout0 up");
    ip("link set shout0 down");
    assert_fails(&mut shout_that_keeps_its_privileges(), &["no_new_privs"]);
}

fn too_few_files_may_be_open() {
    // The last of these is just enough to ask the kernel for its devices, and not to see whether there is IPv6.
    for limit in [4, 5] {
        let mut command = Command::new("prlimit");
        command.args([&format!("--nofile={limit}"), "--", env!("CARGO_BIN_EXE_shout")]);
        assert_fails(command.env_remove("RUST_LOG"), &["Too many open files", "ulimit -n"]);
    }
}

fn a_full_disk_for_the_counters() {
    own_mounts();
    mount(Some("tmpfs"), "/mnt", Some("tmpfs"), MsFlags::empty(), Some("size=4k,mode=777")).unwrap();
    let mut command = shout(&["--stats-file", "/mnt/shout.prom"]);
    assert_fails(&mut command, &["/mnt/shout.prom", "No space left", "free some space"]);
    assert_eq!(fs::read_dir("/mnt").unwrap().count(), 0, "a part of the file is left");
}
