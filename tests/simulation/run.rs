//! One run, and what has to be true after it.

use std::collections::HashMap;

use crate::seeds;
use shout_core::DropReason;
use shout_tests::caller::{Ending, Outcome, Pace};
use shout_tests::link::{Done, Faults};
use shout_tests::memory::{ClientMemory, ServerMemory};
use shout_tests::plan::{CallerPlan, Plan, Tcp};
use shout_tests::world::World;
use smoltcp::phy::Medium;
use smoltcp::time::Duration;

/// After this long, nothing is left of a client who has gone away.
pub(crate) const ALL_OVER: Duration = Duration::from_secs(130);

/// What became of the clients of a run, or of several.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) outcomes: HashMap<Outcome, u64>,
    pub(crate) faults: Done,
    pub(crate) octets: u64,
    pub(crate) packets: u64,
    pub(crate) datagrams: u64,
    pub(crate) replies: u64,
    pub(crate) timed_out: u64,
    pub(crate) refused: u64,
    pub(crate) evicted: u64,
}

/// Runs a plan to its end, checks what has to be true, and tells what became of the clients.
pub(crate) fn run(plan: &Plan) -> Tally {
    let mut server_memory =
        ServerMemory::new(plan.slots, plan.buffer, if plan.delay.is_some() { 256 } else { 0 });
    let mut memory: Vec<_> = plan.callers.iter().map(client_memory).collect();
    let mut world = World::new(plan.clone(), &mut server_memory);
    for (caller, memory) in plan.callers.iter().zip(&mut memory) {
        world.add_caller(caller, memory.as_mut());
    }
    for asker in &plan.askers {
        world.add_asker(asker);
    }
    world.trace = seeds::trace();
    world.run();
    world.pass(ALL_OVER);
    check(plan, &world);
    let tally = tally(&world);
    if plan.shutdown.is_none() {
        all_slots_are_free(plan, &mut world);
    }
    tally
}

fn client_memory<'a>(plan: &CallerPlan) -> Option<ClientMemory<'a>> {
    match plan.tcp {
        Tcp::Smoltcp { buffers: (rx, tx), .. } => Some(ClientMemory::new(rx, tx)),
        Tcp::Plain(_) => None,
    }
}

fn check(plan: &Plan, world: &World<'_>) {
    let stats = world.stats();
    assert_eq!(stats.live, 0, "connections are left, and their clients are gone:\n{stats}");
    assert_eq!(world.server.is_shut_down(), plan.shutdown.is_some());

    // A connection that ended in good order for the server did so for its client, and what is broken for him is for it.
    let finished = world.callers().filter(|caller| caller.server_finished()).count() as u64;
    // An old segment that is delivered twice may bring a connection back for a moment, if there are evictions.
    let ghosts = stats.revived;
    assert!(
        stats.closed <= finished + ghosts,
        "{finished} clients have seen the end of their stream:\n{stats}"
    );
    let served = world.callers().filter(|caller| caller.outcome == Some(Outcome::Served)).count() as u64;
    let last_word_lost = stats.reset + stats.timed_out + stats.aborted;
    assert!(served <= stats.closed + last_word_lost, "{served} clients were served:\n{stats}");
    let sent: u64 = world.callers().map(|caller| u64::from(caller.written)).sum();
    let back: u64 = world.callers().map(|caller| u64::from(caller.echoed)).sum();
    let most = sent * (1 + ghosts);
    assert!(back <= stats.octets_out && stats.octets_in <= most, "{sent} sent, {back} back:\n{stats}");

    for (caller, CallerPlan { tcp, .. }) in world.callers().zip(&plan.callers) {
        let (outcome, ending) = (caller.outcome.unwrap(), caller.manners.ending);
        let polite = matches!(ending, Ending::HalfClose | Ending::AfterEcho);
        if outcome == Outcome::CutShort {
            let reason = plan.shutdown.is_some() || plan.idle_timeout.is_some();
            let (written, echoed) = (caller.written, caller.echoed);
            assert!(reason, "{written} octets written, {echoed} back, and cut short:\n{:?}", caller.manners);
        }
        // smoltcp's clients have nobody who notices when smoltcp forgets to send something again, such as its FIN after a
        // fast retransmission; packets that overtake each other are enough for that.
        if polite && matches!(tcp, Tcp::Plain(_)) && is_gentle(plan) {
            assert_eq!(outcome, Outcome::Served, "{:?}\n{stats}", caller.manners);
        }
    }
    check_datagrams(plan, world);
    // The server's deadline may be early, but not again and again: about every packet makes one stale.
    let packets = stats.packets_in + stats.packets_out;
    assert!(world.idle_polls <= packets + 10, "polled {} times for nothing:\n{stats}", world.idle_polls);
}

