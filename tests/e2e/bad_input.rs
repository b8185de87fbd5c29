//! Wrong command lines: one clear line each, and exit code 2.

use crate::namespace::snapshot;
use crate::program::run;
use crate::server::shout;

tests![
    tips_stand_below_the_error,
    wrong_numbers,
    wrong_addresses,
    wrong_durations,
    wrong_device_names,
    wrong_words,
    wrong_client_arguments,
];

/// Runs `shout` with each of these command lines, and checks that it names the words that are said to be wrong.
#[track_caller]
fn assert_refused(table: &[(&str, &[&str])]) {
    let before = snapshot();
    for (line, parts) in table {
        // What stands for a word that is empty, which words split at blanks cannot hold.
        let words: Vec<_> =
            line.split_whitespace().map(|word| if word == "EMPTY" { "" } else { word }).collect();
        let output = run(&mut shout(&words), b"");
        assert_eq!(output.code(), Some(2), "shout {line}: {output}");
        assert_eq!(output.stdout(), "", "shout {line}");
        let is_hint = |line: &&str| {
            let hints = ["Usage:", "For more information", "tip:", "[possible values:"];
            line.is_empty() || hints.iter().any(|hint| line.trim_start().starts_with(hint))
        };
        let errors: Vec<_> = output.stderr.lines().filter(|line| !is_hint(line)).collect();
        let [error] = errors[..] else { panic!("shout {line}: not one line: {output}") };
        for part in *parts {
            assert!(error.contains(part), "shout {line}: {part:?} is missing in: {error}");
        }
    }
    assert_eq!(snapshot(), before, "something was left behind");
}

fn tips_stand_below_the_error() {
    for (line, tip) in [
        ("--prot 1", "tip: a similar argument exists: '--port'"),
        ("demo --drop 5 bash -i", "tip: a command to run goes after `--`: shout demo --drop 5 -- bash -i"),
    ] {
        let output = run(shout(&[]).args(line.split(' ')), b"");
        assert_eq!(output.code(), Some(2), "{output}");
        let lines: Vec<_> = output.stderr.lines().map(str::trim).collect();
        assert!(lines.len() == 2 && lines[1] == tip, "{output}");
    }
}

fn wrong_numbers() {
    assert_refused(&[
        ("--port 0", &["--port", "0"]),
        ("--port 65536", &["--port", "65536", "1 to 65535"]),
        ("--port http", &["--port", "http", "1 to 65535"]),
        ("--port -1", &["--port", "-1", "1 to 65535"]),
        ("demo --port http", &["--port", "http", "1 to 65535"]),
        ("--drop 0.00001", &["--drop", "0.00001"]),
        ("--corrupt 100.1", &["--corrupt", "100.1", "0 to 100"]),
        ("--mtu 10", &["--mtu", "10"]),
        ("--mtu 575", &["--mtu", "575"]),
        ("--mtu 65536", &["--mtu", "65536"]),
        ("--mtu 99999999999999999999", &["--mtu"]),
        ("--buffer 0", &["--buffer", "0"]),
        ("--buffer 63", &["--buffer", "63"]),
        ("--buffer 1048577", &["--buffer", "1048577"]),
        ("--connections 0", &["--connections", "0"]),
        ("--connections 65536", &["--connections", "65536"]),
    ]);
}

