//! Datagrams put together from their fragments, with a table of 8-byte blocks (RFC 791, section 3.2; RFC 8200, section 4.5).
//!
//! smoltcp's reassembly takes note of 4 holes, and takes a fragment that makes a fifth one for received all the same. It has
//! none for IPv6, whose nodes must put together what makes 1500 bytes.
//!
//! A datagram of which a fragment is missing is thrown away after two seconds without a word. RFC 1122, section 3.3.2 and RFC 8200
//! have Time Exceeded sent then, after 15 seconds at least and 60: sooner, a sender would hear of a loss while the last fragment
//! may be on its way, and no sender does anything with it.

use heapless::Vec;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::Ipv4Packet;
#[cfg(feature = "ipv6")]
use smoltcp::wire::Ipv6Packet;

use crate::ip::fragment::{Fragment, Key};
use crate::ip::{LONGEST_IPV4_HEADER, LONGEST_REBUILT as LONGEST, Rebuilt};
use crate::stats::DropReason;

/// Fragments begin at multiples of this many bytes.
const BLOCK: usize = 8;

/// Datagrams that are put together at once.
const DATAGRAMS: usize = 4;

/// An orphaned fragment holds one of the buffers for this long (RFC 791 has 15 s, RFC 8900 says why not).
const TIMEOUT: Duration = Duration::from_secs(2);

/// A datagram of which fragments have come.
#[derive(Debug)]
struct Partial {
    /// None if this buffer is free.
    key: Option<Key>,
    expires_at: Instant,
    /// The IP header and the protocol of the first fragment, once that has come.
    header: Vec<u8, LONGEST_IPV4_HEADER>,
    protocol: u8,
    payload: [u8; LONGEST],
    blocks: [bool; LONGEST / BLOCK],
    /// How many of the blocks are there.
    received: usize,
    /// The length of the payload, once the last fragment has told it.
    length: Option<usize>,
}

impl Partial {
    const FREE: Partial = Partial {
        key: None,
        expires_at: Instant::ZERO,
        header: Vec::new(),
        protocol: 0,
        payload: [0; LONGEST],
        blocks: [false; LONGEST / BLOCK],
        received: 0,
        length: None,
    };

    fn begin(&mut self, key: Key, now: Instant) {
        self.key = Some(key);
        self.expires_at = now + TIMEOUT;
        self.header.clear();
        self.blocks.fill(false);
        self.received = 0;
        self.length = None;
    }

    /// Takes a fragment; None if it contradicts the others.
    fn add(&mut self, fragment: &Fragment<'_>) -> Option<()> {
        let &Fragment { offset, more, data, .. } = fragment;
        let end = offset + data.len();
        let blocks = offset / BLOCK..end.div_ceil(BLOCK);
        let length = self.length.unwrap_or(LONGEST);
        let contradicts = end > length
            || !more && self.length.is_some_and(|length| end != length)
            || !more && self.blocks.get(blocks.end..)?.contains(&true)
            || more && data.len() % BLOCK != 0;
        if contradicts || data.is_empty() {
            return None;
        }
        let received = self.blocks.get_mut(blocks)?;
        let place = self.payload.get_mut(offset..end)?;
        match received.iter().filter(|&&received| received).count() {
            0 => place.copy_from_slice(data),
            // A duplicate. Any other overlap is an attempt to get past a filter on the way (RFC 1858, RFC 5722).
            count if count == received.len() && place == data => return Some(()),
            _ => return None,
        }
        self.received += received.len();
        received.fill(true);
        if !more {
            self.length = Some(end);
        }
        if offset == 0 {
            self.header = Vec::from_slice(fragment.header).ok()?;
            self.protocol = fragment.protocol;
        }
        Some(())
    }

    /// The datagram, if all of it is there.
    fn whole(&self, link_header: &[u8]) -> Option<Rebuilt> {
        let length = self.length.filter(|length| length.div_ceil(BLOCK) == self.received)?;
        let mut whole = Rebuilt::from_slice(link_header).ok()?;
        whole.extend_from_slice(&self.header).ok()?;
        whole.extend_from_slice(self.payload.get(..length)?).ok()?;
        let packet = &mut whole[link_header.len()..];
        match self.header.first()? >> 4 {
            #[cfg(feature = "ipv6")]
            6 => {
                let mut packet = Ipv6Packet::new_unchecked(packet);
                packet.set_next_header(self.protocol.into());
                packet.set_payload_len(u16::try_from(length).ok()?);
            }
            _ => {
                let mut packet = Ipv4Packet::new_unchecked(packet);
                packet.set_total_len(u16::try_from(self.header.len() + length).ok()?);
                packet.set_more_frags(false);
                packet.fill_checksum();
            }
        }
        Some(whole)
    }
}

