//! Segments that a server sends twice although nothing is lost, to clients that delay their acknowledgements.
//!
//! A server that retransmits after less than its clients' delay sends everything twice.

use core::fmt;
use core::time::Duration;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;
use std::{fs, thread};

use super::link::Link;
use crate::load::Target;

pub(crate) const NAME: &str = "loss-duplicates";
/// How long the clients delay an acknowledgement. Linux delays it for 40 to 200 ms (RFC 9293 allows 500).
const DELAYS: [Duration; 3] =
    [Duration::from_millis(40), Duration::from_millis(100), Duration::from_millis(200)];
/// Clients with each of these delays.
const CLIENTS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(5);

/// What the clients received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Duplicates {
    /// Replies, each in one segment.
    pub(crate) replies: usize,
    /// Segments that the clients had received before.
    pub(crate) again: u64,
}

impl fmt::Display for Duplicates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} segments came again, of {} replies", self.again, self.replies)
    }
}

/// Runs clients for so long and counts the segments that they receive again.
///
/// # Errors
///
/// A sentence that says what the server did wrong.
pub(crate) fn count(target: Target, link: &Link, time: Duration) -> Result<Duplicates, String> {
    let connect = |delay: Duration| {
        let stream = TcpStream::connect_timeout(&target.address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok((delay, stream))
    };
    let clients = DELAYS.into_iter().flat_map(|delay| [delay; CLIENTS]).map(connect);
    let clients: Vec<_> = clients.collect::<std::io::Result<_>>().map_err(|error| error.to_string())?;
    link.lose_bare_acknowledgements()?;
    let before = segments_received_again()?;
    let end = Instant::now() + time;
    let replies: std::io::Result<usize> = thread::scope(|scope| {
        let talk = |(delay, stream): (Duration, TcpStream)| talk(delay, stream, end);
        let threads: Vec<_> = clients.into_iter().map(|client| scope.spawn(move || talk(client))).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).sum()
    });
    let again = segments_received_again()?.saturating_sub(before);
    link.lose(0)?;
    Ok(Duplicates { replies: replies.map_err(|error| error.to_string())?, again })
}

/// A request, its reply, and then nothing for as long as the reply's acknowledgement is delayed. It comes with the next
/// request.
fn talk(delay: Duration, mut stream: TcpStream, end: Instant) -> std::io::Result<usize> {
    let mut replies = 0;
    while Instant::now() < end {
        stream.write_all(&[b'a'; 64])?;
        stream.read_exact(&mut [0; 64])?;
        replies += 1;
        thread::sleep(delay);
    }
    Ok(replies)
}

/// The kernel's counter of segments that had been received before, in the clients' namespace.
fn segments_received_again() -> Result<u64, String> {
    let path = "/proc/thread-self/net/netstat";
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    counter(&text, "DelayedACKLost").ok_or_else(|| format!("{path} has no counter DelayedACKLost"))
}

/// A counter of `TcpExt`: one line has the names and the next one the values.
pub(crate) fn counter(netstat: &str, name: &str) -> Option<u64> {
    let mut lines = netstat.lines().filter(|line| line.starts_with("TcpExt:")).map(str::split_whitespace);
    let (names, mut values) = (lines.next()?, lines.next()?);
    values.nth(names.into_iter().position(|other| other == name)?)?.parse().ok()
}
