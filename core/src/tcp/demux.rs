//! Which slot a connection has, and which slot a new one can have.
//!
//! The index is a hash table with chains through the slots, under a keyed hash: whoever picks addresses and ports
//! cannot make them collide without knowing the key. All operations cost O(1).

use siphasher::sip::SipHasher13;
use smoltcp::wire::{IpAddress, IpEndpoint};

/// The index of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotId(u16);

impl SlotId {
    /// None above the 65535th slot.
    pub(crate) fn new(index: usize) -> Option<SlotId> {
        u16::try_from(index).ok().filter(|&id| id != END).map(SlotId)
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// The end of a chain or list.
const END: u16 = u16::MAX;

/// The 4-tuple of a connection, less the server's port, which all have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) remote: IpEndpoint,
    pub(crate) local: IpAddress,
}

/// The head of a chain of the index.
#[derive(Debug, Clone, Copy)]
pub struct Bucket(u16);

impl Bucket {
    /// A bucket without a flow.
    pub const EMPTY: Bucket = Bucket(END);
}

/// What the index keeps of a slot.
#[derive(Debug, Clone, Copy)]
pub struct FlowEntry {
    flow: Option<Flow>,
    hash: u32,
    chain: u16,
    previous: u16,
    next: u16,
}

impl FlowEntry {
    /// The entry of a slot without a connection.
    pub const EMPTY: FlowEntry = FlowEntry { flow: None, hash: 0, chain: END, previous: END, next: END };
}

/// Which list a slot stands in. A slot with an open connection stands in none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queue {
    Free,
    HalfOpen,
    TimeWait,
}

#[derive(Debug, Clone, Copy)]
struct List {
    head: u16,
    tail: u16,
}

#[derive(Debug)]
pub(crate) struct Flows<'a> {
    entries: &'a mut [FlowEntry],
    buckets: &'a mut [Bucket],
    hasher: SipHasher13,
    lists: [List; 3],
}

impl<'a> Flows<'a> {
    pub(crate) fn new(
        entries: &'a mut [FlowEntry],
        buckets: &'a mut [Bucket],
        hasher: SipHasher13,
    ) -> Flows<'a> {
        buckets.fill(Bucket::EMPTY);
        entries.fill(FlowEntry::EMPTY);
        let lists = [List { head: END, tail: END }; 3];
        let slots = entries.len();
        let mut flows = Flows { entries, buckets, hasher, lists };
        for slot in (0..slots).filter_map(SlotId::new) {
            flows.push(Queue::Free, slot);
        }
        flows
    }

    pub(crate) fn hash(&self, flow: &Flow) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "32 bits are enough for 65535 slots")]
        {
            hash(&self.hasher, flow) as u32
        }
    }

    pub(crate) fn find(&self, flow: &Flow, hash: u32) -> Option<SlotId> {
        let mut at = self.buckets[self.bucket(hash)].0;
        while at != END {
            let entry = &self.entries[usize::from(at)];
            if entry.hash == hash && entry.flow.as_ref() == Some(flow) {
                return Some(SlotId(at));
            }
            at = entry.chain;
        }
        None
    }

    pub(crate) fn flow(&self, slot: SlotId) -> Option<&Flow> {
        self.entries[slot.index()].flow.as_ref()
    }

    /// Gives the slot a flow, under its [`hash`](Self::hash). The flow must not have a slot yet.
    pub(crate) fn insert(&mut self, slot: SlotId, flow: Flow, hash: u32) {
        let bucket = self.bucket(hash);
        let entry = &mut self.entries[slot.index()];
        entry.flow = Some(flow);
        entry.hash = hash;
        entry.chain = self.buckets[bucket].0;
        self.buckets[bucket].0 = slot.0;
    }

    /// Takes the slot's flow away.
    pub(crate) fn remove(&mut self, slot: SlotId) {
        let entry = &mut self.entries[slot.index()];
        if entry.flow.take().is_none() {
            return;
        }
        let (hash, after) = (entry.hash, entry.chain);
        let bucket = self.bucket(hash);
        if self.buckets[bucket].0 == slot.0 {
            self.buckets[bucket].0 = after;
            return;
        }
        let mut at = self.buckets[bucket].0;
        while at != END {
            let entry = &mut self.entries[usize::from(at)];
            if entry.chain == slot.0 {
                entry.chain = after;
                return;
            }
            at = entry.chain;
        }
    }

    /// The slot that stands in the list for longest; of free ones, the one freed last, whose memory is still warm.
    pub(crate) fn first(&self, queue: Queue) -> Option<SlotId> {
        let head = self.lists[queue as usize].head;
        (head != END).then_some(SlotId(head))
    }

    /// Puts a slot that stands in no list into this one.
    pub(crate) fn push(&mut self, queue: Queue, slot: SlotId) {
        let list = &mut self.lists[queue as usize];
        let (previous, next) = match queue {
            Queue::Free => (END, list.head),
            Queue::HalfOpen | Queue::TimeWait => (list.tail, END),
        };
        let entry = &mut self.entries[slot.index()];
        (entry.previous, entry.next) = (previous, next);
        match previous {
            END => list.head = slot.0,
            previous => self.entries[usize::from(previous)].next = slot.0,
        }
        match next {
            END => list.tail = slot.0,
            next => self.entries[usize::from(next)].previous = slot.0,
        }
    }

    /// Takes a slot out of the list that it stands in.
    pub(crate) fn unlink(&mut self, queue: Queue, slot: SlotId) {
        let FlowEntry { previous, next, .. } = self.entries[slot.index()];
        let list = &mut self.lists[queue as usize];
        match previous {
            END => list.head = next,
            previous => self.entries[usize::from(previous)].next = next,
        }
        match next {
            END => list.tail = previous,
            next => self.entries[usize::from(next)].previous = previous,
        }
    }

    /// How many entries [`find`](Self::find) looks at for a flow that has no slot.
    #[cfg(test)]
    pub(crate) fn chain(&self, hash: u32) -> usize {
        let first = self.buckets[self.bucket(hash)].0;
        let next = |at: &u16| self.entries.get(usize::from(*at)).map(|entry| entry.chain);
        core::iter::successors(Some(first), next).take_while(|&at| at != END).count()
    }

    fn bucket(&self, hash: u32) -> usize {
        // Spreads 32 bits evenly over any number of buckets without a division.
        ((u64::from(hash) * self.buckets.len() as u64) >> 32) as usize
    }
}

