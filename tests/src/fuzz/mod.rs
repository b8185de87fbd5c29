//! The fuzz targets. They are here, and not in `tests/fuzz`, so that an ordinary test can replay the corpus.

use smoltcp::phy::Medium;
use smoltcp::time::Duration;

use crate::ethernet::Neighbour;
use crate::single_server::{ServerSetup, SingleServer};

pub mod packets;
pub mod peers;

/// The server's settings, drawn by a fuzzer.
#[derive(Debug, Clone, Copy, arbitrary::Arbitrary)]
struct Setting {
    ethernet: bool,
    slots: u8,
    buffer: u8,
    idle_timeout: bool,
    trusting: bool,
    /// The device delivers no packets while it is full.
    deaf: bool,
}

impl Setting {
    fn setup(self) -> ServerSetup {
        ServerSetup {
            medium: if self.ethernet { Medium::Ethernet } else { Medium::Ip },
            slots: usize::from(self.slots % 4) + 1,
            buffer: [64, 1024, 1024, 4096, 70_000][usize::from(self.buffer % 5)],
            idle_timeout: self.idle_timeout.then(|| Duration::from_secs(10)),
            trusting: self.trusting,
        }
    }
}

/// Lets time pass: from none to two and a half minutes.
fn pass(single: &mut SingleServer<'_>, magnitude: u8, more: u8) {
    let least = 1 << (magnitude % 27);
    single.pass(Duration::from_micros(least + least * u64::from(more) / 256 - 1));
}

/// Gives the device room for this many packets, or for any number.
fn room(single: &mut SingleServer<'_>, room: u8) {
    single.device.room = if room % 8 < 4 { usize::from(room % 4) } else { usize::MAX };
}

/// The router to all other networks.
fn router() -> Neighbour {
    Neighbour { mac: [2, 0, 0, 2, 0, 0], address: [10, 69, 0, 254].into() }
}
