//! smoltcp drops a segment with an option of an illegal length, and a RST that has SYN or FIN set, too.
//!
//! RFC 9293, section 3.1 (MUST-7): a TCP must "be prepared to handle an illegal option length". What comes again with the same
//! options would be dropped for ever; so what can be understood is taken, and the rest of the options ignored, as in Linux.
//! Section 3.10.7.4 looks at RST before SYN and FIN: the RST counts. SYN and FIN without it are left to be dropped.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `a_rst_with_fin_set_is_dropped`,
//! `a_segment_with_an_option_of_illegal_length_is_dropped`
//! Kept by: core/src/tests/illegal_flags.rs, core/src/tests/segments.rs

use smoltcp::wire::{TcpControl, TcpOption, TcpPacket, TcpRepr};

/// The segment, as far as it can be understood. smoltcp must be shown it as it is built from this.
#[cold]
#[inline(never)]
pub(crate) fn parse<'p>(packet: &TcpPacket<&'p [u8]>) -> Option<TcpRepr<'p>> {
    if packet.src_port() == 0 || packet.dst_port() == 0 {
        return None;
    }
    let control = match (packet.rst(), packet.syn(), packet.fin(), packet.psh()) {
        (true, ..) => TcpControl::Rst,
        (_, true, true, _) => return None,
        (_, true, ..) => TcpControl::Syn,
        (_, _, true, _) => TcpControl::Fin,
        (.., true) => TcpControl::Psh,
        (.., false) => TcpControl::None,
    };
    let mut tcp = TcpRepr {
        src_port: packet.src_port(),
        dst_port: packet.dst_port(),
        control,
        seq_number: packet.seq_number(),
        ack_number: packet.ack().then(|| packet.ack_number()),
        window_len: packet.window_len(),
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: packet.payload(),
    };
    read_options(packet.options(), &mut tcp);
    Some(tcp)
}

/// Takes the options that have the length of their kind, up to one with no possible length.
fn read_options(mut options: &[u8], tcp: &mut TcpRepr<'_>) {
    const END: u8 = 0;
    const NO_OPERATION: u8 = 1;
    while let [kind, rest @ ..] = options {
        let length = match (*kind, rest) {
            (END, _) | (_, []) => return,
            (NO_OPERATION, _) => 1,
            (_, [0 | 1, ..]) => return,
            (_, [length, ..]) => usize::from(*length),
        };
        let Some((option, later)) = options.split_at_checked(length) else {
            return;
        };
        match TcpOption::parse(option) {
            Ok((_, TcpOption::MaxSegmentSize(size))) => tcp.max_seg_size = Some(size),
            // RFC 7323, section 2.3: 14 in place of more.
            Ok((_, TcpOption::WindowScale(shift))) => tcp.window_scale = Some(shift.min(14)),
            Ok((_, TcpOption::SackPermitted)) => tcp.sack_permitted = true,
            Ok((_, TcpOption::SackRange(ranges))) => tcp.sack_ranges = ranges,
            _ => {}
        }
        options = later;
    }
}
