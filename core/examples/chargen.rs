//! RFC 864, character generator: the server says more than it hears, for ever. `cargo run -p shout-core --example chargen`
//!
//! The handler writes whenever there is room. There is room as the client reads; one that does not read gets no more.

use core::array;
use core::net::SocketAddr;

use shout_core::{Handler, Next, Stream};

mod client;

/// The printable characters of ASCII, in their order.
const RING: &[u8; 95] =
    b" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";

/// A line is 72 characters, CR and LF.
const LINE: usize = 74;

/// The line with this number: each line begins one character further round the ring.
fn line(number: usize) -> [u8; LINE] {
    array::from_fn(|column| match column {
        72 => b'\r',
        73 => b'\n',
        _ => RING[(number + column) % RING.len()],
    })
}

struct Chargen;

impl Handler for Chargen {
    /// Bytes written, modulo the length of all lines.
    type State = usize;

    fn open(&mut self, _peer: SocketAddr) -> Option<usize> {
        Some(0)
    }

    fn stream(&mut self, written: &mut usize, stream: &mut Stream<'_, '_>) -> Next {
        while stream.read(|bytes| (bytes.len(), ())).is_some() {} // what is heard is thrown away
        while stream.room() > 0 {
            let (number, column) = (*written / LINE, *written % LINE);
            *written = (*written + stream.write(&line(number)[column..])) % (LINE * RING.len());
        }
        Next::More
    }
}

fn main() {
    client::converse(Chargen, |client| {
        client.say("What is said to it makes no difference.\r\n");
        client.hear();
        client.hear();
        client.reset();
    });
}

#[cfg(test)]
mod tests {
    use shout_core::smoltcp::time::Duration;

    use super::*;

    /// The first `length` bytes that it says.
    fn beginning(length: usize) -> String {
        let all: Vec<u8> = (0..95).cycle().flat_map(line).take(length).collect();
        String::from_utf8(all).unwrap()
    }

    fn hear<H: Handler>(client: &mut client::Client<'_, H>, length: usize) -> String {
        let mut heard = String::new();
        while heard.len() < length {
            heard += &client.hear().unwrap();
        }
        heard
    }

    #[test]
    fn it_shows_the_lines_of_the_rfc() {
        main();
        let first = beginning(2 * LINE);
        assert!(first.starts_with(
            " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg\r\n!\"#"
        ));
        assert!(first.ends_with("abcdefgh\r\n"));
    }

    #[test]
    fn it_goes_on_for_ever() {
        client::converse(Chargen, |client| {
            let heard = hear(client, 200_000);
            assert_eq!(heard, beginning(heard.len()));
        });
    }

    #[test]
    fn a_client_that_does_not_read_gets_no_more_and_misses_nothing() {
        client::converse(Chargen, |client| {
            client.wait(Duration::from_secs(50));
            let heard = hear(client, 10_000);
            assert_eq!(heard, beginning(heard.len()));
        });
    }

    #[test]
    fn a_client_that_has_finished_still_hears() {
        client::converse(Chargen, |client| {
            client.finish();
            let heard = hear(client, 10_000);
            assert_eq!(heard, beginning(heard.len()));
        });
    }
}
