//! Opening the file of a capture, or the pipe.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{SigSet, Signal};

/// Opens `path` so that no write waits for a reader. True if there was nothing before.
pub(super) fn open(path: &Path) -> io::Result<(File, bool)> {
    // A file that has reached the process's limit (RLIMIT_FSIZE) is to be an error, as a full disk is, not the end.
    SigSet::from(Signal::SIGXFSZ).thread_block()?;
    let mut options = File::options();
    options.write(true);
    match options.clone().create_new(true).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        made => return made.map(|file| (file, true)),
    }
    // With `create` for a symbolic link to nowhere.
    options.create(true).truncate(false);
    let opened = match options.clone().custom_flags(OFlag::O_NONBLOCK.bits()).open(path) {
        // Nobody has opened the FIFO's other end yet.
        Err(error) if error.raw_os_error() == Some(Errno::ENXIO as i32) && is_fifo(path) => {
            log::info!("waiting for a reader of {}", path.display());
            let file = options.open(path)?;
            fcntl(&file, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
            Ok(file)
        }
        result => result,
    };
    opened.map(|file| (file, false))
}

fn is_fifo(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}
