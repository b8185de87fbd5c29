//! A connection that changes from a conversation to a stream and back.
//!
//! A server that treats the two differently, such as by the size of its segments, has to notice each change. If it does not,
//! both sides wait for each other until the client's delayed acknowledgement, 40 ms later.

use core::time::Duration;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};
use nix::unistd::write;

use super::Target;
use super::content::{Content, LONGEST};
use super::sockets::{self, PATIENCE};
use super::window::{Sample, Timing, Window};

/// Bytes in each write, in a conversation and in a stream.
const MESSAGE: usize = 1000;
/// Messages in a conversation, each sent when the echo of the last one is complete.
const CONVERSATION: usize = 10;
/// Bytes in a stream, which are sent without waiting for echoes.
const STREAM: usize = 64 * MESSAGE;

/// One connection on which conversations and streams alternate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Changing {
    /// Whether the client sets TCP_NODELAY.
    pub(crate) no_delay: bool,
}

struct Connection<'c> {
    socket: OwnedFd,
    content: &'c Content,
    buffer: Vec<u8>,
    sent: usize,
    echoed: usize,
}

impl Changing {
    pub(crate) fn run(&self, target: Target, content: &Content, timing: Timing) -> Result<Sample, String> {
        let socket = OwnedFd::from(sockets::connect(target.address)?);
        setsockopt(&socket, sockopt::TcpNoDelay, &self.no_delay).map_err(|error| error.to_string())?;
        let mut connection = Connection { socket, content, buffer: vec![0; LONGEST], sent: 0, echoed: 0 };
        let mut window = Window::new(timing, target.process);
        loop {
            for length in [MESSAGE; CONVERSATION].into_iter().chain([STREAM]) {
                let took = connection.pass(length)?;
                let now = Instant::now();
                // A latency is that of a message: a stream's would say how long it is.
                window.note(now, length as f64 / 1e6, (length == MESSAGE).then_some(took))?;
                if window.is_over(now) {
                    let sample = window.close(now, 0)?;
                    sockets::close([connection.socket.into()])?;
                    return Ok(sample);
                }
            }
        }
    }
}

impl Connection<'_> {
    /// Sends so many bytes and receives all of their echo. Returns how long that took.
    fn pass(&mut self, length: usize) -> Result<Duration, String> {
        let (started, end) = (Instant::now(), self.sent + length);
        let patience: PollTimeout = PATIENCE.try_into().unwrap_or(PollTimeout::NONE);
        while self.echoed < end {
            let mut interest = PollFlags::POLLIN;
            interest.set(PollFlags::POLLOUT, self.sent < end);
            let mut polled = [PollFd::new(self.socket.as_fd(), interest)];
            if poll(&mut polled, patience).map_err(|error| format!("poll: {error}"))? == 0 {
                return Err(format!("no byte came or went for {PATIENCE:?}"));
            }
            let ready = polled[0].revents().unwrap_or(PollFlags::empty());
            if ready.contains(PollFlags::POLLOUT) {
                match write(&self.socket, self.content.at(self.sent, MESSAGE.min(end - self.sent))) {
                    Ok(sent) => self.sent += sent,
                    Err(Errno::EAGAIN) => {}
                    Err(error) => return Err(format!("cannot send: {error}")),
                }
            }
            if ready.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR) {
                match sockets::receive(&self.socket, &mut self.buffer)? {
                    None => {}
                    Some([]) => {
                        return Err(format!("the server closed after {} of {end} bytes", self.echoed));
                    }
                    Some(echo) => {
                        self.content.check(self.echoed, echo).map_err(|corruption| corruption.to_string())?;
                        self.echoed += echo.len();
                    }
                }
            }
        }
        if self.echoed == end {
            Ok(started.elapsed())
        } else {
            Err(format!("{} bytes came back for {end}", self.echoed))
        }
    }
}
