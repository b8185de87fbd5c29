//! RFC 865, quote of the day: the server speaks first, and finishes. `cargo run -p shout-core --example quote_of_the_day`

use core::net::SocketAddr;

use shout_core::{Handler, Next, Reply, Stream};

mod client;

/// Each connection, and each datagram, gets the next quote.
struct Quotes {
    quotes: &'static [&'static str],
    next: usize,
}

impl Quotes {
    fn next(&mut self) -> &'static [u8] {
        let quote = self.quotes[self.next];
        self.next = (self.next + 1) % self.quotes.len();
        quote.as_bytes()
    }
}

impl Handler for Quotes {
    /// What has not been written yet.
    type State = &'static [u8];

    fn open(&mut self, _peer: SocketAddr) -> Option<&'static [u8]> {
        Some(self.next())
    }

    fn stream(&mut self, left: &mut &'static [u8], stream: &mut Stream<'_, '_>) -> Next {
        *left = &left[stream.write(left)..];
        if left.is_empty() { Next::Finish } else { Next::More }
    }

    /// On the open internet, leave this out: a reply that is longer than its request makes an amplifier.
    fn datagram(&mut self, _peer: SocketAddr, _request: &[u8], reply: &mut Reply) -> bool {
        reply.extend_from_slice(self.next()).is_ok()
    }
}

/// From RFC 761, section 2.10, and RFC 1958, section 3.5.
const QUOTES: &[&str] = &[
    "Be conservative in what you do, be liberal in what you accept from others.\r\n",
    "Keep it simple. When in doubt during design, choose the simplest solution.\r\n",
];

fn main() {
    client::converse(Quotes { quotes: QUOTES, next: 0 }, |client| {
        let quote = client.hear_all();
        client.finish();
        assert_eq!(quote, QUOTES[0]);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_a_quote_and_finishes() {
        main();
    }

    #[test]
    fn a_quote_that_is_longer_than_the_buffer_is_said_whole() {
        let long: &'static str = "again and again, ".repeat(1000).leak();
        client::converse(Quotes { quotes: vec![long].leak(), next: 0 }, |client| {
            assert_eq!(client.hear_all(), long);
        });
    }

    #[test]
    fn each_gets_the_next_quote() {
        let mut quotes = Quotes { quotes: QUOTES, next: 0 };
        let peer = "192.168.69.2:40000".parse().unwrap();
        assert_eq!(quotes.open(peer), Some(QUOTES[0].as_bytes()));
        let mut reply = Reply::new();
        assert!(quotes.datagram(peer, b"", &mut reply));
        assert_eq!(reply, QUOTES[1].as_bytes());
        assert_eq!(quotes.open(peer), Some(QUOTES[0].as_bytes()));
    }
}
