//! Many clients at the same time, and much data.

use std::process::Command;
use std::thread;

use crate::program::run;
use crate::server::{Server, V4, V6};
use crate::sockets::{ask, assert_shouted, bulk, connect, exchange, pattern, udp};

tests![
    sixty_four_clients_at_once,
    a_megabyte_through_a_half_closing_nc,
    a_megabyte_over_ipv6,
    a_slot_serves_one_client_after_another,
];

fn sixty_four_clients_at_once() {
    let _server = Server::start(&[]);
    // All are connected before the first speaks.
    let streams: Vec<_> = (0..64).map(|i| connect(if i % 2 == 0 { V4 } else { V6 })).collect();
    thread::scope(|scope| {
        for (i, mut stream) in streams.into_iter().enumerate() {
            scope.spawn(move || {
                let socket = udp(if i % 2 == 0 { V6 } else { V4 });
                for turn in 0..20 {
                    let message = format!("client {i}, turn {turn}: {}", "abc".repeat(i));
                    let expected = message.to_ascii_uppercase();
                    assert_eq!(exchange(&mut stream, message.as_bytes()), expected.as_bytes());
                    assert_eq!(ask(&socket, message.as_bytes()), expected.as_bytes());
                }
                let data = pattern(20_000 + i);
                assert_shouted(&data, &bulk(stream, &data));
            });
        }
    });
}

fn a_megabyte_through_a_half_closing_nc() {
    let _server = Server::start(&[]);
    let data = pattern(1 << 20);
    let output = run(Command::new("nc").args(["-N", "192.168.69.1", "8080"]), &data);
    assert!(output.status.success(), "{}", output.stderr);
    assert_shouted(&data, &output.bytes);
}

fn a_megabyte_over_ipv6() {
    let _server = Server::start(&[]);
    let data = pattern(1 << 20);
    assert_shouted(&data, &bulk(connect(V6), &data));
}

fn a_slot_serves_one_client_after_another() {
    let _server = Server::start(&["--connections", "1"]);
    for i in 0..50 {
        // The client has seen the server's FIN, and the server the last acknowledgement, before the next SYN comes.
        let data = pattern(i * 100);
        assert_shouted(&data, &bulk(connect(V4), &data));
    }
}
