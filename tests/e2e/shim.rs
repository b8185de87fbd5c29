//! A library that is loaded into the server (`shim.c`): it counts the server's allocations, refuses packets as a kernel
//! does that has no room for them, and advances the server's clock.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::sys::signal::Signal;

use crate::program::run;
use crate::server::{Server, shout};

/// A server with the library in it.
pub(crate) struct Shimmed {
    pub(crate) server: Server,
    shared: File,
    path: PathBuf,
}

/// Where a number is, in order.
#[derive(Clone, Copy)]
enum Number {
    Allocations,
    Error,
    OneIn,
    Writes,
    Refused,
    Intrude,
    Seconds,
    Stopped,
}

impl Shimmed {
    /// Starts a server that logs nothing of its clients: each line costs an allocation. The library makes system calls
    /// that the server itself does not take, so there is no sandbox.
    #[track_caller]
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_in_sandbox(&[arguments, &["--no-sandbox"]].concat())
    }

    /// Starts a server that logs nothing of its clients, in its sandbox.
    #[track_caller]
    pub(crate) fn start_in_sandbox(arguments: &[&str]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("shim-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let shared =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        shared.set_len(4096).unwrap();
        shared.set_permissions(fs::Permissions::from_mode(0o666)).unwrap();
        let mut command = shout(arguments);
        command
            .env("RUST_LOG", "info,shout_core=error")
            .env("LD_PRELOAD", library())
            .env("SHOUT_SHIM", &path);
        let shimmed = Self { server: Server::start_as(&mut command), shared, path };
        assert!(shimmed.allocations() > 0, "the library is not loaded");
        shimmed
    }

    /// How often the server has asked for memory so far.
    pub(crate) fn allocations(&self) -> u64 {
        self.number(Number::Allocations)
    }

    /// From now on the kernel refuses every so many-th packet.
    pub(crate) fn refuse(&self, error: Errno, one_in: u64) {
        self.set(Number::OneIn, one_in);
        self.set(Number::Error, (error as i32).try_into().unwrap());
    }

    /// It takes all of them again. Returns how many it has refused so far.
    pub(crate) fn accept(&self) -> u64 {
        self.set(Number::Error, 0);
        self.number(Number::Refused)
    }

    /// Packets that were offered while some were refused.
    pub(crate) fn writes(&self) -> u64 {
        self.number(Number::Writes)
    }

    /// The next packet has the server ask for a socket.
    pub(crate) fn intrude(&self) {
        self.set(Number::Intrude, 1);
    }

    /// Advances the server's clock, and from now on nothing else does: on a busy machine, what the test does takes time as well.
    /// The server does not look at it before it wakes up: a sleep is as long as it was meant to be.
    pub(crate) fn advance(&self, seconds: u64) {
        self.set(Number::Stopped, 1);
        self.set(Number::Seconds, self.number(Number::Seconds) + seconds);
    }

    /// Advances the server's clock, second by second, so that it oversleeps nothing.
    #[track_caller]
    pub(crate) fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.advance(1);
            self.wake();
        }
    }

    /// Wakes the server up, and waits until it has done all that is due.
    #[track_caller]
    pub(crate) fn wake(&self) {
        // It shows its counters before it looks at its clock, so it has done so when it shows them again.
        for _ in 0..2 {
            let shown = |text: &str| text.matches("\ndatagrams/s ").count();
            let before = shown(&self.server.log().text());
            self.server.signal(Signal::SIGUSR1);
            self.server.log().wait_until("the counters", |text| shown(text) > before);
        }
    }

    /// Asks the server to end, and waits until it has.
    #[track_caller]
    pub(crate) fn terminate(mut self) -> Option<i32> {
        self.server.signal(Signal::SIGTERM);
        self.server.wait().code()
    }

    fn number(&self, number: Number) -> u64 {
        let mut bytes = [0; 8];
        self.shared.read_exact_at(&mut bytes, number as u64 * 8).unwrap();
        u64::from_ne_bytes(bytes)
    }

    fn set(&self, number: Number, value: u64) {
        self.shared.write_all_at(&value.to_ne_bytes(), number as u64 * 8).unwrap();
    }
}

impl Drop for Shimmed {
    fn drop(&mut self) {
        // What is left would be in the way of nobody.
        let _ = fs::remove_file(&self.path);
    }
}

/// `shout` where the kernel refuses the first step of giving privileges up.
pub(crate) fn shout_that_keeps_its_privileges() -> Command {
    let mut command = shout(&[]);
    command
        .env("LD_PRELOAD", library())
        .env("SHOUT_SHIM", "/dev/zero")
        .env("SHOUT_SHIM_KEEP_PRIVILEGES", "1");
    command
}

/// The library, built once.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("shim-{}.so", std::process::id()));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/e2e/shim.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&path).arg(source);
        let output = run(&mut compiler, b"");
        assert_eq!(output.code(), Some(0), "{output}");
        path
    })
}
