//! What kept the server from running although it was ready: other programs on the processors, the host of a virtual
//! machine, a pause of the whole machine.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::fs;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

use crate::gap_analysis::Gap;

const TURN: Duration = Duration::from_millis(5);

/// An observation that is under way.
pub(crate) struct Watch {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<Interference>,
}

/// What an observation has found.
pub(crate) struct Interference(Vec<Sample>);

/// How much interference there had been so far, read between these times.
struct Sample {
    asked: Duration,
    answered: Duration,
    total: Duration,
}

impl Watch {
    /// Observes the program of this number from now on.
    pub(crate) fn start(program: u32) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&ended);
        let mut paused = Duration::ZERO;
        let mut samples = vec![sample(program, paused)];
        let thread = thread::spawn(move || {
            loop {
                // Read first: then the last sample is taken after the end.
                let last = stop.load(Ordering::Acquire);
                let before = now();
                thread::sleep(TURN);
                // A sleep of four times the length that was asked for means that nothing ran, not even this thread.
                let slept = now().saturating_sub(before);
                if slept > TURN * 4 {
                    paused += slept;
                }
                samples.push(sample(program, paused));
                if last {
                    return Interference(samples);
                }
            }
        });
        Self { ended, thread }
    }

    /// Ends the observation.
    pub(crate) fn finish(self) -> Interference {
        self.ended.store(true, Ordering::Release);
        self.thread.join().unwrap()
    }
}

impl Interference {
    /// The most interference that there was before the server could end this silence.
    pub(crate) fn during(&self, gap: &Gap) -> Duration {
        // The kernel counts a wait for a processor when it is over, so the time to look at is after the server's next segment.
        let (from, to) = (gap.from, gap.server_spoke.unwrap_or(gap.to));
        let before = self.0.iter().rfind(|sample| sample.answered <= from);
        let after = self.0.iter().find(|sample| sample.asked >= to);
        let before = before.expect("the observation begins before the first packet");
        after.expect("the observation ends after the last packet").total.saturating_sub(before.total)
    }
}

fn sample(program: u32, paused: Duration) -> Sample {
    let asked = now();
    let total = waited_for_a_processor(program) + stolen() + paused;
    Sample { asked, answered: now(), total }
}

/// How long the program's first thread, which is its event loop, was ready to run and did not run.
fn waited_for_a_processor(program: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{program}/schedstat")).unwrap();
    // The columns are: time on a processor, time waiting for one, turns; in nanoseconds.
    Duration::from_nanos(text.split_whitespace().nth(1).unwrap().parse().unwrap())
}

/// How long the host of this virtual machine, if it is one, ran something else on its processors.
fn stolen() -> Duration {
    let text = fs::read_to_string("/proc/stat").unwrap();
    // The ninth word of the first line, in hundredths of a second.
    let ticks: u32 = text.split_whitespace().nth(8).unwrap().parse().unwrap();
    Duration::from_millis(10) * ticks
}

/// The clock of the packets' time stamps.
fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap()
}
