//! Memory is fixed: after set-up, the program allocates nothing, whatever packets come.

use std::fs;
use std::io::Write;
use std::net::Shutdown;

use crate::server::{V4, V6};
use crate::shim::Shimmed;
use crate::sockets::{ask, assert_echo, bulk, connect, pattern, read_to_end, reset, udp};

tests![no_packet_is_allocated_for, no_packet_is_allocated_for_on_its_way_through_faults_delay_and_capture,];

/// Connections come and go in every way, and datagrams of all lengths.
fn traffic(rounds: usize) {
    let data = pattern(50_000);
    for _ in 0..rounds {
        for server in [V4, V6] {
            assert_echo(&mut connect(server));
            reset(connect(server));
            let mut open = connect(server);
            open.write_all(b"never read").unwrap();
            let mut half_closed = connect(server);
            half_closed.write_all(b"bye").unwrap();
            half_closed.shutdown(Shutdown::Write).unwrap();
            assert_eq!(read_to_end(&mut half_closed), b"BYE");
            assert_eq!(bulk(connect(server), &data).len(), data.len());
        }
        let socket = udp(V4);
        for length in [0, 1, 1024, 1472, 1500, 2000] {
            assert_eq!(ask(&socket, &data[..length]).len(), length.min(1024));
        }
        assert_eq!(ask(&udp(V6), b"six"), b"SIX");
    }
}

#[track_caller]
fn assert_none(arguments: &[&str]) {
    let shimmed = Shimmed::start(arguments);
    traffic(1);
    let before = shimmed.allocations();
    traffic(20);
    let after = shimmed.allocations();
    assert_eq!(after - before, 0, "the server asked for memory");
}

fn no_packet_is_allocated_for() {
    assert_none(&[]);
}

fn no_packet_is_allocated_for_on_its_way_through_faults_delay_and_capture() {
    let capture = std::env::temp_dir().join(format!("shout-memory-{}.pcap", std::process::id()));
    // So many that none of these packets is lost, which would make the test slow, but each is looked at.
    let faults = ["--size-limit", "1500", "--rate-limit", "1000000", "--delay", "1ms", "--pcap"];
    assert_none(&[&faults[..], &[capture.to_str().unwrap()]].concat());
    fs::remove_file(capture).unwrap();
}