/// SipHash-1-3 of a flow: nobody without the key can choose flows that collide.
pub(crate) fn hash(hasher: &SipHasher13, flow: &Flow) -> u64 {
    let port = flow.remote.port.to_be_bytes();
    // An array each, as its length is then known to the hash.
    match (flow.remote.addr, flow.local) {
        (IpAddress::Ipv4(remote), IpAddress::Ipv4(local)) => {
            let mut octets = [0; 10];
            octets[..4].copy_from_slice(&remote.octets());
            octets[4..8].copy_from_slice(&local.octets());
            octets[8..].copy_from_slice(&port);
            hasher.hash(&octets)
        }
        #[cfg(feature = "ipv6")]
        (IpAddress::Ipv6(remote), IpAddress::Ipv6(local)) => {
            let mut octets = [0; 34];
            octets[..16].copy_from_slice(&remote.octets());
            octets[16..32].copy_from_slice(&local.octets());
            octets[32..].copy_from_slice(&port);
            hasher.hash(&octets)
        }
        // One packet cannot have addresses of both families.
        #[cfg(feature = "ipv6")]
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(port: u16) -> Flow {
        Flow {
            remote: IpEndpoint::new(IpAddress::v4(192, 0, 2, 1), port),
            local: IpAddress::v4(192, 0, 2, 2),
        }
    }

    #[test]
    fn every_flow_is_found_whatever_was_removed() {
        let mut entries = [FlowEntry::EMPTY; 16];
        let mut buckets = [Bucket::EMPTY; 3]; // few, so that chains are long
        let mut flows = Flows::new(&mut entries, &mut buckets, SipHasher13::new_with_keys(1, 2));
        let ids: std::vec::Vec<SlotId> = (0..16).filter_map(SlotId::new).collect();
        for (port, &slot) in (1..).zip(&ids) {
            let hash = flows.hash(&flow(port));
            flows.insert(slot, flow(port), hash);
        }
        for (port, &slot) in (1..).zip(&ids).filter(|(port, _)| port % 3 == 0) {
            flows.remove(slot);
            flows.remove(slot); // twice does no harm
            assert_eq!(flows.find(&flow(port), flows.hash(&flow(port))), None);
        }
        for (port, &slot) in (1..).zip(&ids).filter(|(port, _)| port % 3 != 0) {
            assert_eq!(flows.find(&flow(port), flows.hash(&flow(port))), Some(slot));
        }
    }

    #[test]
    fn lists_keep_their_order_whatever_is_taken_out() {
        let mut entries = [FlowEntry::EMPTY; 5];
        let mut buckets = [Bucket::EMPTY; 1];
        let mut flows = Flows::new(&mut entries, &mut buckets, SipHasher13::new_with_keys(1, 2));
        let mut order = std::vec::Vec::new();
        while let Some(slot) = flows.first(Queue::Free) {
            flows.unlink(Queue::Free, slot);
            flows.push(Queue::HalfOpen, slot);
            order.push(slot);
        }
        assert_eq!(order.len(), 5);
        for middle in [2, 1, 2] {
            flows.unlink(Queue::HalfOpen, order.remove(middle));
        }
        for slot in order {
            assert_eq!(flows.first(Queue::HalfOpen), Some(slot));
            flows.unlink(Queue::HalfOpen, slot);
        }
        assert_eq!(flows.first(Queue::HalfOpen), None);
    }

    #[test]
    fn the_hash_depends_on_the_key_and_on_every_part_of_the_flow() {
        let reference = hash(&SipHasher13::new_with_keys(1, 2), &flow(1));
        assert_ne!(reference, hash(&SipHasher13::new_with_keys(1, 3), &flow(1)));
        assert_ne!(reference, hash(&SipHasher13::new_with_keys(1, 2), &flow(2)));
        let mut other = flow(1);
        other.local = IpAddress::v4(192, 0, 2, 3);
        assert_ne!(reference, hash(&SipHasher13::new_with_keys(1, 2), &other));
    }
}
