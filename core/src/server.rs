//! The server: packets in through the door, and whose turn it is then.

use siphasher::sip::SipHasher13;
use smoltcp::iface::SocketSet;
use smoltcp::phy::{Device, RxToken};
use smoltcp::time::{Duration, Instant};

use crate::config::{Config, ConfigError};
use crate::ip::filter::{Admitted, Door};
use crate::ip::interface::{Next, Stack};
use crate::memory::{self, Storage};
use crate::stats::{DropReason, Stats};
use crate::tcp::demux::{Flows, SlotId};
use crate::tcp::timers::{NEVER, Timers};
use crate::tcp::{Connections, Egress};
use crate::udp::Datagrams;

/// Packets a call of [`Server::poll`]: enough that the rest of the loop costs little, few enough that deadlines hold.
const PACKETS_A_POLL: usize = 64;

/// What the connections get to end in good order when the server shuts down.
const SHUTDOWN: Duration = Duration::from_secs(1);

/// An echo server on its own TCP/IP stack.
///
/// See the [crate's documentation](crate) for how to drive it.
#[derive(Debug)]
pub struct Server<'a> {
    door: Door,
    connections: Connections<'a>,
    datagrams: Datagrams<'a>,
    /// For packets that are nobody's, but that smoltcp answers.
    nobody: SocketSet<'a>,
    stack: Stack,
    stats: Stats,
    /// When what is left of the connections is aborted, once the server shuts down.
    abort_at: Option<Instant>,
    /// The device refused a packet.
    blocked: bool,
}

/// What [`Server::poll`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Poll {
    /// Call again at this time, if nothing else happens before. A time that is not after `now`: at once, as the device
    /// may have more packets. None: there is nothing to wait for but a packet.
    ///
    /// It is never late, but it may be early: it is a lower bound that the next call makes better.
    pub deadline: Option<Instant>,
    /// The device refused a packet: call again as soon as it can send. Nothing is taken from it until then.
    pub blocked: bool,
}

/// Whose turn it is after a packet.
#[derive(Debug, Clone, Copy)]
enum Turn {
    Nobody,
    Slot(SlotId),
    Datagrams,
    Stack,
    Neighbour,
}

impl<'a> Server<'a> {
    /// Makes a server with all slots free. The device is only asked for what it can do.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] says what in the configuration, the storage or the device does not fit.
    pub fn new<D: Device + ?Sized>(
        config: &Config,
        storage: Storage<'a>,
        device: &mut D,
        now: Instant,
    ) -> Result<Server<'a>, ConfigError> {
        let capabilities = device.capabilities();
        config.check(&capabilities)?;
        let longest_datagram = (capabilities.ip_mtu() - 28).max(memory::longest_reassembled());
        let buffer_size = storage.buffer_size(longest_datagram)?;

