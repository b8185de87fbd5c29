use crate::arguments::{Arguments, FULL, QUICK};

fn parse(line: &str) -> Result<Arguments, String> {
    Arguments::parse(line.split_whitespace().map(str::to_owned))
}

#[test]
fn names_choose_workloads() {
    let all = parse("--bench").unwrap();
    assert!(all.wants("tcp-64x1") && all.wants("bulk-1"));
    let some = parse("--bench tcp-64 udp").unwrap();
    assert!(some.wants("tcp-64x1") && some.wants("udp-64x16") && !some.wants("bulk-1"));
}

#[test]
fn rounds_go_with_either_effort_in_any_order() {
    assert_eq!(parse("--quick").unwrap().effort.rounds, 3);
    for line in ["--quick --rounds 9", "--rounds 9 --quick"] {
        let effort = parse(line).unwrap().effort;
        assert_eq!((effort.rounds, effort.timing.measured), (9, QUICK.timing.measured));
    }
    assert_eq!(parse("--rounds 9").unwrap().effort.timing.measured, FULL.timing.measured);
}

#[test]
fn what_is_wrong_is_refused() {
    for line in ["--rounds", "--rounds 0", "--rounds many", "--fast", "--against", "--publish tcp-64"] {
        assert!(parse(line).is_err(), "{line}");
    }
}
