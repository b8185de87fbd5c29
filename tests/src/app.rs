//! Whoever uses a client's TCP: writes and reads in a manner of his own, and checks what comes back.

use fastrand::Rng;
use smoltcp::time::{Duration, Instant};

use crate::content::Content;
use crate::transport::{Status, Transport};

/// How long a app waits for something to happen before he gives up: longer than the server does.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(150);

/// How a app behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behaviour {
    /// When he connects.
    pub begin: Instant,
    /// What he sends.
    pub content: Content,
    /// How much of it.
    pub bytes: u32,
    /// How he writes.
    pub writes: Pace,
    /// How he reads.
    pub reads: Pace,
    /// How it ends.
    pub ending: Ending,
}

/// How many bytes at once, and how long until the next ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The most at once; 1 at least.
    pub bytes: usize,
    /// The longest pause.
    pub pause: Duration,
    /// How many pauses there are.
    pub pauses: u32,
}

impl Pace {
    /// All that there is, at once.
    pub const FAST: Pace = Pace { bytes: 65536, pause: Duration::ZERO, pauses: 0 };
}

/// How a app ends his connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Closes as soon as everything is written, and reads to the end.
    HalfClose,
    /// Closes when everything has come back.
    AfterEcho,
    /// Resets the connection so long after it began.
    Abort(Duration),
    /// Is never heard of again so long after it began.
    Vanish(Duration),
}

/// What became of a app's connection, as he sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Everything came back, and both ends closed.
    Served,
    /// The server closed before everything had come back.
    CutShort,
    /// It was reset, or nothing happened any more.
    Broken,
    /// It never came about.
    Unserved,
    /// He reset it.
    Aborted,
    /// He went away without a word.
    Vanished,
}

/// A app and his connection.
pub struct App<'a> {
    /// How he behaves.
    pub behaviour: Behaviour,
    /// What became of him, if it is known yet.
    pub outcome: Option<Outcome>,
    /// Bytes written.
    pub written: u32,
    /// Bytes that came back.
    pub echoed: u32,
    transport: Box<dyn Transport + 'a>,
    random: Rng,
    next_write: Instant,
    next_read: Instant,
    closed: bool,
    /// When something last happened.
    moved: Instant,
}

impl<'a> App<'a> {
    /// A app who has not begun.
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
        }
    }

    /// True if the server's FIN has reached him.
    pub fn server_finished(&self) -> bool {
        self.transport.server_finished()
    }

    /// True if he is connected, as far as he knows.
    pub fn is_connected(&self) -> bool {
        self.outcome.is_none() && self.transport.status() == Status::Open
    }

    /// A packet has arrived, or a frame.
    pub fn receive(&mut self, now: Instant, packet: &[u8]) {
        if now >= self.behaviour.begin && self.outcome != Some(Outcome::Vanished) {
            self.transport.receive(now, packet);
        }
    }

    /// Does what is due, and gives what is to be sent.
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
    }

    /// When he has something to do.
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
            // Whoever is refused has nothing from the server at all.
            Status::Reset if self.written == 0 => return Some(Outcome::Unserved),
            Status::Reset => return Some(Outcome::Broken),
            Status::Open | Status::Finished => {}
        }
        self.write(now);
        let drained = self.read(now);
        let complete = self.echoed == self.behaviour.bytes;
        let close = match self.behaviour.ending {
            Ending::HalfClose => self.written == self.behaviour.bytes,
            Ending::AfterEcho | Ending::Abort(_) | Ending::Vanish(_) => complete,
        };
        if close && !self.closed {
            self.closed = true;
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

    /// True if everything that has come is read.
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

/// Takes one of the pauses, if there are any left.
fn pause(random: &mut Rng, pace: &mut Pace) -> Duration {
    if pace.pauses == 0 {
        return Duration::ZERO;
    }
    pace.pauses -= 1;
    Duration::from_micros(random.u64(0..=pace.pause.total_micros()))
}
