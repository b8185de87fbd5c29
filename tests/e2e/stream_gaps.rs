//! No silence of 35 ms or more is the server's doing in a stream either, however the client sends it.
//!
//! With a buffer of 1024 bytes, a server can make both sides wait for each other: all that it may send is in flight as one
//! segment, which the client acknowledges only after 40 ms, and the window that is left is too small for the client to send.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use libtest_mimic::Trial;
use nix::sys::socket::{setsockopt, sockopt};

use crate::gaps::assert_no_silence_of_the_servers;
use crate::sockets::{assert_shouted, exchange, pattern};

/// Bytes in each of the client's writes, and in all of them. Small writes make many packets.
const WRITES: [(usize, usize); 6] =
    [(1, 20_000), (100, 200_000), (1000, 500_000), (1024, 500_000), (1448, 500_000), (65_536, 500_000)];
/// BBR paces what it sends; reno does not.
const CONGESTION_CONTROLS: [&str; 2] = ["bbr", "reno"];

/// What the client does.
#[derive(Clone, Copy)]
enum Shape {
    Stream {
        write: usize,
        total: usize,
    },
    /// Conversations in messages of 1000 bytes and streams in such writes, in turn.
    Changing,
}

/// How the client does it.
#[derive(Clone, Copy)]
struct Case {
    shape: Shape,
    no_delay: bool,
    congestion_control: &'static str,
}

/// A test for each case. Those with a congestion control that this kernel does not have are ignored.
pub(crate) fn tests() -> Vec<Trial> {
    let available = fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control").unwrap();
    let test = |case: Case| {
        let has = available.split_whitespace().any(|name| name == case.congestion_control);
        crate::test(&case.name(), move || case.run()).with_ignored_flag(!has)
    };
    cases().map(test).collect()
}

fn cases() -> impl Iterator<Item = Case> {
    let streams = WRITES.map(|(write, total)| Shape::Stream { write, total });
    let shapes = streams.into_iter().chain([Shape::Changing]);
    shapes.flat_map(|shape| {
        [true, false].into_iter().flat_map(move |no_delay| {
            CONGESTION_CONTROLS.map(|congestion_control| Case { shape, no_delay, congestion_control })
        })
    })
}

impl Case {
    fn name(self) -> String {
        let shape = match self.shape {
            Shape::Stream { write, .. } => format!("writes_of_{write}"),
            Shape::Changing => "conversation_and_stream_in_turn".to_owned(),
        };
        let nagle = if self.no_delay { "" } else { "_with_nagles_algorithm" };
        format!("stream_gaps::{shape}{nagle}_{}", self.congestion_control)
    }

    fn run(self) {
        let total = match self.shape {
            Shape::Stream { total, .. } => total,
            Shape::Changing => TURNS * (CONVERSATION * MESSAGE + STREAM),
        };
        assert_no_silence_of_the_servers(total, |mut stream| {
            let name = self.congestion_control.to_owned().into();
            setsockopt(&stream, sockopt::TcpCongestion, &name).unwrap();
            stream.set_nodelay(self.no_delay).unwrap();
            match self.shape {
                Shape::Stream { write, total } => say(&mut stream, total, write),
                Shape::Changing => change(&mut stream),
            }
        });
    }
}

/// Sends so many bytes in writes of this size, while reading as many back.
fn say(stream: &mut TcpStream, total: usize, write: usize) {
    let data = pattern(total);
    let mut writer = stream.try_clone().unwrap();
    let echo = thread::scope(|scope| {
        scope.spawn(|| {
            for piece in data.chunks(write) {
                writer.write_all(piece).unwrap();
            }
        });
        let mut echo = vec![0; total];
        stream.read_exact(&mut echo).unwrap();
        echo
    });
    assert_shouted(&data, &echo);
}

const TURNS: usize = 10;
const CONVERSATION: usize = 10;
const MESSAGE: usize = 1000;
const STREAM: usize = 40 * MESSAGE;

fn change(stream: &mut TcpStream) {
    let message = pattern(MESSAGE);
    for _ in 0..TURNS {
        for _ in 0..CONVERSATION {
            assert_shouted(&message, &exchange(stream, &message));
        }
        say(stream, STREAM, MESSAGE);
    }
}
