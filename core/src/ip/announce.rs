//! When the server tells its neighbours where its addresses are, without being asked: at the start, so that those who know
//! them at another hardware address, and the switches in between, learn where they are now; and which multicast groups it
//! listens to, then and when a router or switch asks.

use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, IpCidr};

use crate::ip::arp;
use crate::ip::frame::Frame;
#[cfg(feature = "ipv6")]
use crate::ip::{mld, ndisc};
use crate::tcp::timers::NEVER;

/// Each is said twice, as one can be lost: ANNOUNCE_NUM and ANNOUNCE_INTERVAL of RFC 5227, section 1.1. RFC 4861 allows
/// three (section 10), RFC 3810 asks for two within a second (section 9.1).
const ROUNDS: u8 = 2;
const INTERVAL: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Announcer {
    /// When the next round, or the next message of a round, is due.
    at: Instant,
    /// Rounds to go, and the place in this one: of the group report, then of each address.
    rounds: u8,
    place: usize,
    /// When a query is to be answered.
    #[cfg(feature = "ipv6")]
    report_at: Instant,
    /// Spreads the answers of many servers to one query.
    #[cfg(feature = "ipv6")]
    seed: u64,
}

impl Announcer {
    /// The first round is due at once; `seed`: other ones for each server.
    pub(crate) fn new(now: Instant, seed: u64) -> Announcer {
        #[cfg(not(feature = "ipv6"))]
        let _ = seed;
        Announcer {
            at: now,
            rounds: ROUNDS,
            place: 0,
            #[cfg(feature = "ipv6")]
            report_at: NEVER,
            #[cfg(feature = "ipv6")]
            seed,
        }
    }

    /// When [`next`](Self::next) has something to say.
    pub(crate) fn deadline(&self) -> Instant {
        #[cfg(feature = "ipv6")]
        return self.at.min(self.report_at);
        #[cfg(not(feature = "ipv6"))]
        self.at
    }

    /// The groups were asked for, by a query that lets the answer wait for this many milliseconds.
    #[cfg(feature = "ipv6")]
    pub(crate) fn queried(&mut self, now: Instant, longest: u16) {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // An even share of the time, from 32 bits that are random enough.
        let wait = (u64::from(longest) * (self.seed >> 32)) >> 32;
        self.report_at = self.report_at.min(now + Duration::from_millis(wait));
    }

    /// The next frame to be sent now. None: there is none before [`deadline`](Self::deadline).
    pub(crate) fn next(&mut self, now: Instant, own: EthernetAddress, addresses: &[IpCidr]) -> Option<Frame> {
        #[cfg(feature = "ipv6")]
        if self.report_at <= now {
            self.report_at = NEVER;
            if let Some(report) = mld::report(own, ipv6(addresses), mld::Record::ModeIsExclude) {
                return Some(report);
            }
        }
        while self.at <= now {
            let place = self.place;
            self.place += 1;
            let frame = match place.checked_sub(1).map(|index| addresses.get(index)) {
                // The groups first: the switch is to know them before anybody asks for the addresses.
                #[cfg(feature = "ipv6")]
                None => mld::report(own, ipv6(addresses), mld::Record::ChangeToExclude),
                #[cfg(not(feature = "ipv6"))]
                None => None,
                Some(Some(IpCidr::Ipv4(cidr))) => arp::announcement(own, cidr.address()),
                #[cfg(feature = "ipv6")]
                Some(Some(IpCidr::Ipv6(cidr))) => ndisc::announcement(own, cidr.address()),
                Some(None) => {
                    self.rounds = self.rounds.saturating_sub(1);
                    self.place = 0;
                    self.at = if self.rounds == 0 { NEVER } else { now + INTERVAL };
                    None
                }
            };
            if frame.is_some() {
                return frame;
            }
        }
        None
    }
}

#[cfg(feature = "ipv6")]
fn ipv6(addresses: &[IpCidr]) -> impl Iterator<Item = smoltcp::wire::Ipv6Address> {
    addresses.iter().filter_map(|cidr| match cidr {
        IpCidr::Ipv4(_) => None,
        IpCidr::Ipv6(cidr) => Some(cidr.address()),
    })
}
