use crate::machine::busy_ticks;

#[test]
fn idle_and_waiting_are_not_busy() {
    let stat = "cpu  1 20 300 4000 50000 600000 7000000 80000000 900000000 1000000000\ncpu0 1 1 1\n";
    assert_eq!(busy_ticks(stat), Some(87_600_321));
    assert_eq!(busy_ticks("cpu0 1 2 3\n"), None);
}
