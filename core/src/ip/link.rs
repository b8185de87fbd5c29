//! The link, where it is Ethernet: what smoltcp does not do there, or not as other hosts expect it.

use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, EthernetFrame, EthernetProtocol, IpAddress, IpCidr};
#[cfg(feature = "ipv6")]
use smoltcp::wire::{IpProtocol, Ipv6Packet};

use crate::ip::announce::Announcer;
use crate::ip::arp;
use crate::ip::device::Watch;
use crate::ip::frame::Frame;
#[cfg(feature = "ipv6")]
use crate::ip::mld;
#[cfg(feature = "ipv6")]
use crate::ip::ndisc::Solicitation;
use crate::ip::neighbours::{self, Evidence, Neighbours};

#[derive(Debug)]
pub(crate) struct Link {
    own: EthernetAddress,
    neighbours: Neighbours,
    announcer: Announcer,
}

/// What is to be done with a frame that is not the filter's.
#[derive(Debug)]
pub(crate) struct Discovery {
    /// The answer, if it has one.
    pub(crate) answer: Option<Frame>,
    /// What smoltcp learns from it.
    pub(crate) announcement: Option<Frame>,
}

impl Link {
    /// `own`: the server's hardware address.
    pub(crate) fn new(own: EthernetAddress, now: Instant, seed: u64) -> Link {
        Link { own, neighbours: Neighbours::new(), announcer: Announcer::new(now, seed) }
    }

    /// Looks at a frame that has just come, before anybody else does. None: it goes the way of all packets.
    pub(crate) fn discover(
        &mut self,
        now: Instant,
        packet: &[u8],
        addresses: &[IpCidr],
    ) -> Option<Discovery> {
        // Only what IPv6 needs waits for a time.
        #[cfg(not(feature = "ipv6"))]
        let _ = now;
        let frame = EthernetFrame::new_checked(packet).ok()?;
        match frame.ethertype() {
            EthernetProtocol::Arp => {
                self.neighbours.discovered();
                let answer = arp::answer_probe(packet, self.own, |address| is_ours(addresses, address))?;
                Some(Discovery { answer: Some(answer), announcement: None })
            }
            #[cfg(feature = "ipv6")]
            EthernetProtocol::Ipv6 => match Ipv6Packet::new_checked(frame.payload()).ok()?.next_header() {
                IpProtocol::Icmpv6 => self.solicitation(packet, addresses),
                IpProtocol::HopByHop => {
                    self.announcer.queried(now, mld::query(packet)?);
                    Some(Discovery { answer: None, announcement: None })
                }
                _ => None,
            },
            _ => None,
        }
    }

    #[cfg(feature = "ipv6")]
    fn solicitation(&mut self, packet: &[u8], addresses: &[IpCidr]) -> Option<Discovery> {
        // An advertisement is smoltcp's, which may learn something else from it than a segment has taught.
        self.neighbours.discovered();
        let solicitation = Solicitation::parse(packet, self.own, |address| is_ours(addresses, address))?;
        let announcement = match solicitation {
            Solicitation { source: Some(source), lladdr: Some(at), target, .. } => {
                neighbours::announcement(at, source.into(), target.into())
            }
            _ => None,
        };
        Some(Discovery { answer: solicitation.answer(self.own), announcement })
    }

    /// The frame by which smoltcp is told where a neighbour on the link is, which sent this one with a packet to `own`. None if
    /// there is nothing to be learnt.
    pub(crate) fn learn(
        &mut self,
        now: Instant,
        packet: &[u8],
        (neighbour, own): (IpAddress, IpAddress),
        evidence: Evidence,
    ) -> Option<Frame> {
        let at = EthernetFrame::new_checked(packet).ok()?.src_addr();
        if !self.neighbours.learn(now, neighbour, at, evidence) {
            return None;
        }
        neighbours::announcement(at, neighbour, own)
    }

    /// The next frame that is to be sent unasked.
    pub(crate) fn announce(&mut self, now: Instant, addresses: &[IpCidr]) -> Option<Frame> {
        self.announcer.next(now, self.own, addresses)
    }

    /// When [`announce`](Self::announce) has something to say.
    pub(crate) fn deadline(&self) -> Instant {
        self.announcer.deadline()
    }
}

fn is_ours(addresses: &[IpCidr], address: impl Into<IpAddress>) -> bool {
    let address = address.into();
    addresses.iter().any(|own| own.address() == address)
}

/// What smoltcp sends in answer to a frame: the answer, or a question where to send it.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    pub(crate) with_an_answer: bool,
    pub(crate) with_a_question: bool,
}

impl Watch for Answered {
    fn departs(&mut self, packet: &mut [u8]) {
        // A solicitation goes to the neighbour's group (RFC 4861, section 7.2.2); nothing else is sent to any by smoltcp.
        let asks = EthernetFrame::new_checked(packet)
            .is_ok_and(|frame| frame.ethertype() == EthernetProtocol::Arp || frame.dst_addr().is_multicast());
        self.with_a_question |= asks;
        self.with_an_answer |= !asks;
    }
}
