//! Conversations: a message, its echo, the next message.

use core::time::Duration;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::Instant;

use nix::sys::epoll::{EpollEvent, EpollFlags, EpollTimeout};

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
    sent_at: Instant,
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
        Ok(Conversation { socket, position: number * 7919, echoed: 0, sent_at: Instant::now() })
    }

    fn converse(
        &self,
        conversations: &mut [Conversation],
        target: Target,
        content: &Content,
        timing: Timing,
    ) -> Result<Sample, String> {
        let all = conversations.iter().map(|conversation| &conversation.socket);
        let epoll = sockets::await_all(all, EpollFlags::EPOLLIN)?;
        let mut events = [EpollEvent::empty(); 256];
        let mut buffer = vec![0; LONGEST];
        let mut window = Window::new(timing, target.process);
        let mut started = 0;
        let mut now = Instant::now();
        while !window.is_over(now) {
            for conversation in conversations.iter_mut().skip(started).take(AT_ONCE) {
                conversation.sent_at = Instant::now();
                sockets::send(&conversation.socket, content, conversation.position, self.size)?;
                started += 1;
            }
            let starting = started < conversations.len();
            let wait = if self.awake || starting { EpollTimeout::ZERO } else { milliseconds(PATIENCE) };
            let ready = epoll.wait(&mut events, wait).map_err(|error| format!("epoll: {error}"))?;
            if ready == 0 && !starting && (!self.awake || now.elapsed() > PATIENCE) {
                return Err(format!("no conversation got an answer within {PATIENCE:?}"));
            }
            for event in &events[..ready] {
                let conversation = &mut conversations[sockets::place(event)];
                if conversation.take(self, content, &mut buffer)? {
                    now = Instant::now();
                    window.note(now, 1.0, Some(now - conversation.sent_at))?;
                    conversation.sent_at = now;
                    sockets::send(&conversation.socket, content, conversation.position, self.size)?;
                }
            }
        }
        let stalled = conversations.iter().filter(|conversation| now - conversation.sent_at > STALL).count();
        let sample = window.close(now, stalled)?;
        if self.transport == Transport::Tcp {
            self.finish(conversations, content, &mut buffer)?;
        }
        Ok(sample)
    }

    /// The echoes that are still on their way.
    fn finish(
        &self,
        conversations: &mut [Conversation],
        content: &Content,
        buffer: &mut [u8],
    ) -> Result<(), String> {
        for conversation in conversations {
            let epoll = sockets::await_all([&conversation.socket], EpollFlags::EPOLLIN)?;
            while !conversation.take(self, content, buffer)? {
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
    /// Takes and checks what has come. True if the echo is complete.
    fn take(&mut self, load: &RequestReply, content: &Content, buffer: &mut [u8]) -> Result<bool, String> {
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
