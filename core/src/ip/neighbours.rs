//! Neighbours on Ethernet: which frames tell where a host is.
//!
//! smoltcp asks for one neighbour a second at most, all in all: of several clients that connect at once, one would be
//! answered. Their hardware addresses are there already, in the frames that they come with, so smoltcp is handed the
//! announcement that the sender could have made.
//!
//! Not any frame may do that. Anybody on the link can send one with the IP address of a client, and would be sent what is
//! for that client. So a segment that its connection accepted is believed: its sender knows the connection's sequence
//! numbers. What comes without such a proof, a SYN or a datagram, is believed as long as nothing better is known of that
//! address. ARP and neighbour discovery have no proof either, and are believed, as they have to be (RFC 826): until the next
//! accepted segment says otherwise.

use heapless::Vec;
use smoltcp::time::{Duration, Instant};
#[cfg(feature = "ipv6")]
use smoltcp::wire::NdiscNeighborFlags;
use smoltcp::wire::{ArpOperation, ArpRepr, EthernetAddress, IpAddress};

use crate::ip::arp;
use crate::ip::frame::Frame;
#[cfg(feature = "ipv6")]
use crate::ip::ndisc;

/// How long smoltcp is not told again. It remembers a neighbour for a minute.
const TOLD: Duration = Duration::from_secs(30);

/// How long an accepted segment speaks for its sender. Peers are probed more often.
const PROVEN: Duration = Duration::from_secs(60);

/// As many as smoltcp remembers (`iface-neighbor-cache-count-32`).
const MOST_PROVEN: usize = 32;

/// What shows that a frame came from the host whose IP address is its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Evidence {
    /// Nothing but the frame itself.
    Claimed,
    /// It was accepted by a connection of that host.
    Accepted,
}

/// The hardware addresses that frames have shown.
#[derive(Debug)]
pub(crate) struct Neighbours {
    /// What smoltcp was told last, and until when it need not be told again.
    told: Option<Told>,
    /// Who sent accepted segments, and from where.
    proven: Vec<Proven, MOST_PROVEN>,
}

#[derive(Debug, Clone, Copy)]
struct Told {
    address: IpAddress,
    at: EthernetAddress,
    evidence: Evidence,
    until: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Proven {
    address: IpAddress,
    at: EthernetAddress,
    until: Instant,
}

impl Neighbours {
    pub(crate) const fn new() -> Neighbours {
        Neighbours { told: None, proven: Vec::new() }
    }

    /// A frame came from this hardware address, in it a packet from this IP address of the link. True if smoltcp is to be
    /// told.
    pub(crate) fn learn(
        &mut self,
        now: Instant,
        address: IpAddress,
        at: EthernetAddress,
        evidence: Evidence,
    ) -> bool {
        if self.told.is_some_and(|told| {
            told.address == address && told.at == at && told.evidence >= evidence && now < told.until
        }) {
            return false;
        }
        match evidence {
            Evidence::Accepted => self.prove(now, address, at),
            Evidence::Claimed if self.contradicts(now, address, at) => return false,
            Evidence::Claimed => {}
        }
        self.told = Some(Told { address, at, evidence, until: now + TOLD });
        true
    }

    /// smoltcp may have learnt something by ARP or neighbour discovery: it is to be told again.
    pub(crate) fn discovered(&mut self) {
        self.told = None;
    }

    /// True if an accepted segment came from another place not long ago.
    fn contradicts(&self, now: Instant, address: IpAddress, at: EthernetAddress) -> bool {
        self.proven.iter().any(|proven| proven.address == address && proven.at != at && now < proven.until)
    }