/// True if nothing can keep a polite client from being served: a slot for everybody, and so few faults that
/// a segment does not get lost six times in a row.
fn is_gentle(plan: &Plan) -> bool {
    let Faults { lose, corrupt, .. } = plan.faults;
    plan.slots >= plan.callers.len()
        && plan.callers.iter().all(|caller| caller.replaces.is_none())
        && lose + corrupt <= 10
        && plan.shutdown.is_none()
        && plan.idle_timeout.is_none()
}

fn check_datagrams(plan: &Plan, world: &World<'_>) {
    let stats = world.stats();
    assert!(stats.datagrams_out <= stats.datagrams_in, "{stats}");
    let lost = [DropReason::ReplyQueue, DropReason::Neighbour].map(|reason| stats.dropped(reason));
    if plan.shutdown.is_none() && plan.medium == Medium::Ip {
        assert_eq!(stats.datagrams_in, stats.datagrams_out + lost.iter().sum::<u64>(), "{stats}");
    }
    let faults = &world.link.done;
    for request in world.askers().flat_map(|asker| &asker.requests) {
        assert!(request.replies <= 1 || faults.duplicated > 0, "a datagram was answered twice");
        let no_loss = (faults.lost, faults.corrupted) == (0, 0) && lost == [0, 0] && plan.shutdown.is_none();
        // Of those in fragments, it puts four together at once.
        let whole = request.payload.len() + 48 <= plan.mtu;
        assert!(request.replies >= 1 || !no_loss || !whole, "a datagram was lost in the server:\n{stats}");
    }
}

/// As many clients as there are slots connect at once, and are served.
pub(crate) fn all_slots_are_free(plan: &Plan, world: &mut World<'_>) {
    world.link.faults = Faults::none();
    world.plan.refusal = None;
    let (before, first) = (*world.stats(), world.nodes.len());
    for index in 0..plan.slots {
        let mut caller = CallerPlan::new(world.now, 60);
        caller.ipv6 = plan.mtu >= 1280 && index % 2 == 0;
        // Nobody is done before all are there.
        caller.manners.writes = Pace { octets: 5, pause: Duration::from_millis(400), pauses: u32::MAX };
        caller.manners.ending = Ending::AfterEcho;
        world.add_caller(&caller, None);
    }
    world.pass(Duration::from_millis(500));
    let stats = world.stats();
    assert_eq!(stats.live, plan.slots as u64, "slots are missing:\n{stats}");
    assert_eq!((stats.evicted, stats.refused), (before.evicted, before.refused));
    world.run();
    assert!(
        world.callers().skip(first - plan.askers.len()).all(|caller| caller.outcome == Some(Outcome::Served))
    );
}

fn tally(world: &World<'_>) -> Tally {
    let stats = world.stats();
    let mut tally = Tally {
        faults: world.link.done,
        octets: stats.octets_in,
        packets: stats.packets_in + stats.packets_out,
        timed_out: stats.timed_out,
        refused: stats.refused,
        evicted: stats.evicted,
        ..Tally::default()
    };
    for caller in world.callers() {
        *tally.outcomes.entry(caller.outcome.unwrap()).or_default() += 1;
    }
    for request in world.askers().flat_map(|asker| &asker.requests) {
        tally.datagrams += 1;
        tally.replies += u64::from(request.replies);
    }
    tally
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Tally) {
        for (outcome, count) in &other.outcomes {
            *self.outcomes.entry(*outcome).or_default() += count;
        }
        self.faults.lost += other.faults.lost;
        self.faults.duplicated += other.faults.duplicated;
        self.faults.corrupted += other.faults.corrupted;
        self.octets += other.octets;
        self.packets += other.packets;
        self.datagrams += other.datagrams;
        self.replies += other.replies;
        self.timed_out += other.timed_out;
        self.refused += other.refused;
        self.evicted += other.evicted;
    }
}
