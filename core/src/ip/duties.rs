//! What other hosts on Ethernet expect, and smoltcp does not do: probes for our addresses are answered, the addresses announced,
//! multicast groups reported, and a packet kept until its neighbour is known.

use smoltcp::iface::SocketSet;
use smoltcp::phy::Device;
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, EthernetFrame, EthernetProtocol, IpAddress, IpCidr};
#[cfg(feature = "ipv6")]
use smoltcp::wire::{IpProtocol, Ipv6Packet};

use crate::ip::announce::Announcer;
use crate::ip::arp;
use crate::ip::device::{Room, Watch};
use crate::ip::frame::Frame;
use crate::ip::interface::{Interface, NoAnswer, Sent};
use crate::ip::link::Link;
#[cfg(feature = "ipv6")]
use crate::ip::mld;
#[cfg(feature = "ipv6")]
use crate::ip::ndisc::Solicitation;
#[cfg(feature = "ipv6")]
use crate::ip::neighbours;
use crate::tcp::timers::NEVER;

/// What the duties on a link need to know.
#[derive(Debug)]
pub(crate) struct Duties {
    own: EthernetAddress,
    announcer: Announcer,
    /// Set if smoltcp sent no answer to the packet that [`Interface::answer`] was last called with.
    unanswered: Option<NoAnswer>,
}

impl Duties {
    /// `own`: the server's hardware address.
    pub(crate) fn new(own: EthernetAddress, now: Instant, seed: u64) -> Duties {
        Duties { own, announcer: Announcer::new(now, seed), unanswered: None }
    }
}

/// What is to be done about a frame that [`Link::discover`] takes.
#[derive(Debug)]
pub(crate) struct Discovery {
    /// The answer, if it has one.
    pub(crate) answer: Option<Frame>,
    /// What smoltcp learns from it.
    pub(crate) announcement: Option<Frame>,
}

impl Link {
    /// Looks at a frame before the filter does. None if the filter is to have it.
    pub(crate) fn discover(
        &mut self,
        now: Instant,
        packet: &[u8],
        addresses: &[IpCidr],
    ) -> Option<Discovery> {
        // Only the answer to an MLD query has a time.
        #[cfg(not(feature = "ipv6"))]
        let _ = now;
        let frame = EthernetFrame::new_checked(packet).ok()?;
        match frame.ethertype() {
            EthernetProtocol::Arp => {
                self.neighbours.discovered();
                let answer =
                    arp::answer_probe(packet, self.duties.own, |address| is_ours(addresses, address))?;
                Some(Discovery { answer: Some(answer), announcement: None })
            }
            #[cfg(feature = "ipv6")]
            EthernetProtocol::Ipv6 => match Ipv6Packet::new_checked(frame.payload()).ok()?.next_header() {
                IpProtocol::Icmpv6 => self.solicitation(packet, addresses),
                IpProtocol::HopByHop => {
                    self.duties.announcer.queried(now, mld::query(packet)?);
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
        let solicitation =
            Solicitation::parse(packet, self.duties.own, |address| is_ours(addresses, address))?;
        let announcement = match solicitation {
            Solicitation { source: Some(source), lladdr: Some(at), target, .. } => {
                neighbours::announcement(at, source.into(), target.into())
            }
            _ => None,
        };
        Some(Discovery { answer: solicitation.answer(self.duties.own), announcement })
    }

    /// The next frame that is to be sent unasked.
    pub(crate) fn announce(&mut self, now: Instant, addresses: &[IpCidr]) -> Option<Frame> {
        self.duties.announcer.next(now, self.duties.own, addresses)
    }

    /// When [`announce`](Self::announce) has something to say.
    pub(crate) fn deadline(&self) -> Instant {
        self.duties.announcer.deadline()
    }
}

fn is_ours(addresses: &[IpCidr], address: impl Into<IpAddress>) -> bool {
    let address = address.into();
    addresses.iter().any(|own| own.address() == address)
}

impl Interface {
    /// Deals with a probe or a solicitation for our addresses, or an MLD query, without smoltcp. False if the packet is none of
    /// these: then the filter is to have it.
    pub(crate) fn discover(&mut self, now: Instant, frame: &[u8], tx: &mut dyn Room) -> bool {
        let Some(link) = &mut self.link else {
            return false;
        };
        let Some(discovery) = link.discover(now, frame, &self.addresses) else {
            return false;
        };
        if let Some(announcement) = discovery.announcement {
            self.inject(now, &announcement, &mut SocketSet::new(&mut [][..]));
        }
        if let Some(answer) = discovery.answer {
            self.emit(tx, answer.len(), |room| room.copy_from_slice(&answer));
        }
        true
    }

    /// Lets smoltcp answer a packet that is for no socket. Takes note of whether the answer left, since nothing else would send
    /// it again ([`take_unanswered`](Self::take_unanswered)).
    pub(crate) fn answer(&mut self, now: Instant, packet: &[u8], tx: &mut dyn Room) {
        if self.link.is_none() {
            return self.process_without_sockets(now, packet, tx);
        }
        let mut answered = Answered::default();
        self.process(now, (packet, tx), &mut SocketSet::new(&mut [][..]), &mut answered);
        if let Some(link) = &mut self.link {
            link.duties.unanswered = match answered {
                Answered { with_an_answer: true, .. } => None,
                Answered { with_a_question: true, .. } => Some(NoAnswer::Asked),
                _ => Some(NoAnswer::Silent),
            };
        }
    }

    /// Some if the last packet that was to be [answered](Self::answer) was not.
    pub(crate) fn take_unanswered(&mut self) -> Option<NoAnswer> {
        self.link.as_mut()?.duties.unanswered.take()
    }

    /// Sends what our neighbours are to be told unasked.
    pub(crate) fn announce<D: Device + ?Sized>(&mut self, now: Instant, device: &mut D) -> Sent {
        while self.announce_at() <= now {
            // Room comes first: a message is made once.
            let Some(token) = device.transmit(now) else {
                return Sent::Blocked;
            };
            if let Some(link) = &mut self.link
                && let Some(frame) = link.announce(now, &self.addresses)
            {
                self.emit(&mut Some(token), frame.len(), |room| room.copy_from_slice(&frame));
            }
        }
        Sent::All(self.announce_at())
    }

    /// When [`announce`](Self::announce) has something to send.
    pub(crate) fn announce_at(&self) -> Instant {
        self.link.as_ref().map_or(NEVER, Link::deadline)
    }
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
