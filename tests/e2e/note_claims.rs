//! The seven claims that the note makes about TCP and UDP.

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

fn claim_1_tcp_is_reliable() {
    // Every sixth packet of either direction is lost, SYN, FIN or data.
    let (seen, lost) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&lost);
    let _server = serve_far_away(&[], move |_, _| {
        let passes = seen.fetch_add(1, Ordering::Relaxed) % 6 != 4;
        count.fetch_add(usize::from(!passes), Ordering::Relaxed);
        passes
    });
    let data = pattern(4_000);
    assert_shouted(&data, &bulk(connect(V4), &data));
    assert!(lost.load(Ordering::Relaxed) >= 3);
}

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
    // The server is done when this client's kernel has acknowledged all of it.
    server.logs_departure(local(&stream));
    let mut received = vec![0; 65536];
    let length = uninterrupted(|| stream.read(&mut received)).unwrap();
    assert_shouted(&sent, &received[..length]);
    // Sixty were sent; stuck together, all of them came back at once.
    let mut split = connect(V4);
    // And what was sent at once may be read in parts.
    split.write_all(b"one message").unwrap();
    let (mut head, mut tail) = ([0; 3], [0; 8]);
    split.read_exact(&mut head).unwrap();
    split.read_exact(&mut tail).unwrap();
    assert_eq!((&head, &tail), (b"ONE", b" MESSAGE"));
}

fn claim_3_a_fault_ends_its_own_conversation_only() {
    let server = Server::start(&[]);
    let mut others = [connect(V4), connect(V6)];
    for fault in 0..4 {
        let mut stream = connect(if fault % 2 == 0 { V4 } else { V6 });
        let client = local(&stream);
        match fault {
            // Goes without a word.
            0 => reset(stream),
            // Goes with data on its way to it that nobody will read.
            1 => {
                stream.write_all(&pattern(4000)).unwrap();
                uninterrupted(|| stream.peek(&mut [0])).unwrap();
                drop(stream);
            }
            // Sends what is no text at all.
            2 => {
                assert_eq!(exchange(&mut stream, &[0xff, 0, 0xc0, b'a']), [0xff, 0, 0xc0, b'A']);
                reset(stream);
            }
            // Says all and hears nothing.
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

fn claim_4_udp_sends_and_forgets() {
    let (requests, replies) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (to_server, to_client) = (Arc::clone(&requests), Arc::clone(&replies));
    // The second request is lost, and the reply to the fourth: the third of those that the server sends.
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
    // TCP would have sent again what was lost after 200 milliseconds, at one end, or a second, at the other.
    assert!(!comes_within(&socket, Duration::from_millis(1200)));
    assert_eq!((requests.load(Ordering::SeqCst), replies.load(Ordering::SeqCst)), (5, 4));
}

fn claim_5_udp_keeps_boundaries() {
    let _server = Server::start(&[]);
    for address in [V4, V6] {
        let socket = udp(address);
        let sizes = [1, 100, 0, 1024, 3, 0, 512, 1023, 2, 700];
        for size in sizes {
            socket.send(&pattern(size)).unwrap();
        }
        // They stay apart, however long they have been waiting together.
        for size in sizes {
            assert_shouted(&pattern(size), &receive(&socket));
        }
    }
}

fn claim_6_udp_has_no_connection() {
    // The client comes first: its device is there, nobody is behind it.
    ip("tuntap add dev shout0 mode tun");
    ip("addr add 192.168.69.100/24 dev shout0");
    ip("link set shout0 up");
    let socket = udp(V4);
    socket.send(b"is anyone there?").unwrap();
    let server = Server::start(&[]);
    assert_eq!(ask(&socket, b"now?"), b"NOW?");
    // The server goes and comes back, and the client's socket knows nothing of it.
    assert_eq!(server.terminate().code(), Some(0));
    socket.send(b"still there?").unwrap();
    let _server = Server::start(&[]);
    assert_eq!(ask(&socket, b"again?"), b"AGAIN?");
    assert_eq!(ask(&socket, b"same socket"), b"SAME SOCKET");
}

fn claim_7_a_slow_client_holds_up_no_other() {
    let _server = Server::start(&["--delay", "5s"]);
    let start = Instant::now();
    // These send until nothing more goes, and read nothing.
    let deaf: Vec<_> = (0..16)
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
    drop(deaf);
}