        let Storage { slots, sockets, flows, buckets, deadlines, tcp_buffers, udp } = storage;
        let buffers = tcp_buffers.chunks_exact_mut(2 * buffer_size);
        for ((slot, socket), buffers) in slots.iter_mut().zip(sockets).zip(buffers) {
            let (rx, tx) = buffers.split_at_mut(buffer_size);
            slot.furnish(socket, rx, tx);
        }
        let ([index_hasher, sequence_hasher], seed) = secrets(config.entropy);
        Ok(Server {
            stack: Stack::new(config, &capabilities, seed, now),
            door: Door::new(config, capabilities.checksum),
            connections: Connections::new(
                slots,
                Flows::new(flows, buckets, index_hasher),
                Timers::new(deadlines),
                config.idle_timeout,
                sequence_hasher,
                buffer_size,
            ),
            datagrams: Datagrams::new(udp, config.port, config.delay),
            nobody: SocketSet::new(&mut [][..]),
            stats: Stats::default(),
            abort_at: None,
            blocked: false,
        })
    }

    /// Takes the packets that the device has, up to a bounded number, and runs what is due.
    ///
    /// `now` must not be before that of an earlier call.
    pub fn poll<D: Device + ?Sized>(&mut self, now: Instant, device: &mut D) -> Poll {
        if self.blocked {
            // Egress comes first: do not be tempted to take in what could not be answered.
            self.blocked = false;
            self.send_fragments(now, device);
            if !self.blocked {
                self.send_datagrams(now, device);
            }
            if !self.blocked {
                self.run_due(now, device);
            }
        }
        let mut packets = 0;
        while !self.blocked && packets < PACKETS_A_POLL {
            let Some(turn) = self.ingress(now, device) else {
                break;
            };
            self.take_turn(turn, now, device);
            packets += 1;
        }
        let mut due = self.next_due();
        if !self.blocked && due <= now {
            self.run_due(now, device);
            due = self.next_due();
        }
        if self.abort_at.is_some_and(|at| at <= now) {
            self.connections.abort_all(now, device, &mut self.stack, &mut self.stats);
        }
        self.stats.packets_out = self.stack.packets_sent();
        Poll { deadline: self.deadline(now, due, packets == PACKETS_A_POLL), blocked: self.blocked }
    }

    /// Begins to shut down: SYNs are dropped from now on and half-open connections aborted. Each connection
    /// echoes what it has received and is closed; what is left of them a second later is reset.
    ///
    /// Go on polling until [`is_shut_down`](Self::is_shut_down).
    pub fn shutdown(&mut self, now: Instant) {
        if self.abort_at.is_none() {
            self.abort_at = Some(now + SHUTDOWN);
            self.connections.drain(now);
        }
    }

    /// True once [`shutdown`](Self::shutdown) was called and no connection is left.
    pub fn is_shut_down(&self) -> bool {
        self.abort_at.is_some() && self.connections.is_empty(&self.stats)
    }

    /// The counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Takes one packet from the device; None if there is none.
    fn ingress<D: Device + ?Sized>(&mut self, now: Instant, device: &mut D) -> Option<Turn> {
        let (rx, tx) = device.receive(now)?;
        let (stack, stats) = (&mut self.stack, &mut self.stats);
        stats.packets_in += 1;
        Some(rx.consume(|packet| match self.door.admit(packet) {
            Err(reason) => {
                stats.drop(reason);
                Turn::Nobody
            }
            Ok(Admitted::Segment(segment)) => {
                if stack.has_frames() {
                    stack.learn_neighbour(now, packet, segment.flow.remote.addr, segment.flow.local);
                }
                let slot = self.connections.segment(now, packet, &segment, tx, stack, stats);
                slot.map_or(Turn::Nobody, Turn::Slot)
            }
            Ok(Admitted::Datagram(from, to)) => {
                if stack.has_frames() {
                    stack.learn_neighbour(now, packet, from, to);
                }
                stack.feed(now, packet, tx, self.datagrams.sockets());
                Turn::Datagrams
            }
            Ok(Admitted::Stack) => {
                stack.feed(now, packet, tx, &mut self.nobody);
                Turn::Stack
            }
            Ok(Admitted::Neighbour) => {
                stack.feed(now, packet, tx, &mut self.nobody);
                Turn::Neighbour
            }
        }))
    }

    /// Lets whoever got the packet act on it.
    fn take_turn<D: Device + ?Sized>(&mut self, turn: Turn, now: Instant, device: &mut D) {
        match turn {
            Turn::Nobody => {}
            Turn::Slot(id) => {
                let egress = self.connections.serve(id, now, device, &mut self.stack, &mut self.stats);
                self.blocked |= egress == Egress::Blocked;
            }
            Turn::Datagrams => {
                self.datagrams.serve(now, &mut self.stats);
                self.send_datagrams(now, device);
            }
            Turn::Stack => self.send_fragments(now, device),
            Turn::Neighbour => {
                self.connections.look_for_neighbours(now);
                self.send_datagrams(now, device);
            }
        }
    }

    /// Runs all deadlines that have come.
    fn run_due<D: Device + ?Sized>(&mut self, now: Instant, device: &mut D) {
        if self.datagrams.deadline() <= now {
            self.send_datagrams(now, device);
        }
        if !self.blocked {
            let egress = self.connections.run_due(now, device, &mut self.stack, &mut self.stats);
            self.blocked = egress == Egress::Blocked;
        }
    }

    /// Sends the reply that waits in the socket, and those whose delay is over.
    fn send_datagrams<D: Device + ?Sized>(&mut self, now: Instant, device: &mut D) {
        // Before the next attempt: that would silence the socket for another second.
        for _ in 0..self.datagrams.give_up(now) {
            self.stats.drop(DropReason::Neighbour);
        }
        while self.datagrams.release(now) {
            match self.stack.send(now, device, self.datagrams.sockets(), None) {
                (Next::Refused, _) => {
                    self.blocked = true;
                    return;
                }
                (Next::At(NEVER), _) => self.stats.datagrams_out += self.datagrams.sent(),
                (Next::At(at), _) => {
                    self.datagrams.wait_until(at);
                    return;
                }
            }
        }
    }

    /// Sends the rest of a reply that is longer than the MTU, before anything else may be fragmented.
    fn send_fragments<D: Device + ?Sized>(&mut self, now: Instant, device: &mut D) {
        if self.stack.sends_fragments(now, &self.nobody) {
            let (next, _) = self.stack.send(now, device, &mut self.nobody, None);
            self.blocked |= next == Next::Refused;
        }
    }

    /// When to be polled again, if something is `due` then.
    fn deadline(&self, now: Instant, due: Instant, more: bool) -> Option<Instant> {
        let abort_at = self.abort_at.filter(|_| !self.is_shut_down());
        if self.blocked {
            // Without room in the device there is nothing to do, but to give up in time.
            return abort_at;
        }
        if more {
            return Some(now);
        }
        let next = abort_at.map_or(due, |at| at.min(due));
        (next < NEVER).then_some(next)
    }

    /// A lower bound of what [`run_due`](Self::run_due) waits for.
    fn next_due(&mut self) -> Instant {
        self.connections.deadline().min(self.datagrams.deadline())
    }
}

/// Two hashes and a seed from one secret, none of which tells another.
fn secrets(entropy: [u8; 16]) -> ([SipHasher13; 2], u64) {
    let hash = |label: u8| SipHasher13::new_with_key(&entropy).hash(&[label]);
    ([(0, 1), (2, 3)].map(|(low, high)| SipHasher13::new_with_keys(hash(low), hash(high))), hash(4))
}
