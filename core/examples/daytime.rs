//! RFC 867, daytime: the server says what time it is, and finishes. `cargo run -p shout-core --example daytime`
//!
//! The server's own time counts from its start and says nothing about the time of day. So the handler has a clock.

use core::fmt::Write;
use core::net::SocketAddr;
use std::time::SystemTime;

use shout_core::{Handler, Next, Reply, Stream};

mod client;

/// Tells the time of this clock.
struct Daytime<C>(C);

impl<C: FnMut() -> SystemTime> Daytime<C> {
    /// The time now, on a line of 22 bytes.
    fn line(&mut self) -> Reply {
        let mut line = Reply::new();
        // Cannot fail: there is room for 1024 bytes.
        let _ = write!(line, "{}\r\n", humantime::format_rfc3339_seconds((self.0)()));
        line
    }
}

impl<C: FnMut() -> SystemTime> Handler for Daytime<C> {
    type State = ();

    fn open(&mut self, _peer: SocketAddr) -> Option<()> {
        Some(())
    }

    fn stream(&mut self, (): &mut (), stream: &mut Stream<'_, '_>) -> Next {
        // Takes all of it: nothing has been written before, and the smallest buffer has 64 bytes.
        let _ = stream.write(&self.line());
        Next::Finish
    }

    /// On the open internet, leave this out: a reply that is longer than its request makes an amplifier.
    fn datagram(&mut self, _peer: SocketAddr, _request: &[u8], reply: &mut Reply) -> bool {
        *reply = self.line();
        true
    }
}

fn main() {
    client::converse(Daytime(SystemTime::now), |client| {
        let time = client.hear_all();
        client.finish();
        assert_eq!(time.len(), "2026-12-01T12:34:56Z\r\n".len());
    });
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn clock() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)
    }

    const TIME: &str = "2001-09-09T01:46:40Z\r\n";

    #[test]
    fn it_tells_the_time_and_finishes() {
        main();
        client::converse(Daytime(clock), |client| assert_eq!(client.hear_all(), TIME));
    }

    #[test]
    fn it_tells_the_time_to_a_datagram() {
        let mut reply = Reply::new();
        assert!(Daytime(clock).datagram("192.168.69.2:40000".parse().unwrap(), b"", &mut reply));
        assert_eq!(reply, TIME.as_bytes());
    }
}
