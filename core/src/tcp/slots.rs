//! The slots: one holds a connection from its SYN to the slot's next use.

use smoltcp::iface::SocketStorage;

use crate::stats::Stats;
use crate::tcp::policy::Deadlines;
use crate::tcp::socket::Socket;

/// The memory of one TCP connection; `S` is what the handler keeps of it.
#[derive(Debug)]
pub struct Slot<'a, S = ()> {
    pub(crate) socket: Socket<'a>,
    /// What the handler keeps of an open connection; None before, and for one that it refuses.
    pub(crate) state: Option<S>,
    /// The handler has more to say.
    pub(crate) has_more: bool,
    /// The handler has finished: what comes is thrown away.
    pub(crate) finished: bool,
    pub(crate) deadlines: Deadlines,
    phase: Phase,
    previous: u16,
    next: u16,
}

/// How far a slot's connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No connection.
    Free,
    /// From the SYN to the acknowledgement of our SYN|ACK.
    HalfOpen,
    /// Until both sides have finished, or one has reset it.
    Open,
    /// The connection has ended, and its last acknowledgement may be asked for again. Gives way to any new one.
    TimeWait,
}

/// The index of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotId(pub(in crate::tcp) u16);

/// The end of a list, which is no slot's index.
const END: u16 = u16::MAX;

impl SlotId {
    /// None above the 65535th slot.
    pub(crate) fn new(index: usize) -> Option<SlotId> {
        u16::try_from(index).ok().filter(|&id| id != END).map(SlotId)
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl<'a, S> Slot<'a, S> {
    /// A slot before its first use.
    pub const EMPTY: Slot<'a, S> = Slot {
        socket: Socket::EMPTY,
        state: None,
        has_more: false,
        finished: false,
        deadlines: Deadlines::NONE,
        phase: Phase::Free,
        previous: END,
        next: END,
    };

    /// Gives the slot its memory.
    pub(crate) fn furnish(&mut self, storage: &'a mut SocketStorage<'a>, rx: &'a mut [u8], tx: &'a mut [u8]) {
        self.socket.furnish(storage, rx, tx);
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }
}

/// All slots, and a list for each phase but `Open`, whose slots no one has to look for.
#[derive(Debug)]
pub(crate) struct Slots<'a, S> {
    slots: &'a mut [Slot<'a, S>],
    lists: [List; 3],
}

#[derive(Debug, Clone, Copy)]
struct List {
    head: u16,
    tail: u16,
}

impl<'a, S> Slots<'a, S> {
    /// The slots must be furnished. All become free.
    pub(crate) fn new(slots: &'a mut [Slot<'a, S>]) -> Slots<'a, S> {
        let mut slots = Slots { slots, lists: [List { head: END, tail: END }; 3] };
        for id in slots.ids() {
            slots[id].phase = Phase::Free;
            slots.push(Phase::Free, id);
        }
        slots
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = SlotId> + use<S> {
        (0..self.slots.len()).filter_map(SlotId::new)
    }

    /// The slot that has been in this phase for longest; of free ones, the one freed last, whose memory is still warm. None
    /// if there is none, or for [`Phase::Open`].
    pub(crate) fn first(&self, phase: Phase) -> Option<SlotId> {
        let head = self.lists[list(phase)?].head;
        (head != END).then_some(SlotId(head))
    }

    /// Changes the phase of a slot, and with it the list that it stands in and the counters of open connections.
    ///
    /// Nothing else may change a phase: phase, list and counters would contradict each other.
    pub(crate) fn move_to(&mut self, id: SlotId, phase: Phase, stats: &mut Stats) {
        let before = self[id].phase;
        if before == Phase::Open {
            stats.live -= 1;
        }
        if phase == Phase::Open {
            stats.opened += 1;
            stats.live += 1;
            stats.most_live = stats.most_live.max(stats.live);
        }
        self.unlink(before, id);
        self[id].phase = phase;
        self.push(phase, id);
    }

    fn push(&mut self, phase: Phase, id: SlotId) {
        let Some(list) = list(phase) else {
            return;
        };
        let List { head, tail } = self.lists[list];
        let (previous, next) = if phase == Phase::Free { (END, head) } else { (tail, END) };
        self.join(list, previous, id.0);
        self.join(list, id.0, next);
    }

    fn unlink(&mut self, phase: Phase, id: SlotId) {
        if let Some(list) = list(phase) {
            let Slot { previous, next, .. } = self[id];
            self.join(list, previous, next);
        }
    }

    /// Makes these two neighbours in the list.
    fn join(&mut self, list: usize, previous: u16, next: u16) {
        match previous {
            END => self.lists[list].head = next,
            previous => self[SlotId(previous)].next = next,
        }
        match next {
            END => self.lists[list].tail = previous,
            next => self[SlotId(next)].previous = previous,
        }
    }
}

impl<'a, S> core::ops::Index<SlotId> for Slots<'a, S> {
    type Output = Slot<'a, S>;

    fn index(&self, id: SlotId) -> &Slot<'a, S> {
        &self.slots[id.index()]
    }
}

impl<S> core::ops::IndexMut<SlotId> for Slots<'_, S> {
    fn index_mut(&mut self, id: SlotId) -> &mut Self::Output {
        &mut self.slots[id.index()]
    }
}

fn list(phase: Phase) -> Option<usize> {
    match phase {
        Phase::Free => Some(0),
        Phase::HalfOpen => Some(1),
        Phase::TimeWait => Some(2),
        Phase::Open => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_keep_their_order_whatever_is_taken_out() {
        let mut memory = [const { Slot::<()>::EMPTY }; 5];
        let mut stats = Stats::default();
        let mut slots = Slots::new(&mut memory);
        let mut order = std::vec::Vec::new();
        while let Some(id) = slots.first(Phase::Free) {
            slots.move_to(id, Phase::HalfOpen, &mut stats);
            order.push(id);
        }
        assert_eq!(order.len(), 5);
        for middle in [2, 1, 2] {
            slots.move_to(order.remove(middle), Phase::Open, &mut stats);
        }
        assert_eq!((stats.opened, stats.live, stats.most_live), (3, 3, 3));
        for id in order {
            assert_eq!(slots.first(Phase::HalfOpen), Some(id));
            slots.move_to(id, Phase::Free, &mut stats);
            assert_eq!(slots.first(Phase::Free), Some(id), "the one freed last");
        }
        assert_eq!(slots.first(Phase::HalfOpen), None);
    }

    #[test]
    fn the_counters_follow_the_phases() {
        let mut memory = [const { Slot::<()>::EMPTY }; 2];
        let mut stats = Stats::default();
        let mut slots = Slots::new(&mut memory);
        let id = slots.first(Phase::Free).unwrap();
        for (phase, live) in [
            (Phase::HalfOpen, 0),
            (Phase::Open, 1),
            (Phase::TimeWait, 0),
            (Phase::HalfOpen, 0),
            (Phase::Free, 0),
        ] {
            slots.move_to(id, phase, &mut stats);
            assert_eq!((slots[id].phase(), stats.live), (phase, live));
        }
        assert_eq!((stats.opened, stats.most_live), (1, 1));
    }
}
