//! All memory of the server, asked for at once at start: a fixed number of allocations, none of which is ever freed.

use core::iter;
use std::collections::TryReserveError;
use std::{fs, io};

use memmap2::MmapMut;
use shout_core::{BUFFER_SIZE, Bucket, DelayedMetadata, DemuxEntry, Slot, SourceEntry, Storage};
use smoltcp::iface::SocketStorage;
use smoltcp::socket::udp::PacketMetadata;
use smoltcp::time::Instant;

use crate::cli::options::ServeOptions;
use crate::device::LONGEST_PACKET;
use crate::error::Error;
use crate::serve::service::Position;
use crate::system::cgroup;

/// UDP replies that wait for a device that is full.
const WAITING_REPLIES: usize = 16;

/// UDP replies that wait for their `--delay`, and their bytes.
const DELAYED_REPLIES: usize = 65536;
const DELAYED_BYTES: usize = 16 << 20;

/// Allocates what the options ask for, if this process may have it.
pub(crate) fn allocate<S>(options: &ServeOptions) -> Result<Storage<'static, S>, Error> {
    // The kernel would promise more than it has and kill the program later, when the pages are used.
    if let Some(available) = machine_has() {
        check(options, available, "free")?;
    }
    if let Some(left) = cgroup::memory_left() {
        check(options, left, "left below the limit of this process's control group")?;
    }
    storage(options).map_err(|error| too_much(options, error.to_string()))
}

fn check(options: &ServeOptions, available: u64, what: &str) -> Result<(), Error> {
    if needed(options) > available {
        return Err(too_much(options, format!("{} {what}", readable(available))));
    }
    Ok(())
}

fn too_much(options: &ServeOptions, available: String) -> Error {
    Error::Memory {
        connections: options.connections,
        buffer: options.buffer,
        needed: readable(needed(options)),
        available,
    }
}

/// Buckets a slot: with two in place of one, half as many connections share one, for two bytes more.
const BUCKETS: usize = 2;

/// All bytes that the server can come to use.
fn needed(options: &ServeOptions) -> u64 {
    // With the largest state that a service keeps of a connection.
    let a_slot = size_of::<Slot<'_, Position>>()
        + size_of::<SocketStorage<'_>>()
        + size_of::<DemuxEntry>()
        + BUCKETS * size_of::<Bucket>()
        + size_of::<Instant>()
        + if options.per_source.is_some() { size_of::<SourceEntry>() } else { 0 };
    let delayed = match options.delay {
        Some(_) => DELAYED_REPLIES * size_of::<DelayedMetadata>() + DELAYED_BYTES,
        None => 0,
    };
    // At most 65535 slots of some 2 MiB: far from overflowing.
    u64::from(options.connections) * (a_slot as u64 + 2 * u64::from(options.buffer)) + delayed as u64
}

fn storage<S>(options: &ServeOptions) -> io::Result<Storage<'static, S>> {
    let slots = usize::from(options.connections);
    let (delayed_replies, delayed_bytes) = match options.delay {
        Some(_) => (DELAYED_REPLIES, DELAYED_BYTES),
        None => (0, 0),
    };
    let buffer = usize::try_from(options.buffer).map_err(io::Error::other)?;
    let mut storage = Storage::new();
    storage.slots = array(slots, || Slot::EMPTY)?;
    storage.sockets = array(slots, || SocketStorage::EMPTY)?;
    storage.demux = array(slots, || DemuxEntry::EMPTY)?;
    storage.buckets = array(BUCKETS * slots, || Bucket::EMPTY)?;
    storage.deadlines = array(slots, || Instant::ZERO)?;
    storage.sources = array(if options.per_source.is_some() { slots } else { 0 }, || SourceEntry::EMPTY)?;
    storage.tcp_buffers = bytes(slots * 2 * buffer)?;
    storage.udp.sockets = array(1, || SocketStorage::EMPTY)?;
    storage.udp.rx_metadata = array(2, || PacketMetadata::EMPTY)?;
    // Any datagram that fits in an IP packet.
    storage.udp.rx = bytes(usize::from(u16::MAX))?;
    storage.udp.tx_metadata = array(WAITING_REPLIES, || PacketMetadata::EMPTY)?;
    storage.udp.tx = bytes(WAITING_REPLIES * BUFFER_SIZE)?;
    storage.udp.delayed_metadata = array(delayed_replies, || DelayedMetadata::EMPTY)?;
    storage.udp.delayed = bytes(delayed_bytes)?;
    storage.unanswered = bytes(if options.tap { LONGEST_PACKET } else { 0 })?;
    Ok(storage)
}

