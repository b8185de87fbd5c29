//! Lines that a person types, with line editing and history.
//!
//! The editor blocks until a line is complete, so it runs on a thread of its own, and the client can watch its sockets
//! meanwhile. It shows a prompt only when asked to: the reply to one line comes before the prompt for the next.
//!
//! On Ctrl-Z the editor gives the terminal back, sends SIGTSTP, and takes the terminal again when that returns, which must not
//! be before the process has been stopped and continued. So its thread is the only one that has the signal unblocked: then
//! kill(2) does not return before the signal is delivered (POSIX). With another thread to deliver it to, the editor would be
//! stopped somewhere behind it, with the terminal in raw mode, which the shell then resets. Where another process stops this
//! one, the editor does not know of it: on SIGCONT the terminal is put into raw mode again, and the editor told to show the
//! line anew. A signal that ends the process does so when the terminal is as it was found.

use core::cell::Cell;
use core::mem;
use std::io::{self, IsTerminal, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use rustyline::config::Behavior;
use rustyline::error::ReadlineError;
use rustyline::{Config, DefaultEditor, ExternalPrinter, Prompt};

use super::line::{Entry, trim};
use super::output::{self, Output};

const PROMPT: &str = ">>: ";

/// Signals that end the process, and that it does not get from a key in raw mode.
const ENDING: [Signal; 3] = [Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGTERM];

/// Locked while the editor takes the terminal over. Holds the mode that the terminal is in while the editor has it.
type Gate = Arc<Mutex<Option<Termios>>>;

/// The client's end of the editor's thread.
pub(super) struct Terminal {
    requests: Sender<()>,
    entries: Receiver<io::Result<Entry>>,
    /// Readable when an entry is there: a channel cannot be polled.
    bell: PipeReader,
    /// Whether a line was asked for that has not come yet.
    asked: bool,
    gate: Gate,
    /// The terminal as it was found.
    mode: Termios,
    /// Prints above the prompt, where standard error is that terminal, too.
    printer: Option<Sender<String>>,
}

impl Terminal {
    /// Takes the terminal on standard input. `raw`: lines come as they are, with a line feed.
    pub(super) fn open(raw: bool) -> io::Result<Self> {
        // Before the threads are started, which inherit it.
        SigSet::from_iter([Signal::SIGTSTP, Signal::SIGCONT].into_iter().chain(ENDING)).thread_block()?;
        let mode = tcgetattr(io::stdin())?;
        let mut editor = DefaultEditor::with_config(config()).map_err(into_io)?;
        let printer = match editor.create_external_printer() {
            Ok(printer) if io::stderr().is_terminal() => Some(start_printer(printer)?),
            // It cannot on a terminal without cursor movement.
            Ok(_) | Err(_) => None,
        };
        let (bell, ringer) = io::pipe()?;
        let (requests, asked_for) = mpsc::channel();
        let (answers, entries) = mpsc::channel();
        let gate = Gate::default();
        let (editors_gate, signals_gate) = (Arc::clone(&gate), Arc::clone(&gate));
        let (signals_printer, found) = (printer.clone(), mode.clone());
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || attend_to_signals(&signals_gate, signals_printer.as_ref(), &found))?;
        thread::Builder::new()
            .name("editor".to_owned())
            .spawn(move || edit(editor, raw, &editors_gate, (&asked_for, &answers), ringer))?;
        Ok(Self { requests, entries, bell, asked: false, gate, mode, printer })
    }

    /// Shows the prompt, unless it stands there already.
    pub(super) fn ask(&mut self) {
        // A failure means that the thread is gone: `read` says so.
        self.asked = self.asked || self.requests.send(()).is_ok();
    }

    /// The line that has come; blocks until it has.
    pub(super) fn read(&mut self) -> io::Result<Option<Entry>> {
        self.bell.read_exact(&mut [0])?;
        self.asked = false;
        self.entries.recv().map_err(io::Error::other)?.map(Some)
    }

    /// Says something above the prompt, which stays.
    pub(super) fn interject(&mut self, sentence: &str, output: &mut Output<'_>) {
        match &self.printer {
            Some(printer) if printer.send(output::note_line(&sentence)).is_ok() => {}
            Some(_) | None => output.note(&sentence),
        }
    }
}

impl AsFd for Terminal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

impl Drop for Terminal {
    /// Gives the terminal back, also from under the editor, which nothing but a key can stop: when the server closes, nobody
    /// should have to press one.
    fn drop(&mut self) {
        if !self.asked {
            return;
        }
        // Never unlocked again: the editor either has taken the terminal, and it is taken back below, or never will.
        mem::forget(self.gate.lock());
        // If it fails the terminal is gone, and its mode with it.
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &self.mode);
        if io::stdout().is_terminal() {
            let _ = io::stdout().write_all(b"\n");
        }
    }
}

