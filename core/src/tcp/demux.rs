//! Demultiplexing: which slot a connection has.
//!
//! A hash table with chains through its entries, one a slot, under a keyed hash: whoever chooses addresses and ports cannot
//! make them collide without knowing the key. All operations cost O(1).

use core::hash::Hasher;

use siphasher::sip::SipHasher13;
use smoltcp::wire::{IpAddress, IpEndpoint};

use crate::tcp::slots::SlotId;

/// The end of a chain, which is no slot's index.
const END: u16 = u16::MAX;

/// The 4-tuple of a connection, less the server's port, which all have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tuple {
    pub(crate) remote: IpEndpoint,
    pub(crate) local: IpAddress,
}

/// The head of a chain of the index.
#[derive(Debug, Clone, Copy)]
pub struct Bucket(u16);

impl Bucket {
    /// A bucket without a tuple.
    pub const EMPTY: Bucket = Bucket(END);
}

/// What the index keeps of a slot.
#[derive(Debug, Clone, Copy)]
pub struct DemuxEntry {
    tuple: Option<Tuple>,
    /// The hash of the tuple.
    hash: u32,
    /// The next entry of the same chain.
    next: u16,
}

impl DemuxEntry {
    /// The entry of a slot without a connection.
    pub const EMPTY: DemuxEntry = DemuxEntry { tuple: None, hash: 0, next: END };
}

/// The index of connections.
#[derive(Debug)]
pub(crate) struct Demux<'a> {
    entries: &'a mut [DemuxEntry],
    buckets: &'a mut [Bucket],
    hasher: SipHasher13,
}

impl<'a> Demux<'a> {
    pub(crate) fn new(
        entries: &'a mut [DemuxEntry],
        buckets: &'a mut [Bucket],
        hasher: SipHasher13,
    ) -> Demux<'a> {
        buckets.fill(Bucket::EMPTY);
        entries.fill(DemuxEntry::EMPTY);
        Demux { entries, buckets, hasher }
    }

    pub(crate) fn hash(&self, tuple: &Tuple) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "32 bits are enough for 65535 slots")]
        {
            hash(&self.hasher, tuple) as u32
        }
    }

    #[cfg_attr(feature = "fast", inline(always))]
    pub(crate) fn find(&self, tuple: &Tuple, hash: u32) -> Option<SlotId> {
        let mut at = self.buckets[self.bucket(hash)].0;
        while at != END {
            let entry = &self.entries[usize::from(at)];
            if entry.hash == hash && entry.tuple.as_ref() == Some(tuple) {
                return Some(SlotId(at));
            }
            at = entry.next;
        }
        None
    }

    pub(crate) fn tuple(&self, slot: SlotId) -> Option<&Tuple> {
        self.entries[slot.index()].tuple.as_ref()
    }

    /// Gives the slot a tuple, under its [`hash`](Self::hash). The tuple must not have a slot yet.
    pub(crate) fn insert(&mut self, slot: SlotId, tuple: Tuple, hash: u32) {
        let bucket = self.bucket(hash);
        let entry = &mut self.entries[slot.index()];
        entry.tuple = Some(tuple);
        entry.hash = hash;
        entry.next = self.buckets[bucket].0;
        self.buckets[bucket].0 = slot.0;
    }

    /// Takes the slot's tuple away.
    pub(crate) fn remove(&mut self, slot: SlotId) {
        let entry = &mut self.entries[slot.index()];
        if entry.tuple.take().is_none() {
            return;
        }
        let (hash, after) = (entry.hash, entry.next);
        let bucket = self.bucket(hash);
        if self.buckets[bucket].0 == slot.0 {
            self.buckets[bucket].0 = after;
            return;
        }
        let mut at = self.buckets[bucket].0;
        while at != END {
            let entry = &mut self.entries[usize::from(at)];
            if entry.next == slot.0 {
                entry.next = after;
                return;
            }
            at = entry.next;
        }
    }

    /// How many entries [`find`](Self::find) looks at for a tuple that has no slot.
    #[cfg(test)]
    pub(crate) fn chain(&self, hash: u32) -> usize {
        let first = self.buckets[self.bucket(hash)].0;
        let next = |at: &u16| self.entries.get(usize::from(*at)).map(|entry| entry.next);
        core::iter::successors(Some(first), next).take_while(|&at| at != END).count()
    }

    fn bucket(&self, hash: u32) -> usize {
        // Spreads 32 bits evenly over any number of buckets without a division.
        ((u64::from(hash) * self.buckets.len() as u64) >> 32) as usize
    }
}

