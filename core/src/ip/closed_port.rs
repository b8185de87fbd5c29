//! RSTs for segments to closed ports.

use smoltcp::wire::{IpProtocol, TCP_HEADER_LEN, TcpPacket, TcpSeqNumber};

use crate::ip::answer::{Answer, Unwanted};
use crate::ip::device::Room;
use crate::ip::interface::Interface;
use crate::stats::DropReason;

/// What a segment to a closed port draws: a RST, unless it is one (RFC 9293, section 3.10.7.1).
#[cold]
pub(crate) fn answer(tcp: &TcpPacket<&[u8]>) -> Result<Answer, DropReason> {
    if tcp.rst() {
        return Err(DropReason::Unacceptable);
    }
    if tcp.src_port() == 0 || tcp.dst_port() == 0 {
        return Err(DropReason::Malformed);
    }
    Ok(Answer::Reset)
}

/// Sends the RST (RFC 9293, section 3.10.7.1). smoltcp's own lacks the ACK where the segment has neither SYN nor ACK, and no
/// peer takes such a RST.
pub(crate) fn reset(unwanted: &Unwanted<'_>, tx: &mut dyn Room, interface: &mut Interface) {
    let segment = TcpPacket::new_unchecked(unwanted.payload);
    let acknowledgement = segment.seq_number() + segment.segment_len();
    unwanted.reply((IpProtocol::Tcp, TCP_HEADER_LEN), tx, interface, |packet, header| {
        let mut rst = TcpPacket::new_unchecked(&mut packet[header..]);
        rst.set_src_port(segment.dst_port());
        rst.set_dst_port(segment.src_port());
        rst.clear_flags();
        rst.set_header_len(20);
        rst.set_rst(true);
        // <SEQ=SEG.ACK><CTL=RST>, or <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>.
        rst.set_ack(!segment.ack());
        let (sequence, acknowledgement) = if segment.ack() {
            (segment.ack_number(), TcpSeqNumber(0))
        } else {
            (TcpSeqNumber(0), acknowledgement)
        };
        rst.set_seq_number(sequence);
        rst.set_ack_number(acknowledgement);
        rst.set_window_len(0);
        rst.set_urgent_at(0);
        rst.fill_checksum(&unwanted.destination, &unwanted.source);
    });
}