fn array<T>(length: usize, empty: impl FnMut() -> T) -> Result<&'static mut [T], TryReserveError> {
    let mut array = Vec::new();
    array.try_reserve_exact(length)?;
    array.extend(iter::repeat_with(empty).take(length));
    Ok(array.leak())
}

/// Zeroes straight from the kernel: a page costs memory only once it is written to, so that the buffers of slots
/// that are never used cost none.
fn bytes(length: usize) -> io::Result<&'static mut [u8]> {
    let map: &'static mut MmapMut = Box::leak(Box::new(MmapMut::map_anon(length)?));
    Ok(map)
}

/// What the kernel holds to be available without swapping, if it says so.
fn machine_has() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// A size as one says it.
fn readable(bytes: u64) -> String {
    match bytes {
        0..0x40_0000 => format!("{} KiB", bytes.div_ceil(1024)),
        0x40_0000..0x1_0000_0000 => format!("{} MiB", bytes.div_ceil(1024 * 1024)),
        _ => format!("{} GiB", bytes.div_ceil(1024 * 1024 * 1024)),
    }
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroU16;
    use core::time::Duration;

    use super::*;

    fn options(connections: u16, buffer: u32) -> ServeOptions {
        ServeOptions { connections, buffer, ..ServeOptions::default() }
    }

    #[test]
    fn every_slice_has_the_length_that_the_options_ask_for() {
        let storage = allocate::<()>(&options(3, 100)).unwrap();
        assert_eq!(storage.slots.len(), 3);
        assert_eq!(storage.sockets.len(), 3);
        assert_eq!(storage.tcp_buffers.len(), 600);
        assert!(storage.tcp_buffers.iter().all(|byte| *byte == 0));
        assert!(storage.udp.delayed.is_empty() && storage.udp.delayed_metadata.is_empty());
    }

    #[test]
    fn a_limit_per_source_and_frames_get_room() {
        let plain = allocate::<()>(&options(3, 100)).unwrap();
        assert!(plain.sources.is_empty() && plain.unanswered.len() < 100);
        let more = ServeOptions { tap: true, per_source: NonZeroU16::new(2), ..options(3, 100) };
        let storage = allocate::<()>(&more).unwrap();
        assert_eq!((storage.sources.len(), storage.unanswered.len()), (3, LONGEST_PACKET));
        assert!(needed(&more) > needed(&options(3, 100)));
    }

    #[test]
    fn a_delay_gets_room_for_replies() {
        let delayed = ServeOptions { delay: Some(Duration::from_secs(10)), ..options(1, 64) };
        let storage = allocate::<()>(&delayed).unwrap();
        assert_eq!(storage.udp.delayed_metadata.len(), DELAYED_REPLIES);
        assert_eq!(storage.udp.delayed.len(), DELAYED_BYTES);
        assert!(needed(&delayed) > needed(&options(1, 64)) + DELAYED_BYTES as u64);
    }

    #[test]
    fn the_need_counts_both_buffers_of_every_slot() {
        let bytes = needed(&options(65535, 1 << 20));
        assert!(bytes > 2 * 65535 * (1 << 20), "{bytes}");
        assert_eq!(needed(&options(2, 64)) * 5, needed(&options(10, 64)));
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let most = options(65535, 1 << 20);
        assert!(check(&most, needed(&most), "free").is_ok());
        let message = check(&most, needed(&most) - 1, "free").unwrap_err().to_string();
        for part in [
            "65535 connections",
            "1048576 bytes",
            "129 GiB needed",
            "129 GiB free",
            "--connections",
            "--buffer",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }

    #[test]
    fn the_kernel_says_what_is_available() {
        assert!(machine_has().is_some_and(|bytes| bytes > 1 << 20));
    }

    #[test]
    fn sizes_are_readable() {
        assert_eq!(readable(1), "1 KiB");
        assert_eq!(readable(5 << 20), "5 MiB");
        assert_eq!(readable(137 << 30), "137 GiB");
    }
}
