//! SYN-SENT: the SYN, and what is made of the answer.

use smoltcp::time::Instant;

use super::{State, TcpClient};
use crate::scenario::TcpConfig;
use crate::tcp_options::SynOptions;
use crate::wire::{ACK, RST, SYN, Segment};

impl TcpClient {
    pub(super) fn connecting(&mut self, segment: &Segment) {
        let first = self.config.iss.wrapping_add(1);
        let acceptable = segment.has(ACK) && segment.ack == first;
        if segment.has(RST) {
            if acceptable {
                self.state = State::Reset;
            }
        } else if segment.has(ACK) && !acceptable {
            // The server still knows an old connection of these ports (RFC 9293, section 3.5.1).
            self.answer(RST, segment.ack);
        } else if segment.has(SYN | ACK) {
            let (mss, scale) = segment.mss_and_scale();
            // Windows are scaled if both ends offer it (RFC 7323, section 2.2).
            let scales = self.config.scale.zip(scale);
            self.state = State::Open;
            self.sender.begin(segment, mss, scales.map(|(_, theirs)| theirs));
            let sack = self.config.sack && segment.permits_sack();
            self.receiver.begin(segment, scales.map(|(ours, _)| ours), self.sender.mss, sack);
        }
    }

    pub(super) fn transmit_syn(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        if self.sender.again_at.is_some_and(|at| at <= now) {
            let TcpConfig { mss, scale, sack, timestamps, .. } = self.config;
            let mut syn = self.segment(self.config.iss, SYN, Vec::new());
            syn.options = SynOptions { mss, scale, sack, timestamps }.to_bytes();
            // Not scaled, as in every SYN.
            syn.window = u16::try_from(self.config.buffer).unwrap_or(u16::MAX);
            out.push(syn.to_packet());
            self.sender.farthest = self.config.iss.wrapping_add(1);
            self.sender.back_off(now);
        }
    }
}
