//! Segments that smoltcp must be shown otherwise than they came. They are built anew, in pieces, since there is no memory for a
//! whole one.

use heapless::Vec;
use smoltcp::wire::{ETHERNET_HEADER_LEN, TcpControl, TcpRepr};

use crate::cx::Cx;
use crate::ip::device::Room;
use crate::tcp::segment::{Segment, build};
use crate::tcp::socket::Socket;

/// The most data that a piece has.
pub(super) const PIECE: usize = 512;

/// The packet of a piece.
pub(super) type Piece = Vec<u8, { ETHERNET_HEADER_LEN + 40 + 60 + PIECE }>;

impl Socket<'_> {
    /// The segment in the form in which smoltcp takes all that is new in it.
    #[cold]
    #[inline(never)]
    pub(super) fn rewrite<'p>(&self, segment: &Segment<'p>) -> Segment<'p> {
        let mut segment = *segment;
        if self.is_overtaken(&segment) {
            self.give_present_ack(&mut segment);
        }
        if self.brings_fin_alone(&segment) {
            self.leave_fin_alone(&mut segment);
        }
        if let Some(window) = self.window_in_last_ack(&segment) {
            (segment.packet, segment.tcp.window_len) = (&[], window);
        }
        segment
    }

    /// Shows smoltcp a segment as it stands in `segment.tcp`. What it answers to the last piece is sent.
    #[cold]
    #[inline(never)]
    pub(super) fn feed_pieces<H>(
        &mut self,
        cx: &mut Cx<'_, H>,
        segment: &Segment<'_>,
        tx: &mut (impl Room + ?Sized),
    ) {
        let mut rest = TcpRepr { timestamp: None, ..segment.tcp };
        while rest.payload.len() > PIECE {
            let (piece, later) = rest.payload.split_at(PIECE);
            let packet: Piece =
                build(segment, &TcpRepr { control: TcpControl::None, payload: piece, ..rest });
            self.inject(cx, &packet);
            rest.seq_number += PIECE;
            rest.payload = later;
        }
        let packet: Piece = build(segment, &rest);
        self.feed_apart(cx, &packet, tx);
    }
}
