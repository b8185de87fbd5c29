use std::time::Instant;

use crate::load::cpu::CpuTime;

#[test]
fn work_is_counted() {
    let before = CpuTime::now(std::process::id());
    let started = Instant::now();
    let spent = loop {
        let spent = CpuTime::now(std::process::id()).since(before);
        if spent.client.as_millis() >= 50 && spent.server.as_millis() >= 50 {
            break spent;
        }
        assert!(started.elapsed().as_secs() < 20, "{spent:?}");
    };
    assert!(spent.server.as_secs() < 20, "{spent:?}");
}