fn wrong_addresses() {
    let nine = (1..=9).map(|i| format!("--address 10.0.0.{i}/24 ")).collect::<String>()
        + "--host-address 10.0.0.100/24";
    assert_refused(&[
        ("--address nonsense", &["--address", "nonsense"]),
        ("--address 192.168.69.1", &["--address", "192.168.69.1"]),
        ("--address 192.168.69.256/24", &["--address", "192.168.69.256/24"]),
        ("--address 192.168.69.1/33", &["--address", "192.168.69.1/33"]),
        ("--address fd69::1/129", &["--address", "fd69::1/129"]),
        ("--host-address 192.168.69.100/", &["--host-address", "192.168.69.100/"]),
        ("--address EMPTY", &["--address"]),
        // Given twice.
        ("--address 10.0.0.1/24 --address 10.0.0.1/24 --host-address 10.0.0.2/24", &["10.0.0.1"]),
        ("--address 10.0.0.1/24 --address 10.0.0.1/16 --host-address 10.0.0.2/24", &["10.0.0.1"]),
        ("--address 10.0.0.1/24 --host-address 10.0.0.2/24 --host-address 10.0.0.2/24", &["10.0.0.2"]),
        ("--address fd01::1/64 --address fd01:0::1/64 --host-address fd01::2/64", &["fd01::1"]),
        // Equal to a host address.
        ("--address 10.0.0.1/24 --host-address 10.0.0.1/24", &["10.0.0.1"]),
        ("--address fd01::1/64 --host-address fd01::1/64", &["fd01::1"]),
        // Without a host address in its subnet: the defaults do not apply where an option of the family is given.
        ("--address 10.0.0.1/24", &["10.0.0.1", "--host-address"]),
        ("--address 10.0.0.1/24 --host-address 10.0.1.2/24", &["10.0.0.1", "--host-address"]),
        ("--address fd01::1/64 --host-address fd02::1/64", &["fd01::1", "--host-address"]),
        // Nobody's own address.
        ("--address 0.0.0.0/24 --host-address 0.0.0.1/24", &["0.0.0.0"]),
        ("--address 224.0.0.1/24 --host-address 224.0.0.2/24", &["224.0.0.1"]),
        ("--address 127.0.0.2/8 --host-address 127.0.0.3/8", &["127.0.0.2"]),
        ("--address 10.0.0.255/24 --host-address 10.0.0.2/24", &["10.0.0.255"]),
        ("--address 255.255.255.255/24 --host-address 255.255.255.1/24", &["255.255.255.255"]),
        ("--address ::/64 --host-address ::2/64", &["::"]),
        ("--address ::1/64 --host-address ::2/64", &["::1"]),
        ("--address ff02::1/64 --host-address ff02::2/64", &["ff02::1"]),
        (&nine, &["8"]),
        // No IPv6 below its smallest MTU.
        ("--mtu 1279 --address fd01::1/64 --host-address fd01::2/64", &["1280"]),
    ]);
}

fn wrong_durations() {
    assert_refused(&[
        ("--delay 10", &["--delay", "10"]),
        ("--delay soon", &["--delay", "soon"]),
        ("--delay -1s", &["-1"]),
        ("--idle-timeout 5parsecs", &["--idle-timeout", "5parsecs"]),
        ("--busy-poll x", &["--busy-poll", "x"]),
        ("udp --timeout never 127.0.0.1:8080", &["--timeout", "never"]),
    ]);
}

fn wrong_device_names() {
    assert_refused(&[
        ("--tun sixteen-letters0", &["--tun", "sixteen-letters0"]),
        ("--tun a/b", &["--tun", "a/b"]),
        ("--tun EMPTY", &["--tun"]),
        ("--tun .", &["--tun"]),
        ("--tun ..", &["--tun"]),
        // The kernel would take it as a pattern for a number.
        ("--tun shout%d", &["--tun", "shout%d"]),
    ]);
}

fn wrong_words() {
    assert_refused(&[
        ("--frobnicate", &["--frobnicate"]),
        ("frobnicate", &["frobnicate"]),
        ("serve frobnicate", &["frobnicate"]),
        ("--port", &["--port"]),
        ("--port 1 --port 2", &["--port"]),
        ("demo --parent-is-demo", &["--parent-is-demo"]),
        ("demo --pcap -", &["--pcap -", "standard output"]),
    ]);
}

fn wrong_client_arguments() {
    assert_refused(&[
        ("udp nonsense", &["nonsense"]),
        ("tcp nonsense", &["nonsense"]),
        ("tcp 127.0.0.1", &["127.0.0.1"]),
        ("tcp 127.0.0.1:99999", &["127.0.0.1:99999"]),
        ("tcp 127.0.0.1:0", &["127.0.0.1:0"]),
        ("tcp :8080", &[":8080"]),
        ("tcp --timeout never 127.0.0.1:8080", &["--timeout", "never"]),
        ("tcp --timeout 0 127.0.0.1:8080", &["--timeout"]),
        ("tcp 127.0.0.1 0", &["127.0.0.1 0", "1 to 65535"]),
        ("tcp tcp://127.0.0.1:8080", &["leave out tcp://, and write 127.0.0.1:8080"]),
        ("udp [fe80::1]:8080", &["[fe80::1]:8080", "zone"]),
    ]);
}
