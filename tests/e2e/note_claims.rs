//! The seven claims about TCP and UDP in the teaching note that `shout` grew from. `note/README.md` quotes each of them
//! in full.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Instant;

use crate::namespace::ip;
use crate::relay::{Direction, serve_far_away};
use crate::server::{Server, V4, V6};
use crate::sockets::{
    ask, assert_echo, assert_shouted, bulk, comes_within, connect, exchange, local, pattern, receive, reset,
    udp, uninterrupted,
};

tests![
    claim_1_tcp_is_reliable,
    claim_2_tcp_is_a_stream,
    claim_3_a_fault_ends_its_own_conversation_only,
    claim_4_udp_sends_and_forgets,
    claim_5_udp_keeps_boundaries,
    claim_6_udp_has_no_connection,
    claim_7_a_slow_client_holds_up_no_other,
];

/// "TCP is a reliable protocol: only when the other end has answered with an ACK is the data deleted from one's own
/// memory."
fn claim_1_tcp_is_reliable() {
    // Every sixth packet is lost, in either direction, with SYN, FIN or data.
    let (seen, lost) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&lost);
    let _server = serve_far_away(&[], move |_, _| {
        let passes = seen.fetch_add(1, Ordering::Relaxed) % 6 != 4;
        count.fetch_add(usize::from(!passes), Ordering::Relaxed);
        passes
    });
    // So much that three are lost, however much of it a segment takes.
    let data = pattern(16_000);
    assert_shouted(&data, &bulk(connect(V4), &data));
    assert!(lost.load(Ordering::Relaxed) >= 3);
}

/// "TCP has the problem of sticky packets."
fn claim_2_tcp_is_a_stream() {
    let server = Server::start(&[]);
    let mut stream = connect(V4);
    let mut sent = Vec::new();
    for i in 0..60 {
        let message = format!("message {i}\n");
        stream.write_all(message.as_bytes()).unwrap();
        sent.extend_from_slice(message.as_bytes());
    }
    stream.shutdown(Shutdown::Write).unwrap();
    // The connection ends when this client's kernel has acknowledged the whole echo.
    server.logs_departure(local(&stream));
    let mut received = vec![0; 65536];
    let length = uninterrupted(|| stream.read(&mut received)).unwrap();
    assert_shouted(&sent, &received[..length]);
    // Sixty messages were sent, and one read has them all.
    let mut split = connect(V4);
    // One message may take several reads.
    split.write_all(b"one message").unwrap();
    let (mut head, mut tail) = ([0; 3], [0; 8]);
    split.read_exact(&mut head).unwrap();
    split.read_exact(&mut tail).unwrap();
    assert_eq!((&head, &tail), (b"ONE", b" MESSAGE"));
}

/// "Two loops: one for connections, and one for the conversation on each", which an exception ends.
fn claim_3_a_fault_ends_its_own_conversation_only() {
    let server = Server::start(&[]);
    let mut others = [connect(V4), connect(V6)];
    for fault in 0..4 {
        let mut stream = connect(if fault % 2 == 0 { V4 } else { V6 });
        let client = local(&stream);
        match fault {
            // Resets the connection.
            0 => reset(stream),
            // Closes its socket with the echo unread, so that its kernel resets the connection.
            1 => {
                stream.write_all(&pattern(4000)).unwrap();
                uninterrupted(|| stream.peek(&mut [0])).unwrap();
                drop(stream);
            }
            // Sends bytes that are no UTF-8, and resets.
            2 => {
                assert_eq!(exchange(&mut stream, &[0xff, 0, 0xc0, b'a']), [0xff, 0, 0xc0, b'A']);
                reset(stream);
            }
            // Sends, and closes both directions without reading.
            _ => {
                stream.write_all(&pattern(1000)).unwrap();
                stream.shutdown(Shutdown::Both).unwrap();
                drop(stream);
            }
        }
        server.logs_departure(client);
        others.iter_mut().for_each(assert_echo);
    }
    assert_echo(&mut connect(V4));
}

/// "UDP is an unreliable protocol: a message is deleted as soon as it is sent, whether the other end has received it or
/// not."
fn claim_4_udp_sends_and_forgets() {
    let (requests, replies) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (to_server, to_client) = (Arc::clone(&requests), Arc::clone(&replies));
    // Request 2 is lost, and the reply to request 4, which is the third reply that the server sends.
    let _server = serve_far_away(&[], move |direction, _| match direction {
        Direction::ToServer => to_server.fetch_add(1, Ordering::SeqCst) + 1 != 2,
        Direction::ToClient => to_client.fetch_add(1, Ordering::SeqCst) + 1 != 3,
    });
    let socket = udp(V4);
    for i in 1..=5 {
        socket.send(format!("message {i}").as_bytes()).unwrap();
    }
    for i in [1, 3, 5] {
        assert_eq!(receive(&socket), format!("MESSAGE {i}").into_bytes());
    }
    // TCP would have retransmitted within this time: Linux after 200 ms, the server after 1 s.
    assert!(!comes_within(&socket, Duration::from_millis(1200)));
    assert_eq!((requests.load(Ordering::SeqCst), replies.load(Ordering::SeqCst)), (5, 4));
}

/// "Each send is one whole datagram and corresponds to exactly one receive, so UDP has no sticky packets."
fn claim_5_udp_keeps_boundaries() {
    let _server = Server::start(&[]);
    for address in [V4, V6] {
        let socket = udp(address);
        let sizes = [1, 100, 0, 1024, 3, 0, 512, 1023, 2, 700];
        for size in sizes {
            socket.send(&pattern(size)).unwrap();
        }
        // All replies wait in the client's socket, and each receive takes one.
        for size in sizes {
            assert_shouted(&pattern(size), &receive(&socket));
        }
    }
}

/// "UDP has no connection: whichever end is started first, there is no error."
fn claim_6_udp_has_no_connection() {
    // The client is started first: the device is there, and no server.
    ip("tuntap add dev shout0 mode tun");
    ip("addr add 192.168.69.100/24 dev shout0");
    ip("link set shout0 up");
    let socket = udp(V4);
    socket.send(b"is anyone there?").unwrap();
    let server = Server::start(&[]);
    assert_eq!(ask(&socket, b"now?"), b"NOW?");
    // The server is restarted, and the client's socket does not notice.
    assert_eq!(server.terminate().code(), Some(0));
    socket.send(b"still there?").unwrap();
    let _server = Server::start(&[]);
    assert_eq!(ask(&socket, b"again?"), b"AGAIN?");
    assert_eq!(ask(&socket, b"same socket"), b"SAME SOCKET");
}

/// Concurrency: a slow client, or a slow reply, does not hold up another client.
fn claim_7_a_slow_client_holds_up_no_other() {
    let _server = Server::start(&["--delay", "5s"]);
    let start = Instant::now();
    // These clients send until their sockets are full, and read nothing.
    let not_reading: Vec<_> = (0..16)
        .map(|_| {
            let mut stream = connect(V4);
            stream.set_nonblocking(true).unwrap();
            while stream.write(&[b'x'; 65536]).is_ok() {}
            stream
        })
        .collect();
    let waiting = udp(V4);
    waiting.send(b"slow").unwrap();
    let mut quick = connect(V6);
    for _ in 0..100 {
        assert_echo(&mut quick);
    }
    let data = pattern(50_000);
    assert_shouted(&data, &bulk(quick, &data));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(receive(&waiting), b"SLOW");
    drop(not_reading);
}
