//! The application on top of a client's TCP: how it writes, reads and closes. It checks that the echo is right.

use fastrand::Rng;
use smoltcp::time::{Duration, Instant};

use crate::content::Content;
use crate::transport::{Status, Transport};

/// An app without progress for this long gives up. It is longer than any deadline of the server's.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(150);

/// How an app behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behaviour {
    /// When it connects.
    pub begin: Instant,
    /// What it sends.
    pub content: Content,
    /// How many bytes of it.
    pub bytes: u32,
    /// How it writes.
    pub writes: Pace,
    /// How it reads.
    pub reads: Pace,
    /// How it ends the connection.
    pub ending: Ending,
}

/// The sizes of reads or writes, and the pauses between them, both drawn up to a maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The largest size; at least 1.
    pub bytes: usize,
    /// The longest pause.
    pub pause: Duration,
    /// The number of pauses; after them there are none.
    pub pauses: u32,
}

impl Pace {
    /// As much as possible, without a pause.
    pub const FAST: Pace = Pace { bytes: 65536, pause: Duration::ZERO, pauses: 0 };
}

/// How an app ends its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Closes when everything is written, and reads to the end.
    HalfClose,
    /// The same, this long after the beginning at the earliest.
    HalfCloseLater(Duration),
    /// Closes when the whole echo has come.
    AfterEcho,
    /// Resets the connection this long after the beginning.
    Abort(Duration),
    /// Stops sending anything, this long after the beginning.
    Vanish(Duration),
}

/// How an app's connection ended, as the app sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The whole echo came, and both ends closed.
    Served,
    /// The server closed before the whole echo had come.
    CutShort,
    /// It was reset, or made no progress.
    Broken,
    /// It was never established.
    Unserved,
    /// The app reset it.
    Aborted,
    /// The app vanished.
    Vanished,
}

/// An app and its connection.
pub struct App<'a> {
    /// How it behaves.
    pub behaviour: Behaviour,
    /// How the connection ended, once it has.
    pub outcome: Option<Outcome>,
    /// Bytes written.
    pub written: u32,
    /// Bytes of the echo that have come.
    pub echoed: u32,
    transport: Box<dyn Transport + 'a>,
    random: Rng,
    next_write: Instant,
    next_read: Instant,
    closed: bool,
    /// When there was progress last.
    moved: Instant,
    /// Since when it waits for the server, if it does.
    waits_since: Option<Instant>,
}

