//! The server: what it is made of, and the order in which a poll takes packets, sends and runs deadlines.

mod egress;
mod ingress;

use core::fmt;

use siphasher::sip::SipHasher13;
use smoltcp::phy::Device;
use smoltcp::time::{Duration, Instant};

use crate::config::{Config, ConfigError};
use crate::cx::Cx;
use crate::handler::Handler;
use crate::ip::answer::AnswerLimits;
use crate::ip::filter::Filter;
use crate::ip::interface::{Interface, Sent};
#[cfg(feature = "fragments")]
use crate::ip::reassembly::Reassembly;
use crate::ip::unanswered::Unanswered;
use crate::memory::{self, Storage};
use crate::stats::Stats;
use crate::tcp::demux::Demux;
use crate::tcp::per_source::Sources;
use crate::tcp::slots::Slots;
use crate::tcp::timers::{NEVER, Timers};
use crate::tcp::{Connections, Sizes, Tables};
use crate::udp::Datagrams;
use crate::uppercase::Uppercase;

/// The most packets that one call of [`Server::poll`] takes: enough that the rest of the call costs little, few enough that
/// deadlines hold.
const PACKETS_A_POLL: usize = 64;

/// How long connections have to close in good order when the server shuts down.
const SHUTDOWN: Duration = Duration::from_secs(1);

/// A server on its own TCP/IP stack, over TCP and UDP. `H` holds the conversation: [`Uppercase`], or your own [`Handler`].
///
/// See the [crate's documentation](crate) for how to drive it.
pub struct Server<'a, H: Handler = Uppercase> {
    handler: H,
    filter: Filter,
    answer_limits: AnswerLimits,
    #[cfg(feature = "fragments")]
    reassembly: Reassembly,
    connections: Connections<'a, H::State>,
    datagrams: Datagrams<'a>,
    interface: Interface,
    unanswered: Unanswered<'a>,
    stats: Stats,
    /// Set once the server shuts down: when the connections that are left are aborted.
    abort_at: Option<Instant>,
    /// The device refused a packet.
    blocked: bool,
}

/// What [`Server::poll`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Poll {
    /// Call again at this time, if nothing else happens before; at once if it is not after `now`, as the device may have more
    /// packets. None: only a packet is waited for.
    ///
    /// It may be too early, since it is a lower bound, but never too late.
    pub deadline: Option<Instant>,
    /// The device refused a packet: call again as soon as it can send. Nothing is taken from it until then.
    pub blocked: bool,
}

impl Poll {
    /// For tests of a loop around a server.
    pub const fn new(deadline: Option<Instant>, blocked: bool) -> Poll {
        Poll { deadline, blocked }
    }
}

impl<'a> Server<'a> {
    /// Makes a server that answers in upper case.
    ///
    /// # Errors
    ///
    /// As [`with_handler`](Self::with_handler).
    pub fn new<D: Device + ?Sized>(
        config: &Config,
        storage: Storage<'a>,
        device: &mut D,
        now: Instant,
    ) -> Result<Server<'a>, ConfigError> {
        Server::with_handler(Uppercase, config, storage, device, now)
    }
}

impl<'a, H: Handler> Server<'a, H> {
    /// Makes a server with all slots free. The device is only asked for what it can do.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] says what in the configuration, the storage or the device does not fit.
    pub fn with_handler<D: Device + ?Sized>(
        handler: H,
        config: &Config,
        storage: Storage<'a, H::State>,
        device: &mut D,
        now: Instant,
    ) -> Result<Server<'a, H>, ConfigError> {
        let mut capabilities = device.capabilities();
        config.check(&capabilities)?;
        // The length of an IPv4 packet has 16 bits: smoltcp panics when it writes a longer one.
        capabilities.max_transmission_unit -= capabilities.ip_mtu().saturating_sub(u16::MAX.into());
        let longest_datagram = (capabilities.ip_mtu() - 28).max(memory::longest_reassembled());
        let buffer_size = storage.buffer_size(longest_datagram, config.limit_per_source().is_some())?;

