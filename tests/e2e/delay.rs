//! `--delay`: each UDP reply waits, as with the `sleep` of the note's serial server (`note/README.md`, S1), and no
//! other client does.

use core::time::Duration;
use std::time::Instant;

use crate::server::{Server, V4, V6};
use crate::sockets::{ask, assert_echo, connect, receive, udp};

tests![
    a_reply_does_not_come_before_its_delay,
    delayed_replies_come_in_order_one_delay_after_their_requests,
    tcp_and_other_clients_are_not_held_up,
    a_delayed_reply_is_cut_and_may_be_empty,
];

const DELAY: Duration = Duration::from_millis(300);

fn a_reply_does_not_come_before_its_delay() {
    let _server = Server::start(&["--delay", "300ms"]);
    for address in [V4, V6] {
        let start = Instant::now();
        assert_eq!(ask(&udp(address), b"slowly"), b"SLOWLY");
        assert!(start.elapsed() >= DELAY, "{:?}", start.elapsed());
    }
}

fn delayed_replies_come_in_order_one_delay_after_their_requests() {
    let _server = Server::start(&["--delay", "300ms"]);
    let socket = udp(V4);
    let start = Instant::now();
    for i in 0..8 {
        socket.send(format!("message {i}").as_bytes()).unwrap();
    }
    for i in 0..8 {
        assert_eq!(receive(&socket), format!("MESSAGE {i}").into_bytes());
    }
    let elapsed = start.elapsed();
    // The note's serial server would need eight delays.
    assert!((DELAY..DELAY * 8).contains(&elapsed), "{elapsed:?}");
}

fn tcp_and_other_clients_are_not_held_up() {
    let _server = Server::start(&["--delay", "3s"]);
    let slow = [udp(V4), udp(V6)];
    let start = Instant::now();
    for socket in &slow {
        socket.send(b"slowly").unwrap();
    }
    for address in [V4, V6] {
        let mut stream = connect(address);
        for _ in 0..10 {
            assert_echo(&mut stream);
        }
    }
    assert!(start.elapsed() < Duration::from_secs(3), "TCP took {:?}", start.elapsed());
    for socket in &slow {
        assert_eq!(receive(socket), b"SLOWLY");
    }
    assert!(
        (Duration::from_secs(3)..Duration::from_secs(6)).contains(&start.elapsed()),
        "{:?}",
        start.elapsed()
    );
}

fn a_delayed_reply_is_cut_and_may_be_empty() {
    let _server = Server::start(&["--delay", "20ms"]);
    let socket = udp(V4);
    assert_eq!(ask(&socket, &[b'x'; 1400]), [b'X'; 1024]);
    assert_eq!(ask(&socket, b""), b"");
}
