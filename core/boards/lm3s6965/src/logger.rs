//! Log lines to the debugger, by semihosting. Each one stops the processor for as long as the debugger takes.

use cortex_m_semihosting::hprintln;
use log::{LevelFilter, Log, Metadata, Record};

struct Debugger;

impl Log for Debugger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        hprintln!("{:5} {}", record.level(), record.args());
    }

    fn flush(&self) {}
}

/// From now on, the core's lines are written.
pub fn start() {
    if log::set_logger(&Debugger).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}
