use std::process::Command;
use std::time::Instant;

use nix::unistd::Pid;

use crate::load::cpu::CpuTime;

#[test]
fn work_is_counted() {
    let now = || CpuTime::now(Pid::this()).unwrap();
    let (before, started) = (now(), Instant::now());
    let spent = loop {
        let spent = now().since(before);
        if spent.client.as_millis() >= 50 && spent.server.as_millis() >= 50 {
            break spent;
        }
        assert!(started.elapsed().as_secs() < 20, "{spent:?}");
    };
    assert!(spent.server.as_secs() < 20, "{spent:?}");
}

#[test]
fn a_process_that_is_not_there_is_an_error() {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    assert!(CpuTime::now(Pid::from_raw(child.id().cast_signed())).is_err());
}
