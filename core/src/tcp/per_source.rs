//! How many connections each source has: what one of them may hold of the slots is limited by
//! [`Config::per_source`](crate::Config::per_source).
//!
//! A source is an IPv4 address or an IPv6 /64, the least that one site is given (RFC 6177). Each source with a connection
//! has a record with a count, in a hash table with chains through the records. The hash is keyed, so that nobody can choose
//! sources that share a chain. All operations cost O(1), and the memory is the caller's: there are as many records as
//! slots, which is enough, as a record in use has a slot at least.

use core::num::NonZeroU16;

use siphasher::sip::SipHasher13;
use smoltcp::wire::IpAddress;

use crate::tcp::slots::SlotId;

/// The end of a chain, and the record of a slot that has none.
const END: u16 = u16::MAX;

/// One record, one head of a chain and one slot's link to its record: three tables of one length in one array.
#[derive(Debug, Clone, Copy)]
pub struct SourceEntry {
    /// The source that the record counts.
    source: u64,
    /// Its open and half-open connections; 0 if the record is free.
    connections: u16,
    /// The next record of the same chain, or the next free one.
    chain: u16,
    /// The first record of the chain with this entry's number.
    head: u16,
    /// The record of the slot with this entry's number.
    record: u16,
}

impl SourceEntry {
    /// An entry without a source.
    pub const EMPTY: SourceEntry =
        SourceEntry { source: 0, connections: 0, chain: END, head: END, record: END };
}

/// Counts the connections of each source. Without a limit it does nothing and needs no memory.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    entries: &'a mut [SourceEntry],
    hasher: SipHasher13,
    limit: Option<NonZeroU16>,
    free: u16,
}

impl<'a> Sources<'a> {
    /// With a limit, there must be as many entries as slots.
    pub(crate) fn new(
        entries: &'a mut [SourceEntry],
        hasher: SipHasher13,
        limit: Option<NonZeroU16>,
    ) -> Sources<'a> {
        entries.fill(SourceEntry::EMPTY);
        let mut free = END;
        for (entry, number) in entries.iter_mut().zip(0..END) {
            entry.chain = free;
            free = number;
        }
        Sources { entries, hasher, limit, free }
    }

    /// The limit, if the source has as many connections already.
    pub(crate) fn refuses(&self, source: IpAddress) -> Option<u16> {
        let limit = self.limit?.get();
        let record = self.find(prefix(source))?;
        (self.entries[usize::from(record)].connections >= limit).then_some(limit)
    }

    /// Counts a slot's connection, which must not be counted yet.
    pub(crate) fn add(&mut self, slot: SlotId, source: IpAddress) {
        if self.limit.is_none() {
            return;
        }
        let source = prefix(source);
        let record = match self.find(source) {
            Some(record) => record,
            // Cannot be: each record in use has a slot, and this slot has none yet.
            None if self.free == END => return,
            None => {
                let (record, chain) = (self.free, self.chain_of(source));
                let head = core::mem::replace(&mut self.entries[chain].head, record);
                let entry = &mut self.entries[usize::from(record)];
                self.free = core::mem::replace(&mut entry.chain, head);
                (entry.source, entry.connections) = (source, 0);
                record
            }
        };
        self.entries[usize::from(record)].connections += 1;
        self.entries[slot.index()].record = record;
    }

    /// Counts a slot's connection no longer, if it has been counted.
    pub(crate) fn remove(&mut self, slot: SlotId) {
        let Some(entry) = self.entries.get_mut(slot.index()) else {
            return;
        };
        let number = core::mem::replace(&mut entry.record, END);
        if number == END {
            return;
        }
        let record = &mut self.entries[usize::from(number)];
        record.connections -= 1;
        if record.connections > 0 {
            return;
        }
        let (source, next) = (record.source, core::mem::replace(&mut record.chain, self.free));
        self.free = number;
        let chain = self.chain_of(source);
        let mut at = self.entries[chain].head;
        if at == number {
            self.entries[chain].head = next;
            return;
        }
        while at != END {
            let entry = &mut self.entries[usize::from(at)];
            if entry.chain == number {
                entry.chain = next;
                return;
            }
            at = entry.chain;
        }
    }

    /// The record of a source that has a connection.
    fn find(&self, source: u64) -> Option<u16> {
        self.chain(source).find(|&record| self.entries[usize::from(record)].source == source)
    }

    /// The records that [`find`](Self::find) looks at.
    fn chain(&self, source: u64) -> impl Iterator<Item = u16> {
        let number = |at: u16| (at != END).then_some(at);
        let first = number(self.entries[self.chain_of(source)].head);
        core::iter::successors(first, move |&at| number(self.entries[usize::from(at)].chain))
    }

    fn chain_of(&self, source: u64) -> usize {
        let hash = self.hasher.hash(&source.to_be_bytes());
        // Spreads 32 bits evenly over any number of chains without a division.
        (((hash >> 32) * self.entries.len() as u64) >> 32) as usize
    }
}

