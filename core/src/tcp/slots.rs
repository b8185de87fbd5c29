//! Slots: each holds one connection, from its SYN until the slot is free again.

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
    /// The connection was closed for its idleness, and the peer has not been heard since.
    silent: bool,
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
        silent: false,
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

    pub(crate) fn is_silent(&self) -> bool {
        self.silent
    }
}

/// All slots, and a list of those in each phase. Of open slots, only the silent ones are listed, as nothing looks for others.
#[derive(Debug)]
pub(crate) struct Slots<'a, S> {
    slots: &'a mut [Slot<'a, S>],
    lists: [List; 4],
}

#[derive(Debug, Clone, Copy)]
struct List {
    head: u16,
    tail: u16,
}

impl<'a, S> Slots<'a, S> {
    /// The slots must be furnished. All become free.
    pub(crate) fn new(slots: &'a mut [Slot<'a, S>]) -> Slots<'a, S> {
        let mut slots = Slots { slots, lists: [List { head: END, tail: END }; 4] };
        for id in slots.ids() {
            (slots[id].phase, slots[id].silent) = (Phase::Free, false);
            slots.push(id);
        }
        slots
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = SlotId> + use<S> {
        (0..self.slots.len()).filter_map(SlotId::new)
    }

    /// The slot that has been in this phase for longest; of free ones, the one freed last, whose memory is still warm. None
    /// if there is none, or for [`Phase::Open`].
    pub(crate) fn first(&self, phase: Phase) -> Option<SlotId> {
        self.head(list(phase, false)?)
    }

    /// Of the open slots that are [silent](Self::set_silent), the one that has been for longest.
    pub(crate) fn first_silent(&self) -> Option<SlotId> {
        self.head(SILENT)
    }

    fn head(&self, list: usize) -> Option<SlotId> {
        let head = self.lists[list].head;
        (head != END).then_some(SlotId(head))
    }

    /// The connection of an open slot was closed for its idleness, or its peer has been heard after that.
    pub(crate) fn set_silent(&mut self, id: SlotId, silent: bool) {
        self.unlink(id);
        self[id].silent = silent;
        self.push(id);
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
        self.unlink(id);
        (self[id].phase, self[id].silent) = (phase, false);
        self.push(id);
    }

    fn push(&mut self, id: SlotId) {
        let Slot { phase, silent, .. } = self[id];
        let Some(list) = list(phase, silent) else {
            return;
        };
        let List { head, tail } = self.lists[list];
        let (previous, next) = if phase == Phase::Free { (END, head) } else { (tail, END) };
        self.join(list, previous, id.0);
        self.join(list, id.0, next);
    }

    fn unlink(&mut self, id: SlotId) {
        let Slot { phase, silent, previous, next, .. } = self[id];
        if let Some(list) = list(phase, silent) {
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

/// The list of the open slots that are silent.
const SILENT: usize = 3;

fn list(phase: Phase, silent: bool) -> Option<usize> {
    match phase {
        Phase::Free => Some(0),
        Phase::HalfOpen => Some(1),
        Phase::TimeWait => Some(2),
        Phase::Open => silent.then_some(SILENT),
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
    fn silent_slots_are_found_until_they_are_heard_or_move() {
        let mut memory = [const { Slot::<()>::EMPTY }; 3];
        let mut stats = Stats::default();
        let mut slots = Slots::new(&mut memory);
        let ids: std::vec::Vec<SlotId> = slots.ids().collect();
        for &id in &ids {
            slots.move_to(id, Phase::HalfOpen, &mut stats);
            slots.move_to(id, Phase::Open, &mut stats);
        }
        assert_eq!(slots.first_silent(), None);
        ids.iter().for_each(|&id| slots.set_silent(id, true));
        assert_eq!(slots.first_silent(), Some(ids[0]));
        slots.set_silent(ids[0], false);
        assert_eq!(slots.first_silent(), Some(ids[1]));
        slots.move_to(ids[1], Phase::TimeWait, &mut stats);
        assert_eq!((slots.first_silent(), slots.first(Phase::TimeWait)), (Some(ids[2]), Some(ids[1])));
        slots.move_to(ids[2], Phase::Free, &mut stats);
        assert_eq!((slots.first_silent(), slots.first(Phase::Free)), (None, Some(ids[2])));
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
