//! Why there was no demonstration.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::process::ExitCode;

use nix::sys::wait::WaitStatus;
use thiserror::Error;

use crate::error::remedy;

/// Why there was no demonstration.
#[derive(Debug, Error)]
pub(super) enum DemoError {
    #[error("user namespaces are not allowed here ({source}): {remedy}, or run `sudo {program} demo`")]
    UserNamespace { source: io::Error, remedy: &'static str, program: String },
    #[error(
        "a network namespace cannot be made ({0}): see that `sysctl user.max_net_namespaces` is not 0 and that the kernel \
         was built with CONFIG_NET_NS"
    )]
    NetworkNamespace(io::Error),
    #[error("{} failed: {}; {}", .0, .1, remedy(.1))]
    System(&'static str, io::Error),
    #[error("the server ended before it was ready: {}; try again with -vv to see how far it came", ending(.0))]
    Server(WaitStatus),
    #[error("{} cannot be run: {}; {}", .0.display(), .1, way_to_run(.1))]
    Program(OsString, io::Error),
}

impl DemoError {
    pub(super) fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::System(what, source.into())
    }

    /// For a program that cannot be run, what a shell makes of it.
    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Program(_, source) if source.kind() == ErrorKind::NotFound => ExitCode::from(127),
            Self::Program(..) => ExitCode::from(126),
            _ => ExitCode::FAILURE,
        }
    }
}

/// What to do about a program that cannot be run.
fn way_to_run(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => "check its name, or give its path",
        ErrorKind::PermissionDenied => "check that it is a program, and that you may run it",
        _ => "check that it is a program for this machine",
    }
}

/// How a process ended, in words.
pub(super) fn ending(status: &WaitStatus) -> String {
    match status {
        WaitStatus::Exited(_, code) => format!("exit code {code}"),
        WaitStatus::Signaled(_, signal, _) => format!("{signal}"),
        other => format!("{other:?}"),
    }
}