        let Storage { slots, sockets, demux, buckets, deadlines, sources, tcp_buffers, udp, unanswered } =
            storage;
        let buffers = tcp_buffers.chunks_exact_mut(2 * buffer_size);
        for ((slot, socket), buffers) in slots.iter_mut().zip(sockets).zip(buffers) {
            let (rx, tx) = buffers.split_at_mut(buffer_size);
            slot.furnish(socket, rx, tx);
        }
        let ([demux_hasher, isn_hasher], [answer_key, echo_key], seed) = secrets(config.entropy);
        let tables = Tables {
            slots: Slots::new(slots),
            demux: Demux::new(demux, buckets, demux_hasher),
            // One key for two hashes: the one of 4-tuples has inputs of other lengths.
            sources: Sources::new(sources, demux_hasher, config.limit_per_source()),
            timers: Timers::new(deadlines),
        };
        let sizes = Sizes::of(buffer_size, H::PASSES);
        let mut connections = Connections::new(tables, isn_hasher, sizes);
        connections.set_idle_timeout(config.idle_timeout);
        Ok(Server {
            handler,
            interface: Interface::new(config, &capabilities, seed, now),
            filter: Filter::new(config, capabilities.checksum),
            answer_limits: AnswerLimits::new(answer_key),
            #[cfg(feature = "fragments")]
            reassembly: Reassembly::new(),
            connections,
            datagrams: Datagrams::new(udp, config.port, config.reply_delay(), echo_key),
            unanswered: Unanswered::new(unanswered),
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
            // Retry blocked output first: a packet must not be taken in while its answer cannot be sent.
            self.blocked = false;
            self.send_fragments(now, device);
            if !self.blocked {
                self.send_datagrams(now, device);
            }
            if !self.blocked {
                self.run_due(now, device);
            }
        }
        if !self.blocked && self.interface.announce_at() <= now {
            self.blocked = self.interface.announce(now, device) == Sent::Blocked;
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
            let (connections, _, mut cx) = self.parts(now);
            connections.abort_all(&mut cx, device);
        }
        self.stats.packets_out = self.interface.packets_sent();
        Poll { deadline: self.deadline(now, due, packets == PACKETS_A_POLL), blocked: self.blocked }
    }

    /// Begins to shut down: SYNs are dropped from now on and half-open connections aborted. On each connection the handler
    /// gets to answer what has been received, and it is closed; what is left of them a second later is reset.
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

    /// The handler.
    pub fn handler(&self) -> &H {
        &self.handler
    }

    /// The handler, to change it between two polls.
    pub fn handler_mut(&mut self) -> &mut H {
        &mut self.handler
    }

    /// Connections and datagrams, and the context of whatever they do.
    fn parts(&mut self, now: Instant) -> (&mut Connections<'a, H::State>, &mut Datagrams<'a>, Cx<'_, H>) {
        let Server { handler, connections, datagrams, interface, stats, .. } = self;
        (connections, datagrams, Cx { now, handler, interface, stats })
    }

    /// When to be polled again; `due`: the next deadline, `more`: the device may have more packets.
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
        let link = self.interface.announce_at().min(self.unanswered.deadline());
        self.connections.deadline().min(self.datagrams.deadline()).min(link)
    }
}

impl<H: Handler> fmt::Debug for Server<'_, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("filter", &self.filter)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

/// Two hashes, two keys for others, and a seed from one secret, none of which tells another.
fn secrets(entropy: [u8; 16]) -> ([SipHasher13; 2], [[u8; 16]; 2], u64) {
    let hash = |label: u8| SipHasher13::new_with_key(&entropy).hash(&[label]);
    let hasher = |one: u8, other: u8| SipHasher13::new_with_keys(hash(one), hash(other));
    let key = |one: u8, other: u8| {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&hash(one).to_ne_bytes());
        key[8..].copy_from_slice(&hash(other).to_ne_bytes());
        key
    };
    ([hasher(0, 1), hasher(2, 3)], [key(5, 6), key(7, 8)], hash(4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_of_each_key_depend_on_the_entropy() {
        let ([one, other], [of_another, _]) = (secrets([1; 16]).1, secrets([2; 16]).1);
        assert_ne!(one, other);
        assert!(one[..8] != of_another[..8] && one[8..] != of_another[8..]);
    }
}
