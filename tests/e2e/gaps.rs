//! No silence of 35 ms or more on a connection is the server's doing. Where both sides wait for each other, the silence ends
//! with an acknowledgement that a Linux peer has delayed by 40 ms, so every such stall is longer than that.

use core::time::Duration;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::sys::socket::{setsockopt, sockopt};

use crate::capture::Capture;
use crate::gap_analysis::{Gap, Segment, Whose, gaps};
use crate::interference::Watch;
use crate::program::LIMIT;
use crate::server::{Server, V4};
use crate::sockets::{assert_shouted, connect, exchange, pattern, uninterrupted};

tests![
    a_server_that_is_stopped_is_found_silent,
    a_megabyte_for_a_slow_reader_has_no_silence_of_the_servers,
    a_megabyte_at_full_speed_has_no_silence_of_the_servers,
    request_and_reply_have_no_silence_of_the_servers,
    a_client_with_nagles_algorithm_has_no_silence_of_the_servers,
];

const SILENCE: Duration = Duration::from_millis(35);

fn a_server_that_is_stopped_is_found_silent() {
    let deadline = Instant::now() + LIMIT;
    // On a busy machine much of a silence counts as interference, at times all of it. Such a silence shows nothing.
    while !finds_a_stop() {
        assert!(Instant::now() < deadline, "the silences were made on purpose");
    }
}

/// Stops a server while it owes a client an echo. True if the analysis finds a silence of the server's.
fn finds_a_stop() -> bool {
    let server = Server::start(&[]);
    let (capture, watch) = (Capture::start(), Watch::start(server.id()));
    let mut stream = connect(V4);
    talk(&mut stream, &[10]);
    server.signal(Signal::SIGSTOP);
    stream.write_all(b"anyone?").unwrap();
    thread::sleep(SILENCE * 20);
    server.signal(Signal::SIGCONT);
    stream.read_exact(&mut [0; 7]).unwrap();
    let (segments, interference) = (capture.finish(), watch.finish());
    let made_it =
        |gap: &Gap| gap.whose == Whose::Servers && gap.to - gap.from >= SILENCE + interference.during(gap);
    gaps(&segments, 17, SILENCE).iter().any(made_it)
}

/// Runs `talk`, in which a client sends `total` bytes on a new connection, captures it, and checks that no silence is the
/// server's. Returns the number of the client's silences.
#[track_caller]
pub(crate) fn assert_no_silence_of_the_servers(total: usize, talk: impl FnOnce(TcpStream)) -> usize {
    let server = Server::start(&[]);
    let (capture, watch) = (Capture::start(), Watch::start(server.id()));
    talk(connect(V4));
    let (segments, interference) = (capture.finish(), watch.finish());
    assert!(segments.len() > total / 1500, "only {} segments were captured", segments.len());
    let gaps = gaps(&segments, u32::try_from(total).unwrap(), SILENCE);
    for gap in gaps.iter().filter(|gap| gap.whose == Whose::Servers) {
        let silence = (gap.to - gap.from).saturating_sub(interference.during(gap));
        let around = &segments[gap.end.saturating_sub(8)..(gap.end + 3).min(segments.len())];
        assert!(silence < SILENCE, "the server was silent for {silence:?}, within:\n{}", listed(around));
    }
    gaps.iter().filter(|gap| gap.whose == Whose::Clients).count()
}

fn listed(segments: &[Segment]) -> String {
    segments.iter().map(|segment| format!("{segment:?}\n")).collect()
}

/// Sends a megabyte and half-closes, while `read` reads.
#[track_caller]
fn say_a_megabyte(mut stream: TcpStream, read: impl FnOnce(&mut TcpStream) -> Vec<u8>) {
    let data = pattern(1 << 20);
    let mut writer = stream.try_clone().unwrap();
    let echo = thread::scope(|scope| {
        scope.spawn(|| {
            writer.write_all(&data).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        read(&mut stream)
    });
    assert_shouted(&data, &echo);
}

fn a_megabyte_for_a_slow_reader_has_no_silence_of_the_servers() {
    let silences = assert_no_silence_of_the_servers(1 << 20, |stream| {
        // A small receive window: it closes soon, so the server has to wait for the reader.
        setsockopt(&stream, sockopt::RcvBuf, &16_384).unwrap();
        say_a_megabyte(stream, |stream| {
            let mut echo = Vec::new();
            let mut chunk = [0; 4096];
            for turn in 1.. {
                let length = uninterrupted(|| stream.read(&mut chunk)).unwrap();
                if length == 0 {
                    break;
                }
                echo.extend_from_slice(&chunk[..length]);
                // A short pause after each read and a long one now and then make the reader slow.
                thread::sleep(Duration::from_millis(if turn % 64 == 0 { 100 } else { 1 }));
            }
            echo
        });
    });
    // The reader's long pauses must be found, or the capture sees no silences at all.
    assert!(silences >= 2, "only {silences} silences of the client's");
}

fn a_megabyte_at_full_speed_has_no_silence_of_the_servers() {
    assert_no_silence_of_the_servers(1 << 20, |stream| {
        say_a_megabyte(stream, |stream| {
            let mut echo = Vec::new();
            stream.read_to_end(&mut echo).unwrap();
            echo
        });
    });
}

/// Sends messages of these sizes, each when the echo of the last one is complete.
fn talk(stream: &mut TcpStream, sizes: &[usize]) {
    for size in sizes {
        let message = pattern(*size);
        assert_shouted(&message, &exchange(stream, &message));
    }
}

fn sizes() -> Vec<usize> {
    [1, 64, 511, 512, 513, 1000, 1023, 1024, 1025, 1500, 2048, 5000].repeat(25)
}

fn request_and_reply_have_no_silence_of_the_servers() {
    let sizes = sizes();
    assert_no_silence_of_the_servers(sizes.iter().sum(), |mut stream| talk(&mut stream, &sizes));
}

fn a_client_with_nagles_algorithm_has_no_silence_of_the_servers() {
    let sizes = sizes();
    assert_no_silence_of_the_servers(sizes.iter().sum(), |mut stream| {
        stream.set_nodelay(false).unwrap();
        talk(&mut stream, &sizes);
    });
}
