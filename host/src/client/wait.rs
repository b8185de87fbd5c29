//! Waiting for several descriptors at once.

use core::time::Duration;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollTimeout, poll};

pub(super) use nix::poll::PollFlags as Interest;

use super::ended::Ended;

/// What a client looks after while it waits for input and network: `shout demo` has a server to look after.
pub(crate) trait Background {
    /// Readable when there is something to do.
    fn as_fd(&self) -> BorrowedFd<'_>;

    /// Does it, without blocking. An error is a sentence that says why the conversation is over.
    fn attend(&self) -> Result<(), String>;
}

/// Waits for several descriptors at once, and looks after a background meanwhile.
#[derive(Clone, Copy)]
pub(super) struct Waiter<'a>(pub(super) Option<&'a dyn Background>);

impl Waiter<'_> {
    /// Waits until one of `descriptors` has what it is asked for (or an error, which is always of interest) or `deadline` has
    /// passed. Says of each whether it is the one.
    pub(super) fn wait(
        self,
        descriptors: &[(BorrowedFd<'_>, Interest)],
        deadline: Option<Instant>,
    ) -> Result<Vec<bool>, Ended> {
        let own = self.0.map(|background| (background.as_fd(), Interest::POLLIN));
        let all = descriptors.iter().copied().chain(own);
        let mut polled: Vec<_> = all.map(|(fd, interest)| PollFd::new(fd, interest)).collect();
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            match poll(&mut polled, left.map(timeout)) {
                Ok(_) => {}
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(Ended::Wait(io::Error::from(error))),
            }
            let mut ready: Vec<bool> = polled.iter().map(is_ready).collect();
            if let Some(background) = self.0
                && ready.pop() == Some(true)
            {
                background.attend().map_err(Ended::Background)?;
            }
            let is_over = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if ready.contains(&true) || is_over() {
                return Ok(ready);
            }
        }
    }
}

fn is_ready(fd: &PollFd<'_>) -> bool {
    fd.revents().is_none_or(|events| !events.is_empty())
}

/// In milliseconds, rounded up: rounded down, the last one would be spent in polling over and over.
fn timeout(left: Duration) -> PollTimeout {
    let milliseconds = left.as_nanos().div_ceil(1_000_000);
    PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;

    use super::*;

    const ALONE: Waiter<'_> = Waiter(None);

    #[test]
    fn says_which_one_is_ready() {
        let (quiet, _open) = io::pipe().unwrap();
        let (ready, mut writer) = io::pipe().unwrap();
        writer.write_all(b"x").unwrap();
        let descriptors = [(quiet.as_fd(), Interest::POLLIN), (ready.as_fd(), Interest::POLLIN)];
        assert_eq!(ALONE.wait(&descriptors, None).unwrap(), [false, true]);
    }

    /// A pipe whose bytes are counted, and are an error from the second on.
    struct Counting {
        pipe: io::PipeReader,
        count: core::cell::Cell<u32>,
    }

    impl Background for Counting {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.pipe.as_fd()
        }

        fn attend(&self) -> Result<(), String> {
            (&self.pipe).read_exact(&mut [0]).unwrap();
            self.count.set(self.count.get() + 1);
            if self.count.get() > 1 { Err("that was one too many".to_owned()) } else { Ok(()) }
        }
    }

    #[test]
    fn the_background_is_looked_after_and_does_not_end_the_wait_unless_it_says_so() {
        let (quiet, _open) = io::pipe().unwrap();
        let (pipe, mut writer) = io::pipe().unwrap();
        let background = Counting { pipe, count: core::cell::Cell::new(0) };
        let waiter = Waiter(Some(&background));
        let sources = [(quiet.as_fd(), Interest::POLLIN)];
        writer.write_all(b"x").unwrap();
        let deadline = Instant::now() + Duration::from_millis(1);
        assert_eq!(waiter.wait(&sources, Some(deadline)).unwrap(), [false]);
        assert!(Instant::now() >= deadline);
        assert_eq!(background.count.get(), 1);
        writer.write_all(b"x").unwrap();
        let ended = waiter.wait(&sources, None).unwrap_err();
        assert_eq!((ended.exit_code(), ended.to_string().as_str()), (1, "that was one too many"));
    }

    #[test]
    fn returns_at_the_deadline_and_not_before() {
        let (quiet, _open) = io::pipe().unwrap();
        let deadline = Instant::now() + Duration::from_micros(1500);
        let ready = ALONE.wait(&[(quiet.as_fd(), Interest::POLLIN)], Some(deadline)).unwrap();
        assert_eq!(ready, [false]);
        assert!(Instant::now() >= deadline);
    }

    #[test]
    fn a_deadline_beyond_what_poll_can_count_is_waited_for_in_parts() {
        assert_eq!(timeout(Duration::MAX), PollTimeout::MAX);
    }

    #[test]
    fn the_last_millisecond_is_not_spent_in_polling() {
        assert_eq!(timeout(Duration::ZERO), PollTimeout::ZERO);
        assert_eq!(timeout(Duration::from_nanos(1)).as_millis(), Some(1));
        assert_eq!(timeout(Duration::from_micros(1001)).as_millis(), Some(2));
    }
}
