//! Pauses in which a client waits for the server, and nothing explains why.

use std::collections::HashMap;

use smoltcp::time::{Duration, Instant};

use crate::host::{Client, Host};

/// The longest pause of a conversation in which nothing is lost: the server's first retransmission timeout is a second, as
/// is the longest wait for a window that is opened further (RFC 9293, section 3.8.6.2.1), and the client may delay its
/// acknowledgement for 200 ms.
pub const LONGEST: Duration = Duration::from_millis(1200);

/// Looks at all clients, and takes note of pauses.
#[derive(Debug, Default)]
pub struct Pauses {
    /// Those that nothing explains, each once.
    pub found: Vec<Pause>,
    /// By the index of the client's host.
    silences: HashMap<usize, Silence>,
}

/// A client waited for the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// The index of the client's host.
    pub client: usize,
    /// Since then.
    pub since: Instant,
    /// At least until then.
    pub until: Instant,
}

/// What is known of a client.
#[derive(Debug, Clone, Copy)]
struct Silence {
    /// When bytes came last.
    heard: Instant,
    /// When something was lost since then.
    lost: Option<Instant>,
    /// The longest time that no bytes came, so far, in which something was lost.
    longest: Duration,
}

impl Pauses {
    /// Looks at the clients before what happens `now`; `last_loss`: when the link lost or damaged a packet last.
    pub fn look(&mut self, now: Instant, last_loss: Option<Instant>, hosts: &[Host<'_>]) {
        for (client, host) in hosts.iter().enumerate() {
            let Client::Tcp(app) = &host.client else { continue };
            let heard = app.heard_at();
            let new = Silence { heard, lost: None, longest: Duration::ZERO };
            let silence = self.silences.entry(client).or_insert(new);
            if heard > silence.heard {
                let over = silence.lost.map_or(Duration::ZERO, |_| heard - silence.heard);
                *silence = Silence { longest: silence.longest.max(over), ..new };
            }
            silence.lost = last_loss.filter(|&lost| lost >= heard);
            let Some(since) = app.waits_since(now) else { continue };
            if now > silence.explained_until(since) {
                let known =
                    self.found.iter_mut().find(|pause| (pause.client, pause.since) == (client, since));
                match known {
                    Some(pause) => pause.until = now,
                    None => self.found.push(Pause { client, since, until: now }),
                }
            }
        }
    }
}

impl Silence {
    /// What is lost comes again after a timeout, which is doubled each time, and so are the probes of a closed window, which find
    /// out about a window update that was lost: after a loss, the next attempt is as far away as all that came before, and the
    /// first timeout. That is up to four times a round trip (RFC 6298, section 2: the first one
    /// counts three times, and shorter ones after it for more at first), and a round trip whose acknowledgement was lost takes
    /// as long as it is silent then.
    fn explained_until(&self, since: Instant) -> Instant {
        let again = self.lost.map_or(since, |lost| lost + (lost - self.heard) * 2);
        since.max(again) + LONGEST + self.longest * 3
    }
}
