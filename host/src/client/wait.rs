//! Waiting for several descriptors at once.

use core::time::Duration;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollTimeout, poll};

pub(super) use nix::poll::PollFlags as Interest;

use super::Ended;

/// Waits until one of `descriptors` has what it is asked for (or an error,
/// which is always of interest) or `deadline` has passed. Says of each whether
/// it is the one.
pub(super) fn wait(
    descriptors: &[(BorrowedFd<'_>, Interest)],
    deadline: Option<Instant>,
) -> Result<Vec<bool>, Ended> {
    let mut polled: Vec<_> = descriptors.iter().map(|&(fd, interest)| PollFd::new(fd, interest)).collect();
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        match poll(&mut polled, left.map(timeout)) {
            Ok(0) if deadline.is_none_or(|deadline| Instant::now() < deadline) => {}
            Ok(_) => break,
            Err(Errno::EINTR) => {}
            Err(error) => return Err(Ended::Wait(io::Error::from(error))),
        }
    }
    Ok(polled.iter().map(|fd| fd.revents().is_none_or(|events| !events.is_empty())).collect())
}

/// In milliseconds, rounded up: rounded down, the last one would be spent in
/// polling over and over.
fn timeout(left: Duration) -> PollTimeout {
    let milliseconds = left.as_nanos().div_ceil(1_000_000);
    PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn says_which_one_is_ready() {
        let (quiet, _open) = io::pipe().unwrap();
        let (ready, mut writer) = io::pipe().unwrap();
        writer.write_all(b"x").unwrap();
        let descriptors = [(quiet.as_fd(), Interest::POLLIN), (ready.as_fd(), Interest::POLLIN)];
        assert_eq!(wait(&descriptors, None).unwrap(), [false, true]);
    }

    #[test]
    fn returns_at_the_deadline_and_not_before() {
        let (quiet, _open) = io::pipe().unwrap();
        let deadline = Instant::now() + Duration::from_micros(1500);
        let ready = wait(&[(quiet.as_fd(), Interest::POLLIN)], Some(deadline)).unwrap();
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