/// A prompt that unlocks the gate when it is first looked at. The editor does that right after it has put the terminal into
/// raw mode.
struct GatedPrompt<'a> {
    gate: Cell<Option<MutexGuard<'a, Option<Termios>>>>,
}

impl Prompt for GatedPrompt<'_> {
    fn raw(&self) -> &str {
        if let Some(mut mode) = self.gate.take() {
            // If it fails the terminal is gone.
            *mode = tcgetattr(io::stdin()).ok();
        }
        PROMPT
    }
}

fn config() -> Config {
    // A prompt does not belong into a file or another program's input: where standard output is not the terminal, the terminal
    // itself is opened.
    let behavior = if io::stdout().is_terminal() { Behavior::Stdio } else { Behavior::PreferTerm };
    Config::builder()
        .behavior(behavior)
        // Pasted lines are lines like typed ones, not one line with line feeds.
        .bracketed_paste(false)
        .build()
}

/// The editor's thread: one entry for each request.
fn edit(
    mut editor: DefaultEditor,
    raw: bool,
    gate: &Mutex<Option<Termios>>,
    (requests, entries): (&Receiver<()>, &Sender<io::Result<Entry>>),
    mut bell: PipeWriter,
) {
    if let Err(error) = SigSet::from(Signal::SIGTSTP).thread_unblock() {
        // The client is gone when it does not listen.
        let _ = entries.send(Err(error.into())).map(|()| bell.write_all(b"\n"));
        return;
    }
    for () in requests {
        let entry = read_entry(&mut editor, raw, gate);
        // The client is gone when it does not listen.
        if entries.send(entry).is_err() || bell.write_all(b"\n").is_err() {
            return;
        }
    }
}

fn read_entry(editor: &mut DefaultEditor, raw: bool, gate: &Mutex<Option<Termios>>) -> io::Result<Entry> {
    loop {
        let prompt = GatedPrompt { gate: Cell::new(Some(lock(gate))) };
        let line = editor.readline(&prompt);
        *lock(gate) = None;
        match line {
            Ok(text) => {
                let trimmed = trim(text.as_bytes());
                let line = if raw { format!("{text}\n").into_bytes() } else { trimmed.to_vec() };
                if !trimmed.is_empty() {
                    editor.add_history_entry(text).map_err(into_io)?;
                }
                return Ok(Entry::Line(line));
            }
            Err(ReadlineError::Eof) => return Ok(Entry::End),
            Err(ReadlineError::Interrupted) => return Ok(Entry::Interrupted),
            // The editor has dropped the whole line by then.
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                let advice = "that line was not UTF-8 and is not sent; type it again";
                let _ = io::stderr().write_all(output::note_line(&advice).as_bytes());
            }
            Err(error) => return Err(into_io(error)),
        }
    }
}

fn lock(gate: &Mutex<Option<Termios>>) -> MutexGuard<'_, Option<Termios>> {
    // Nothing under the lock leaves it in a bad state.
    gate.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the terminal again for the editor whenever the process is continued, and gives it back before a signal ends the
/// process. If a call fails, the terminal is gone.
fn attend_to_signals(gate: &Mutex<Option<Termios>>, printer: Option<&Sender<String>>, found: &Termios) {
    let watched = SigSet::from_iter([Signal::SIGCONT].into_iter().chain(ENDING));
    while let Ok(signal) = watched.wait() {
        if signal == Signal::SIGCONT {
            if let Some(mode) = &*lock(gate) {
                let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, mode);
                // Whatever is printed above it, the editor shows the line anew.
                let _ = printer.map(|printer| printer.send(String::new()));
            }
        } else {
            // Not behind the gate, which is locked for good at the end of the conversation.
            let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, found);
            let _ = SigSet::from(signal).thread_unblock().and_then(|()| raise(signal));
        }
    }
}

/// Starts what prints above the prompt. Its own thread, because the printer blocks while the editor has not shown an earlier
/// message yet, which it may not do before the client asks it for the next line.
fn start_printer(mut printer: impl ExternalPrinter + Send + 'static) -> io::Result<Sender<String>> {
    let (sender, messages) = mpsc::channel();
    thread::Builder::new().name("printer".to_owned()).spawn(move || {
        for message in messages {
            if printer.print(message).is_err() {
                return;
            }
        }
    })?;
    Ok(sender)
}

fn into_io(error: ReadlineError) -> io::Error {
    match error {
        ReadlineError::Io(error) => error,
        ReadlineError::Errno(errno) => errno.into(),
        error => io::Error::other(error),
    }
}
