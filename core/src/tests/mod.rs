//! Black-box tests of the server: an in-memory device, virtual time, and packets built by hand.
//!
//! The harness is `fixture` (the server and its time), `wire` (its device), `peer` (a TCP client that sends one segment at a
//! time), `packets` (building and parsing), `states` (a connection in each state of RFC 9293) and `in_flight` (one with
//! several segments in flight). A new test goes where its topic is:
//!
//! | topic | file |
//! |---|---|
//! | SYN, SYN\|ACK, MSS, window scale | `handshake` |
//! | initial sequence numbers (RFC 6528) | `sequence_numbers`, `handshake` |
//! | backlog: which slot is evicted for a SYN | `slots` |
//! | how many connections one source may have | `per_source` |
//! | SYN cookies: the ACK of an evicted client (RFC 4987) | `syn_cookie`, `syn_cookie_options`, `syn_cookie_duplicates` |
//! | 4-tuple index: hash collisions | `hash_collisions` |
//! | a slot and a 4-tuple used again, also from TIME-WAIT | `reuse`, `half_close` |
//! | acceptable sequence numbers: out of order, duplicates, overlaps | `segments` |
//! | data behind holes: how much is kept, SACK blocks (RFC 2018) | `sack_blocks` |
//! | acceptable acknowledgements (RFC 5961, section 5) | `acknowledgements`, `segments` |
//! | RST, and SYN on a live connection (RFC 5961, sections 3 and 4) | `reset` |
//! | challenge ACKs, and their limit | `reset`, `acknowledgements`, `segments`; `repeated_segments` |
//! | illegal flags and options, port scans | `illegal_flags`; in the first segment: `drops`, `segments` |
//! | random segments, several peers, a refusing device | `random_segments` |
//! | data: order, sequence number wrap, buffer wrap | `echo` |
//! | closed windows, window updates; silly windows | `back_pressure`, `handshake`; `silly_window` |
//! | windows with a scale | `scaled_windows`, `handshake` |
//! | zero-window probes: ours, and answers to the peer's | `back_pressure`, `deadlines`, `persist`, `stalls` |
//! | retransmission: fast recovery, slow start | `loss`, `segments`, `stalls`, `refusing_device` |
//! | retransmission: duplicate acknowledgements | `fast_recovery`, `loss` |
//! | retransmission: SACK blocks of the peer | `sack_scoreboard` |
//! | retransmission: round trips, timer, tail loss probe | `retransmission_timer`, `longer_round_trips` |
//! | retransmission where one segment is in flight | `single_segment` |
//! | retransmission behind windows that close and open | `reopened_windows`, `stalls` |
//! | retransmission without the feature `recovery` | `slow_timer` |
//! | congestion window | `congestion` |
//! | ICMP "fragmentation needed", "packet too big" | `path_mtu` |
//! | FIN, half-close, simultaneous close, TIME-WAIT | `half_close`; `last_ack` |
//! | keep-alive, dead peer, LAST-ACK deadlines; half-open | `deadlines`; `half_open` |
//! | `idle_timeout` | `idle` |
//! | handlers that speak first, say more than they hear, finish, abort | `handlers` |
//! | clients that read or send nothing, beside others | `slow_clients` |
//! | shutdown | `shutdown` |
//! | UDP; delayed replies | `udp`; `delayed_replies` |
//! | UDP: echo loops | `echo_loops` |
//! | ping, ICMP errors | `icmp` |
//! | RST for a closed port | `closed_ports` |
//! | IPv6 extension headers | `extension_headers` |
//! | fragments of IPv4, of IPv6 | `fragments`, `ipv6_fragments` |
//! | Ethernet; ARP; IPv6 neighbour discovery | `ethernet`; `arp`; `ndisc` |
//! | what teaches a neighbour's address, what waits for it | `neighbours` |
//! | announcements, probes, duplicate address detection, MLD | `announcements` |
//! | packets that are dropped, one test for each `DropReason` | `drops` |
//! | a device without room | `refusing_device` |
//! | a driver of embassy's kind, and its task (feature `embassy`) | `embassy` |
//! | configuration, memory, counters | `config`, `memory` |
//! | log lines | `events` |
//! | the table of deadlines | `timers` |
//! | when the server wants to be called again | `calls`, `timers` |

mod acknowledgements;
#[cfg(feature = "ethernet-duties")]
mod announcements;
mod arp;
mod back_pressure;
mod calls;
mod closed_ports;
mod config;
#[cfg(feature = "recovery")]
mod congestion;
mod deadlines;
#[cfg(feature = "delay")]
mod delayed_replies;
mod drops;
mod echo;
mod echo_loops;
mod echo_window;
#[cfg(feature = "embassy")]
mod embassy;
mod ethernet;
#[cfg(feature = "log")]
mod events;
#[cfg(feature = "ipv6")]
mod extension_headers;
#[cfg(feature = "recovery")]
mod fast_recovery;
mod fixture;
#[cfg(feature = "fragments")]
mod fragments;
mod half_close;
mod half_open;
mod handlers;
mod handshake;
mod hash_collisions;
mod icmp;
mod idle;
mod illegal_flags;
#[cfg(feature = "recovery")]
mod in_flight;
#[cfg(all(feature = "fragments", feature = "ipv6"))]
mod ipv6_fragments;
#[cfg(feature = "recovery")]
mod last_ack;
#[cfg(feature = "recovery")]
mod longer_round_trips;
#[cfg(feature = "recovery")]
mod loss;
mod memory;
#[cfg(feature = "ipv6")]
mod ndisc;
#[cfg(feature = "ethernet-duties")]
mod neighbours;
mod packets;
#[cfg(feature = "recovery")]
mod path_mtu;
mod peer;
#[cfg(feature = "per-source")]
mod per_source;
#[cfg(feature = "recovery")]
mod persist;
mod random_segments;
mod refusing_device;
#[cfg(feature = "recovery")]
mod reopened_windows;
mod repeated_segments;
mod reset;
#[cfg(feature = "recovery")]
mod retransmission_timer;
mod reuse;
#[cfg(feature = "many-holes")]
mod sack_blocks;
#[cfg(feature = "recovery")]
mod sack_scoreboard;
mod scaled_windows;
mod segments;
mod sequence_numbers;
mod shutdown;
mod silly_window;
#[cfg(feature = "recovery")]
mod single_segment;
mod slots;
mod slow_clients;
#[cfg(not(feature = "recovery"))]
mod slow_timer;
mod stalls;
mod states;
mod syn_cookie;
mod syn_cookie_duplicates;
mod syn_cookie_options;
mod timers;
mod udp;
#[cfg(feature = "log")]
mod verbose;
mod wire;
