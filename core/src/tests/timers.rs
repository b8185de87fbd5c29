//! The table of deadlines: its lower bound is never above the earliest deadline.

use std::vec::Vec;

use smoltcp::time::{Duration, Instant};

use crate::tcp::slots::SlotId;
use crate::tcp::timers::{NEVER, Timers};

fn at(seconds: i64) -> Instant {
    Instant::from_secs(seconds)
}

fn id(index: usize) -> SlotId {
    SlotId::new(index).unwrap()
}

/// All slots that are due, in the order of their indices.
fn due(timers: &mut Timers<'_>, now: Instant) -> Vec<usize> {
    let (mut found, mut from) = (Vec::new(), 0);
    if timers.begin_scan(now) {
        while let Some(slot) = timers.next_due(from, now) {
            from = slot.index() + 1;
            found.push(slot.index());
            timers.schedule(slot, NEVER);
        }
    }
    found
}

#[test]
fn nothing_is_due_that_was_not_scheduled() {
    let mut deadlines = [Instant::ZERO; 4];
    let mut timers = Timers::new(&mut deadlines);
    assert_eq!(timers.earliest(), NEVER);
    assert!(due(&mut timers, at(1_000_000)).is_empty());
}

#[test]
fn a_deadline_is_due_when_it_comes_and_not_before() {
    let mut deadlines = [NEVER; 4];
    let mut timers = Timers::new(&mut deadlines);
    timers.schedule(id(2), at(5));
    timers.schedule(id(0), at(9));
    assert_eq!(timers.earliest(), at(5));
    assert!(!timers.begin_scan(at(5) - Duration::from_micros(1)));
    assert_eq!(due(&mut timers, at(5)), [2]);
    assert_eq!(timers.earliest(), at(9));
    assert_eq!(due(&mut timers, at(9)), [0]);
    assert_eq!(timers.earliest(), NEVER);
}

#[test]
fn a_deadline_that_moved_away_leaves_a_lower_bound_that_the_next_scan_mends() {
    let mut deadlines = [NEVER; 2];
    let mut timers = Timers::new(&mut deadlines);
    timers.schedule(id(0), at(5));
    timers.schedule(id(0), at(50));
    timers.schedule(id(1), at(70));
    assert!(timers.earliest() <= at(50));
    assert!(due(&mut timers, at(5)).is_empty());
    assert_eq!(timers.earliest(), at(50));
}

#[test]
fn a_slot_scheduled_during_a_scan_is_not_forgotten() {
    let mut deadlines = [NEVER; 3];
    let mut timers = Timers::new(&mut deadlines);
    timers.schedule(id(1), at(5));
    assert!(timers.begin_scan(at(5)));
    assert_eq!(timers.next_due(0, at(5)), Some(id(1)));
    timers.schedule(id(0), at(7)); // behind the scan
    timers.schedule(id(1), at(8));
    assert_eq!(timers.next_due(2, at(5)), None);
    assert_eq!(timers.earliest(), at(7));
}

#[test]
fn what_waits_for_a_neighbour_is_brought_forward() {
    let mut deadlines = [NEVER; 4];
    let mut timers = Timers::new(&mut deadlines);
    for (slot, seconds) in [(0, 11), (1, 10), (2, 12), (3, 4)] {
        timers.schedule(id(slot), at(seconds));
    }
    timers.hasten(at(10), at(11));
    assert_eq!(timers.earliest(), at(4));
    assert_eq!(due(&mut timers, at(10)), [0, 1, 3]);
    assert_eq!(timers.earliest(), at(12));
}

#[test]
fn a_slot_that_there_is_not_has_no_deadline() {
    let mut deadlines = [NEVER; 1];
    let mut timers = Timers::new(&mut deadlines);
    timers.schedule(id(1), at(5));
    assert_eq!(timers.earliest(), NEVER);
}
