//! The event loop: one thread, asleep in ppoll(2) unless there is a packet, a signal or a deadline.

use core::time::Duration;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::Signal;
use nix::sys::time::TimeSpec;
use shout_core::{Handler, Poll, Server};

use crate::device::{HostDevice, Refusal};
use crate::error::Error;
use crate::serve::clock::Clock;
use crate::serve::report::Report;
use crate::serve::signals::Signals;

/// When to offer the kernel a packet again that it had no memory for: nothing tells when it has some.
const MEMORY_RETRY: Duration = Duration::from_millis(1);

/// All that a running server consists of.
pub(crate) struct EventLoop<D, H: Handler<State: 'static>> {
    pub(crate) server: Server<'static, H>,
    pub(crate) device: D,
    pub(crate) signals: Signals,
    pub(crate) clock: Clock,
    /// How long to keep looking at the device after a packet before sleeping.
    pub(crate) busy_poll: Duration,
    /// The device's name.
    pub(crate) name: String,
    /// Shows the counters.
    pub(crate) report: Report,
}

/// What the loop woke up for.
#[derive(Debug, Clone, Copy)]
struct Ready {
    device: bool,
    signals: bool,
}

impl<D: HostDevice + AsFd, H: Handler<State: 'static>> EventLoop<D, H> {
    /// The same loop over a device that is made of this one.
    pub(crate) fn with_device<E>(self, device: impl FnOnce(D) -> E) -> EventLoop<E, H> {
        EventLoop {
            server: self.server,
            device: device(self.device),
            signals: self.signals,
            clock: self.clock,
            busy_poll: self.busy_poll,
            name: self.name,
            report: self.report,
        }
    }

    /// Runs until a signal has asked for the end and every connection has had its time, or until the device fails.
    pub(crate) fn run(mut self) -> Result<(), Error> {
        let result = self.serve();
        self.report.summarise(self.clock.now(), self.server.stats(), self.device.faults());
        result
    }

    fn serve(&mut self) -> Result<(), Error> {
        let mut ending = false;
        loop {
            let now = self.clock.now();
            let next = self.server.poll(now, &mut self.device);
            self.device.flush();
            if let Some(source) = self.device.failure() {
                let device = self.name.clone();
                return Err(match source.raw_os_error().map(Errno::from_raw) {
                    Some(Errno::EBADFD) => Error::DeviceGone { device },
                    _ => Error::Device { device, source },
                });
            }
            if self.server.is_shut_down() {
                return Ok(());
            }
            self.report.look(now, self.server.stats(), self.device.faults());
            if !self.wait(next)?.signals {
                continue;
            }
            while let Some(signal) = self.signals.next().map_err(Error::system("reading a signal"))? {
                let now = self.clock.now();
                match signal {
                    Signal::SIGUSR1 => self.report.show(now, self.server.stats(), self.device.faults()),
                    _ if ending => {
                        log::info!("{signal}, a second signal: ending at once");
                        return Ok(());
                    }
                    _ => {
                        log::info!("{signal}: closing the connections");
                        self.server.shutdown(now);
                        ending = true;
                    }
                }
            }
        }
    }

    /// Waits until there is something to do.
    fn wait(&self, next: Poll) -> Result<Ready, Error> {
        loop {
            let mut sleep = next.deadline.map(|deadline| self.clock.until(deadline));
            let mut interest = PollFlags::POLLIN;
            match self.device.refusal() {
                // Nothing can be done before the packet is out, whatever has come or is due: it would be done in vain,
                // over and over.
                Some(Refusal::NoMemory) => {
                    interest = PollFlags::empty();
                    sleep = Some(MEMORY_RETRY);
                }
                Some(Refusal::NoRoom) => {
                    interest = PollFlags::POLLOUT;
                    sleep = sleep.filter(|sleep| !sleep.is_zero());
                }
                // What the device refused a moment ago, it has taken since.
                None if next.blocked || self.device.has_packets() => sleep = Some(Duration::ZERO),
                None => {}
            }
            if let Some(due) = self.report.due() {
                let until = self.clock.until(due);
                sleep = Some(sleep.map_or(until, |sleep| sleep.min(until)));
            }
            // Still within the time after a packet that is spent looking for the next: do not sleep, but look only.
            let looking = interest.contains(PollFlags::POLLIN)
                && self.looking()
                && sleep.is_none_or(|sleep| !sleep.is_zero());
            let ready = self.poll(interest, if looking { Some(Duration::ZERO) } else { sleep })?;
            if !looking || ready.device || ready.signals {
                return Ok(ready);
            }
        }
    }

    fn looking(&self) -> bool {
        !self.busy_poll.is_zero()
            && self.device.last_packet().is_some_and(|last| {
                let since = self.clock.now() - last;
                Duration::from_micros(since.total_micros()) < self.busy_poll
            })
    }

    /// ppoll(2) rather than poll(2): its timeout is in nanoseconds, so that a deadline is neither missed by up to
    /// a millisecond nor awaited by turning round.
    fn poll(&self, interest: PollFlags, sleep: Option<Duration>) -> Result<Ready, Error> {
        let mut descriptors = [
            PollFd::new(self.device.as_fd(), interest),
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
        ];
        match ppoll(&mut descriptors, sleep.map(TimeSpec::from_duration), None) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(Error::system("waiting for packets")(error)),
        }
        // POLLERR too: the next attempt to receive says what is wrong.
        let [device, signals] = descriptors.map(|descriptor| descriptor.any().unwrap_or(true));
        Ok(Ready { device, signals })
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicBool, Ordering};
    use std::io;
    use std::os::fd::BorrowedFd;
    use std::os::unix::net::UnixDatagram;
    use std::sync::mpsc;
    use std::thread;

    use shout_core::{Config, Uppercase};
    use smoltcp::phy::{Device, TxToken};
    use smoltcp::time::Instant;
    use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

    use super::*;
    use crate::cli::options::ServeOptions;
    use crate::device::{PacketDevice, PacketIo};
    use crate::serve::memory;

    /// A loop over one end of a pair of sockets, and the other end.
    fn pair(busy_poll: Duration) -> (EventLoop<PacketDevice<UnixDatagram>, Uppercase>, UnixDatagram) {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (looping(ours, busy_poll), theirs)
    }

    fn looping<I: PacketIo>(io: I, busy_poll: Duration) -> EventLoop<PacketDevice<I>, Uppercase> {
        let mut device = PacketDevice::new(io, 1500);
        let storage = memory::allocate(&ServeOptions::default()).unwrap();
        let mut config = Config::new(HardwareAddress::Ip, [7; 16]);
        config.addresses.push(IpCidr::new(IpAddress::v4(10, 0, 0, 1), 8)).unwrap();
        let server = Server::new(&config, storage, &mut device, Instant::ZERO).unwrap();
        let (signals, clock) = (Signals::block().unwrap(), Clock::start());
        let report = Report::new(None, None, Instant::ZERO);
        EventLoop { server, device, signals, clock, busy_poll, name: "pair".to_owned(), report }
    }

    /// A device of a kernel that has no memory for packets.
    struct NoMemory(UnixDatagram);

    impl PacketIo for NoMemory {
        fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.recv(buffer)
        }

        fn send(&self, _: &[u8]) -> io::Result<usize> {
            Err(Errno::ENOBUFS.into())
        }
    }

    impl AsFd for NoMemory {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }

    const NOTHING: Poll = Poll::new(None, false);
    const OVERDUE: Poll = Poll::new(Some(Instant::ZERO), false);

    #[test]
    fn a_packet_ends_the_wait() {
        for busy_poll in [Duration::ZERO, Duration::from_secs(60)] {
            let (mut looping, theirs) = pair(busy_poll);
            theirs.send(b"first").unwrap();
            assert!(looping.wait(NOTHING).unwrap().device);
            looping.device.receive(looping.clock.now()).unwrap();
            theirs.send(b"second").unwrap();
            assert!(looping.wait(NOTHING).unwrap().device);
        }
    }

    #[test]
    fn packets_that_have_been_read_are_not_slept_over() {
        for busy_poll in [Duration::ZERO, Duration::from_secs(60)] {
            let (mut looping, theirs) = pair(busy_poll);
            for _ in 0..3 {
                theirs.send(b"one of three").unwrap();
            }
            // The second and the third are read together.
            for _ in 0..2 {
                looping.device.receive(looping.clock.now()).unwrap();
                let late = looping.clock.now() + smoltcp::time::Duration::from_secs(20);
                looping.wait(Poll::new(Some(late), false)).unwrap();
                assert!(looping.clock.now() < late);
            }
            assert!(looping.device.has_packets());
        }
    }

    #[test]
    fn what_is_due_is_not_slept_over() {
        for busy_poll in [Duration::ZERO, Duration::from_secs(60)] {
            let (mut looping, theirs) = pair(busy_poll);
            assert!(!looping.wait(OVERDUE).unwrap().device);
            theirs.send(b"now it looks for more").unwrap();
            looping.device.receive(looping.clock.now()).unwrap();
            assert!(!looping.wait(OVERDUE).unwrap().device);
            let soon = looping.clock.now() + smoltcp::time::Duration::from_micros(500);
            assert!(!looping.wait(Poll::new(Some(soon), false)).unwrap().device);
            assert!(looping.clock.now() >= soon);
        }
    }

    #[test]
    fn a_kernel_without_memory_is_tried_again_before_long() {
        let long = Duration::from_secs(20);
        for busy_poll in [Duration::ZERO, long] {
            let (ours, theirs) = UnixDatagram::pair().unwrap();
            let mut looping = looping(NoMemory(ours), busy_poll);
            theirs.send(b"now it looks for more").unwrap();
            looping.device.receive(looping.clock.now()).unwrap().1.consume(1, |_| ());
            assert_eq!(looping.device.refusal(), Some(Refusal::NoMemory));
            let started = std::time::Instant::now();
            assert!(!looping.wait(NOTHING).unwrap().device);
            assert!(started.elapsed() < long, "it looked for packets until the time for that was over");
        }
    }

    #[test]
    fn a_full_device_is_waited_for_whatever_else_there_is() {
        let (mut looping, theirs) = pair(Duration::ZERO);
        while let Some(room) = looping.device.transmit(Instant::ZERO) {
            room.consume(1, |_| ());
        }
        theirs.send(b"cannot be received now").unwrap();
        let drained = AtomicBool::new(false);
        let (waiting, about_to_wait) = mpsc::channel();
        thread::scope(|scope| {
            let looping = &looping;
            let drained = &drained;
            scope.spawn(move || {
                waiting.send(()).unwrap();
                assert!(looping.wait(OVERDUE).unwrap().device);
                assert!(drained.load(Ordering::Acquire), "woke up for nothing");
            });
            about_to_wait.recv().unwrap();
            // Time enough to wake up for nothing; if the machine is too busy for that, the test is none, but passes.
            thread::sleep(Duration::from_millis(20));
            drained.store(true, Ordering::Release);
            theirs.set_nonblocking(true).unwrap();
            while theirs.recv(&mut [0]).is_ok() {}
        });
        assert!(looping.device.transmit(Instant::ZERO).is_some());
    }
}