/// The datagrams of which fragments have come.
#[derive(Debug)]
pub(crate) struct Reassembly {
    partial: [Partial; DATAGRAMS],
}

impl Reassembly {
    pub(crate) const fn new() -> Reassembly {
        Reassembly { partial: [Partial::FREE; DATAGRAMS] }
    }

    /// Takes a fragment that the filter has validated. Returns the datagram that it completes, if any.
    ///
    /// # Errors
    ///
    /// The fragment finds no buffer, makes the datagram too long, or contradicts its other fragments; what has come of
    /// the datagram is thrown away then.
    pub(crate) fn add(
        &mut self,
        now: Instant,
        fragment: &Fragment<'_>,
    ) -> Result<Option<Rebuilt>, DropReason> {
        let key = fragment.key;
        for partial in &mut self.partial {
            if partial.expires_at <= now {
                partial.key = None;
            }
        }
        let known = self.partial.iter().position(|partial| partial.key == Some(key));
        let place = known.or_else(|| self.partial.iter().position(|partial| partial.key.is_none()));
        let partial = place.and_then(|place| self.partial.get_mut(place)).ok_or(DropReason::Fragment)?;
        if known.is_none() {
            partial.begin(key, now);
        }
        if partial.add(fragment).is_none() {
            partial.key = None;
            return Err(DropReason::Fragment);
        }
        let whole = partial.whole(fragment.link_header);
        if whole.is_some() {
            partial.key = None;
        }
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec as List;

    use super::*;

    /// A fragment of a datagram in which each byte tells where it stands.
    fn fragment(offset: usize, length: usize, more: bool) -> List<u8> {
        let mut packet = std::vec![0; 20];
        packet.extend((offset..offset + length).map(|at| (at * 7 + at / 256).to_le_bytes()[0]));
        let mut view = Ipv4Packet::new_unchecked(&mut packet[..]);
        view.set_version(4);
        view.set_header_len(20);
        view.set_total_len(u16::try_from(20 + length).unwrap());
        view.set_frag_offset(u16::try_from(offset).unwrap());
        view.set_more_frags(more);
        packet
    }

    fn add(reassembly: &mut Reassembly, fragment: &[u8]) -> Result<Option<Rebuilt>, DropReason> {
        let packet = Ipv4Packet::new_checked(fragment).unwrap();
        reassembly.add(Instant::from_secs(10), &Fragment::of_ipv4(&[], &packet))
    }

    #[test]
    fn two_hundred_and_fifty_six_fragments_come_in_any_order() {
        let count = LONGEST / BLOCK;
        let whole = fragment(0, LONGEST, false);
        for step in [1, 3, 77, count - 1] {
            let mut reassembly = Reassembly::new();
            for turn in 1..=count {
                let index = turn * step % count;
                let piece = fragment(index * BLOCK, BLOCK, index + 1 < count);
                let done = add(&mut reassembly, &piece).unwrap();
                assert_eq!(done.is_some(), turn == count);
                if let Some(done) = done {
                    assert!(done[20..] == whole[20..]);
                }
            }
        }
    }

    #[test]
    fn what_contradicts_itself_is_thrown_away() {
        for (first, second) in [
            (fragment(0, 16, true), fragment(8, 16, true)),     // overlaps
            (fragment(8, 16, true), fragment(0, 32, true)),     // overlaps on both sides
            (fragment(8, 12, false), fragment(24, 8, true)),    // goes on behind the end
            (fragment(24, 8, true), fragment(8, 12, false)),    // ends before what is there
            (fragment(16, 8, false), fragment(32, 8, false)),   // has two ends
            (fragment(16, 8, false), fragment(16, 4, false)),   // has two ends in one block
            (fragment(0, 8, true), fragment(8, 12, true)),      // goes on, though not at a multiple of 8
            (fragment(0, 8, true), fragment(2040, 16, false)),  // is too long
            (fragment(0, 8, true), fragment(8, 0, false)),      // has nothing in it
            (fragment(0, 8, true), fragment(65_528, 8, false)), // cannot be an IPv4 packet
        ] {
            let mut reassembly = Reassembly::new();
            assert_eq!(add(&mut reassembly, &first), Ok(None));
            assert_eq!(add(&mut reassembly, &second), Err(DropReason::Fragment));
            assert!(reassembly.partial.iter().all(|partial| partial.key.is_none()));
        }
    }

    #[test]
    fn a_fragment_with_other_content_than_before_is_no_duplicate() {
        let mut reassembly = Reassembly::new();
        let mut piece = fragment(0, 16, true);
        assert_eq!(add(&mut reassembly, &piece), Ok(None));
        assert_eq!(add(&mut reassembly, &piece), Ok(None));
        *piece.last_mut().unwrap() ^= 1;
        assert_eq!(add(&mut reassembly, &piece), Err(DropReason::Fragment));
    }
}
