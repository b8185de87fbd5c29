//! The log: to standard error directly at first, and by way of a thread of its own once the loop runs, so that a
//! stopped terminal or a full pipe never holds up a packet.

use core::fmt::Display;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::SystemTime;

use log::{Level, LevelFilter};

use crate::system::journal;

/// Lines that wait for standard error at most.
const WAITING_LINES: usize = 256;

/// How long the end of the program waits for standard error to take the last lines.
const LONGEST_FLUSH: Duration = Duration::from_millis(500);

/// The way to standard error. Clones share it.
#[derive(Clone)]
pub(crate) struct Log {
    sink: Arc<Mutex<Sink>>,
    /// Standard error leads to the journal of systemd.
    journal: bool,
}

enum Sink {
    /// Each line is written at once, however long that takes.
    Direct,
    /// Each line is put in a queue, or counted if that is full.
    Queue(Queue),
    /// The queue was not written out in time: what comes now is lost.
    Closed,
}

struct Queue {
    lines: SyncSender<Vec<u8>>,
    /// Lines that found no room and have not been spoken of yet.
    lost: Arc<AtomicU64>,
    /// Closed by the writer when it has written the last line.
    written: Receiver<()>,
}

impl Log {
    /// Makes this the logger of the program. `RUST_LOG` goes before `level`.
    pub(crate) fn start(level: LevelFilter) -> Self {
        let journal = journal::has_stderr();
        let log = Self { sink: Arc::new(Mutex::new(Sink::Direct)), journal };
        env_logger::Builder::new()
            .filter_level(level)
            .parse_default_env()
            .format(move |line, record| {
                if journal {
                    return line
                        .write_all(journal::lines(record.level(), &record.args().to_string()).as_bytes());
                }
                let now = humantime::format_rfc3339_millis(SystemTime::now());
                writeln!(line, "{now} {:<5} {}", record.level(), record.args())
            })
            .target(env_logger::Target::Pipe(Box::new(log.clone())))
            .init();
        log
    }

    /// From now on no line is waited for.
    pub(crate) fn detach(&self) -> io::Result<()> {
        let queue = Queue::new(io::stderr())?;
        *self.sink() = Sink::Queue(queue);
        Ok(())
    }

    /// Says why the program ends, whatever the log level.
    pub(crate) fn fatal(&self, error: &dyn Display) {
        let text = format!("error: {error}\n");
        let text = if self.journal { journal::lines(Level::Error, &text) } else { text };
        self.sink().line(text.as_bytes());
    }

    /// Waits until the last line is written, but not for long.
    pub(crate) fn finish(&self) {
        let mut sink = self.sink();
        if let Sink::Queue(queue) = core::mem::replace(&mut *sink, Sink::Closed)
            && queue.finish()
        {
            *sink = Sink::Direct;
        }
    }

    fn sink(&self) -> MutexGuard<'_, Sink> {
        // Nothing under the lock leaves it in a bad state.
        self.sink.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// env_logger writes each record with one call.
impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.sink().line(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink {
    fn line(&mut self, line: &[u8]) {
        match self {
            // A log that cannot be written has nowhere to say so; a closed pipe must not end the server.
            Sink::Direct => drop(io::stderr().write_all(line)),
            Sink::Queue(queue) => queue.line(line),
            Sink::Closed => {}
        }
    }
}

impl Queue {
    /// A queue whose lines a new thread writes to `out`.
    fn new(mut out: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, queued) = mpsc::sync_channel::<Vec<u8>>(WAITING_LINES);
        let (done, written) = mpsc::channel::<()>();
        let lost = Arc::new(AtomicU64::new(0));
        let lost_at_last = Arc::clone(&lost);
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            // The allocator has made its arena for this thread by now.
            let _ = done.send(());
            // As above: a closed pipe is no reason to stop, nor to say anything.
            for line in queued {
                let _ = out.write_all(&line);
            }
            if let Some(line) = confession(&lost_at_last) {
                let _ = out.write_all(&line);
            }
            drop(done);
        })?;
        // Before the system calls are forbidden that the start of a thread takes.
        let _ = written.recv();
        Ok(Self { lines, lost, written })
    }

    fn line(&mut self, line: &[u8]) {
        // The loss is said in the place where the lines are missing, as soon as there is room.
        let room = confession(&self.lost).is_none_or(|line| {
            let room = self.lines.try_send(line).is_ok();
            if room {
                self.lost.store(0, Ordering::Relaxed);
            }
            room
        });
        if !room || self.lines.try_send(line.to_vec()).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Closes the queue; true if all that was in it has been written.
    fn finish(self) -> bool {
        drop(self.lines);
        self.written.recv_timeout(LONGEST_FLUSH) == Err(mpsc::RecvTimeoutError::Disconnected)
    }
}