    fn prove(&mut self, now: Instant, address: IpAddress, at: EthernetAddress) {
        let proven = Proven { address, at, until: now + PROVEN };
        if let Some(known) = self.proven.iter_mut().find(|known| known.address == address) {
            *known = proven;
        } else if let Err(proven) = self.proven.push(proven)
            && let Some(oldest) = self.proven.iter_mut().min_by_key(|known| known.until)
        {
            *oldest = proven;
        }
    }
}

/// The frame by which smoltcp is told that `neighbour` is at this hardware address; `own`: our address of that family.
pub(crate) fn announcement(at: EthernetAddress, neighbour: IpAddress, own: IpAddress) -> Option<Frame> {
    // smoltcp looks at frames for everybody too, so its hardware address is not needed.
    let everybody = EthernetAddress::BROADCAST;
    match (neighbour, own) {
        (IpAddress::Ipv4(neighbour), IpAddress::Ipv4(own)) => arp::arp_frame(
            at,
            everybody,
            &ArpRepr::EthernetIpv4 {
                operation: ArpOperation::Reply,
                source_hardware_addr: at,
                source_protocol_addr: neighbour,
                target_hardware_addr: everybody,
                target_protocol_addr: own,
            },
        ),
        #[cfg(feature = "ipv6")]
        (IpAddress::Ipv6(neighbour), IpAddress::Ipv6(own)) => {
            ndisc::advertisement(at, everybody, neighbour, own, NdiscNeighborFlags::OVERRIDE)
        }
        #[cfg(feature = "ipv6")]
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 1]);
    const TWO: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 2]);

    fn host(number: u8) -> IpAddress {
        IpAddress::v4(192, 0, 2, number)
    }

    fn at(seconds: i64) -> Instant {
        Instant::from_secs(seconds)
    }

    #[test]
    fn smoltcp_is_told_once_in_its_memory() {
        let mut neighbours = Neighbours::new();
        for evidence in [Evidence::Claimed, Evidence::Accepted] {
            assert!(neighbours.learn(at(0), host(1), ONE, evidence));
            assert!(!neighbours.learn(at(29), host(1), ONE, evidence));
        }
        assert!(neighbours.learn(at(30), host(1), ONE, Evidence::Claimed));
    }

    #[test]
    fn a_claim_gives_way_to_another_but_not_an_accepted_segment() {
        let mut neighbours = Neighbours::new();
        assert!(neighbours.learn(at(0), host(1), ONE, Evidence::Claimed));
        assert!(neighbours.learn(at(0), host(1), TWO, Evidence::Claimed));
        assert!(neighbours.learn(at(0), host(1), ONE, Evidence::Accepted));
        assert!(!neighbours.learn(at(59), host(1), TWO, Evidence::Claimed));
        // The host that it was told of last is not told again for it.
        assert!(neighbours.learn(at(59), host(1), ONE, Evidence::Accepted));
        assert!(!neighbours.learn(at(118), host(1), TWO, Evidence::Claimed));
        assert!(neighbours.learn(at(119), host(1), TWO, Evidence::Claimed));
    }

    #[test]
    fn an_accepted_segment_from_elsewhere_moves_its_host() {
        let mut neighbours = Neighbours::new();
        assert!(neighbours.learn(at(0), host(1), ONE, Evidence::Accepted));
        assert!(neighbours.learn(at(1), host(1), TWO, Evidence::Accepted));
        assert!(!neighbours.learn(at(1), host(1), ONE, Evidence::Claimed));
    }

    #[test]
    fn what_was_discovered_is_put_right_by_the_next_segment() {
        let mut neighbours = Neighbours::new();
        assert!(neighbours.learn(at(0), host(1), ONE, Evidence::Accepted));
        assert!(!neighbours.learn(at(1), host(1), ONE, Evidence::Accepted));
        neighbours.discovered();
        assert!(neighbours.learn(at(1), host(1), ONE, Evidence::Accepted));
    }

    #[test]
    fn of_too_many_hosts_the_one_heard_last_is_kept() {
        let mut neighbours = Neighbours::new();
        let most = u8::try_from(MOST_PROVEN).unwrap();
        for number in 0..=most {
            assert!(neighbours.learn(at(number.into()), host(number), ONE, Evidence::Accepted));
        }
        let now = at((most + 1).into());
        assert!(neighbours.learn(now, host(0), TWO, Evidence::Claimed));
        assert!((1..=most).all(|number| !neighbours.learn(now, host(number), TWO, Evidence::Claimed)));
    }
}
