//! A packet in one line, for a look into a run that failed.

use core::fmt;

use crate::wire::{ACK, Datagram, FIN, Ip, PSH, RST, SYN, Segment};

/// Displays an IP packet in one line.
#[derive(Debug, Clone, Copy)]
pub struct OneLine<'p>(pub &'p [u8]);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(segment) = Segment::read(self.0) {
            let Segment { from, to, seq, ack, window, .. } = &segment;
            write!(f, "{from} > {to} ")?;
            for (flag, letter) in [(SYN, 'S'), (FIN, 'F'), (RST, 'R'), (PSH, 'P'), (ACK, 'A')] {
                if segment.has(flag) {
                    write!(f, "{letter}")?;
                }
            }
            write!(f, " seq {seq}+{} ack {ack} win {window}", segment.payload.len())?;
            return if segment.has(SYN) { write!(f, " {:?}", segment.mss_and_scale()) } else { Ok(()) };
        }
        let Some(ip) = Ip::read(self.0) else {
            return write!(f, "{} bytes that are no packet", self.0.len());
        };
        let (from, to, length) = (ip.from, ip.to, ip.payload.len());
        match Datagram::read(from, to, ip.payload) {
            Some(Datagram { from, to, payload }) => write!(f, "{from} > {to} UDP {}", payload.len()),
            None => write!(f, "{from} > {to} protocol {}, {:?}, {length} bytes", ip.protocol, ip.fragment),
        }
    }
}
