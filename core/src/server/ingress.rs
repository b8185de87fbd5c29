//! Ingress: takes a packet from the device, hands it to the connection or socket that it is for, and runs what follows from it.

use smoltcp::phy::{Device, RxToken};
use smoltcp::time::Instant;

use crate::events;
use crate::handler::Handler;
#[cfg(any(feature = "ipv6", feature = "fragments"))]
use crate::ip::Rebuilt;
use crate::ip::device::{Room, as_room};
use crate::ip::filter::Admitted;
use crate::ip::interface::Sent;
use crate::ip::neighbours::Evidence;
use crate::server::Server;
use crate::stats::DropReason;
use crate::tcp::segment::{RawSegment, Segment};
use crate::tcp::slots::SlotId;

/// What is to run after a packet has been taken in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Turn {
    Nothing,
    /// The connection in this slot: its handler, and its egress.
    Slot(SlotId),
    /// The handler of datagrams.
    Datagrams,
    /// What is left of a reply that has been fragmented.
    Fragments,
    /// Whatever waits for a neighbour, which may be known now.
    Neighbours,
}

impl<H: Handler> Server<'_, H> {
    /// Takes one packet from the device; None if there is none.
    pub(super) fn ingress<D: Device + ?Sized>(&mut self, now: Instant, device: &mut D) -> Option<Turn> {
        let (rx, tx) = device.receive(now)?;
        let mut tx = Some(tx);
        self.stats.packets_in += 1;
        Some(rx.consume(|packet| {
            let before = events::drops(&self.stats);
            let turn = self.admit(now, packet, &mut tx);
            events::dropped(before, &self.stats, packet, self.interface.has_frames());
            if let Some(why) = self.interface.take_unanswered() {
                self.unanswered.keep(now, packet, why);
            }
            turn
        }))
    }

    /// Hands a packet to the connection or socket that it is for; returns what is to run then.
    #[cfg_attr(feature = "fast", inline(always))]
    fn admit(&mut self, now: Instant, packet: &[u8], tx: &mut impl Room) -> Turn {
        if self.interface.discover(now, packet, tx) {
            return Turn::Neighbours;
        }
        match &self.filter.admit(packet) {
            Ok(Admitted::Segment(raw)) => self.segment(now, packet, raw, as_room(tx)),
            admitted => self.admit_other(now, packet, admitted, tx),
        }
    }

    /// Hands a segment to its connection.
    #[cfg_attr(feature = "fast", inline(always))]
    fn segment(
        &mut self,
        now: Instant,
        packet: &[u8],
        raw: &RawSegment<'_>,
        tx: &mut (impl Room + ?Sized),
    ) -> Turn {
        let (connections, _, mut cx) = self.parts(now);
        let mut segment = Segment::new(packet, raw);
        if !segment.parse(raw) {
            cx.stats.drop(DropReason::Malformed);
            return Turn::Nothing;
        }
        connections.segment(&mut cx, &segment, tx).map_or(Turn::Nothing, Turn::Slot)
    }

    /// The same for a packet that is no segment, or that hides one behind extension headers or in fragments.
    ///
    /// Do not be tempted to let it be inlined: every segment would pay.
    #[inline(never)]
    fn admit_other(
        &mut self,
        now: Instant,
        packet: &[u8],
        admitted: &Result<Admitted<'_>, DropReason>,
        tx: &mut dyn Room,
    ) -> Turn {
        #[cfg(any(feature = "ipv6", feature = "fragments"))]
        let mut rebuilt = self.rebuild(now, admitted);
        #[cfg(any(feature = "ipv6", feature = "fragments"))]
        while let Some(packet) = rebuilt {
            let admitted = &self.filter.admit(&packet);
            // A reassembled packet may have extension headers, and is rebuilt once more. A packet without them is not.
            rebuilt = self.rebuild(now, admitted);
            if rebuilt.is_none() {
                return match admitted {
                    Ok(Admitted::Segment(raw)) => self.segment(now, &packet, raw, tx),
                    admitted => self.hand_over(now, &packet, admitted, tx),
                };
            }
        }
        self.hand_over(now, packet, admitted, tx)
    }

    /// The packet that is to be admitted in place of a fragment or of a packet with extension headers. None for any other
    /// packet, and while fragments are missing.
    #[cfg(any(feature = "ipv6", feature = "fragments"))]
    fn rebuild(&mut self, now: Instant, admitted: &Result<Admitted<'_>, DropReason>) -> Option<Rebuilt> {
        // Only reassembly has a timeout.
        #[cfg(not(feature = "fragments"))]
        let _ = now;
        let rebuilt = match admitted {
            #[cfg(feature = "fragments")]
            Ok(Admitted::Fragment(fragment)) => self.reassembly.add(now, fragment),
            #[cfg(feature = "ipv6")]
            Ok(Admitted::Extended(extended)) => extended.plain().map(Some).ok_or(DropReason::ExtensionHeader),
            _ => Ok(None),
        };
        rebuilt.unwrap_or_else(|reason| {
            self.stats.drop(reason);
            None
        })
    }

    /// Hands over a packet that is no segment.
    fn hand_over(
        &mut self,
        now: Instant,
        packet: &[u8],
        admitted: &Result<Admitted<'_>, DropReason>,
        tx: &mut dyn Room,
    ) -> Turn {
        let (connections, datagrams, mut cx) = self.parts(now);
        match admitted {
            Err(reason) => {
                cx.stats.drop(*reason);
                Turn::Nothing
            }
            Ok(Admitted::Datagram(from, to)) => {
                cx.learn_neighbour(packet, *from, *to, Evidence::Claimed);
                cx.interface.process(now, (packet, tx), datagrams.sockets(), &mut ());
                Turn::Datagrams
            }
            Ok(Admitted::Stack) => {
                if let Some(id) = connections.too_big(&mut cx, packet) {
                    return Turn::Slot(id);
                }
                cx.interface.answer(now, packet, tx);
                Turn::Fragments
            }
            Ok(Admitted::Neighbour) => {
                cx.interface.process_without_sockets(now, packet, tx);
                Turn::Neighbours
            }
            Ok(Admitted::Unwanted(unwanted)) => {
                if self.answer_limits.permit(now, unwanted) {
                    unwanted.send_answer(packet, tx, &mut self.interface);
                } else {
                    self.stats.drop(DropReason::AnswerLimit);
                }
                Turn::Nothing
            }
            // Housekeeping, a fragment that waits for others, and what has been counted as dropped.
            Ok(_) => Turn::Nothing,
        }
    }

    /// Runs what is to run after a packet.
    #[cfg_attr(feature = "fast", inline(always))]
    pub(super) fn take_turn<D: Device + ?Sized>(&mut self, turn: Turn, now: Instant, device: &mut D) {
        match turn {
            Turn::Nothing => {}
            Turn::Slot(id) => {
                let (connections, _, mut cx) = self.parts(now);
                let sent = connections.serve(&mut cx, device, id);
                self.blocked |= sent == Sent::Blocked;
            }
            Turn::Datagrams | Turn::Fragments | Turn::Neighbours => self.take_other_turn(turn, now, device),
        }
    }

    /// The same where the packet was for no connection.
    ///
    /// Do not be tempted to let it be inlined: every segment would pay.
    #[inline(never)]
    fn take_other_turn<D: Device + ?Sized>(&mut self, turn: Turn, now: Instant, device: &mut D) {
        let (connections, datagrams, mut cx) = self.parts(now);
        match turn {
            Turn::Nothing | Turn::Slot(_) => {}
            Turn::Datagrams => {
                datagrams.serve(&mut cx);
                self.send_datagrams(now, device);
            }
            Turn::Fragments => self.send_fragments(now, device),
            Turn::Neighbours => {
                connections.look_for_neighbours(now);
                self.send_datagrams(now, device);
                self.answer_again(now, device);
            }
        }
    }
}
