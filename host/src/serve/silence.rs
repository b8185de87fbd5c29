//! Notices when a server answers nothing, as everything that comes is dropped for one and the same reason: that is hardly
//! ever an attack, and nearly always a device or a network that is not set up as its owner believes.

use shout_core::{DropReason, Stats};
use smoltcp::time::{Duration, Instant};

use crate::serve::drops::usual_cause;

/// For how long nothing else is seen before that is said.
const WINDOW: Duration = Duration::from_secs(10);

/// One or two packets may be anything. A client that tries to connect sends four SYNs in that time.
const FEW: u64 = 3;

/// Looks at the counters ten seconds after the first packet, then ten seconds after the first one after that, and so on.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    /// The counters before the first packet.
    before: Seen,
    /// When to look at them again. `None` while nothing comes, so that the server sleeps.
    due: Option<Instant>,
    /// What was warned of, and has not passed since.
    known: Option<DropReason>,
}

/// The counters that matter here.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    packets_in: u64,
    packets_out: u64,
    /// In the order of [`DropReason::ALL`].
    drops: [u64; DropReason::ALL.len()],
}

impl Silence {
    /// When to call [`look`](Self::look).
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Warns, once, if nothing but drops of one reason has been seen.
    pub(crate) fn look(&mut self, now: Instant, stats: &Stats) {
        if self.is_due(now, stats.packets_in)
            && let Some((reason, packets)) = self.judge(Seen::of(stats))
            && let Some(usually) = usual_cause(reason)
        {
            let (reason, seconds) = (reason.name(), WINDOW.secs());
            log::warn!(
                "nothing is answered: within {seconds} seconds {packets} packets were dropped, all for one reason \
                 ({reason}). Usually {usually}"
            );
        }
    }

    fn is_due(&mut self, now: Instant, packets_in: u64) -> bool {
        if self.due.is_none() && packets_in != self.before.packets_in {
            self.due = Some(now + WINDOW);
        }
        self.due.is_some_and(|due| due <= now)
    }

    /// The reason that is to be warned of, and how many packets were dropped for it.
    fn judge(&mut self, seen: Seen) -> Option<(DropReason, u64)> {
        let before = core::mem::replace(&mut self.before, seen);
        self.due = None;
        if seen.packets_out != before.packets_out {
            self.known = None;
            return None;
        }
        let drops = seen.drops.iter().zip(before.drops).map(|(now, before)| now.wrapping_sub(before));
        let mut reasons = DropReason::ALL.into_iter().zip(drops).filter(|&(_, drops)| drops > 0);
        let (Some((reason, drops)), None) = (reasons.next(), reasons.next()) else { return None };
        (drops >= FEW && self.known.replace(reason) != Some(reason)).then_some((reason, drops))
    }
}

impl Seen {
    fn of(stats: &Stats) -> Seen {
        Seen {
            packets_in: stats.packets_in,
            packets_out: stats.packets_out,
            drops: DropReason::ALL.map(|reason| stats.dropped(reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server to which packets come, and ten seconds pass.
    struct Network {
        silence: Silence,
        seen: Seen,
        now: Instant,
    }

    impl Network {
        fn new() -> Self {
            Self { silence: Silence::default(), seen: Seen::default(), now: Instant::ZERO }
        }

        fn drops(&mut self, reason: DropReason, packets: u64) -> &mut Self {
            self.seen.packets_in += packets;
            self.seen.drops[reason as usize] += packets;
            self
        }

        fn answers(&mut self, packets: u64) -> &mut Self {
            self.seen.packets_in += packets;
            self.seen.packets_out += packets;
            self
        }

        fn ten_seconds(&mut self) -> Option<(DropReason, u64)> {
            assert!(!self.silence.is_due(self.now, self.seen.packets_in));
            assert_eq!(self.silence.due(), Some(self.now + WINDOW));
            self.now += WINDOW;
            assert!(self.silence.is_due(self.now, self.seen.packets_in));
            self.silence.judge(self.seen)
        }
    }

    #[test]
    fn nothing_but_drops_of_one_reason_is_said_once() {
        let mut network = Network::new();
        assert_eq!(network.drops(DropReason::Checksum, 5).ten_seconds(), Some((DropReason::Checksum, 5)));
        assert_eq!(network.drops(DropReason::Checksum, 50).ten_seconds(), None);
        assert_eq!(network.drops(DropReason::NotOurs, 4).ten_seconds(), Some((DropReason::NotOurs, 4)));
        // It has passed, and comes again.
        assert_eq!(network.answers(1).ten_seconds(), None);
        assert_eq!(network.drops(DropReason::NotOurs, 3).ten_seconds(), Some((DropReason::NotOurs, 3)));
    }

    #[test]
    fn drops_among_other_things_are_not_said() {
        let mut network = Network::new();
        assert_eq!(network.drops(DropReason::Checksum, 500).answers(1).ten_seconds(), None);
        network.drops(DropReason::Checksum, 500);
        assert_eq!(network.drops(DropReason::NotOurs, 1).ten_seconds(), None);
        assert_eq!(network.drops(DropReason::Checksum, 2).ten_seconds(), None);
    }

    #[test]
    fn while_nothing_comes_nothing_is_due() {
        let mut network = Network::new();
        assert!(!network.silence.is_due(network.now, 0));
        assert_eq!(network.silence.due(), None);
        network.drops(DropReason::Checksum, 5).ten_seconds();
        network.now += WINDOW;
        assert!(!network.silence.is_due(network.now, network.seen.packets_in));
        assert_eq!(network.silence.due(), None);
    }
}