/// What is counted as one source. An IPv4 address stands in a prefix that no IPv6 source has, as it is multicast.
fn prefix(source: IpAddress) -> u64 {
    match source {
        IpAddress::Ipv4(address) => 0xff00 << 48 | u64::from(address.to_bits()),
        #[cfg(feature = "ipv6")]
        IpAddress::Ipv6(address) => (address.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::vec::Vec;

    use super::*;

    fn v4(number: u16) -> IpAddress {
        let [high, low] = number.to_be_bytes();
        IpAddress::v4(10, 0, high, low)
    }

    fn slots() -> impl Iterator<Item = SlotId> {
        (0..).map_while(SlotId::new)
    }

    impl Sources<'_> {
        fn has_room(&self, source: IpAddress) -> bool {
            self.refuses(source).is_none()
        }
    }

    fn sources(entries: &mut [SourceEntry], limit: u16) -> Sources<'_> {
        Sources::new(entries, SipHasher13::new_with_keys(1, 2), NonZeroU16::new(limit))
    }

    #[test]
    fn a_source_has_as_many_connections_as_the_limit_and_gets_them_back() {
        let mut entries = [SourceEntry::EMPTY; 4];
        let mut sources = sources(&mut entries, 2);
        let ids: Vec<SlotId> = slots().take(4).collect();
        for round in 0..3 {
            sources.add(ids[0], v4(1));
            assert!(sources.has_room(v4(1)), "round {round}");
            sources.add(ids[1], v4(1));
            assert!(!sources.has_room(v4(1)) && sources.has_room(v4(2)), "round {round}");
            sources.remove(ids[0]);
            sources.remove(ids[0]); // twice does no harm
            assert!(sources.has_room(v4(1)));
            sources.add(ids[2], v4(1));
            assert!(!sources.has_room(v4(1)));
            sources.remove(ids[1]);
            sources.remove(ids[2]);
        }
    }

    #[test]
    fn without_a_limit_nothing_is_counted_and_no_memory_needed() {
        let mut sources = sources(&mut [], 0);
        for slot in slots().take(3) {
            sources.add(slot, v4(1));
            assert!(sources.has_room(v4(1)));
            sources.remove(slot);
        }
    }

    #[cfg(feature = "ipv6")]
    #[test]
    fn an_ipv6_source_is_a_64() {
        let at = |subnet, host| IpAddress::v6(0x2001, 0xdb8, 0, subnet, 0, 0, 0, host);
        let mut entries = [SourceEntry::EMPTY; 4];
        let mut sources = sources(&mut entries, 1);
        sources.add(slots().next().unwrap(), at(1, 1));
        assert!(!sources.has_room(at(1, 2)));
        assert!(sources.has_room(at(2, 1)));
    }

    /// `::/64` with an IPv4 address at the end of it, or of its prefix, is not that IPv4 address.
    #[cfg(feature = "ipv6")]
    #[test]
    fn no_ipv6_source_shares_with_an_ipv4_one() {
        let mut entries = [SourceEntry::EMPTY; 4];
        let mut sources = sources(&mut entries, 1);
        for (slot, v6) in slots().zip([
            IpAddress::v6(0, 0, 0x0a00, 1, 0, 0, 0, 0),
            IpAddress::v6(0, 0xffff, 0x0a00, 1, 0, 0, 0, 0),
            IpAddress::v6(0, 0, 0, 0, 0, 0xffff, 0x0a00, 1),
        ]) {
            sources.add(slot, v6);
            assert!(sources.has_room(v4(1)), "{v6}");
        }
    }

    /// Against a table that is slow and plainly right.
    #[test]
    fn the_counts_are_right_whatever_comes_and_goes() {
        const SLOTS: usize = 64;
        let mut entries = [SourceEntry::EMPTY; SLOTS];
        let mut sources = sources(&mut entries, 5);
        let mut held: HashMap<usize, u16> = HashMap::new();
        let mut random: u64 = 1;
        for _ in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (slot, source) = ((random >> 33) as usize % SLOTS, (random >> 50) as u16 % 40);
            let id = SlotId::new(slot).unwrap();
            if held.remove(&slot).is_some() {
                sources.remove(id);
            } else {
                let count = held.values().filter(|&&other| other == source).count();
                assert_eq!(sources.has_room(v4(source)), count < 5);
                if count < 5 {
                    sources.add(id, v4(source));
                    held.insert(slot, source);
                }
            }
        }
        for &slot in held.keys() {
            sources.remove(SlotId::new(slot).unwrap());
        }
        assert!(sources.entries.iter().all(|entry| entry.head == END && entry.connections == 0));
    }

    /// Sources that collide under one key, as an attacker would choose who knew it, do not under another.
    #[test]
    fn sources_that_are_chosen_to_collide_do_not() {
        const SLOTS: usize = 256;
        let mut entries = [SourceEntry::EMPTY; SLOTS];
        let known = sources(&mut entries, 1);
        let chosen: Vec<IpAddress> =
            (0..u16::MAX).map(v4).filter(|&source| known.chain_of(prefix(source)) == 7).take(200).collect();
        assert_eq!(chosen.len(), 200);
        let mut entries = [SourceEntry::EMPTY; SLOTS];
        let mut sources = Sources::new(&mut entries, SipHasher13::new_with_keys(3, 4), NonZeroU16::new(1));
        for (slot, &source) in slots().zip(&chosen) {
            sources.add(slot, source);
        }
        let longest = chosen.iter().map(|&source| sources.chain(prefix(source)).count()).max();
        assert!(longest < Some(10), "{longest:?}");
    }
}