/// SipHash-1-3 of a tuple: nobody without the key can choose tuples that collide.
///
/// Do not be tempted to have it inlined: that saves 16 instructions an echo, and is long on a processor of 32 bits.
pub(crate) fn hash(hasher: &SipHasher13, tuple: &Tuple) -> u64 {
    match (tuple.remote.addr, tuple.local) {
        (IpAddress::Ipv4(remote), IpAddress::Ipv4(local)) => {
            // Numbers into a fresh hasher: the compiler knows how many bytes there are, which saves a quarter.
            let (key0, key1) = hasher.keys();
            let mut hasher = SipHasher13::new_with_keys(key0, key1);
            hasher.write_u64(u64::from(remote.to_bits()) << 32 | u64::from(local.to_bits()));
            hasher.write_u16(tuple.remote.port);
            hasher.finish()
        }
        #[cfg(feature = "ipv6")]
        (IpAddress::Ipv6(remote), IpAddress::Ipv6(local)) => {
            let mut bytes = [0; 34];
            bytes[..16].copy_from_slice(&remote.octets());
            bytes[16..32].copy_from_slice(&local.octets());
            bytes[32..].copy_from_slice(&tuple.remote.port.to_be_bytes());
            hasher.hash(&bytes)
        }
        // One packet cannot have addresses of both families.
        #[cfg(feature = "ipv6")]
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(port: u16) -> Tuple {
        Tuple {
            remote: IpEndpoint::new(IpAddress::v4(192, 0, 2, 1), port),
            local: IpAddress::v4(192, 0, 2, 2),
        }
    }

    #[test]
    fn every_flow_is_found_whatever_was_removed() {
        let mut entries = [DemuxEntry::EMPTY; 16];
        let mut buckets = [Bucket::EMPTY; 3]; // few, so that chains are long
        let mut demux = Demux::new(&mut entries, &mut buckets, SipHasher13::new_with_keys(1, 2));
        let ids: std::vec::Vec<SlotId> = (0..16).filter_map(SlotId::new).collect();
        for (port, &slot) in (1..).zip(&ids) {
            let hash = demux.hash(&tuple(port));
            demux.insert(slot, tuple(port), hash);
        }
        for (port, &slot) in (1..).zip(&ids).filter(|(port, _)| port % 3 == 0) {
            demux.remove(slot);
            demux.remove(slot); // twice does no harm
            assert_eq!(demux.find(&tuple(port), demux.hash(&tuple(port))), None);
        }
        for (port, &slot) in (1..).zip(&ids).filter(|(port, _)| port % 3 != 0) {
            assert_eq!(demux.find(&tuple(port), demux.hash(&tuple(port))), Some(slot));
        }
    }

    #[test]
    fn a_flow_is_not_found_by_its_hash_alone() {
        let (mut entries, mut buckets) = ([DemuxEntry::EMPTY; 2], [Bucket::EMPTY; 2]);
        let mut demux = Demux::new(&mut entries, &mut buckets, SipHasher13::new_with_keys(1, 2));
        demux.insert(SlotId(0), tuple(1), 7);
        assert_eq!((demux.find(&tuple(1), 7), demux.find(&tuple(2), 7)), (Some(SlotId(0)), None));
    }

    #[cfg(feature = "ipv6")]
    #[test]
    fn the_hash_depends_on_every_part_of_a_flow_of_ipv6_too() {
        let address = |last: u16| IpAddress::v6(0x2001, 0xdb8, 0, 0, 0, 0, 0, last);
        let hash = |remote: u16, port: u16, local: u16| {
            let tuple = Tuple { remote: IpEndpoint::new(address(remote), port), local: address(local) };
            hash(&SipHasher13::new_with_keys(1, 2), &tuple)
        };
        for other in [hash(2, 1, 1), hash(1, 2, 1), hash(1, 1, 2)] {
            assert_ne!(other, hash(1, 1, 1));
        }
    }

    #[test]
    fn the_hash_depends_on_the_key_and_on_every_part_of_the_flow() {
        let reference = hash(&SipHasher13::new_with_keys(1, 2), &tuple(1));
        assert_ne!(reference, hash(&SipHasher13::new_with_keys(1, 3), &tuple(1)));
        assert_ne!(reference, hash(&SipHasher13::new_with_keys(1, 2), &tuple(2)));
        let mut other = tuple(1);
        other.local = IpAddress::v4(192, 0, 2, 3);
        assert_ne!(reference, hash(&SipHasher13::new_with_keys(1, 2), &other));
    }
}
