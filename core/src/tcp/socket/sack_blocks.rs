//! smoltcp tells of one block of data that stands behind a hole.
//!
//! RFC 2018, section 4: the first block is the one that the newest segment belongs to, and "the data receiver SHOULD include as
//! many distinct SACK blocks as possible", those that it told of last. As acknowledgements get lost, each block is so told of
//! three times. smoltcp's one block is the first; those that it told of before are put behind it.
//! Upstream: none.
//! Shown by: core/tests/smoltcp.rs, `one_sack_block_is_told_of_three`
//! Kept by: core/src/tests/sack_blocks.rs

#[cfg(feature = "ipv6")]
use smoltcp::wire::Ipv6Packet;
use smoltcp::wire::{IpVersion, Ipv4Packet, TcpPacket};

use crate::ip::device::Draft;
use crate::tcp::seq::Seq;

/// No more fit beside timestamps, and no more are told.
const MOST: usize = 3;
/// Two bytes of padding, kind and length.
const BEFORE: usize = 4;
/// Two sequence numbers.
const BLOCK: usize = 8;
const KIND: u8 = 5;
const NO_OPERATION: u8 = 1;
/// The length of a TCP header without options.
const HEADER: usize = 20;

/// The blocks that were told of, the newest first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SackBlocks {
    blocks: [(Seq, Seq); MOST],
    count: usize,
}

impl SackBlocks {
    pub(crate) const NONE: SackBlocks = SackBlocks { blocks: [(Seq(0), Seq(0)); MOST], count: 0 };

    /// Takes note of the block that an acknowledgement tells of.
    fn tell(&mut self, ack: Seq, newest: (Seq, Seq)) {
        let mut told = SackBlocks { count: 1, ..SackBlocks::NONE };
        told.blocks[0] = newest;
        for &block in &self.blocks[..self.count] {
            // What has grown together with the newest block is a part of it; what has been acknowledged is told so.
            let part = !block.0.is_before(newest.0) && !block.1.is_after(newest.1);
            if block.0.is_after(ack) && !part && told.count < MOST {
                told.blocks[told.count] = block;
                told.count += 1;
            }
        }
        *self = told;
    }

    /// Takes note of the block in an acknowledgement that leaves, and puts the others behind it.
    #[cold]
    pub(crate) fn complete(&mut self, draft: &mut Draft, link_header_len: usize) {
        let _ = self.try_complete(draft, link_header_len);
    }

    fn try_complete(&mut self, draft: &mut Draft, link_header_len: usize) -> Option<()> {
        let ip = draft.get(link_header_len..)?;
        let version = IpVersion::of_packet(ip.get(..1)?).ok()?;
        let header = link_header_len
            + match version {
                IpVersion::Ipv4 => usize::from(Ipv4Packet::new_checked(ip).ok()?.header_len()),
                #[cfg(feature = "ipv6")]
                IpVersion::Ipv6 => 40,
            };
        let segment = TcpPacket::new_checked(draft.get(header..)?).ok()?;
        let ack = Seq::from(segment.ack_number());
        let newest = segment.selective_ack_ranges().ok()?[0];
        let (left, right) = newest.filter(|_| segment.payload().is_empty())?;
        self.tell(ack, (Seq(left), Seq(right)));
        let options = BEFORE + self.count * BLOCK;
        draft.resize(header + HEADER + options, NO_OPERATION).ok()?;
        let option = draft.get_mut(header + HEADER + 2..)?;
        option[0] = KIND;
        option[1] = u8::try_from(2 + self.count * BLOCK).ok()?;
        for (place, block) in option[2..].chunks_exact_mut(BLOCK).zip(&self.blocks[..self.count]) {
            place[..4].copy_from_slice(&block.0.0.to_be_bytes());
            place[4..].copy_from_slice(&block.1.0.to_be_bytes());
        }
        draft[header + HEADER..][..2].fill(NO_OPERATION);
        set_lengths(draft, link_header_len, header, version)
    }
}

/// Brings the lengths in the headers up to the segment's new length. The checksums are written afterwards.
fn set_lengths(draft: &mut Draft, link_header_len: usize, header: usize, version: IpVersion) -> Option<()> {
    let length = draft.len();
    let (ip, segment) = draft.split_at_mut_checked(header)?;
    match version {
        IpVersion::Ipv4 => Ipv4Packet::new_unchecked(&mut ip[link_header_len..])
            .set_total_len(u16::try_from(length - link_header_len).ok()?),
        #[cfg(feature = "ipv6")]
        IpVersion::Ipv6 => Ipv6Packet::new_unchecked(&mut ip[link_header_len..])
            .set_payload_len(u16::try_from(length - header).ok()?),
    }
    let header_len = u8::try_from(segment.len()).ok()?;
    TcpPacket::new_unchecked(segment).set_header_len(header_len);
    Some(())
}
