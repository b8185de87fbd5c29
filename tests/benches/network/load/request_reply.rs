//! Conversations: a message, its echo, then the next message.

use core::time::Duration;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::Instant;

use nix::libc;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{setsockopt, sockopt};

use super::content::{Content, LONGEST};
use super::sockets::{self, PATIENCE};
use super::window::{Sample, Timing, Window};
use super::{Target, Transport};

/// A message that has waited so long for its echo has lost a packet: Linux retransmits after 200 ms at the earliest.
const STALL: Duration = Duration::from_millis(150);

/// So many conversations are begun before the first echoes are received. A thousand packets at once are more than a device
/// queues, and what it drops is retransmitted after 200 ms only.
const AT_ONCE: usize = 16;

/// A number of conversations at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestReply {
    pub(crate) transport: Transport,
    /// Bytes in a message.
    pub(crate) size: usize,
    pub(crate) conversations: usize,
    /// Further connections, which stay idle.
    pub(crate) idle: usize,
    /// Whether the client polls for echoes all the time instead of sleeping until there is one.
    pub(crate) awake: bool,
}

/// What becomes of the messages whose echoes are still missing at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tail {
    /// Their echoes are awaited and checked.
    Awaited,
    /// The time that they have waited counts as their latency if it is long. Without this, the longest waits of all, those
    /// that outlast the window, would not show.
    CountedAsItIs,
}

struct Conversation {
    socket: OwnedFd,
    /// The position in the content of the message that is being echoed, how much of it has been, and when it was sent.
    position: usize,
    echoed: usize,
    said_at: Instant,
}

impl RequestReply {
    pub(crate) fn run(&self, target: Target, content: &Content, timing: Timing) -> Result<Sample, String> {
        let idle: Vec<TcpStream> =
            (0..self.idle).map(|_| sockets::connect(target.address)).collect::<Result<_, _>>()?;
        let mut conversations: Vec<Conversation> =
            (0..self.conversations).map(|number| self.open(number, target)).collect::<Result<_, _>>()?;
        let sample = self.converse(&mut conversations, target, content, (timing, Tail::Awaited))?;
        if self.transport == Transport::Tcp {
            let streams = conversations.into_iter().map(|conversation| conversation.socket.into());
            sockets::close(streams.chain(idle))?;
        }
        Ok(sample)
    }

    /// The same where packets are lost between the conversations' beginning and their end, which `lose` begins and ends.
    pub(crate) fn run_on_a_lossy_link(
        &self,
        target: Target,
        content: &Content,
        timing: Timing,
        lose: impl Fn(bool) -> Result<(), String>,
    ) -> Result<Sample, String> {
        let mut conversations: Vec<Conversation> =
            (0..self.conversations).map(|number| self.open(number, target)).collect::<Result<_, _>>()?;
        lose(true)?;
        let sample = self.converse(&mut conversations, target, content, (timing, Tail::CountedAsItIs));
        lose(false)?;
        // They end with RST: an echo may still wait for a retransmission a long time away.
        for conversation in &conversations {
            let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
            setsockopt(&conversation.socket, sockopt::Linger, &at_once).map_err(|error| error.to_string())?;
        }
        sample
    }

    fn open(&self, number: usize, target: Target) -> Result<Conversation, String> {
        let socket = match self.transport {
            Transport::Tcp => sockets::connect(target.address)?.into(),
            Transport::Udp => sockets::udp(target.address)?.into(),
        };
        Ok(Conversation { socket, position: number * 7919, echoed: 0, said_at: Instant::now() })
    }