impl<'a> App<'a> {
    /// An app that has not begun.
    pub fn new(behaviour: Behaviour, transport: Box<dyn Transport + 'a>, random: Rng) -> App<'a> {
        App {
            behaviour,
            outcome: None,
            written: 0,
            echoed: 0,
            transport,
            random,
            next_write: behaviour.begin,
            next_read: behaviour.begin,
            closed: false,
            moved: behaviour.begin,
            waits_since: None,
        }
    }

    /// True if the server's FIN has arrived.
    pub fn server_finished(&self) -> bool {
        self.transport.server_finished()
    }

    /// True if it is connected, as far as it knows.
    pub fn is_connected(&self) -> bool {
        self.outcome.is_none() && self.transport.status() == Status::Open
    }

    /// A packet has arrived, or a frame.
    pub fn receive(&mut self, now: Instant, packet: &[u8]) {
        if now >= self.behaviour.begin && self.outcome != Some(Outcome::Vanished) {
            self.transport.receive(now, packet);
        }
    }

    /// Does what is due, and adds the packets to be sent to `out`.
    pub fn act(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        if now < self.behaviour.begin {
            return;
        }
        if self.outcome.is_none() {
            self.outcome = self.proceed(now);
        }
        if self.outcome != Some(Outcome::Vanished) {
            self.transport.transmit(now, out);
        }
        if self.is_owed(now) {
            self.waits_since.get_or_insert(now);
        } else {
            self.waits_since = None;
        }
    }

    fn is_owed(&self, now: Instant) -> bool {
        let connecting = self.transport.status() == Status::Connecting;
        let owed = connecting || self.echoed < self.written || self.closed;
        self.outcome.is_none() && now >= self.next_read && owed
    }

    /// Since when the server has owed it something: its SYN|ACK, bytes of the echo that it would read at once, or its FIN.
    /// Whatever comes, and whatever the client itself was late with, begins it anew.
    pub fn waits_since(&self, now: Instant) -> Option<Instant> {
        let held = self.moved.max(self.next_read).max(self.transport.held_until(now));
        self.waits_since.map(|since| since.max(held))
    }

    /// When bytes came from the server last.
    pub fn heard_at(&self) -> Instant {
        self.transport.heard_at().max(self.behaviour.begin)
    }

    /// When `act` has something to do.
    pub fn deadline(&mut self, now: Instant) -> Option<Instant> {
        if now < self.behaviour.begin {
            return Some(self.behaviour.begin);
        }
        if self.outcome == Some(Outcome::Vanished) {
            return None;
        }
        let transport = self.transport.deadline(now);
        if self.outcome.is_some() {
            return transport;
        }
        let end = match self.behaviour.ending {
            Ending::Abort(after) | Ending::Vanish(after) => Some(self.behaviour.begin + after),
            Ending::HalfCloseLater(after) => Some(self.behaviour.begin + after).filter(|&at| at > now),
            Ending::HalfClose | Ending::AfterEcho => None,
        };
        let later = |at: Instant| (at > now).then_some(at);
        let own = [end, later(self.next_write), later(self.next_read), Some(self.gives_up())];
        own.into_iter().chain([transport]).flatten().min()
    }

    fn gives_up(&self) -> Instant {
        self.moved.max(self.next_write).max(self.next_read) + GIVE_UP_AFTER
    }

    fn proceed(&mut self, now: Instant) -> Option<Outcome> {
        match self.behaviour.ending {
            Ending::Abort(after) if now >= self.behaviour.begin + after => {
                self.transport.abort();
                return Some(Outcome::Aborted);
            }
            Ending::Vanish(after) if now >= self.behaviour.begin + after => return Some(Outcome::Vanished),
            _ => {}
        }
        let connecting = self.transport.status() == Status::Connecting;
        if now >= self.gives_up() {
            self.transport.abort();
            return Some(if connecting { Outcome::Unserved } else { Outcome::Broken });
        }
        match self.transport.status() {
            Status::Connecting => return None,
            // Reset before anything was written: the connection was refused.
            Status::Reset if self.written == 0 => return Some(Outcome::Unserved),
            Status::Reset => return Some(Outcome::Broken),
            Status::Open | Status::Finished => {}
        }
        self.write(now);
        let drained = self.read(now);
        let complete = self.echoed == self.behaviour.bytes;
        let close = match self.behaviour.ending {
            Ending::HalfClose => self.written == self.behaviour.bytes,
            Ending::HalfCloseLater(after) => {
                self.written == self.behaviour.bytes && now >= self.behaviour.begin + after
            }
            Ending::AfterEcho | Ending::Abort(_) | Ending::Vanish(_) => complete,
        };
        if close && !self.closed {
            self.closed = true;
            self.moved = now;
            self.transport.close();
        }
        if drained && self.transport.server_finished() {
            if !complete || !self.closed {
                self.transport.close();
                return Some(Outcome::CutShort);
            }
            if self.transport.status() == Status::Finished {
                return Some(Outcome::Served);
            }
        }
        None
    }

    fn write(&mut self, now: Instant) {
        while now >= self.next_write && self.written < self.behaviour.bytes {
            let left = (self.behaviour.bytes - self.written) as usize;
            let most = self.random.usize(1..=self.behaviour.writes.bytes).min(left);
            let most = most.min(self.transport.room());
            if most == 0 {
                return;
            }
            let taken = self.transport.write(&self.behaviour.content.part(self.written, most));
            self.written += u32::try_from(taken).expect("no more than was given");
            self.moved = now;
            self.next_write = now + pause(&mut self.random, &mut self.behaviour.writes);
        }
    }

    /// Returns true if everything that has come is read.
    fn read(&mut self, now: Instant) -> bool {
        let mut buffer = [0; 1024];
        while now >= self.next_read {
            let most = self.random.usize(1..=self.behaviour.reads.bytes.min(buffer.len()));
            let given = self.transport.read(&mut buffer[..most]);
            if given == 0 {
                return true;
            }
            self.behaviour.content.assert_echo(self.echoed, &buffer[..given]);
            self.echoed += u32::try_from(given).expect("no more than was asked for");
            assert!(self.echoed <= self.written, "more came back than was sent");
            self.moved = now;
            self.next_read = now + pause(&mut self.random, &mut self.behaviour.reads);
        }
        false
    }
}

/// The next pause: none if all have been taken.
fn pause(random: &mut Rng, pace: &mut Pace) -> Duration {
    if pace.pauses == 0 {
        return Duration::ZERO;
    }
    pace.pauses -= 1;
    Duration::from_micros(random.u64(0..=pace.pause.total_micros()))
}