fn confession(lost: &AtomicU64) -> Option<Vec<u8>> {
    let lost = lost.load(Ordering::Relaxed);
    let line = || format!("({lost} log lines were lost: standard error did not take them in time)\n");
    (lost > 0).then(|| line().into_bytes())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, PipeReader, PipeWriter};
    use std::time::Instant;

    use nix::fcntl::{FcntlArg, fcntl};

    use super::*;

    /// A pipe of one page, so that the lines in a full queue do not fit in it.
    fn narrow_pipe() -> (PipeReader, PipeWriter) {
        let (reader, writer) = io::pipe().unwrap();
        fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
        (reader, writer)
    }

    fn log_to(out: PipeWriter) -> Log {
        Log { sink: Arc::new(Mutex::new(Sink::Queue(Queue::new(out).unwrap()))), journal: false }
    }

    /// More than a narrow pipe and the queue hold together.
    const MANY: usize = 2 * WAITING_LINES;

    fn flood(log: &Log) {
        let line = format!("{}\n", "x".repeat(99));
        for _ in 0..MANY {
            log.clone().write_all(line.as_bytes()).unwrap();
        }
    }

    #[test]
    fn lines_arrive_whole_and_in_order() {
        let (reader, writer) = io::pipe().unwrap();
        let mut log = log_to(writer);
        for number in 0..100 {
            log.write_all(format!("line {number}\n").as_bytes()).unwrap();
        }
        log.finish();
        let lines: Vec<String> = BufReader::new(reader).lines().map(Result::unwrap).collect();
        assert_eq!(lines, (0..100).map(|number| format!("line {number}")).collect::<Vec<_>>());
    }

    #[test]
    fn a_full_pipe_holds_up_nobody_and_the_loss_is_said() {
        let (reader, writer) = narrow_pipe();
        let log = log_to(writer);
        flood(&log); // hangs here for ever if a line is waited for
        let reading = thread::spawn(|| BufReader::new(reader).lines().map(Result::unwrap).collect());
        log.finish();
        let lines: Vec<String> = reading.join().unwrap();
        let lost = |line: &String| -> Option<usize> {
            line.strip_prefix('(')?.split_once(" log lines were lost")?.0.parse().ok()
        };
        let whole = lines.iter().filter(|line| line.starts_with('x')).count();
        let lost: usize = lines.iter().filter_map(lost).sum();
        assert!(lost > 0, "{MANY} lines fit");
        assert_eq!(whole + lost, MANY);
    }

    #[test]
    fn a_loss_is_said_once_in_the_place_of_the_lines() {
        let (lines, queued) = mpsc::sync_channel(2);
        let mut queue = Queue { lines, lost: Arc::default(), written: mpsc::channel().1 };
        let text = || String::from_utf8(queued.recv().unwrap()).unwrap();
        for line in ["a", "b", "lost", "lost"] {
            queue.line(line.as_bytes());
        }
        assert_eq!((text(), text()), ("a".to_owned(), "b".to_owned()));
        queue.line(b"c");
        assert!(text().starts_with("(2 log lines were lost"));
        queue.line(b"d");
        assert_eq!((text(), text()), ("c".to_owned(), "d".to_owned()));
    }

    #[test]
    fn the_end_does_not_wait_for_a_full_pipe_for_long() {
        let (_reader, writer) = narrow_pipe();
        let log = log_to(writer);
        flood(&log);
        let started = Instant::now();
        log.finish();
        log.fatal(&"nobody reads this, and nobody waits for it");
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_closed_pipe_is_no_matter() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let log = log_to(writer);
        flood(&log);
        log.finish();
    }
}