    fn converse(
        &self,
        conversations: &mut [Conversation],
        target: Target,
        content: &Content,
        (timing, tail): (Timing, Tail),
    ) -> Result<Sample, String> {
        let sockets = conversations.iter().map(|conversation| &conversation.socket);
        let epoll = sockets::await_all(sockets, EpollFlags::EPOLLIN)?;
        let mut talk =
            Talk { load: self, content, epoll, events: [EpollEvent::empty(); 256], buffer: vec![0; LONGEST] };
        for started in (0..conversations.len()).step_by(AT_ONCE) {
            let end = conversations.len().min(started + AT_ONCE);
            for conversation in &mut conversations[started..end] {
                conversation.say(self, content)?;
            }
            talk.go_on(conversations, EpollTimeout::ZERO, |_, _| Ok(()))?;
        }
        let mut window = Window::new(timing, target.process);
        let mut now = Instant::now();
        while !window.is_over(now) {
            let wait = if self.awake { EpollTimeout::ZERO } else { milliseconds(PATIENCE) };
            let heard = talk.go_on(conversations, wait, |heard_at, latency| {
                now = heard_at;
                window.note(now, 1.0, Some(latency))
            })?;
            if !heard && now.elapsed() > PATIENCE {
                return Err(format!("no conversation got an echo within {PATIENCE:?}"));
            }
        }
        let waited =
            conversations.iter().map(|conversation| now.saturating_duration_since(conversation.said_at));
        let stalls: Vec<Duration> = waited.filter(|&waited| waited > STALL).collect();
        if tail == Tail::CountedAsItIs {
            for &waited in &stalls {
                window.note(now, 0.0, Some(waited))?;
            }
        }
        let sample = window.close(now, stalls.len())?;
        if self.transport == Transport::Tcp && tail == Tail::Awaited {
            talk.finish(conversations)?;
        }
        Ok(sample)
    }
}

/// What the conversations share.
struct Talk<'t> {
    load: &'t RequestReply,
    content: &'t Content,
    epoll: Epoll,
    events: [EpollEvent; 256],
    buffer: Vec<u8>,
}

impl Talk<'_> {
    /// Receives, calls `note` with the time and the latency of each echo that is complete, and sends the next message.
    /// True if anything was received.
    fn go_on(
        &mut self,
        conversations: &mut [Conversation],
        wait: EpollTimeout,
        mut note: impl FnMut(Instant, Duration) -> Result<(), String>,
    ) -> Result<bool, String> {
        let ready = self.epoll.wait(&mut self.events, wait).map_err(|error| format!("epoll: {error}"))?;
        for event in &self.events[..ready] {
            let conversation = &mut conversations[sockets::place(event)];
            if conversation.hear(self.load, self.content, &mut self.buffer)? {
                let latency = conversation.said_at.elapsed();
                note(conversation.said_at + latency, latency)?;
                conversation.say(self.load, self.content)?;
            }
        }
        Ok(ready > 0)
    }

    /// Receives the echoes that are still on their way.
    fn finish(&mut self, conversations: &mut [Conversation]) -> Result<(), String> {
        for conversation in conversations {
            let epoll = sockets::await_all([&conversation.socket], EpollFlags::EPOLLIN)?;
            while !conversation.hear(self.load, self.content, &mut self.buffer)? {
                let mut events = [EpollEvent::empty()];
                if epoll.wait(&mut events, milliseconds(PATIENCE)).map_err(|error| error.to_string())? == 0 {
                    return Err(format!("an echo was still missing after {PATIENCE:?}"));
                }
            }
        }
        Ok(())
    }
}

impl Conversation {
    /// Sends the next message.
    fn say(&mut self, load: &RequestReply, content: &Content) -> Result<(), String> {
        self.said_at = Instant::now();
        sockets::send(&self.socket, content, self.position, load.size)
    }

    /// Receives and checks. True if the echo is complete.
    fn hear(&mut self, load: &RequestReply, content: &Content, buffer: &mut [u8]) -> Result<bool, String> {
        let Some(echo) = sockets::receive(&self.socket, buffer)? else { return Ok(false) };
        if echo.is_empty() {
            return Err("the server closed a connection".to_owned());
        }
        content.check(self.position + self.echoed, echo).map_err(|corruption| corruption.to_string())?;
        self.echoed += echo.len();
        if self.echoed > load.size || (load.transport == Transport::Udp && self.echoed < load.size) {
            return Err(format!("{} bytes came back for {}", self.echoed, load.size));
        }
        let complete = self.echoed == load.size;
        if complete {
            self.position += load.size;
            self.echoed = 0;
        }
        Ok(complete)
    }
}

fn milliseconds(duration: Duration) -> EpollTimeout {
    duration.try_into().unwrap_or(EpollTimeout::NONE)
}
