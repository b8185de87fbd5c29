//! `--stats`, SIGUSR1 and the summary at the end: blocks of counters in the log.

use core::time::Duration;
use std::thread;
use std::time::{Instant, SystemTime};

use nix::sys::signal::Signal;

use crate::server::{Server, V4, V6};
use crate::sockets::{ask, assert_echo, assert_shouted, bulk, connect, pattern, udp};

tests![
    the_counters_come_every_period,
    sigusr1_shows_the_counters_and_the_rates_since,
    sigusr1_comes_in_between_packets,
    the_end_is_summed_up,
];

/// The labels of a block of counters, in their order.
const LABELS: [&str; 10] = [
    "packets ",
    "connections ",
    "half-open ",
    "bytes ",
    "datagrams ",
    "dropped ",
    "packets/s ",
    "opened/s ",
    "bytes/s ",
    "datagrams/s ",
];

/// The blocks of counters in a log, the title of each with its lines.
fn blocks(log: &str) -> Vec<Vec<&str>> {
    let lines: Vec<&str> = log.lines().collect();
    let is_title = |line: &str| line.contains(" INFO ") && line.ends_with(':');
    let titles = lines.iter().enumerate().filter(|(_, line)| is_title(line)).map(|(index, _)| index);
    titles.map(|at| lines[at..lines.len().min(at + 1 + LABELS.len())].to_vec()).collect()
}

/// Waits for so many blocks of counters, and gives them.
#[track_caller]
pub(crate) fn wait_for_blocks(server: &Server, count: usize) -> Vec<Vec<String>> {
    let complete = |text: &str| {
        text.ends_with('\n')
            && blocks(text).iter().filter(|block| block.len() > LABELS.len()).count() >= count
    };
    let text = server.log().wait_until("the counters", complete);
    let owned = |block: Vec<&str>| block.into_iter().map(str::to_owned).collect();
    let blocks: Vec<Vec<String>> = blocks(&text).into_iter().map(owned).collect();
    for block in &blocks {
        assert!(block[1..].iter().zip(LABELS).all(|(line, label)| line.starts_with(label)), "{block:#?}");
    }
    blocks
}

/// A number of a block's line of connections, such as that of `3 opened`.
#[track_caller]
pub(crate) fn count(block: &[String], what: &str) -> u64 {
    let line = block.iter().find(|line| line.starts_with("connections ")).expect("a line of connections");
    let (before, _) = line.split_once(&format!(" {what}")).unwrap_or_else(|| panic!("{what} in {line}"));
    before.rsplit(' ').next().unwrap().parse().unwrap()
}

fn the_counters_come_every_period() {
    let period = Duration::from_millis(200);
    let start = Instant::now();
    let server = Server::start(&["--stats", "200ms"]);
    let blocks = wait_for_blocks(&server, 4);
    assert!(start.elapsed() >= 4 * period, "{:?}", start.elapsed());
    let times: Vec<SystemTime> = blocks.iter().map(|block| time_of(&block[0])).collect();
    // From the first to the fourth: three periods, each of them as late as the machine is busy.
    let span = times[3].duration_since(times[0]).unwrap();
    assert!(span > 2 * period, "{span:?}");
    assert!(blocks[0][0].contains(" after ") && blocks[0][0].contains(", rates over "), "{:?}", blocks[0]);
    assert_echo(&mut connect(V4));
    // The next one after that may have been under way already.
    let before = wait_for_blocks(&server, 1).len();
    let block = wait_for_blocks(&server, before + 2).remove(before + 1);
    assert_eq!(count(&block, "opened"), 1, "{block:#?}");
}

fn time_of(line: &str) -> SystemTime {
    humantime::parse_rfc3339(line.split(' ').next().unwrap()).unwrap()
}

fn sigusr1_shows_the_counters_and_the_rates_since() {
    let server = Server::start(&[]);
    let mut stream = connect(V4);
    assert_echo(&mut stream);
    assert_eq!(ask(&udp(V6), b"hello"), b"HELLO");
    server.signal(Signal::SIGUSR1);
    let first = wait_for_blocks(&server, 1).remove(0);
    for line in [
        "connections  1 live (peak 1), 1 opened, 0 closed, 0 reset, 0 timed out, 0 aborted",
        "bytes        11 in, 11 out (TCP); 5 in, 5 out (UDP)",
        "datagrams    1 in, 1 out",
    ] {
        assert!(first.iter().any(|shown| shown == line), "{line:?} is missing in {first:#?}");
    }
    assert!(!first.iter().any(|line| line == "bytes/s      0.0 in, 0.0 out"), "{first:#?}");
    server.signal(Signal::SIGUSR1);
    let second = wait_for_blocks(&server, 2).remove(1);
    assert!(
        second.contains(&"bytes        11 in, 11 out (TCP); 5 in, 5 out (UDP)".to_owned()),
        "{second:#?}"
    );
    assert!(second.contains(&"bytes/s      0.0 in, 0.0 out".to_owned()), "{second:#?}");
}

fn sigusr1_comes_in_between_packets() {
    let server = Server::start(&[]);
    let data = pattern(1 << 21);
    thread::scope(|scope| {
        let transfer = scope.spawn(|| assert_shouted(&data, &bulk(connect(V4), &data)));
        while !transfer.is_finished() {
            server.signal(Signal::SIGUSR1);
            thread::yield_now();
        }
        transfer.join().unwrap();
    });
    wait_for_blocks(&server, 1);
    assert_eq!(server.terminate().code(), Some(0));
}

fn the_end_is_summed_up() {
    let server = Server::start(&[]);
    assert_echo(&mut connect(V4));
    let log = server.log().clone();
    assert_eq!(server.terminate().code(), Some(0));
    let text = log.wait_until("the summary", |text| text.contains("datagrams/s"));
    let blocks = blocks(&text);
    let [summary] = &blocks[..] else { panic!("not one block in:\n{text}") };
    assert!(summary[0].contains(" served for "), "{summary:#?}");
    assert!(summary[2].contains(" 0 live (peak 1), 1 opened, "), "{summary:#?}");
    assert!(text.ends_with(&(summary.join("\n") + "\n")), "something follows in:\n{text}");
}
