//! embassy's time: the clock and the alarm of the board, and the queue of those who wait.

use core::cell::RefCell;
use core::task::Waker;

use critical_section::Mutex;
use embassy_time_driver::{Driver, time_driver_impl};
use embassy_time_queue_utils::Queue;
use shout_core::smoltcp::time::Duration;

use crate::alarm::Alarm;
use crate::clock::Clock;

time_driver_impl!(static TIME: Time = Time { parts: Mutex::new(RefCell::new(None)) });

struct Time {
    parts: Mutex<RefCell<Option<Parts>>>,
}

struct Parts {
    clock: Clock,
    alarm: Alarm,
    queue: Queue,
}

/// From now on, time goes.
pub fn start(clock: Clock, alarm: Alarm) {
    critical_section::with(|section| {
        TIME.parts.borrow_ref_mut(section).replace(Parts { clock, alarm, queue: Queue::new() });
    });
}

/// Timer 0's interrupt.
pub(super) fn alarm_went_off() {
    TIME.with(Parts::wake_who_is_due);
}

/// SysTick's interrupt, without which the clock would miss a round in which nobody asks for the time.
pub(super) fn round_ended() {
    TIME.with(|parts| _ = parts.now());
}

impl Time {
    /// None before the start.
    fn with<R>(&self, f: impl FnOnce(&mut Parts) -> R) -> Option<R> {
        critical_section::with(|section| self.parts.borrow_ref_mut(section).as_mut().map(f))
    }
}

impl Driver for Time {
    fn now(&self) -> u64 {
        self.with(Parts::now).unwrap_or(0)
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        self.with(|parts| {
            if parts.queue.schedule_wake(at, waker) {
                parts.wake_who_is_due();
            }
        });
    }
}

impl Parts {
    /// Microseconds since the start.
    fn now(&mut self) -> u64 {
        u64::try_from(self.clock.now().total_micros()).unwrap_or(0)
    }

    /// Wakes them, and sets the alarm for the next one. That it may go off early, for a time far off, does no harm.
    fn wake_who_is_due(&mut self) {
        self.alarm.clear();
        let now = self.now();
        match self.queue.next_expiration(now) {
            u64::MAX => {}
            next => self.alarm.set(Duration::from_micros(next.saturating_sub(now))),
        }
    }
}
