//! Transfers on a link that loses packets: none is reset, all are whole, and none takes much longer than with a server on
//! the kernel's sockets behind the same link.

use core::time::Duration;
use std::env;
use std::io;
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::Instant;

use crate::lossy_link::{KERNEL_V4, KERNEL_V6, LossyLink};
use crate::program::{LIMIT_WITH_LOSSES, run_for};
use crate::server::{V4, V6};
use crate::sockets::{assert_shouted, connect, pattern, try_bulk};

tests![
    at_5_percent_all_transfers_are_whole,
    at_10_percent_all_transfers_are_whole,
    at_20_percent_all_transfers_are_whole,
    the_demonstration_of_readme_comes_back_whole,
];

/// Transfers at once, half of them over IPv6.
const AT_ONCE: usize = 10;

/// For how long a transfer with the kernel's sockets may stand still; then it counts as one that took as long. At 20 percent, one in
/// a hundred stands still for minutes, as its timeouts and the probes of its closed window are backed off.
const KERNEL_LIMIT: Duration = Duration::from_secs(60);

/// `SHOUT_E2E_TRANSFER=N`: transfers of so many bytes, in place of a few.
const TRANSFER: &str = "SHOUT_E2E_TRANSFER";

/// `SHOUT_E2E_DEMONSTRATIONS=N`: so many demonstrations, in place of a few.
const DEMONSTRATIONS: &str = "SHOUT_E2E_DEMONSTRATIONS";

fn at_5_percent_all_transfers_are_whole() {
    assert_whole(5);
}

fn at_10_percent_all_transfers_are_whole() {
    assert_whole(10);
}

fn at_20_percent_all_transfers_are_whole() {
    assert_whole(20);
}

/// Transfers with both sizes of buffers, in which a few segments and many are in flight.
#[track_caller]
fn assert_whole(percent: u8) {
    for (buffer, length) in [("1024", 10_000), ("65535", 200_000)] {
        let length = env::var(TRANSFER).map_or(length, |bytes| bytes.parse().unwrap());
        let link = LossyLink::new();
        let server = link.serve(&["--buffer", buffer]);
        link.serve_with_the_kernels_sockets();
        let kernel: Vec<_> = transfers(&link, percent, [KERNEL_V4, KERNEL_V6], length, KERNEL_LIMIT)
            .into_iter()
            .map(|transfer| transfer.unwrap_or(KERNEL_LIMIT))
            .collect();
        let own: Vec<_> = transfers(&link, percent, [V4, V6], length, LIMIT_WITH_LOSSES)
            .into_iter()
            .map(Result::unwrap)
            .collect();
        let [kernel, own] = [kernel, own].map(|mut times| {
            times.sort();
            times
        });
        let [median, longest] = [AT_ONCE / 2, AT_ONCE - 1];
        println!(
            "{percent}% lost, {length} bytes, --buffer {buffer}: {:?}, at most {:?}; the kernel's sockets: {:?}, at most {:?}",
            own[median], own[longest], kernel[median], kernel[longest]
        );
        // With few segments in flight, hardly a loss shows before a timeout.
        if buffer == "65535" {
            // The median of ten varies by a second and more: that is what a few timeouts in a row cost.
            let bound = 3 * kernel[median] + Duration::from_secs(3);
            assert!(own[median] < bound, "{own:?}, and with the kernel's sockets {kernel:?}");
        }
        assert_eq!(server.terminate().code(), Some(0));
    }
}

/// How long transfers of so many bytes take that are begun at the same time, if they do not stand still for `limit`. What comes
/// has to be right.
#[track_caller]
fn transfers(
    link: &LossyLink,
    percent: u8,
    servers: [&str; 2],
    length: usize,
    limit: Duration,
) -> Vec<io::Result<Duration>> {
    let data = &pattern(length);
    // A client whose SYN was lost has no round trip to go by, and waits for seconds: no server can help it.
    let streams: Vec<_> = servers.into_iter().cycle().take(AT_ONCE).map(connect).collect();
    link.lose(percent);
    let start = Instant::now();
    let transfer = |stream: TcpStream| {
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        assert_shouted(data, &try_bulk(stream, data)?);
        Ok(start.elapsed())
    };
    let times = thread::scope(|scope| {
        let transfer = &transfer;
        let threads: Vec<_> =
            streams.into_iter().map(|stream| scope.spawn(move || transfer(stream))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    link.lose(0);
    times
}

fn the_demonstration_of_readme_comes_back_whole() {
    let count = env::var(DEMONSTRATIONS).map_or(4, |count| count.parse().unwrap());
    let lines: String = (1..=1000).map(|number| format!("{number}\n")).collect();
    let demonstrate = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shout"));
        command.args(["demo", "-q", "--drop", "20", "--", "nc", "-N", "192.168.69.1", "8080"]);
        run_for(LIMIT_WITH_LOSSES, command.env_remove("RUST_LOG"), lines.as_bytes())
    };
    let mut left = count;
    while left > 0 {
        let now = left.min(AT_ONCE);
        left -= now;
        let outputs: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..now).map(|_| scope.spawn(demonstrate)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for output in outputs {
            assert!(output.code() == Some(0) && output.stdout() == lines, "{output}");
        }
    }
}
