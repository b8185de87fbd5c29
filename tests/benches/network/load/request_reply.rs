//! Conversations: a message, its echo, the next message.

use core::time::Duration;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::Instant;

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags, EpollTimeout};

use super::content::{Content, LONGEST};
use super::sockets::{self, PATIENCE};
use super::window::{Sample, Timing, Window};
use super::{Target, Transport};

/// So long without an answer means that a packet was lost: TCP sends again after 200 ms at the earliest.
const STALL: Duration = Duration::from_millis(150);

/// So many conversations are begun before it is seen what has come: a thousand packets at once are more than a device's
/// queue takes, and what is lost is sent again after 200 ms.
const AT_ONCE: usize = 16;

/// A number of conversations at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestReply {
    pub(crate) transport: Transport,
    /// Octets in a message.
    pub(crate) size: usize,
    pub(crate) conversations: usize,
    /// Further connections on which nothing is said.
    pub(crate) idle: usize,
    /// Whether the client looks for answers all the time instead of sleeping until there is one.
    pub(crate) awake: bool,
}

struct Conversation {
    socket: OwnedFd,
    /// Where in the content the message is that is being echoed, how much of it has been, and when it was sent.
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
        let sample = self.converse(&mut conversations, target, content, timing)?;
        if self.transport == Transport::Tcp {
            let streams = conversations.into_iter().map(|conversation| conversation.socket.into());
            sockets::close(streams.chain(idle))?;
        }
        Ok(sample)
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
        timing: Timing,
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
                return Err(format!("no conversation got an answer within {PATIENCE:?}"));
            }
        }
        let stalled = conversations.iter().filter(|conversation| now - conversation.said_at > STALL).count();
        let sample = window.close(now, stalled)?;
        if self.transport == Transport::Tcp {
            talk.finish(conversations)?;
        }
        Ok(sample)
    }
}

/// What the conversations have in common.
struct Talk<'t> {
    load: &'t RequestReply,
    content: &'t Content,
    epoll: Epoll,
    events: [EpollEvent; 256],
    buffer: Vec<u8>,
}

impl Talk<'_> {
    /// Takes what has come, tells of each echo when it was complete and how long it took, and sends the next message.
    /// True if anything had come.
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

    /// Takes the echoes that are still on their way.
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

    /// Takes and checks what has come. True if the echo is complete.
    fn hear(&mut self, load: &RequestReply, content: &Content, buffer: &mut [u8]) -> Result<bool, String> {
        let Some(echo) = sockets::receive(&self.socket, buffer)? else { return Ok(false) };
        if echo.is_empty() {
            return Err("the server closed a connection".to_owned());
        }
        content.check(self.position + self.echoed, echo).map_err(|corruption| corruption.to_string())?;
        self.echoed += echo.len();
        if self.echoed > load.size || (load.transport == Transport::Udp && self.echoed < load.size) {
            return Err(format!("{} octets came back for {}", self.echoed, load.size));
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
