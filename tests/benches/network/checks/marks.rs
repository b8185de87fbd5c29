//! Which positions of a stream are measured.

use core::time::Duration;
use std::time::Instant;

use crate::load::marks::Marks;

const STEP: Duration = Duration::from_millis(3);

#[test]
fn a_stream_with_one_byte_under_way_is_measured_once_in_a_thousand() {
    let (mut marks, begin) = (Marks::default(), Instant::now());
    let mut latencies = Vec::new();
    for position in 1..=5000 {
        marks.sent(position, begin);
        latencies.extend(marks.echoed(position, begin + STEP));
    }
    assert_eq!(latencies, [STEP; 5]);
}

#[test]
fn a_large_write_is_measured_when_all_of_it_is_back() {
    let (mut marks, begin) = (Marks::default(), Instant::now());
    marks.sent(65_536, begin);
    assert_eq!(marks.echoed(65_535, begin + STEP), None);
    assert_eq!(marks.echoed(65_536, begin + STEP), Some(STEP));
}

#[test]
fn of_marks_that_come_back_together_the_newest_counts() {
    let (mut marks, begin) = (Marks::default(), Instant::now());
    marks.sent(1000, begin);
    marks.sent(2000, begin + STEP);
    assert_eq!(marks.echoed(2000, begin + STEP), Some(Duration::ZERO));
    assert_eq!(marks.echoed(2000, begin + STEP), None);
}
