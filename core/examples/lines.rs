//! A line-based conversation: each line comes back reversed. `cargo run -p shout-core --example lines`
//!
//! A line may come in pieces, and several at once, so what has come of one is kept in the connection's state. A line that is
//! longer than that ends the connection.

use core::net::SocketAddr;

use heapless::Vec;
use shout_core::{Handler, Next, Stream};

mod client;

/// The longest line, without its newline.
const LONGEST: usize = 60;

const TOO_LONG: &[u8] = b"That line is too long.\n";

struct Lines;

impl Handler for Lines {
    /// What has come of a line.
    type State = Vec<u8, LONGEST>;

    fn open(&mut self, _peer: SocketAddr) -> Option<Self::State> {
        Some(Vec::new())
    }

    fn stream(&mut self, line: &mut Self::State, stream: &mut Stream<'_, '_>) -> Next {
        // Nothing is read before there is room for its reply: the turn comes again when there is.
        while stream.room() > LONGEST {
            let piece = stream.read(|bytes| {
                let newline = bytes.iter().position(|&byte| byte == b'\n');
                let fits = line.extend_from_slice(&bytes[..newline.unwrap_or(bytes.len())]).is_ok();
                (newline.map_or(bytes.len(), |length| length + 1), (fits, newline.is_some()))
            });
            match piece {
                None => return Next::Continue,
                Some((false, _)) => {
                    let _ = stream.write(TOO_LONG); // there is room
                    return Next::Finish;
                }
                Some((true, false)) => {}
                Some((true, true)) => {
                    line.reverse();
                    let _ = stream.write(line) + stream.write(b"\n"); // there is room
                    line.clear();
                }
            }
        }
        Next::Continue
    }
}

fn main() {
    client::converse(Lines, |client| {
        client.say("stressed\nis the reverse of ");
        client.hear();
        client.say("desserts\n");
        client.hear();
        client.say(&"longer and ".repeat(6));
        client.hear_all();
        client.finish();
    });
}

#[cfg(test)]
mod tests {
    use shout_core::smoltcp::time::Duration;

    use super::*;

    fn replies(lines: &str) -> String {
        let mut replies = String::new();
        client::converse(Lines, |client| {
            client.say(lines);
            client.finish();
            replies = client.hear_all();
        });
        replies
    }

    #[test]
    fn it_reverses_lines_until_one_is_too_long() {
        main();
        assert_eq!(replies("one\n\ntwo\nthree"), "eno\n\nowt\n");
        assert_eq!(replies(&format!("one\n{}\ntwo\n", "x".repeat(61))), "eno\nThat line is too long.\n");
        let longest = "x".repeat(60) + "\n";
        assert_eq!(replies(&longest), longest);
    }

    #[test]
    fn a_line_may_come_in_pieces() {
        client::converse(Lines, |client| {
            for piece in ["o", "n", "e"] {
                client.say(piece);
                client.wait(Duration::from_millis(20));
            }
            client.say("\n");
            assert_eq!(client.hear().as_deref(), Some("eno\n"));
        });
    }

    #[test]
    fn lines_wait_for_a_client_that_does_not_read() {
        let lines: Vec<String, 250> = (0..250).map(|number| format!("line {number:05}\n")).collect();
        let reversed =
            lines.iter().map(|line| line.trim_end().chars().rev().chain(['\n']).collect::<String>());
        client::converse(Lines, |client| {
            // More than the server holds in both directions, and the client's buffer.
            client.say(&lines.concat());
            client.wait(Duration::from_secs(30));
            client.finish();
            assert_eq!(client.hear_all(), reversed.collect::<String>());
        });
    }
}
