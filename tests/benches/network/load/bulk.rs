//! Streams: each client sends as fast as the server accepts, and receives everything back.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{Shutdown, setsockopt, shutdown, sockopt};
use nix::unistd::write;

use super::Target;
use super::content::{Content, LONGEST};
use super::marks::Marks;
use super::sockets::{self, PATIENCE};
use super::window::{Sample, Timing, Window};

/// A number of streams at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bulk {
    pub(crate) streams: usize,
    /// Bytes in each call of write(2), 65536 at most.
    pub(crate) write: usize,
    /// Whether the client sets TCP_NODELAY.
    pub(crate) no_delay: bool,
}

/// Most calls of write(2) on one socket in a row. No more than 64 KiB are written in a row either.
const WRITES: usize = 64;

struct Stream {
    socket: OwnedFd,
    sent: usize,
    echoed: usize,
    marks: Marks,
    ended: bool,
}

impl Bulk {
    pub(crate) fn run(&self, target: Target, content: &Content, timing: Timing) -> Result<Sample, String> {
        let mut streams: Vec<Stream> = (0..self.streams)
            .map(|_| {
                let socket = OwnedFd::from(sockets::connect(target.address)?);
                setsockopt(&socket, sockopt::TcpNoDelay, &self.no_delay)
                    .map_err(|error| error.to_string())?;
                Ok(Stream { socket, sent: 0, echoed: 0, marks: Marks::default(), ended: false })
            })
            .collect::<Result<_, String>>()?;
        let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT;
        let epoll = sockets::await_all(streams.iter().map(|stream| &stream.socket), interest)?;
        let patience: EpollTimeout = PATIENCE.try_into().unwrap_or(EpollTimeout::NONE);
        let mut events = [EpollEvent::empty(); 16];
        let mut buffer = vec![0; LONGEST];
        let mut window = Some(Window::new(timing, target.process));
        let mut sample = None;
        while streams.iter().any(|stream| !stream.ended) {
            let ready = epoll.wait(&mut events, patience).map_err(|error| format!("epoll: {error}"))?;
            if ready == 0 {
                return Err(format!("no stream went on for {PATIENCE:?}"));
            }
            for event in &events[..ready] {
                let stream = &mut streams[sockets::place(event)];
                if event.events().contains(EpollFlags::EPOLLOUT) && window.is_some() {
                    stream.send(content, self.write)?;
                }
                if event.events().contains(EpollFlags::EPOLLIN) && !stream.ended {
                    stream.receive(content, &mut buffer, window.as_mut())?;
                }
            }
            let now = Instant::now();
            if let Some(over) = window.take_if(|window| window.is_over(now)) {
                sample = Some(over.close(now, 0)?);
                // Echoes that are still on their way are awaited and checked, but no longer measured.
                for (index, stream) in streams.iter().enumerate() {
                    end(&epoll, index, stream)?;
                }
            }
        }
        sample.ok_or_else(|| "the server closed the connections".to_owned())
    }
}

fn end(epoll: &Epoll, index: usize, stream: &Stream) -> Result<(), String> {
    let mut event = EpollEvent::new(EpollFlags::EPOLLIN, index as u64);
    epoll.modify(&stream.socket, &mut event).map_err(|error| format!("epoll: {error}"))?;
    shutdown(stream.socket.as_raw_fd(), Shutdown::Write).map_err(|error| format!("cannot close: {error}"))
}

impl Stream {
    fn send(&mut self, content: &Content, length: usize) -> Result<(), String> {
        for _ in 0..(LONGEST / length).clamp(1, WRITES) {
            match write(&self.socket, content.at(self.sent, length)) {
                Ok(sent) => {
                    self.sent += sent;
                    self.marks.sent(self.sent, Instant::now());
                    if sent < length {
                        return Ok(());
                    }
                }
                Err(Errno::EAGAIN) => return Ok(()),
                Err(error) => return Err(format!("cannot send: {error}")),
            }
        }
        Ok(())
    }

    fn receive(
        &mut self,
        content: &Content,
        buffer: &mut [u8],
        window: Option<&mut Window>,
    ) -> Result<(), String> {
        let Some(echo) = sockets::receive(&self.socket, buffer)? else { return Ok(()) };
        if echo.is_empty() {
            self.ended = true;
            return match window {
                None if self.echoed == self.sent => Ok(()),
                _ => Err(format!("a stream ended after {} of {} bytes", self.echoed, self.sent)),
            };
        }
        content.check(self.echoed, echo).map_err(|corruption| corruption.to_string())?;
        self.echoed += echo.len();
        let now = Instant::now();
        let latency = self.marks.echoed(self.echoed, now);
        if let Some(window) = window {
            window.note(now, echo.len() as f64 / 1e6, latency)?;
        }
        Ok(())
    }
}
