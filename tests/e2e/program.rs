//! Child processes: their output is collected, and every wait for them has a limit.

use core::fmt;
use core::time::Duration;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

/// How long anything may take that should take no time; long, since the machine may be busy with other things.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// How long a TCP client may take whose link loses a fifth of all packets. One in a hundred takes more than [`LIMIT`]: Linux's
/// timeouts double from 3 seconds on if the SYN was lost.
pub(crate) const LIMIT_WITH_LOSSES: Duration = Duration::from_secs(200);

/// What a program has written so far on one of its streams.
#[derive(Clone)]
pub(crate) struct Transcript(Arc<(Mutex<Written>, Condvar)>);

#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    ended: bool,
}

impl Transcript {
    /// Of a stream that goes elsewhere.
    fn none() -> Self {
        Self(Arc::new((Mutex::new(Written { bytes: Vec::new(), ended: true }), Condvar::new())))
    }

    fn collect(mut stream: impl Read + Send + 'static) -> Self {
        let transcript = Self(Arc::default());
        let shared = Arc::clone(&transcript.0);
        thread::spawn(move || {
            let (written, news) = &*shared;
            let mut chunk = [0; 65536];
            loop {
                let length = stream.read(&mut chunk).unwrap_or(0);
                let mut written = written.lock().unwrap();
                written.bytes.extend_from_slice(&chunk[..length]);
                written.ended = length == 0;
                news.notify_all();
                if written.ended {
                    break;
                }
            }
        });
        transcript
    }

    /// What has been written so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.0.lock().unwrap().bytes).into_owned()
    }

    /// Waits until the text so far satisfies `found`.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, mut found: impl FnMut(&str) -> bool) -> String {
        let deadline = Instant::now() + LIMIT;
        let (written, news) = &*self.0;
        let mut written = written.lock().unwrap();
        loop {
            let text = String::from_utf8_lossy(&written.bytes).into_owned();
            if found(&text) {
                return text;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if written.ended || left.is_zero() {
                // A panic that held the lock would poison it for whoever prints what there is.
                drop(written);
                panic!("waited for {what}; there is only:\n{text}");
            }
            written = news.wait_timeout(written, left).unwrap().0;
        }
    }

    /// Waits for a line that holds all of `parts`, and gives it.
    #[track_caller]
    pub(crate) fn wait_for_line(&self, parts: &[&str]) -> String {
        let holds_all = |line: &&str| parts.iter().all(|part| line.contains(part));
        // A line is complete when its end is there.
        let complete = |text: &str| text.rfind('\n').map_or(0, |end| end + 1);
        let what = format!("a line with {parts:?}");
        let text = self.wait_until(&what, |text| text[..complete(text)].lines().any(|line| holds_all(&line)));
        text.lines().find(holds_all).unwrap().to_owned()
    }

    /// Waits for the end of the stream and gives all of it.
    fn finish(&self) -> Vec<u8> {
        let (written, news) = &*self.0;
        let written = written.lock().unwrap();
        let (written, _) = news.wait_timeout_while(written, LIMIT, |written| !written.ended).unwrap();
        // Another process may hold the stream open; what the program wrote is there all the same.
        written.bytes.clone()
    }
}

/// A running program, killed when dropped.
pub(crate) struct Program {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    pub(crate) output: Transcript,
    pub(crate) errors: Transcript,
}

impl Program {
    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_with_own_errors(command.stderr(Stdio::piped()))
    }

    /// Starts a program whose standard error goes where the caller has sent it.
    #[track_caller]
    pub(crate) fn start_with_own_errors(command: &mut Command) -> Self {
        let name = format!("{command:?}");
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} cannot be run: {error}"));
        let input = child.stdin.take();
        let output = Transcript::collect(child.stdout.take().unwrap());
        let errors = child.stderr.take().map_or_else(Transcript::none, Transcript::collect);
        Self { name, child, input, output, errors }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Gives the program something to read.
    #[track_caller]
    pub(crate) fn say(&mut self, text: &str) {
        self.input.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// There is no more to read for the program.
    pub(crate) fn end_input(&mut self) {
        self.input = None;
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Waits for the program's end.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.wait_for(LIMIT)
    }

    #[track_caller]
    fn wait_for(&mut self, limit: Duration) -> ExitStatus {
        let (ended, end) = mpsc::channel();
        let id = Id::Pid(self.pid());
        // WNOWAIT leaves the process to be reaped below, so its number cannot be another's by the time it is killed.
        thread::spawn(move || {
            let result = waitid(id, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
            // Nobody listens once the wait has been given up.
            let _ = ended.send(result);
        });
        let Ok(result) = end.recv_timeout(limit) else {
            panic!("{} did not end; it wrote:\n{}{}", self.name, self.output.text(), self.errors.text());
        };
        result.unwrap();
        // Its last words may still be on their way.
        self.output.finish();
        self.errors.finish();
        self.child.wait().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail harmlessly for a program that has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("{} wrote:\n{}{}", self.name, self.output.text(), self.errors.text());
        }
    }
}

/// A program's end and all that it wrote.
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) bytes: Vec<u8>,
    pub(crate) stderr: String,
}

impl Output {
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signal = self.status.signal();
        write!(f, "exit code {:?}, signal {signal:?}\n{}{}", self.code(), self.stdout(), self.stderr)
    }
}

/// Runs a program to its end with `input` to read.
#[track_caller]
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Output {
    run_for(LIMIT, command, input)
}

/// The same for a program that may take as long as `limit`.
#[track_caller]
pub(crate) fn run_for(limit: Duration, command: &mut Command, input: &[u8]) -> Output {
    let mut program = Program::start(command);
    let mut stream = program.input.take().unwrap();
    let input = input.to_vec();
    let feeder = thread::spawn(move || {
        // A program need not read all, or anything, of what it is given.
        let _ = stream.write_all(&input);
    });
    let status = program.wait_for(limit);
    feeder.join().unwrap();
    let stderr = String::from_utf8_lossy(&program.errors.finish()).into_owned();
    Output { status, bytes: program.output.finish(), stderr }
}

/// Runs a program that does not end by itself, feeds it `input`, and gives its output once there is as much as
/// `enough` holds.
#[track_caller]
pub(crate) fn run_until(command: &mut Command, input: &str, enough: &str) -> String {
    let mut program = Program::start(command);
    program.say(input);
    program.output.wait_until("its output", |text| text.len() >= enough.len())
}
